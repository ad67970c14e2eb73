//! What engines of others have in common: they read the network as the ONNX that we export, and nothing else of it.
//!
//! Layouts, conversions and preprocessing at the ports are nodes of that file, so that the writer is held against the
//! plain evaluator too. Nothing of one engine alone.

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::network::{Batch, Edit, Element, InputPort, Network, OutputPort, Shape};
use nonresc_ir::onnx::export::export;
use nonresc_ir::tensor::{Data, Tensor};

use super::ports::{cast, same_count, users_shape, wrong_shape};

/// An engine of others, as diagnostics name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Other {
    pub(super) name: &'static str,
    pub(super) code: &'static str,
}

/// The ports of an exported file.
#[derive(Debug)]
pub(super) struct Exported {
    engine: Other,
    inputs: Vec<Port>,
    pub(super) outputs: Vec<Port>,
}

/// A port as the exported file has it.
#[derive(Debug)]
pub(super) struct Port {
    name: String,
    pub(super) element: Element,
    shape: Shape,
}

impl Other {
    /// The network as an ONNX file, and its ports for the batch that it holds.
    ///
    /// # Errors
    /// All that standard ONNX cannot say, by name, as one fault.
    pub(super) fn export(self, network: &Network) -> Result<(Vec<u8>, Exported), Diagnostic> {
        let bytes = export(&sized(network)).map_err(|faults| self.no_onnx(&faults))?;
        let port = |name: &str, element, perm: &[usize], value| Port {
            name: name.to_string(),
            element,
            shape: users_shape(perm, &network.ty(value).shape),
        };
        let inputs = network.inputs().iter().map(|p| port(&p.name, p.element, &p.perm, p.node.into()));
        let outputs = network.outputs().iter().map(|p| port(&p.name, p.element, &p.perm, p.value));
        let exported = Exported { engine: self, inputs: inputs.collect(), outputs: outputs.collect() };
        Ok((bytes, exported))
    }

    fn no_onnx(self, faults: &Diagnostics) -> Diagnostic {
        let faults: Vec<String> = faults.iter().map(|f| format!("{}: {}", f.what, f.why)).collect();
        self.fault(format!("engine {}, which reads the network as ONNX", self.name), faults.join("; "))
    }

    /// Why the engine does not run the network: causes, the outermost first, each of which its first line says.
    pub(super) fn refused(self, causes: impl Iterator<Item = String>) -> Diagnostic {
        let lines = causes.map(|cause| cause.lines().next().unwrap_or_default().to_string());
        let what = format!("engine {}, which cannot run the network", self.name);
        self.fault(what, lines.collect::<Vec<_>>().join(": "))
    }

    /// What only another engine helps against.
    pub(super) fn fault(self, what: String, why: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.code, what, why, "use `--engine native`")
    }
}

impl Exported {
    /// The user's inputs, which are all given in order, as the file's ports have them.
    pub(super) fn given(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Diagnostic> {
        same_count(self.inputs.len(), inputs.len())?;
        let given = self.inputs.iter().zip(inputs).map(|(port, tensor)| {
            if *tensor.shape() != port.shape {
                return Err(wrong_shape(&port.name, &port.shape, tensor.shape()));
            }
            cast(tensor.clone(), port.element)
        });
        given.collect()
    }

    /// An output of these numbers, none where they are of another type; which must be what the network says of it.
    pub(super) fn output(
        &self,
        port: &Port,
        shape: &[usize],
        numbers: Option<Data>,
        theirs: impl FnOnce() -> String,
    ) -> Result<Tensor, Diagnostic> {
        let numbers = numbers.filter(|_| *shape == *port.shape.0);
        let tensor = numbers.and_then(|data| Tensor::new(port.element, port.shape.clone(), data));
        tensor.ok_or_else(|| {
            self.engine.fault(
                format!("output \"{}\" of {} {}", port.name, port.element, port.shape),
                format!("{} computes {} for it", self.engine.name, theirs()),
            )
        })
    }
}

/// The network with ports of the sizes that it runs at, whatever its user's file leaves open or fixes.
fn sized(network: &Network) -> Network {
    let mut sized = network.clone();
    let mut edit = Edit::new(&mut sized);
    for (i, port) in network.inputs().iter().enumerate() {
        let ty = network.ty(port.node.into()).clone();
        edit.set_input(i, InputPort { batch: Batch::Absent, ..port.clone() }, ty);
    }
    for (i, port) in network.outputs().iter().enumerate() {
        edit.set_output(i, OutputPort { batch: Batch::Absent, ..port.clone() });
    }
    sized
}

/// The numbers of an element type of a port, as the macro `$numbers` gives them for a variant of [`Data`]; nothing for
/// types that no port has.
macro_rules! of_element {
    ($element:expr, $numbers:ident) => {
        match $element {
            Element::F16 => $numbers!(F16),
            Element::F32 => $numbers!(F32),
            Element::F64 => $numbers!(F64),
            Element::Bool => $numbers!(Bool),
            Element::Int { bits: 8, signed: true } => $numbers!(I8),
            Element::Int { bits: 8, signed: false } => $numbers!(U8),
            Element::Int { bits: 16, signed: true } => $numbers!(I16),
            Element::Int { bits: 16, signed: false } => $numbers!(U16),
            Element::Int { bits: 32, signed: true } => $numbers!(I32),
            Element::Int { bits: 32, signed: false } => $numbers!(U32),
            Element::Int { bits: 64, signed: true } => $numbers!(I64),
            Element::Int { bits: 64, signed: false } => $numbers!(U64),
            Element::Int { .. } => None,
        }
    };
}
pub(super) use of_element;
