//! LUTs, flip-flops and DSP blocks of the actors' hardware, module by module of `backends/rtl`: what Yosys 0.23 makes of
//! them.
//!
//! Needs what is known once channels have depths: the programs of controls and the widths of numbers ([`Within`]).
//! Flip-flops are counted: every register of the modules, less what is constant, a copy, or part of a chain of three
//! stages and more, which becomes shift registers in LUTs. LUTs are sums of adders, multiplexers and tables; where they
//! hang on how logic is mapped, a [`Price`] says how many.
//!
//! - [`sequence`]: controls and counters; [`reading`]: where an actor reads; [`layer`]: products and sums;
//!   [`codes`]: the way to codes; [`folding`]: pools.

mod codes;
mod folding;
mod layer;
mod prices;
mod reading;
mod sequence;
mod table;

use nonresc_ir::id::ActorId;
use nonresc_ir::stream::{Kind, Stream};

use super::actor::{Area, Widths};
use super::inside::{ControlSizes, Within};
use crate::arithmetic::{Rounded, Ways};
use crate::control::{Layout, Storage};
use crate::device::Family;

pub(crate) use codes::blocks;
use codes::blocks_of_lane;
use layer::{Layer, inner_bits};
pub use prices::{Bill, Price};

/// What a part of an actor takes.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    /// LUTs, shift registers apart.
    bill: Bill,
    ffs: u64,
    /// Shift registers of up to 16 bits, and the bits in them.
    chains: u64,
    chained: u64,
    dsps: u64,
}

impl Taken {
    fn lut(&mut self, luts: u64) {
        self.bill.counted += luts;
    }

    fn ask(&mut self, price: Price, often: u64) {
        self.bill.ask(price, often as f64);
    }

    fn choose(&mut self, bits: u64, ways: u64) {
        self.bill.choose(bits, ways);
    }

    fn ff(&mut self, ffs: u64) {
        self.ffs += ffs;
    }

    /// A chain of registers with nothing between: from three stages on it is made of shift registers.
    fn chain(&mut self, width: u64, stages: u64) {
        match stages {
            0..3 => self.ffs += width * stages,
            _ => {
                self.chains += width * stages.div_ceil(16);
                self.chained += width * stages;
            }
        }
    }
}

/// An actor whose inside is known.
struct Known<'a> {
    stream: &'a Stream,
    actor: ActorId,
    family: Family,
    w: Widths,
    control: &'a ControlSizes,
    within: &'a Within,
    ways: &'a Ways,
}

impl Known<'_> {
    /// Where the beats of an input lie.
    fn layout(&self, input: u16) -> Option<Layout> {
        Layout::of(self.stream, self.stream.input(self.actor, input)?, Storage::Addressed)
    }

    /// Whether Yosys takes registers and the adder beside a product into its block: it does so for 7-series alone.
    fn packs(&self) -> bool {
        self.family == Family::Series7
    }

    /// Bits of a beat of input 1, and of one of its numbers.
    fn skip(&self) -> Option<(u64, u64)> {
        let channel = self.stream.channel(self.stream.input(self.actor, 1)?);
        Some((channel.word_bits(), u64::from(channel.bits)))
    }
}

/// What an actor takes, memories apart, with `rough` figures of its window; nothing where too little is known of its
/// inside, or of its family.
pub(super) fn actor_area(
    stream: &Stream,
    actor: ActorId,
    family: Family,
    within: &Within,
    rough: Area,
) -> Option<Area> {
    let taken = taken(stream, actor, family, within)?;
    Some(Area {
        luts: taken.bill.luts(family),
        memory_luts: taken.chains.div_ceil(2),
        ffs: taken.ffs,
        dsps: taken.dsps,
        ..rough
    })
}

/// The LUTs of an actor one by one, memories apart; nothing where too little is known of its inside.
pub fn bill(stream: &Stream, actor: ActorId, family: Family, within: &Within) -> Option<Bill> {
    Some(taken(stream, actor, family, within)?.bill)
}

fn taken(stream: &Stream, actor: ActorId, family: Family, within: &Within) -> Option<Taken> {
    let (none, kind) = (Ways::default(), &stream.actor(actor).kind);
    let ways = match kind {
        Kind::Source(_) | Kind::Sink(_) => &none,
        _ => within.ways.as_ref()?,
    };
    let w = Widths::of(stream, actor);
    let known = Known { stream, actor, family, w, control: within.control.as_ref()?, within, ways };
    let mut taken = Taken::default();
    known.sequence(&mut taken);
    match kind {
        Kind::Source(_) => known.source(&mut taken),
        Kind::Sink(_) => known.sink(&mut taken)?,
        Kind::MatVec(a) => Layer::new(&known, a).takes(&mut taken)?,
        Kind::Pool(a) => known.pool(&mut taken, a)?,
        Kind::GlobalPool(a) => known.global_pool(&mut taken, a)?,
        Kind::Sum(a) => known.sum(&mut taken, a)?,
        Kind::Select(a) => {
            let kept = a.output.channels.saturating_sub(a.zeros_before);
            let kept = kept.min(a.input.channels.saturating_sub(a.first_channel)).max(1);
            let (first, last) = (a.first_channel / w.lanes_in, (a.first_channel + kept - 1) / w.lanes_in);
            known.regroup(&mut taken, last - first + 1, a.output.channels)?;
        }
        Kind::Convert(map) | Kind::Activate { map, .. } => {
            known.regroup(&mut taken, map.beats(w.lanes_in), map.channels)?;
        }
    }
    if family.srl_luts(16, 1).is_none() {
        taken.ffs += std::mem::take(&mut taken.chained);
        taken.chains = 0;
    }
    taken.bill.counted += taken.chains.div_ceil(2);
    Some(taken)
}

/// DSP blocks that scales take in a lane of an actor's outputs, which is known without depths.
pub(crate) fn scale_blocks(stream: &Stream, actor: ActorId, ways: &Ways, family: Family) -> [u64; 2] {
    let w = Widths::of(stream, actor);
    let skip = stream.input(actor, 1).map_or(0, |c| u64::from(stream.channel(c).bits));
    let lane = |way: &Option<Rounded>, own: u64, skip: u64| {
        way.as_ref().map_or(0, |way| blocks_of_lane(way, own, skip, family))
    };
    match &stream.actor(actor).kind {
        Kind::MatVec(_) => {
            let sum = ways.accumulator as u64;
            let own = if ways.inner.is_some() { inner_bits(ways, w.bits_out) } else { sum };
            let first = lane(&ways.inner, sum, 0) + lane(&ways.last, own, skip);
            [first, lane(&ways.beside, ways.beside_accumulator as u64, 0)]
        }
        Kind::Sum(_) | Kind::Activate { .. } => [lane(&ways.last, w.bits_in + 1, skip), 0],
        Kind::GlobalPool(_) => [lane(&ways.last, ways.accumulator as u64, 0), 0],
        Kind::Pool(_) => [ways.folded.map_or(0, |folded| lane(&ways.last, folded.kept as u64 + 1, 0)), 0],
        Kind::Source(_) | Kind::Sink(_) | Kind::Select(_) | Kind::Convert(_) => [0; 2],
    }
}

/// Bits that number so many things; none for a single one.
fn bits_of(things: usize) -> u64 {
    super::ceil_log2(things as u64)
}
