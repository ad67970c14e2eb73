//! The engine tract: an ONNX runtime that we did not write, on the bytes that we export.
//!
//! It runs the exported file as a whole: layouts, conversions and preprocessing at the ports are nodes of it, so
//! that the writer is held against the plain evaluator too. Arithmetic is that of the element types in the file.
//! tract reads nothing but our own export, never a user's file.

use std::sync::Arc;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Element, Network, Op, Shape};
use nonresc_ir::onnx::export::export;
use nonresc_ir::tensor::{Data, Tensor};
use nonresc_ir::with_data;
use tract_onnx::prelude::{
    DatumType, Framework, InferenceModelExt, IntoRunnable, TValue, Tensor as Theirs, TractError, TractResult,
    TypedRunnableModel,
};

use super::Session;
use super::ports::{cast, same_count, users_shape, wrong_shape};

/// A network that tract has planned for one batch.
#[derive(Debug)]
pub struct Tract {
    plan: Arc<TypedRunnableModel>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
}

/// A port as the exported file has it.
#[derive(Debug)]
struct Port {
    name: String,
    element: Element,
    shape: Shape,
}

impl Tract {
    /// Exports the network and plans it for the batch that it holds.
    ///
    /// # Errors
    /// What standard ONNX cannot say, by name; what tract cannot run, with its reason and the node's name.
    pub fn new(network: &Network) -> Result<Self, Diagnostic> {
        let port = |name: &str, element, perm: &[usize], value| Port {
            name: name.to_string(),
            element,
            shape: users_shape(perm, &network.ty(value).shape),
        };
        let inputs: Vec<Port> =
            network.inputs().iter().map(|p| port(&p.name, p.element, &p.perm, p.node.into())).collect();
        let outputs = network.outputs().iter().map(|p| port(&p.name, p.element, &p.perm, p.value)).collect();
        if let Some(quantiser) = network.node_ids().find(|&n| matches!(network.op(n), Op::Quantise(_))) {
            return Err(other_codes(network, quantiser));
        }
        let bytes = export(network).map_err(|faults| no_onnx(&faults))?;
        let plan = plan(&bytes, &inputs).map_err(|error| refused(&error))?;
        Ok(Tract { plan, inputs, outputs })
    }
}

/// Loads an exported file for inputs of these shapes.
fn plan(bytes: &[u8], inputs: &[Port]) -> TractResult<Arc<TypedRunnableModel>> {
    let reader = tract_onnx::onnx();
    let mut file = reader.proto_model_for_read(&mut &*bytes)?;
    // ONNX names nodes and values apart, tract does not.
    for node in file.graph.iter_mut().flat_map(|graph| &mut graph.node) {
        node.name.insert_str(0, "node ");
    }
    let mut model = reader.model_for_proto_model(&file)?;
    for (i, port) in inputs.iter().enumerate() {
        // The file leaves a dynamic batch open.
        let fact = model.input_fact(i)?.clone().with_shape(&port.shape.0);
        model.set_input_fact(i, fact)?;
    }
    model.into_optimized()?.into_runnable()
}

impl Session for Tract {
    fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Diagnostic> {
        same_count(self.inputs.len(), inputs.len())?;
        let given = self.inputs.iter().zip(inputs).map(|(port, tensor)| {
            if *tensor.shape() != port.shape {
                return Err(wrong_shape(&port.name, &port.shape, tensor.shape()));
            }
            to_theirs(&cast(tensor.clone(), port.element)?).map_err(|error| refused(&error))
        });
        let given = given.collect::<Result<_, _>>()?;
        let outputs = self.plan.run(given).map_err(|error| refused(&error))?;
        self.outputs.iter().zip(&outputs).map(|(port, theirs)| from_theirs(port, theirs)).collect()
    }
}

fn to_theirs(tensor: &Tensor) -> TractResult<TValue> {
    let shape = &tensor.shape().0;
    let theirs = with_data!(
        tensor.data(),
        numbers => Theirs::from_shape(shape, numbers),
        bools => Theirs::from_shape(shape, bools)
    );
    Ok(theirs?.into())
}

/// What tract computed for an output, which must be what the network says of it.
fn from_theirs(port: &Port, theirs: &Theirs) -> Result<Tensor, Diagnostic> {
    let data = numbers(port.element, theirs).map_err(|error| refused(&error))?;
    data.filter(|_| *theirs.shape() == *port.shape.0)
        .and_then(|data| Tensor::new(port.element, port.shape.clone(), data))
        .ok_or_else(|| {
            Diagnostic::new(
                "engine/tract",
                format!("output \"{}\" of {} {}", port.name, port.element, port.shape),
                format!("tract computes {:?} {:?} for it", theirs.datum_type(), theirs.shape()),
                "use `--engine native`",
            )
        })
}

/// The numbers of a tensor of tract's; nothing where they are not of `element`.
fn numbers(element: Element, theirs: &Theirs) -> TractResult<Option<Data>> {
    let view = theirs.try_as_plain_ram()?;
    macro_rules! same {
        ($($element:pat, $datum:ident, $variant:ident;)*) => {
            match (element, theirs.datum_type()) {
                $(($element, DatumType::$datum) => Data::$variant(view.as_slice()?.to_vec()),)*
                _ => return Ok(None),
            }
        };
    }
    Ok(Some(same! {
        Element::F16, F16, F16;
        Element::F32, F32, F32;
        Element::F64, F64, F64;
        Element::Bool, Bool, Bool;
        Element::Int { bits: 8, signed: true }, I8, I8;
        Element::Int { bits: 8, signed: false }, U8, U8;
        Element::Int { bits: 16, signed: true }, I16, I16;
        Element::Int { bits: 16, signed: false }, U16, U16;
        Element::Int { bits: 32, signed: true }, I32, I32;
        Element::Int { bits: 32, signed: false }, U32, U32;
        Element::Int { bits: 64, signed: true }, I64, I64;
        Element::Int { bits: 64, signed: false }, U64, U64;
    }))
}

/// tract multiplies by the reciprocal of a scale where ONNX divides, and gives wrong codes behind some chains of
/// quantisers: its numbers would prove nothing.
fn other_codes(network: &Network, quantiser: NodeId) -> Diagnostic {
    let names = &network.node(quantiser).names;
    Diagnostic::new(
        "engine/tract",
        format!("quantise \"{}\" on engine tract", names.first().unwrap_or_default()),
        "tract does not give the codes that ONNX defines",
        "use `--engine native`",
    )
}

/// All that keeps the network from being an ONNX file, as one fault.
fn no_onnx(faults: &Diagnostics) -> Diagnostic {
    let faults: Vec<String> = faults.iter().map(|f| format!("{}: {}", f.what, f.why)).collect();
    Diagnostic::new(
        "engine/tract",
        "engine tract, which reads the network as ONNX",
        faults.join("; "),
        "use `--engine native`",
    )
}

/// Why tract does not run the network. Its causes name the node, the outermost first; of long ones the first line
/// says it.
fn refused(error: &TractError) -> Diagnostic {
    let causes: Vec<String> =
        error.chain().map(|cause| cause.to_string().lines().next().unwrap_or_default().to_string()).collect();
    Diagnostic::new(
        "engine/tract",
        "engine tract, which cannot run the network",
        causes.join(": "),
        "use `--engine native`",
    )
}
