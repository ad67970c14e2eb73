//! The library of onnxruntime, which a process loads once, when it is asked for.
//!
//! It is no part of a build: users have their own. No network comes here.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use nonresc_ir::diagnostic::Diagnostic;
use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::LogLevel;

/// The library of onnxruntime: there is one only where it is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Library(());

#[derive(Debug)]
struct Loaded {
    path: PathBuf,
    environment: Environment,
}

static LOADED: OnceLock<Loaded> = OnceLock::new();

impl Library {
    /// Loads the library of onnxruntime at `path`, or the one that the system finds by its usual name.
    ///
    /// # Errors
    /// A file that is missing, that is no library of onnxruntime, or one that is too old; another one than before.
    pub fn load(path: Option<&Path>) -> Result<Library, Diagnostic> {
        static LOADING: Mutex<()> = Mutex::new(());
        let usual = || PathBuf::from(format!("{DLL_PREFIX}onnxruntime{DLL_SUFFIX}"));
        let path = path.map_or_else(|| Ok(usual()), found)?;
        let _alone = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = match LOADED.get() {
            Some(loaded) => loaded,
            None => {
                let loaded = Loaded::new(path.clone())?;
                LOADED.get_or_init(|| loaded)
            }
        };
        if loaded.path == path {
            return Ok(Library(()));
        }
        Err(Diagnostic::new(
            "engine/library",
            named(&path),
            format!("{} is loaded, and a process loads one", loaded.path.display()),
            "use one of them",
        ))
    }

    pub(super) fn environment(self) -> &'static Environment {
        &LOADED.get().expect("whoever has a library has loaded it").environment
    }
}

impl Loaded {
    fn new(path: PathBuf) -> Result<Loaded, Diagnostic> {
        // Until this succeeds no other function of the crate may be called: they panic without a library.
        let builder = ort::init_from(&path).map_err(|error| unusable(&path, reason(&error)))?;
        // What is refused comes back as an error; its log would be printed.
        let silent = builder.with_telemetry(false).with_logger(Arc::new(|_, _, _, _, _| {}));
        let environment = silent.build().map_err(|error| unusable(&path, error.to_string()))?;
        environment.set_log_level(LogLevel::Fatal);
        Ok(Loaded { path, environment })
    }
}

/// A file that the user named, wherever the process goes.
fn found(path: &Path) -> Result<PathBuf, Diagnostic> {
    path.canonicalize().map_err(|error| unusable(path, error.to_string()))
}

fn reason(error: &LoadDynamicError) -> String {
    match error {
        // Its own text leaves out what the system says.
        LoadDynamicError::Dlopen { error, .. } => error.source().unwrap_or(error).to_string(),
        _ => error.to_string(),
    }
}

fn named(path: &Path) -> String {
    format!("engine ort with the library {}", path.display())
}

fn unusable(path: &Path, why: String) -> Diagnostic {
    Diagnostic::new(
        "engine/absent",
        named(path),
        why,
        format!(
            "install onnxruntime 1.{} or newer, as with `pip install onnxruntime`, and name its library, \
             capi/{DLL_PREFIX}onnxruntime* in the package's folder, with `--onnxruntime` or in ORT_DYLIB_PATH; or use \
             `--engine native`",
            ort::MINOR_VERSION
        ),
    )
}
