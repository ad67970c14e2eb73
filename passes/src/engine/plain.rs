//! The plain evaluator as an engine: the reference that the fast ones are held against.

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::network::{Network, Op, ValueType};
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
        let _ = (&self.network, self.ports.inputs(inputs)?);
        Err(absent("the network"))
    }
}

/// One operator by the plain evaluator.
pub(super) fn operator(op: &Op, _operands: &[&Tensor], _result: &ValueType) -> Result<Tensor, Diagnostic> {
    Err(absent(op.name()))
}

fn absent(what: &str) -> Diagnostic {
    Diagnostic::new(
        "engine/plain",
        what,
        "this build has no plain evaluator",
        "use an operator with a kernel",
    )
}
