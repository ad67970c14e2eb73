//! The native engine: f32 networks at the speed of the machine, nothing but Rust, no dependency.
//!
//! Every operator that real networks spend time in has a kernel here; the plain evaluator does the rest, so
//! that whatever the plain evaluator runs, this engine runs too.

mod conv;
mod elementwise;
mod kernel;
mod layout;
mod moves;
mod plan;
mod pool;
mod tile;

use std::sync::{Mutex, PoisonError};

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::network::Network;
use nonresc_ir::tensor::Tensor;

use super::Session;
use super::ports::Ports;
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
    pub fn new(network: &Network) -> Result<Self, Diagnostic> {
        Ok(Native { plan: Plan::new(network)?, ports: Ports::new(network), idle: Mutex::default() })
    }
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
