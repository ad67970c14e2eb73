//! What stands in for engines that this build does not contain. Nothing that computes.

#[cfg(not(feature = "ort"))]
use std::path::Path;

use nonresc_ir::diagnostic::Diagnostic;

/// The library of onnxruntime, of which this build knows none.
#[cfg(not(feature = "ort"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {}

#[cfg(not(feature = "ort"))]
impl Library {
    /// Loads the library of onnxruntime, in builds with the cargo feature `ort`.
    ///
    /// # Errors
    /// Always: this is a build without it.
    pub fn load(_path: Option<&Path>) -> Result<Library, Diagnostic> {
        Err(absent("ort", "ort"))
    }
}

/// An engine that is in builds with a cargo feature alone.
pub(super) fn absent(engine: &str, feature: &str) -> Diagnostic {
    Diagnostic::new(
        "engine/absent",
        format!("engine {engine}"),
        "this build of nonresc does not contain it",
        format!("build with `--features {feature}`, or use `--engine native`"),
    )
}
