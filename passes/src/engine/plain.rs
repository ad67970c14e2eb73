//! The plain evaluator as an engine: the reference that the fast ones are held against.

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::eval::{self, evaluate};
use nonresc_ir::network::{Element, Network, Op};
use nonresc_ir::tensor::Tensor;

use super::Session;
use super::ports::Ports;

/// A network that the plain evaluator runs.
#[derive(Debug)]
pub struct Plain {
    network: Network,
    ports: Ports,
}

impl Plain {
    /// Keeps the network, with the batch that it holds.
    pub fn new(network: &Network) -> Self {
        Plain { network: network.clone(), ports: Ports::new(network) }
    }
}

impl Session for Plain {
    fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Diagnostic> {
        let inputs = self.ports.inputs(inputs)?;
        let double = inputs.iter().any(|t| t.element() == Element::F64);
        let outputs = if double {
            evaluate::<f64>(&self.network, &inputs)
        } else {
            evaluate::<f32>(&self.network, &inputs)
        };
        self.ports.outputs(outputs?)
    }
}

/// One operator by the plain evaluator.
pub(super) fn operator(op: &Op, operands: &[&Tensor]) -> Result<Tensor, Diagnostic> {
    let double = operands.iter().any(|t| t.element() == Element::F64);
    let result =
        if double { eval::operator::<f64>(op, operands) } else { eval::operator::<f32>(op, operands) };
    result.map_err(|why| {
        Diagnostic::new(
            "engine/plain",
            op.name(),
            why,
            "report this as a fault of nonresc: the network was verified",
        )
    })
}
