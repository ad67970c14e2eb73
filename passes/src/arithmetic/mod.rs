//! What each actor computes, as whole numbers: weights, sums, and their way to codes.
//!
//! Needs: a stream of a quantised network, and that network's integer network ([`crate::integers`]). Gives: for each
//! actor the part of the integer network that lies between the values of its input channels and that of its output
//! channels, as the numbers that hardware is made of. Changes nothing.
//!
//! A channel carries the whole numbers of one value of the network. So what an actor does is a question to the integer
//! network alone: how is the value that it gives made of those that it reads? [`cone`] answers it; [`ways`] says how wide
//! the numbers inside are.

mod cone;
mod ways;

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{ActorId, ChannelId, Value};
use nonresc_ir::network::{Element, Network, Op, Rounding};
use nonresc_ir::stream::{Kind, MatVec, Second, Stream};

use crate::integers::{Integers, Rule, integers};
use cone::{Cone, Place};
pub use ways::{Factors, Folded, Rounded, Ways};

/// The numbers of every actor.
#[derive(Clone, Debug, Default)]
pub struct Arithmetic {
    actors: BTreeMap<ActorId, Computed>,
}

impl Arithmetic {
    /// What an actor computes on output 0; nothing of sources and sinks.
    pub fn of(&self, actor: ActorId) -> Option<&Output> {
        self.actors.get(&actor).map(|computed| &computed.output)
    }

    /// Bits of a weight of an actor's products, and of those of a projection beside.
    pub fn weight_bits(&self, actor: ActorId) -> [Option<u32>; 2] {
        [self.of(actor), self.beside(actor)].map(|output| Some(output?.products()?.weight_bits()))
    }

    /// What an actor computes beside, on output 1.
    pub fn beside(&self, actor: ActorId) -> Option<&Output> {
        self.actors.get(&actor).and_then(|computed| computed.beside.as_ref())
    }
}

#[derive(Clone, Debug)]
struct Computed {
    output: Output,
    beside: Option<Output>,
}

/// What an actor gives on one output.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// What is made of input 0.
    pub source: Source,
    /// Codes that this becomes before a sum.
    pub inner: Option<Rescale>,
    /// The way to what is given: one operand, or two where input 1 is added.
    pub rescale: Rescale,
}

/// What is made of input 0, in front of any rounding.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Sums of products.
    Products(Products),
    /// The numbers less `zero` in a window, or in the whole map, summed.
    Sums {
        /// What padding holds and is taken off each number.
        zero: i64,
        /// Width of the sums, which are signed.
        bits: u8,
    },
    /// The largest number in a window, or in the whole map.
    Largest,
    /// The numbers as they are; where channels of zeros are added, they hold `zero`.
    Codes {
        /// The code of 0.
        zero: i64,
    },
}

/// A convolution or dense layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Products {
    /// Whole weights in the order output, channel of the group, row, column.
    pub weights: Vec<i32>,
    /// Whole numbers that sums begin with, one an output.
    pub bias: Vec<i64>,
    /// What is taken off each input; padding holds it.
    pub zero: i64,
    /// Width of the sums, which are signed.
    pub bits: u8,
}

/// `clamp(round((x m + .. + offset) / 2^shift) + zero)`, each list one number a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Rescale {
    /// Factors of the actor's own result.
    pub own: Vec<i64>,
    /// Factors of input 1, where it is added.
    pub skip: Option<Vec<i64>>,
    /// Added before the shift.
    pub offset: Vec<i64>,
    /// Bits behind the point.
    pub shift: u8,
    /// The code of 0.
    pub zero: i64,
    /// Least and largest code; nothing where sums are given as they are.
    pub limits: Option<(i64, i64)>,
    /// How fractions are rounded.
    pub rounding: Rounding,
    /// Bits of what is given.
    pub bits: u8,
    /// Whether that is signed.
    pub signed: bool,
}

impl Output {
    /// The weights and sums of a layer; nothing of what is made otherwise.
    pub fn products(&self) -> Option<&Products> {
        match &self.source {
            Source::Products(products) => Some(products),
            _ => None,
        }
    }
}

impl Products {
    /// Bits of the widest weight, which is signed.
    pub fn weight_bits(&self) -> u32 {
        let bits = |&w: &i32| i32::BITS - (if w < 0 { !w } else { w }).leading_zeros() + 1;
        self.weights.iter().map(bits).max().unwrap_or(1).max(2)
    }
}

impl Rescale {
    /// Numbers that are given as they are, so many a pixel.
    fn none(channels: usize, element: Element) -> Rescale {
        let (bits, signed) = match element {
            Element::Int { bits, signed } => (bits, signed),
            _ => (32, true),
        };
        Rescale {
            own: vec![1; channels],
            skip: None,
            offset: vec![0; channels],
            shift: 0,
            zero: 0,
            limits: None,
            rounding: Rounding::Floor,
            bits,
            signed,
        }
    }
}

/// The numbers of every actor of `stream`, which was lowered from the network that `integers` was made of.
///
/// # Errors
/// Every actor whose arithmetic hardware does not have, by its names.
pub fn arithmetic(stream: &Stream, integers: &Integers) -> Result<Arithmetic, Diagnostics> {
    let (mut all, mut faults) = (Arithmetic::default(), Diagnostics::default());
    let reading = Reading { stream, integers };
    for actor in stream.actors() {
        match reading.actor(actor) {
            Ok(Some(computed)) => {
                all.actors.insert(actor, computed);
            }
            Ok(None) => {}
            Err((why, remedy)) => {
                let names = &stream.actor(actor).names;
                faults.push(Diagnostic::new("hardware/arithmetic", format!("\"{names}\""), why, remedy));
            }
        }
    }
    faults.or(all)
}

/// The numbers of every actor of `stream`, which was lowered from `network`; nothing where that is of floats, or where
/// hardware does not have them.
pub fn of_network(stream: &Stream, network: &Network) -> Option<Arithmetic> {
    integers(network, Rule::AsGiven).and_then(|integers| arithmetic(stream, &integers)).ok()
}

/// Why there are no numbers, and what to do.
type Refusal = (String, &'static str);

fn refusal<T>(why: impl Into<String>, remedy: &'static str) -> Result<T, Refusal> {
    Err((why.into(), remedy))
}

const QUANTISE: &str = "put a quantiser behind it, or quantise the network with `nonresc quantise`";

struct Reading<'a> {
    stream: &'a Stream,
    integers: &'a Integers,
}

impl Reading<'_> {
    fn network(&self) -> &Network {
        &self.integers.network
    }

    fn actor(&self, actor: ActorId) -> Result<Option<Computed>, Refusal> {
        let kind = &self.stream.actor(actor).kind;
        let inputs: Vec<ChannelId> = (0..kind.inputs()).filter_map(|i| self.stream.input(actor, i)).collect();
        let inputs = inputs.into_iter().map(|c| self.carried(c)).collect::<Result<Vec<_>, _>>()?;
        if matches!(kind, Kind::Source(_)) {
            self.given(actor, 0)?;
        }
        if matches!(kind, Kind::Source(_) | Kind::Sink(_)) {
            return Ok(None);
        }
        let output = self.output(kind, &inputs, self.given(actor, 0)?, kind.output_map(0).channels)?;
        let beside = match kind {
            Kind::MatVec(MatVec { second: Some(Second::Projection(p)), .. }) => {
                Some(self.output(kind, &inputs[..1], self.given(actor, 1)?, p.channels)?)
            }
            _ => None,
        };
        Ok(Some(Computed { output, beside }))
    }

    /// The whole numbers that a channel carries.
    fn carried(&self, channel: ChannelId) -> Result<Value, Refusal> {
        let channel = self.stream.channel(channel);
        let value = channel.value.and_then(|value| self.integers.of(value));
        let value = value.map_or_else(|| refusal("what it reads is not rounded to codes", QUANTISE), Ok)?;
        match self.network().ty(value).element {
            Element::Int { bits, .. } if u32::from(bits) <= channel.bits => Ok(value),
            Element::Int { bits, .. } => refusal(
                format!("a channel of {} bits carries numbers of {bits}", channel.bits),
                "report this as a fault of nonresc",
            ),
            _ => refusal("what it reads is not whole numbers", QUANTISE),
        }
    }

    /// The whole numbers that an actor gives: the same to all who read them.
    fn given(&self, actor: ActorId, output: u16) -> Result<Value, Refusal> {
        let channels = self.stream.outputs(actor, output);
        let values = channels.iter().map(|&c| self.carried(c)).collect::<Result<Vec<_>, _>>()?;
        match values[..] {
            [first, ..] if values.iter().all(|&v| self.same(v, first)) => Ok(first),
            _ => refusal(
                "its readers want its result rounded in different ways",
                "put one quantiser in front of the fork",
            ),
        }
    }

    /// Whether two values hold the same numbers: each computed as the other, from the same ones.
    fn same(&self, a: Value, b: Value) -> bool {
        let network = self.network();
        if a == b {
            return true;
        }
        if let (Some(a), Some(b)) = (network.constant(a), network.constant(b)) {
            return a == b;
        }
        let (left, right) = (network.operands(a.node), network.operands(b.node));
        let alike = network.op(a.node) == network.op(b.node) && network.ty(a) == network.ty(b);
        let made = !left.is_empty() && left.len() == right.len();
        // A layer is not made twice by an importer: what is looked through is what rounds and limits.
        let rounds =
            matches!(network.op(a.node), Op::Requantise(_) | Op::Clip(_) | Op::Relu(_) | Op::Reshape(_));
        alike && made && rounds && left.iter().zip(&right).all(|(&x, &y)| self.same(x, y))
    }

    fn output(
        &self,
        kind: &Kind,
        inputs: &[Value],
        given: Value,
        channels: usize,
    ) -> Result<Output, Refusal> {
        let cone = Cone { network: self.network(), inputs, channels };
        let place = match kind {
            Kind::MatVec(a) => Place::MatVec { adds: a.add.is_some() && inputs.len() > 1 },
            Kind::Pool(_) | Kind::GlobalPool(_) => Place::Pool,
            Kind::Sum(_) => Place::Sum,
            Kind::Select(_) | Kind::Convert(_) => Place::Move,
            Kind::Activate { .. } | Kind::Source(_) | Kind::Sink(_) => Place::Activate,
        };
        cone.output(given, place)
    }
}
