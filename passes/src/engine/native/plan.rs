//! A network as a list of kernels over reused memory: what the native engine runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Element, Network, Op, ValueType};
use nonresc_ir::tensor::{Data, Tensor};

use super::integer::{byte_shift, is_kept};
use super::kernel::{self, Bytes, Kernel, Operand, SLACK, Scratch, Stored, StoredMut, room};
use super::layout::{from_stored, store, to_stored};
use super::tile::Limits;
use crate::engine::plain;

/// Where a step finds an operand.
#[derive(Clone, Debug)]
enum Place {
    /// Known numbers in stored order.
    Known(Arc<Vec<f32>>),
    /// A known tensor for the plain evaluator.
    Tensor(Arc<Tensor>),
    /// Computed numbers that are kept as f32, in stored order: their slot, which may be larger, and how many they are.
    Floats(usize, usize),
    /// The same of codes that are kept as bytes.
    Bytes(usize, usize),
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
    bytes: usize,
    others: usize,
}

/// The computation of one value before its operands and it have places.
struct Draft {
    work: Work,
    /// What it reads when it runs.
    reads: Vec<Value>,
    /// All that it has to do with; some of it may be a part of the kernel.
    operands: Vec<Value>,
    value: Value,
    ty: ValueType,
}

/// Memory of one run, for the next one to use again.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    floats: Vec<Vec<f32>>,
    bytes: Vec<Vec<u8>>,
    others: Vec<Option<Tensor>>,
    scratch: Scratch,
}

/// Gives out places and takes back those whose value has been read for the last time.
#[derive(Default)]
struct Places {
    of: BTreeMap<Value, Place>,
    readers: BTreeMap<Value, usize>,
    free_floats: Vec<usize>,
    free_bytes: Vec<usize>,
    floats: usize,
    bytes: usize,
    others: usize,
}

impl Places {
    fn give(&mut self, value: Value, ty: &ValueType, as_bytes: bool) -> Place {
        let slot = |free: &mut Vec<usize>, count: &mut usize| {
            free.pop().unwrap_or_else(|| {
                *count += 1;
                *count - 1
            })
        };
        let place = if as_bytes {
            Place::Bytes(slot(&mut self.free_bytes, &mut self.bytes), ty.shape.len())
        } else if is_kept(ty.element) {
            Place::Floats(slot(&mut self.free_floats, &mut self.floats), ty.shape.len())
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
        match self.of.get(&value) {
            Some(Place::Floats(slot, _)) if *left == 0 => self.free_floats.push(*slot),
            Some(Place::Bytes(slot, _)) if *left == 0 => self.free_bytes.push(*slot),
            _ => {}
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
            inputs.push((places.give(port.node.into(), &ty, false), ty));
        }
        let mut drafts = Vec::new();
        let mut rescaled: BTreeMap<NodeId, Rescaled> = BTreeMap::new();
        for &node in &order {
            rescaled.extend(rescaled_layer(network, node).map(|found| (node, found)));
        }
        // What another step does.
        let mut fused: BTreeSet<NodeId> = rescaled.values().map(|found| found.layer).collect();
        for node in order {
            match network.op(node) {
                Op::Input(_) | Op::Const(_) => {}
                _ if fused.contains(&node) => {}
                _ => drafts.push(match rescaled.remove(&node) {
                    Some(found) => rescaled_draft(network, node, found),
                    None => draft(network, node, &mut fused),
                }),
            }
        }
        let bytes = as_bytes(network, &drafts);
        let mut steps = Vec::with_capacity(drafts.len());
        for Draft { work, reads, operands, value, ty } in drafts {
            let fast = matches!(work, Work::Fast(_));
            let read = reads.iter().map(|&v| operand_place(network, v, &places, fast)).collect();
            let result = places.give(value, &ty, bytes.contains(&value));
            operands.into_iter().for_each(|operand| places.read(operand));
            steps.push(Step { work, operands: read, ty, result });
        }
        let mut outputs = Vec::new();
        for output in network.outputs() {
            let place = operand_place(network, output.value, &places, false);
            outputs.push((place, network.ty(output.value).clone()));
        }
        let Places { floats, bytes, others, .. } = places;
        Ok(Plan { steps, inputs, outputs, floats, bytes, others })
    }

    /// The operators that the plain evaluator does.
    pub(super) fn plain(&self) -> impl Iterator<Item = &Op> {
        self.steps.iter().filter_map(|step| match &step.work {
            Work::Plain(op, _) => Some(op),
            Work::Fast(_) => None,
        })
    }

    /// Runs canonical inputs, all there and of their types; gives the canonical outputs.
    pub(super) fn run(&self, memory: &mut Workspace, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, Diagnostic> {
        memory.floats.resize(self.floats, Vec::new());
        memory.bytes.resize(self.bytes, Vec::new());
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

/// The operands of a node as a kernel is chosen by them.
fn described(network: &Network, node: NodeId) -> Vec<Operand<'_>> {
    let of = |&v: &Value| Operand { ty: network.ty(v), constant: network.constant(v).map(Arc::as_ref) };
    network.operands(node).iter().map(of).collect()
}

/// A layer whose sums a requantisation alone reads, and the kernel of both.
struct Rescaled {
    layer: NodeId,
    kernel: Box<dyn Kernel>,
    /// What the kernel reads.
    reads: Vec<Value>,
}

/// The layer that a requantisation is done with.
fn rescaled_layer(network: &Network, node: NodeId) -> Option<Rescaled> {
    let Op::Requantise(op) = network.op(node) else { return None };
    let ty = network.ty(node.into());
    let operands = network.operands(node);
    let is_read = |v: Value| is_kept(network.ty(v).element) && network.constant(v).is_none();
    (1..operands.len()).step_by(2).find_map(|sums| {
        let value = operands[sums];
        let other: Vec<Value> =
            (1..operands.len()).step_by(2).filter(|&i| i != sums).map(|i| operands[i]).collect();
        let alone = network.users(value).len() == 1 && !network.is_output(value);
        let x = *network.operands(value.node).first()?;
        if !(alone && is_kept(ty.element) && is_read(x) && other.iter().all(|&v| is_read(v))) {
            return None;
        }
        let layer = value.node;
        let kernel = kernel::rescaled(
            network.op(layer),
            &described(network, layer),
            &ty.shape,
            (op, sums),
            &described(network, node),
        )?;
        Some(Rescaled { layer, kernel, reads: [x].into_iter().chain(other).collect() })
    })
}

/// A layer and the requantisation `node` of its sums, in the place of the latter, where both have all that they read.
fn rescaled_draft(network: &Network, node: NodeId, found: Rescaled) -> Draft {
    let operands = network.operands(found.layer).into_iter().chain(network.operands(node)).collect();
    Draft {
        work: Work::Fast(found.kernel),
        reads: found.reads,
        operands,
        value: node.into(),
        ty: network.ty(node.into()).clone(),
    }
}

/// One operator. What it does for its reader goes to `fused`.
fn draft(network: &Network, node: NodeId, fused: &mut BTreeSet<NodeId>) -> Draft {
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
        let known = described(network, node);
        let limited = limited_by(network, node);
        chosen = kernel::choose(op, &known, &ty.shape, limited.map_or(Limits::NONE, |(_, limits)| limits));
        if let (Some(_), Some((reader, _))) = (&chosen, limited) {
            fused.insert(reader);
            value = reader.into();
        }
    }
    let (work, reads) = match chosen {
        Some(chosen) => (Work::Fast(chosen.kernel), chosen.reads),
        None => (Work::Plain(op.clone(), types.iter().map(|&t| t.clone()).collect()), operands.len()),
    };
    Draft { work, reads: operands[..reads].to_vec(), operands, value, ty }
}

/// The values that are kept as bytes: codes of whose maker and readers all have kernels for that.
fn as_bytes(network: &Network, drafts: &[Draft]) -> BTreeSet<Value> {
    let can = |draft: &Draft| match &draft.work {
        Work::Fast(kernel) => kernel.bytes(),
        Work::Plain(..) => Bytes::None,
    };
    let possible = |draft: &&Draft| {
        byte_shift(draft.ty.element).is_some() && can(draft) != Bytes::None && !network.is_output(draft.value)
    };
    let mut bytes: BTreeSet<Value> = drafts.iter().filter(possible).map(|draft| draft.value).collect();
    loop {
        let before = bytes.len();
        for draft in drafts {
            let computed = || draft.reads.iter().filter(|&&v| network.constant(v).is_none());
            if can(draft) == Bytes::Read && computed().all(|v| bytes.contains(v)) {
                continue;
            }
            computed().for_each(|v| {
                bytes.remove(v);
            });
            if can(draft) != Bytes::Given {
                bytes.remove(&draft.value);
            }
        }
        if bytes.len() == before {
            return bytes;
        }
    }
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
    let is_bytes = |place: &Place| matches!(place, Place::Bytes(..));
    if is_bytes(&step.result) || step.operands.iter().any(is_bytes) {
        return on_bytes(memory, step, kernel);
    }
    let Place::Floats(slot, len) = step.result else { return };
    let mut result = std::mem::take(&mut memory.floats[slot]);
    let mut scratch = std::mem::take(&mut memory.scratch);
    let operands: Vec<&[f32]> = step.operands.iter().map(|place| floats(memory, place)).collect();
    kernel.run(&operands, room(&mut result, len), &mut scratch);
    memory.floats[slot] = result;
    memory.scratch = scratch;
}

/// Numbers that are stored as f32.
fn floats<'a>(memory: &'a Workspace, place: &'a Place) -> &'a [f32] {
    match place {
        Place::Known(numbers) => numbers.as_slice(),
        Place::Floats(slot, len) => &memory.floats[*slot][..*len],
        Place::Tensor(_) | Place::Bytes(..) | Place::Other(_) => &[],
    }
}

fn on_bytes(memory: &mut Workspace, step: &Step, kernel: &dyn Kernel) {
    let mut scratch = std::mem::take(&mut memory.scratch);
    let (mut of_floats, mut of_bytes) = (Vec::new(), Vec::new());
    let result = match step.result {
        Place::Floats(slot, len) => {
            of_floats = std::mem::take(&mut memory.floats[slot]);
            StoredMut::Floats(room(&mut of_floats, len))
        }
        Place::Bytes(slot, len) => {
            of_bytes = std::mem::take(&mut memory.bytes[slot]);
            StoredMut::Bytes(&mut room(&mut of_bytes, len + SLACK)[..len])
        }
        Place::Known(_) | Place::Tensor(_) | Place::Other(_) => return,
    };
    let operand = |place| match place {
        &Place::Bytes(slot, len) => Stored::Bytes(&memory.bytes[slot][..len + SLACK]),
        place => Stored::Floats(floats(memory, place)),
    };
    let operands: Vec<Stored<'_>> = step.operands.iter().map(operand).collect();
    kernel.run_bytes(&operands, result, &mut scratch);
    match step.result {
        Place::Floats(slot, _) => memory.floats[slot] = of_floats,
        Place::Bytes(slot, _) => memory.bytes[slot] = of_bytes,
        _ => {}
    }
    memory.scratch = scratch;
}

/// A value as a row-major tensor.
fn take(memory: &Workspace, place: &Place, ty: &ValueType) -> Tensor {
    let tensor = match place {
        Place::Tensor(tensor) => Some(Tensor::clone(tensor)),
        Place::Known(numbers) => Tensor::f32(ty.shape.clone(), from_stored(&ty.shape.0, numbers)),
        Place::Floats(slot, len) => {
            let numbers = from_stored(&ty.shape.0, &memory.floats[*slot][..*len]);
            match ty.element {
                Element::F32 => Tensor::f32(ty.shape.clone(), numbers),
                element => {
                    let numbers: Vec<f64> = numbers.into_iter().map(f64::from).collect();
                    Tensor::from_f64(element, ty.shape.clone(), &numbers)
                }
            }
        }
        Place::Other(slot) => memory.others[*slot].clone(),
        // Of what is kept as bytes all readers read bytes.
        Place::Bytes(..) => None,
    };
    tensor.expect("a value is computed before it is read, and is as long as its shape")
}

fn put(memory: &mut Workspace, place: &Place, ty: &ValueType, tensor: Tensor) {
    match (place, tensor.data()) {
        (Place::Floats(slot, len), Data::F32(numbers)) => {
            store(&ty.shape.0, numbers, room(&mut memory.floats[*slot], *len));
        }
        (Place::Floats(slot, len), _) => {
            store(&ty.shape.0, &tensor.to_f32(), room(&mut memory.floats[*slot], *len));
        }
        (Place::Other(slot), _) => memory.others[*slot] = Some(tensor),
        _ => {}
    }
}
