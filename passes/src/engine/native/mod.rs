//! The native engine: f32 and integer networks at the speed of the machine, in Rust alone; `fearless_simd` gives the vectors.
//!
//! Every operator that real networks spend time in has a kernel here; the plain evaluator does the rest, so
//! that whatever the plain evaluator runs, this engine runs too.

mod batch_norm;
#[cfg(target_arch = "x86_64")]
mod bytes;
#[cfg(not(target_arch = "x86_64"))]
#[path = "no_bytes.rs"]
mod bytes;
mod conv;
mod depthwise;
#[cfg(target_arch = "x86_64")]
mod dot;
mod elementwise;
mod even;
mod grad_w;
mod grad_x;
mod integer;
mod kernel;
mod layout;
mod moves;
mod plan;
mod pool;
mod pool_gradient;
mod quantisers;
mod round;
mod softmax;
mod statistics;
mod tile;
mod windows;

use std::sync::{Mutex, PoisonError};

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::network::{Edit, Network, Op};
use nonresc_ir::tensor::Tensor;

use super::ports::Ports;
use super::{Session, plain};
use plan::{Plan, Workspace};

/// A network planned for this engine.
#[derive(Debug)]
pub struct Native {
    plan: Plan,
    ports: Ports,
    /// Memory of past runs, one for each run that was under way at a time.
    idle: Mutex<Vec<Workspace>>,
}

impl Native {
    /// Plans a network for the batch that it holds.
    ///
    /// # Errors
    /// Networks with a cycle.
    pub fn new(network: &Network) -> Result<Self, Diagnostic> {
        let plan = Plan::new(&with_numbers(network)?)?;
        Ok(Native { plan, ports: Ports::new(network), idle: Mutex::default() })
    }

    /// The operators that have no kernel here and are left to the plain evaluator, in the order of their execution.
    pub fn left_to_plain(&self) -> impl Iterator<Item = &Op> {
        self.plan.plain()
    }
}

/// The network with numbers in the place of constant codes: kernels read weights as numbers.
fn with_numbers(network: &Network) -> Result<Network, Diagnostic> {
    let mut numbers = network.clone();
    let mut edit = Edit::new(&mut numbers);
    for node in network.node_ids().filter(|&n| matches!(network.op(n), Op::Dequantise(_))) {
        let operands = network.operands(node);
        let known: Option<Vec<&Tensor>> =
            operands.iter().map(|&v| network.constant(v).map(AsRef::as_ref)).collect();
        let Some(known) = known else { continue };
        let value = edit.constant(plain::operator(network.op(node), &known)?);
        edit.replace(node.into(), value).map_err(|e| {
            Diagnostic::new("engine/codes", "the network", e.to_string(), "report this as a fault of nonresc")
        })?;
        edit.remove_unread(node);
    }
    Ok(numbers)
}

impl Session for Native {
    fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Diagnostic> {
        let inputs = self.ports.inputs(inputs)?;
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = idle().pop().unwrap_or_default();
        let outputs = self.plan.run(&mut memory, inputs);
        idle().push(memory);
        self.ports.outputs(outputs?)
    }
}
