//! Memories onto the device's primitives by their real shapes and ports, and what the whole design takes.
//!
//! Depths come in proved; here they become primitives. Three columns are kept apart: words that are needed, words
//! that the primitives hold, primitives. What the device lacks is refused, itemised.

mod candidate;
mod fit;
mod report;

pub use candidate::{Candidate, Primitive, Usage, candidates};
pub(crate) use fit::{Prices, cheapest};
pub use report::actor_label;
pub(crate) use report::{lacking, over_use};

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::stream::Stream;

use crate::area::{self, Area, Inside, Memory, Role};
use crate::arithmetic::{self, Arithmetic};
use crate::design::{Options, StreamDesign};
use crate::device::{Device, Limits};
use crate::pass::{Function, Pass, Property};
use crate::target::Target;

/// The pass, for the table.
pub(crate) const PASS: Pass = Pass::on_stream("bind", "memories onto the device's primitives", run)
    .needs(&[Property::Sized])
    .gives(&[Property::Bound])
    .function(Function::ReadOnly);

fn run(design: &mut StreamDesign, options: &Options) -> Result<(), Diagnostics> {
    let arithmetic = arithmetic::of_network(&design.stream, &design.source.network);
    design.binding = Some(bind_as(&design.stream, &options.target, arithmetic.as_ref(), options.bind)?);
    Ok(())
}

/// How memories are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BindOptions {
    /// Which share of the device's LUTs a block RAM a block is worth; nothing for the one that fills the device with
    /// most ease. Designs that are held against each other have one.
    pub block_price: Option<f64>,
}

/// A memory and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What is needed.
    pub memory: Memory,
    /// Whom it serves, by names.
    pub label: String,
    /// What it is made of.
    pub made_of: Candidate,
}

impl Bound {
    /// Bits that its primitives hold in the memory's width, copies included.
    pub fn allocated_bits(&self) -> u64 {
        let copies = match self.made_of.primitive {
            Primitive::LutRam | Primitive::Block | Primitive::UltraRam => self.memory.readers,
            Primitive::Wires | Primitive::Registers | Primitive::ShiftRegister | Primitive::LogicRom => 1,
        };
        self.made_of.allocated_words * self.memory.width * copies
    }
}

/// An actor and what it takes beside memories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundActor {
    /// Which.
    pub actor: ActorId,
    /// Its name.
    pub label: String,
    /// What it takes.
    pub area: Area,
}

/// Bits that are needed, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    /// Channels that no window is read from, skips included.
    pub fifo: u64,
    /// Those of them that carry skips.
    pub skip: u64,
    /// Channels that windows are read from.
    pub line_buffer: u64,
    /// Window registers.
    pub window: u64,
    /// Staging registers in front of windows.
    pub staging: u64,
    /// Weights, biases, factors, programs of controls.
    pub constants: u64,
    /// Partial results of pools and dense layers.
    pub private: u64,
}

/// Memories and actors and what they take of the device.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The device.
    pub device: Device,
    /// All memories: channels, then what actors hold.
    pub memories: Vec<Bound>,
    /// All actors.
    pub actors: Vec<BoundActor>,
    /// What all takes. LUTs and flip-flops are estimates.
    pub total: Usage,
    /// Bits that are needed.
    pub bits: Bits,
    /// Which share of the device's LUTs a block RAM a block was taken to be worth.
    pub block_price: f64,
}

impl Binding {
    /// Bits that the primitives of all channels hold, copies included.
    pub fn allocated_bits(&self) -> u64 {
        let channels = self.memories.iter().filter(|b| b.memory.role.channel().is_some());
        channels.map(Bound::allocated_bits).sum()
    }

    /// What all that is taken is worth in LUTs.
    pub fn worth(&self) -> f64 {
        Prices::of(self.device.limits.as_ref()).with_blocks_at(self.block_price).of_usage(&self.total)
    }

    /// The memory of a channel.
    pub fn channel(&self, id: ChannelId) -> Option<&Bound> {
        let is_its = |b: &&Bound| b.memory.role.channel() == Some(id);
        // Where all channels have a depth, their memories come first in the order of ids.
        let at_id = self.memories.get(id.index()).filter(is_its);
        at_id.or_else(|| self.memories.iter().find(is_its))
    }

    /// What an actor takes with its memories.
    pub fn of_actor(&self, actor: ActorId) -> Usage {
        let own = self.actors.iter().filter(|bound| bound.actor == actor).map(|bound| bound.area.into());
        let memories = self.memories.iter().filter(|bound| bound.memory.role.actor() == Some(actor));
        let mut all = Usage::default();
        own.chain(memories.map(|bound| bound.made_of.usage)).for_each(|usage| all += usage);
        all
    }
}

/// Binds every memory of the stream; those of factors where it is known what actors compute.
///
/// # Errors
/// What the device has too little of, itemised.
pub fn bind(
    stream: &Stream,
    target: &Target,
    arithmetic: Option<&Arithmetic>,
) -> Result<Binding, Diagnostics> {
    bind_as(stream, target, arithmetic, BindOptions::default())
}

fn bind_as(
    stream: &Stream,
    target: &Target,
    arithmetic: Option<&Arithmetic>,
    options: BindOptions,
) -> Result<Binding, Diagnostics> {
    let inside = Inside::of(stream, arithmetic);
    let limits = target.device.limits.as_ref();
    let binding = allocate(stream, &target.device, limits, Some(&inside), options);
    report::over_use(&binding).or(binding)
}

/// Binds every memory as well as `limits` let it, also where it does not fit; programs and factors where it is known
/// what is `inside`.
pub(crate) fn allocate(
    stream: &Stream,
    device: &Device,
    limits: Option<&Limits>,
    inside: Option<&Inside>,
    options: BindOptions,
) -> Binding {
    let actors: Vec<BoundActor> = stream
        .actors()
        .map(|actor| BoundActor {
            actor,
            label: report::actor_label(stream, actor),
            area: area::actor_area(stream, actor, device.family, inside.and_then(|i| i.of_actor(actor))),
        })
        .collect();
    let mut total = Usage::default();
    let mut bits = Bits::default();
    for BoundActor { area, .. } in &actors {
        total += Usage::from(*area);
        bits.window += area.window_ffs;
        bits.staging += area.staging_ffs;
    }
    let memories = area::memories(stream, inside);
    let (chosen, block_price) = fit::choose(&memories, device.family, limits, total, options.block_price);
    for (memory, made_of) in memories.iter().zip(&chosen) {
        total += made_of.usage;
        match memory.role {
            Role::Fifo(id) => {
                bits.fifo += memory.bits();
                bits.skip += if stream.channel(id).skip.is_some() { memory.bits() } else { 0 };
            }
            Role::LineBuffer(_) => bits.line_buffer += memory.bits(),
            Role::Private(_) => bits.private += memory.bits(),
            Role::Weights(_) | Role::Bias(_) | Role::Factors(_) => bits.constants += memory.bits(),
            Role::Program(_) | Role::Flow(_) | Role::Start(_) => bits.constants += memory.bits(),
        }
    }
    let bound = |(memory, made_of): (Memory, Candidate)| Bound {
        label: report::memory_label(stream, memory.role),
        memory,
        made_of,
    };
    let memories = memories.into_iter().zip(chosen).map(bound).collect();
    Binding { device: device.clone(), memories, actors, total, bits, block_price }
}
