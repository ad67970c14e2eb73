//! From `--engine` to what computes, which may have to be loaded. Nothing is computed here.

use std::path::{Path, PathBuf};

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_passes::engine;

use crate::args::Engine;
use crate::exit::Failure;

/// The variable that names the library of onnxruntime where no flag does.
const LIBRARY: &str = "ORT_DYLIB_PATH";

/// What computes.
///
/// # Errors
/// A library of onnxruntime that cannot be used, or that nobody asked for.
pub(super) fn chosen(engine: Engine, onnxruntime: Option<&Path>) -> Result<engine::Engine, Failure> {
    if let (Some(path), true) = (onnxruntime, engine != Engine::Ort) {
        return Err(Failure::usage(Diagnostic::new(
            "usage/onnxruntime",
            format!("--onnxruntime {}", path.display()),
            "the engine that computes is another",
            "give `--engine ort` too",
        )));
    }
    Ok(match engine {
        Engine::Native => engine::Engine::Native,
        Engine::Plain => engine::Engine::Plain,
        Engine::Tract => engine::Engine::Tract,
        Engine::Ort => {
            let named = std::env::var_os(LIBRARY).filter(|path| !path.is_empty()).map(PathBuf::from);
            engine::Engine::Ort(engine::Library::load(onnxruntime.or(named.as_deref()))?)
        }
    })
}
