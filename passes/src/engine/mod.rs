//! Engines that run networks at speed, behind one small trait, and runs of any number of frames on them.
//!
//! - [`native`]: our own kernels; the default.
//! - [`plain`]: the plain evaluator of `nonresc-ir`, the reference.
//! - tract, an embedded ONNX runtime, behind the cargo feature `engine`, and onnxruntime, whose library is loaded at run
//!   time, behind the cargo feature `ort`; they read the bytes that we export, so that engines which we did not write
//!   can be held against ours.
//!
//! No data set and no preprocessing that is not the network's own.

#[cfg(not(all(feature = "engine", feature = "ort")))]
mod absent;
#[cfg(any(feature = "engine", feature = "ort"))]
mod exported;
pub mod frames;
pub mod native;
#[cfg(feature = "ort")]
pub mod onnxruntime;
pub mod plain;
mod ports;
pub(crate) mod strided;
#[cfg(feature = "engine")]
pub mod tract;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::network::Network;
use nonresc_ir::tensor::Tensor;

#[cfg(not(feature = "ort"))]
pub use absent::Library;
pub use frames::{Frames, Given, showing};
#[cfg(feature = "ort")]
pub use onnxruntime::Library;
pub(crate) use ports::mean_and_std;
pub use ports::users_shape;

/// A network that an engine has made ready for one number of frames a run.
pub trait Session: Send + Sync {
    /// Runs the network's inputs, in its order, as its user sees them (names apart): layout, element type,
    /// the batch that the network held when it was loaded. Gives the outputs likewise.
    ///
    /// # Errors
    /// Inputs of other types than the network's; what an engine of others refuses.
    fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Diagnostic>;
}

/// Which engine runs a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Our own kernels.
    #[default]
    Native,
    /// The plain evaluator: slow and obviously right.
    Plain,
    /// tract on the exported network; in builds with the cargo feature `engine`.
    Tract,
    /// onnxruntime on the exported network; in builds with the cargo feature `ort`.
    Ort(Library),
}

impl Engine {
    /// Makes a network ready for the batch that it holds.
    ///
    /// # Errors
    /// Networks that the engine cannot plan; engines of others where this build does not contain them, or where they
    /// refuse our export.
    pub fn load(self, network: &Network) -> Result<Box<dyn Session>, Diagnostic> {
        match self {
            Engine::Native => Ok(Box::new(native::Native::new(network)?)),
            Engine::Plain => Ok(Box::new(plain::Plain::new(network))),
            #[cfg(feature = "engine")]
            Engine::Tract => Ok(Box::new(tract::Tract::new(network)?)),
            #[cfg(not(feature = "engine"))]
            Engine::Tract => Err(absent::absent("tract", "engine")),
            #[cfg(feature = "ort")]
            Engine::Ort(library) => Ok(Box::new(onnxruntime::Onnxruntime::new(network, library)?)),
            #[cfg(not(feature = "ort"))]
            Engine::Ort(none) => match none {},
        }
    }

    /// Frames a run at which the engine is fast.
    fn frames(self) -> usize {
        match self {
            Engine::Native | Engine::Plain => 1,
            Engine::Tract | Engine::Ort(_) => 16,
        }
    }
}

/// As `--engine` takes it.
impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Engine::Native => "native",
            Engine::Plain => "plain",
            Engine::Tract => "tract",
            Engine::Ort(_) => "ort",
        })
    }
}
