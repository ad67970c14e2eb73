//! The engine ort: onnxruntime, from a library that the user has, on the bytes that we export.
//!
//! It runs on the CPU, a session on one core, and computes in floats what the file has between quantisers: its kernels
//! for codes round sums otherwise, and hold them to 16 bits on CPUs without VNNI. It reads nothing but our own export,
//! never a user's file.

mod library;

use std::sync::{Mutex, MutexGuard, PoisonError};

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::network::{Element, Network};
use nonresc_ir::tensor::{Data, Tensor};
use nonresc_ir::with_data;
use ort::session::{Session as Theirs, SessionInputValue};
use ort::value::{DynValue, TensorRef};

pub use self::library::Library;
use super::Session;
use super::exported::{Exported, Other, Port, of_element};

const ORT: Other = Other { name: "ort", code: "engine/ort" };

/// A network that onnxruntime has made ready for one batch.
#[derive(Debug)]
pub struct Onnxruntime {
    library: Library,
    bytes: Vec<u8>,
    exported: Exported,
    /// A session runs once at a time: there are as many as have run side by side.
    idle: Mutex<Vec<Theirs>>,
}

impl Onnxruntime {
    /// Exports the network and makes it ready.
    ///
    /// # Errors
    /// What standard ONNX cannot say, by name; what onnxruntime cannot run, with its reason and the node's name.
    pub fn new(network: &Network, library: Library) -> Result<Self, Diagnostic> {
        let (bytes, exported) = ORT.export(network)?;
        let first = session(library, &bytes).map_err(|error| refused(&error))?;
        Ok(Onnxruntime { library, bytes, exported, idle: Mutex::new(vec![first]) })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Theirs>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outputs(&self, session: &mut Theirs, given: &[Tensor]) -> Result<Vec<Tensor>, Diagnostic> {
        let given: ort::Result<Vec<_>> = given.iter().map(to_theirs).collect();
        let outputs = given.and_then(|given| session.run(&given[..])).map_err(|error| refused(&error))?;
        let ports = self.exported.outputs.iter();
        ports.zip(outputs.values()).map(|(port, theirs)| self.computed(port, &theirs)).collect()
    }

    fn computed(&self, port: &Port, theirs: &DynValue) -> Result<Tensor, Diagnostic> {
        let ty = theirs.dtype();
        let shape = ty.tensor_shape().into_iter().flat_map(|shape| shape.iter());
        let shape: Vec<usize> = shape.map(|&extent| extent as usize).collect();
        self.exported.output(port, &shape, numbers(port.element, theirs), || ty.to_string())
    }
}

impl Session for Onnxruntime {
    fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Diagnostic> {
        let given = self.exported.given(inputs)?;
        let free = self.idle().pop();
        let mut session = match free {
            Some(session) => session,
            None => session(self.library, &self.bytes).map_err(|error| refused(&error))?,
        };
        let outputs = self.outputs(&mut session, &given);
        self.idle().push(session);
        outputs
    }
}

fn session(library: Library, bytes: &[u8]) -> ort::Result<Theirs> {
    Theirs::builder(library.environment())?
        .with_intra_threads(1)?
        .with_deterministic_compute(true)?
        .with_quant_qdq(false)?
        .commit_from_memory(bytes)
}

fn to_theirs(tensor: &Tensor) -> ort::Result<SessionInputValue<'_>> {
    let shape = &tensor.shape().0[..];
    Ok(with_data!(
        tensor.data(),
        numbers => TensorRef::from_array_view((shape, &numbers[..]))?.into(),
        bools => TensorRef::from_array_view((shape, &bools[..]))?.into()
    ))
}

/// The numbers of a tensor of onnxruntime's; nothing where they are not of `element`.
fn numbers(element: Element, theirs: &DynValue) -> Option<Data> {
    macro_rules! read {
        ($variant:ident) => {
            theirs.try_extract_tensor().ok().map(|(_, numbers)| Data::$variant(numbers.to_vec()))
        };
    }
    of_element!(element, read)
}

/// Its message names the node.
fn refused(error: &ort::Error) -> Diagnostic {
    ORT.refused([error.to_string()].into_iter())
}
