//! The engine tract: an ONNX runtime that we did not write, on the bytes that we export.
//!
//! Arithmetic is that of the element types in the file. tract reads nothing but our own export, never a user's file.

use std::sync::Arc;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Element, Network, Op};
use nonresc_ir::tensor::{Data, Tensor};
use nonresc_ir::with_data;
use tract_onnx::prelude::{
    DatumType, Framework, InferenceModelExt, IntoRunnable, TValue, Tensor as Theirs, TractError, TractResult,
    TypedRunnableModel,
};

use super::Session;
use super::exported::{Exported, Other, Port, of_element};

const TRACT: Other = Other { name: "tract", code: "engine/tract" };

/// A network that tract has planned for one batch.
#[derive(Debug)]
pub struct Tract {
    plan: Arc<TypedRunnableModel>,
    exported: Exported,
}

impl Tract {
    /// Exports the network and plans it for the batch that it holds.
    ///
    /// # Errors
    /// What standard ONNX cannot say, by name; what tract cannot run, with its reason and the node's name.
    pub fn new(network: &Network) -> Result<Self, Diagnostic> {
        if let Some(quantiser) = network.node_ids().find(|&n| matches!(network.op(n), Op::Quantise(_))) {
            return Err(other_codes(network, quantiser));
        }
        let (bytes, exported) = TRACT.export(network)?;
        let plan = plan(&bytes).map_err(|error| refused(&error))?;
        Ok(Tract { plan, exported })
    }
}

fn plan(bytes: &[u8]) -> TractResult<Arc<TypedRunnableModel>> {
    let reader = tract_onnx::onnx();
    let mut file = reader.proto_model_for_read(&mut &*bytes)?;
    // ONNX names nodes and values apart, tract does not.
    for node in file.graph.iter_mut().flat_map(|graph| &mut graph.node) {
        node.name.insert_str(0, "node ");
    }
    reader.model_for_proto_model(&file)?.into_optimized()?.into_runnable()
}

impl Session for Tract {
    fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Diagnostic> {
        let given = self.exported.given(inputs)?;
        let given = given.iter().map(to_theirs).collect::<Result<_, _>>();
        let outputs = given.and_then(|given| self.plan.run(given)).map_err(|error| refused(&error))?;
        let ports = self.exported.outputs.iter();
        ports.zip(&outputs).map(|(port, theirs)| self.computed(port, theirs)).collect()
    }
}

impl Tract {
    fn computed(&self, port: &Port, theirs: &Theirs) -> Result<Tensor, Diagnostic> {
        let numbers = numbers(port.element, theirs).map_err(|error| refused(&error))?;
        let described = || format!("{:?} {:?}", theirs.datum_type(), theirs.shape());
        self.exported.output(port, theirs.shape(), numbers, described)
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

/// The numbers of a tensor of tract's; nothing where they are not of `element`.
fn numbers(element: Element, theirs: &Theirs) -> TractResult<Option<Data>> {
    let view = theirs.try_as_plain_ram()?;
    macro_rules! read {
        ($variant:ident) => {
            match theirs.datum_type() {
                DatumType::$variant => Some(Data::$variant(view.as_slice()?.to_vec())),
                _ => None,
            }
        };
    }
    Ok(of_element!(element, read))
}

/// tract multiplies by the reciprocal of a scale where ONNX divides, and gives wrong codes behind some chains of
/// quantisers: its numbers would prove nothing.
fn other_codes(network: &Network, quantiser: NodeId) -> Diagnostic {
    let names = &network.node(quantiser).names;
    let what = format!("quantise \"{}\" on engine tract", names.first().unwrap_or_default());
    TRACT.fault(what, "tract does not give the codes that ONNX defines")
}

/// Its causes name the node.
fn refused(error: &TractError) -> Diagnostic {
    TRACT.refused(error.chain().map(ToString::to_string))
}
