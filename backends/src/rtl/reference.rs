//! What comes out of a design for what goes in: the integer network between the codes at the sources and the numbers at
//! the sinks; frames of random codes, or of the user's.

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{ActorId, ChannelId, Value};
use nonresc_ir::network::{Batch, Edit, EditError, Element, Network, Op, ValueType};
use nonresc_ir::stream::{Kind, Stream};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::engine::{self, Engine, Given, Session, showing, users_shape};
use nonresc_passes::integers::Integers;
use nonresc_passes::random::Random;

/// The integer network between the pins.
pub(super) struct Reference {
    core: Network,
    session: Box<dyn Session>,
    /// The value at each source, in the order of actors.
    sources: Vec<Value>,
    /// For each source the codes of each frame; where there are none they are random.
    given: Vec<Vec<Tensor>>,
}

/// Frames at the pins: for each pin, for each frame, numbers in the order of the stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    pub(super) inputs: Vec<Vec<Vec<i64>>>,
    pub(super) outputs: Vec<Vec<Vec<i64>>>,
}

fn internal(e: EditError) -> Diagnostic {
    Diagnostic::new(
        "hardware/core",
        "the integer network",
        e.to_string(),
        "report this as a fault of nonresc",
    )
}

/// The value that passes a pin's actor, as whole numbers.
pub(super) fn at_pin(stream: &Stream, integers: &Integers, id: ActorId) -> Result<Value, Diagnostic> {
    let channel: Option<ChannelId> = match stream.actor(id).kind {
        Kind::Source(_) => stream.outputs(id, 0).first().copied(),
        _ => stream.input(id, 0),
    };
    let value = channel.and_then(|c| stream.channel(c).value).and_then(|v| integers.of(v));
    value.ok_or_else(|| {
        let what = format!("\"{}\"", stream.actor(id).names);
        Diagnostic::new("hardware/pin", what, "its numbers are not whole", "quantise the network")
    })
}

/// The same of all actors of a kind.
fn at_pins(
    stream: &Stream,
    integers: &Integers,
    is_pin: impl Fn(&Kind) -> bool,
) -> Result<Vec<Value>, Diagnostic> {
    let ids = stream.actors().filter(|&id| is_pin(&stream.actor(id).kind));
    ids.map(|id| at_pin(stream, integers, id)).collect()
}

impl Reference {
    pub(super) fn new(
        stream: &Stream,
        integers: &Integers,
        given: Option<&Given>,
    ) -> Result<Reference, Diagnostics> {
        let sources = at_pins(stream, integers, |kind| matches!(kind, Kind::Source(_)))?;
        let sinks = at_pins(stream, integers, |kind| matches!(kind, Kind::Sink(_)))?;
        let mut core = integers.network.clone();
        let mut edit = Edit::new(&mut core);
        edit.retain_outputs(|_| false);
        for (i, &sink) in sinks.iter().enumerate() {
            edit.output(&format!("sink {i}"), sink, Batch::Absent);
        }
        let mut inputs = Vec::new();
        for (i, &source) in sources.iter().enumerate() {
            let ty = edit.ty(source).clone();
            let input = edit.input(&format!("source {i}"), ty, Batch::Absent);
            edit.redirect(source, input).map_err(internal)?;
            inputs.push(input);
        }
        edit.remove_dead();
        let session = Engine::Native.load(&core)?;
        let mut reference = Reference { core, session, sources: inputs, given: Vec::new() };
        given.map_or(Ok(()), |given| reference.give(stream, integers, given))?;
        Ok(reference)
    }

    /// Takes the frames of the user's arrays in place of random codes.
    ///
    /// # Errors
    /// Arrays that are not the network's inputs.
    pub(super) fn give(
        &mut self,
        stream: &Stream,
        integers: &Integers,
        given: &Given,
    ) -> Result<(), Diagnostic> {
        let values = at_pins(stream, integers, |kind| matches!(kind, Kind::Source(_)))?;
        let front = showing(&integers.network, values.into_iter());
        let codes = engine::Frames::new(&front, Engine::Native)?.run(given)?;
        let by_frame = |(&source, (_, codes)): (&Value, &(String, Tensor))| {
            let ty = self.core.ty(source);
            codes.to_f64().chunks(ty.shape.len()).map(|codes| filled(ty, codes)).collect()
        };
        self.given = self.sources.iter().zip(&codes).map(by_frame).collect();
        Ok(())
    }

    /// Frames of the codes that were given, again from the first where they are fewer, else of random ones; and what the
    /// network makes of them.
    pub(super) fn frames(&self, frames: usize, draw: &mut Random) -> Result<Frames, Diagnostic> {
        let mut all = Frames { inputs: vec![Vec::new(); self.sources.len()], outputs: Vec::new() };
        for frame in 0..frames {
            let codes: Vec<Tensor> = match self.given.is_empty() {
                true => self.sources.iter().map(|&source| random(self.core.ty(source), draw)).collect(),
                false => self.given.iter().map(|codes| codes[frame % codes.len()].clone()).collect(),
            };
            let given: Vec<Tensor> = self
                .core
                .inputs()
                .iter()
                .map(|port| match self.sources.iter().position(|source| source.node == port.node) {
                    Some(i) => codes[i].clone(),
                    // The network's own input, which nothing reads any more.
                    None => {
                        let ty = self.core.ty(port.node.into());
                        zeros(&ValueType::new(port.element, users_shape(&port.perm, &ty.shape)))
                    }
                })
                .collect();
            let outputs = self.session.run(&given)?;
            all.outputs.resize(outputs.len(), Vec::new());
            all.inputs.iter_mut().zip(&codes).for_each(|(list, tensor)| list.push(in_order(tensor)));
            all.outputs.iter_mut().zip(&outputs).for_each(|(list, tensor)| list.push(in_order(tensor)));
        }
        Ok(all)
    }
}

/// A scale and a zero point.
pub(super) type Code = (f64, i64);

/// What a number at a pin stands for: `scale (number - zero)`, one for all or one a channel; nothing where the network
/// says nothing.
pub(super) fn meaning(integers: &Integers, value: Value, input: bool) -> Vec<Code> {
    let network = &integers.network;
    let quantiser = match network.op(value.node) {
        Op::Quantise(_) if input => Some(value.node),
        _ => {
            let users = network.users(value);
            users.iter().map(|user| user.0).find(|&user| matches!(network.op(user), Op::Dequantise(_)))
        }
    };
    let Some(node) = quantiser else { return Vec::new() };
    let operands = network.operands(node);
    let (Some(scale), Some(zero)) = (network.constant(operands[1]), network.constant(operands[2])) else {
        return Vec::new();
    };
    let zero = zero.to_i64().unwrap_or_default();
    let zero = |i: usize| zero.get(i).or(zero.first()).copied().unwrap_or(0);
    scale.to_f64().into_iter().enumerate().map(|(i, scale)| (scale, zero(i))).collect()
}

/// A tensor's numbers in the order of the stream: pixel by pixel.
fn in_order(tensor: &Tensor) -> Vec<i64> {
    let numbers = tensor.to_i64().unwrap_or_default();
    let shape = &tensor.shape().0;
    let channels = shape.get(1).copied().unwrap_or(1);
    let pixels: usize = shape.iter().skip(2).product();
    (0..pixels).flat_map(|p| (0..channels).map(move |c| c * pixels + p)).map(|i| numbers[i]).collect()
}

fn zeros(ty: &ValueType) -> Tensor {
    filled(ty, &vec![0.0; ty.shape.len()])
}

/// The numbers as a tensor; they fit the type, since they were made for it.
fn filled(ty: &ValueType, numbers: &[f64]) -> Tensor {
    Tensor::from_f64(ty.element, ty.shape.clone(), numbers)
        .unwrap_or_else(|| unreachable!("the numbers fit {ty}"))
}

/// Codes all over the range of their type, half of the frames mostly near its ends.
fn random(ty: &ValueType, draw: &mut Random) -> Tensor {
    let (low, high) = match ty.element {
        Element::Int { bits, signed: true } => (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1),
        Element::Int { bits, signed: false } => (0, (1i64 << bits) - 1),
        _ => (0, 1),
    };
    let extreme = draw.below(2) == 0;
    let mut number = || match extreme && draw.below(4) > 0 {
        true => [low, high][draw.below(2) as usize],
        false => low + draw.below((high - low + 1) as u64) as i64,
    };
    let numbers: Vec<f64> = (0..ty.shape.len()).map(|_| number() as f64).collect();
    filled(ty, &numbers)
}

/// When pins are willing, in runs of random length.
pub(super) fn pattern(draw: &mut Random, cycles: usize) -> Vec<(bool, bool)> {
    let mut one = |cycles: usize| {
        let mut list = Vec::with_capacity(cycles);
        while list.len() < cycles {
            let longest = [3, 3, 3, 40, 300][draw.below(5) as usize];
            let (length, value) = (1 + draw.below(longest), draw.below(3) > 0);
            list.extend(std::iter::repeat_n(value, length as usize));
        }
        list.truncate(cycles);
        list
    };
    let (feed, take) = (one(cycles), one(cycles));
    feed.into_iter().zip(take).collect()
}
