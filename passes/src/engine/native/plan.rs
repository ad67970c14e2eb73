//! A network as a list of kernels over reused memory: what the native engine runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Element, Network, Op, ValueType};
use nonresc_ir::tensor::{Data, Tensor};

use super::integer::is_kept;
use super::kernel::{self, Kernel, Operand};
use super::layout::{from_stored, to_stored};
use super::tile::Limits;
use crate::engine::plain;

/// Where a step finds an operand.
#[derive(Clone, Debug)]
enum Place {
    /// Known numbers in stored order.
    Known(Arc<Vec<f32>>),
    /// A known tensor for the plain evaluator.
    Tensor(Arc<Tensor>),
    /// Computed numbers that are kept as f32, in stored order.
    Floats(usize),
    /// A computed value of another element type.
    Other(usize),
}

/// The computation of one value.
#[derive(Debug)]
struct Step {
    work: Work,
    operands: Vec<Place>,
    ty: ValueType,
    result: Place,
}

#[derive(Debug)]
enum Work {
    /// A kernel on stored numbers.
    Fast(Box<dyn Kernel>),
    /// The plain evaluator, on operands of these types.
    Plain(Op, Vec<ValueType>),
}

/// A network made ready to run. Its activations hold the network's batch.
#[derive(Debug)]
pub(super) struct Plan {
    steps: Vec<Step>,
    inputs: Vec<(Place, ValueType)>,
    outputs: Vec<(Place, ValueType)>,
    floats: usize,
    others: usize,
}

/// Memory of one run, for the next one to use again.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    floats: Vec<Vec<f32>>,
    others: Vec<Option<Tensor>>,
    scratch: Vec<f32>,
}

/// Gives out places and takes back those whose value has been read for the last time.
#[derive(Default)]
struct Places {
    of: BTreeMap<Value, Place>,
    readers: BTreeMap<Value, usize>,
    free_floats: Vec<usize>,
    floats: usize,
    others: usize,
}

impl Places {
    fn give(&mut self, value: Value, element: Element) -> Place {
        let place = if is_kept(element) {
            Place::Floats(self.free_floats.pop().unwrap_or_else(|| {
                self.floats += 1;
                self.floats - 1
            }))
        } else {
            self.others += 1;
            Place::Other(self.others - 1)
        };
        self.of.insert(value, place.clone());
        place
    }

    /// Counts one reader of a value as served.
    fn read(&mut self, value: Value) {
        let Some(left) = self.readers.get_mut(&value) else { return };
        *left -= 1;
        if *left == 0
            && let Some(Place::Floats(slot)) = self.of.get(&value)
        {
            self.free_floats.push(*slot);
        }
    }
}

impl Plan {
    /// Chooses a kernel for every operator.
    pub(super) fn new(network: &Network) -> Result<Plan, Diagnostic> {
        let order = network.topological().ok_or_else(|| {
            Diagnostic::new(
                "engine/cycle",
                "the network",
                "it has a cycle",
                "report this as a fault of nonresc",
            )
        })?;
        let mut places = Places::default();
        for &node in &order {
            for value in network.operands(node) {
                *places.readers.entry(value).or_default() += 1;
            }
        }
        for output in network.outputs() {
            *places.readers.entry(output.value).or_default() += 1;
        }
        let mut inputs = Vec::new();
        for port in network.inputs() {
            let ty = network.ty(port.node.into()).clone();
            inputs.push((places.give(port.node.into(), ty.element), ty));
        }
        let mut steps = Vec::new();
        let mut fused = BTreeSet::new();
        for node in order {
            match network.op(node) {
                Op::Input(_) | Op::Const(_) => {}
                _ => steps.extend(step(network, node, &mut places, &mut fused)),
            }
        }
        let mut outputs = Vec::new();
        for output in network.outputs() {
            let place = operand_place(network, output.value, &places, false);
            outputs.push((place, network.ty(output.value).clone()));
        }
        Ok(Plan { steps, inputs, outputs, floats: places.floats, others: places.others })
    }

    /// Runs canonical inputs, all there and of their types; gives the canonical outputs.
    pub(super) fn run(&self, memory: &mut Workspace, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, Diagnostic> {
        memory.floats.resize(self.floats, Vec::new());
        memory.others.resize(self.others, None);
        for ((place, ty), tensor) in self.inputs.iter().zip(inputs) {
            put(memory, place, ty, tensor);
        }
        for step in &self.steps {
            match &step.work {
                Work::Fast(kernel) => fast(memory, step, kernel.as_ref()),
                Work::Plain(op, types) => {
                    let operands: Vec<Tensor> =
                        step.operands.iter().zip(types).map(|(place, ty)| take(memory, place, ty)).collect();
                    let operands: Vec<&Tensor> = operands.iter().collect();
                    put(memory, &step.result, &step.ty, plain::operator(op, &operands)?);
                }
            }
        }
        Ok(self.outputs.iter().map(|(place, ty)| take(memory, place, ty)).collect())
    }
}

/// The step of one operator; nothing where the operator before does its work, as `fused` says.
fn step(network: &Network, node: NodeId, places: &mut Places, fused: &mut BTreeSet<NodeId>) -> Option<Step> {
    if fused.contains(&node) {
        return None;
    }
    let op = network.op(node);
    let operands = network.operands(node);
    let types: Vec<&ValueType> = operands.iter().map(|&v| network.ty(v)).collect();
    let ty = network.ty(node.into()).clone();
    let mut value = Value::from(node);
    let mut chosen = None;
    let floats = ty.element == Element::F32 && types.iter().all(|t| t.element == Element::F32);
    let kept = |(&v, t): (&Value, &&ValueType)| is_kept(t.element) || network.constant(v).is_some();
    let whole = || kernel::is_whole(op) && is_kept(ty.element) && operands.iter().zip(&types).all(kept);
    if floats || whole() {
        let known: Vec<Operand<'_>> = operands
            .iter()
            .zip(&types)
            .map(|(&v, ty)| Operand { ty, constant: network.constant(v).map(Arc::as_ref) })
            .collect();
        let limited = limited_by(network, node);
        chosen = kernel::choose(op, &known, &ty.shape, limited.map_or(Limits::NONE, |(_, limits)| limits));
        if let (Some(_), Some((reader, _))) = (&chosen, limited) {
            fused.insert(reader);
            value = reader.into();
        }
    }
    let fast = chosen.is_some();
    let (work, reads) = match chosen {
        Some(chosen) => (Work::Fast(chosen.kernel), chosen.reads),
        None => (Work::Plain(op.clone(), types.iter().map(|&t| t.clone()).collect()), operands.len()),
    };
    let read = operands[..reads].iter().map(|&v| operand_place(network, v, places, fast)).collect();
    let result = places.give(value, ty.element);
    for &operand in &operands {
        places.read(operand);
    }
    Some(Step { work, operands: read, ty, result })
}

/// The only reader of a node's value, where all that it does is to put limits on it.
fn limited_by(network: &Network, node: NodeId) -> Option<(NodeId, Limits)> {
    let value = node.into();
    let [(reader, _)] = network.users(value)[..] else { return None };
    if network.is_output(value) || !kernel::takes_limits(network.op(node)) {
        return None;
    }
    kernel::limits(network.op(reader)).map(|limits| (reader, limits))
}

fn operand_place(network: &Network, value: Value, places: &Places, fast: bool) -> Place {
    match network.constant(value) {
        Some(tensor) if fast => Place::Known(Arc::new(to_stored(&tensor.shape().0, &tensor.to_f32()))),
        Some(tensor) => Place::Tensor(Arc::clone(tensor)),
        None => places.of[&value].clone(),
    }
}

fn fast(memory: &mut Workspace, step: &Step, kernel: &dyn Kernel) {
    let Place::Floats(slot) = step.result else { return };
    let mut result = std::mem::take(&mut memory.floats[slot]);
    result.resize(step.ty.shape.len(), 0.0);
    let mut scratch = std::mem::take(&mut memory.scratch);
    let operands: Vec<&[f32]> = step
        .operands
        .iter()
        .map(|place| match place {
            Place::Known(numbers) => numbers.as_slice(),
            Place::Floats(slot) => memory.floats[*slot].as_slice(),
            Place::Tensor(_) | Place::Other(_) => &[],
        })
        .collect();
    kernel.run(&operands, &mut result, &mut scratch);
    memory.floats[slot] = result;
    memory.scratch = scratch;
}

/// A value as a row-major tensor.
fn take(memory: &Workspace, place: &Place, ty: &ValueType) -> Tensor {
    let tensor = match place {
        Place::Tensor(tensor) => Some(Tensor::clone(tensor)),
        Place::Known(numbers) => Tensor::f32(ty.shape.clone(), from_stored(&ty.shape.0, numbers)),
        Place::Floats(slot) => {
            let numbers = from_stored(&ty.shape.0, &memory.floats[*slot]);
            match ty.element {
                Element::F32 => Tensor::f32(ty.shape.clone(), numbers),
                element => {
                    let numbers: Vec<f64> = numbers.into_iter().map(f64::from).collect();
                    Tensor::from_f64(element, ty.shape.clone(), &numbers)
                }
            }
        }
        Place::Other(slot) => memory.others[*slot].clone(),
    };
    tensor.expect("a value is computed before it is read, and is as long as its shape")
}

fn put(memory: &mut Workspace, place: &Place, ty: &ValueType, tensor: Tensor) {
    match (place, tensor.data()) {
        (Place::Floats(slot), Data::F32(numbers)) => memory.floats[*slot] = to_stored(&ty.shape.0, numbers),
        (Place::Floats(slot), _) => memory.floats[*slot] = to_stored(&ty.shape.0, &tensor.to_f32()),
        (Place::Other(slot), _) => memory.others[*slot] = Some(tensor),
        _ => {}
    }
}
