//! Pools, sums, and what regroups beats.

use nonresc_ir::network::Pair;
use nonresc_ir::stream::{GlobalPool, Kind, Pool, Sum, pool_actions};

use super::codes::Way;
use super::sequence::tally;
use super::{Known, Price, Taken, bits_of};
use crate::arithmetic::Rounded;
use crate::images;

impl Known<'_> {
    /// Bits of a beat that is read.
    fn beat(&self) -> u64 {
        self.w.lanes_in as u64 * self.w.bits_in
    }

    /// The last way to codes, and whether its factors hang on the beat.
    fn last(&self) -> Option<(&Rounded, bool)> {
        let way = self.ways.last.as_ref()?;
        Some((way, images::varying(&images::factors(way, self.w.lanes_out)) > 0))
    }

    /// `sum`.
    pub(super) fn sum(&self, taken: &mut Taken, a: &Sum) -> Option<()> {
        let (word, bits) = self.skip()?;
        self.taking(taken, &self.layout(0)?, self.beat());
        self.taking(taken, &self.layout(1)?, word);
        let (way, varies) = self.last()?;
        if varies {
            tally(taken, a.output.beats(self.w.lanes_out));
        }
        taken.chain(1, 4);
        self.codes(taken, way, self.w.lanes_out, (self.w.bits_in + 1, bits, self.w.bits_out));
        Some(())
    }

    /// `regroup` of so many beats that are read, to so many channels.
    pub(super) fn regroup(&self, taken: &mut Taken, beats: usize, channels: usize) -> Option<()> {
        let lanes = self.w.lanes_out;
        let (given, bits) = (channels.div_ceil(lanes), self.w.bits_in);
        self.gather(taken, &self.layout(0)?, self.beat(), Pair::ONE);
        for things in [beats, given] {
            tally(taken, things);
            taken.ff(1 + bits_of(things));
        }
        let kept = beats as u64 * self.beat();
        let chosen = lanes as u64 * bits;
        taken.ff(kept + chosen + 1);
        taken.lut(kept);
        taken.choose(chosen, given as u64);
        if matches!(self.stream.actor(self.actor).kind, Kind::Activate { .. }) {
            taken.chain(1, 2);
            self.codes(taken, self.last()?.0, lanes, (bits + 1, 0, self.w.bits_out));
        }
        Some(())
    }

    /// `fold_map`, its memory apart.
    pub(super) fn global_pool(&self, taken: &mut Taken, a: &GlobalPool) -> Option<()> {
        let (lanes, sum) = (self.w.lanes_in, self.ways.accumulator as u64);
        let (beats, given) = (a.input.beats(lanes), a.input.channels.div_ceil(self.w.lanes_out));
        self.gather(taken, &self.layout(0)?, self.beat(), Pair::ONE);
        for things in [beats, given] {
            tally(taken, things);
            taken.ff(1 + bits_of(things));
        }
        taken.ff(1 + bits_of(given));
        taken.chain(1, 4);
        let share = lanes / self.w.lanes_out;
        let chosen = self.w.lanes_out as u64 * sum;
        if lanes.is_multiple_of(self.w.lanes_out) && share.is_power_of_two() {
            taken.lut(2 * lanes as u64 * sum);
            taken.choose(chosen, share as u64);
        } else {
            let all = (beats * lanes) as u64 * sum;
            taken.lut(all);
            taken.choose(chosen, given as u64);
        }
        let way = self.codes(taken, self.last()?.0, self.w.lanes_out, (sum, 0, self.w.bits_out));
        taken.ff(if way == Way::Wires { 0 } else { chosen });
        Some(())
    }

    /// `pool`, its memories apart.
    pub(super) fn pool(&self, taken: &mut Taken, a: &Pool) -> Option<()> {
        let (slots, folded) = (pool_actions(a).slots, self.ways.folded?);
        let (lanes, beats) = (self.w.lanes_in, a.input.beats(self.w.lanes_in));
        self.gather(taken, &self.layout(0)?, self.beat(), Pair::ONE);
        // The number of the beat read, three stages; what each slot does, one or two stages.
        taken.ff(3 * bits_of(beats) + 4 * (slots.w + slots.h) as u64);
        let same = self.w.lanes_in == self.w.lanes_out;
        let (parts, within) = if same { (1, beats) } else { (beats, 1) };
        let words = a.output.width.div_ceil(slots.w) * within;
        let (way, varies) = self.last()?;
        let later = self.within.given.later;
        // What is given is numbered as far as a choice hangs on it, 16 bits each: beat and column, slot, row and row slot.
        let counted = match (slots.w * slots.h > 1, later) {
            (true, _) => 2 + u64::from(slots.w > 1) + if slots.h > 1 { 2 } else { 0 },
            (false, true) => 2,
            (false, false) => u64::from(!same || varies),
        };
        let word = if later { bits_of(words) + bits_of(slots.w * slots.h) } else { 0 };
        taken.ff(16 * counted + word + 2);
        taken.ask(Price::GivenBit, 16 * counted + word);
        let number = |bits: usize| (lanes * bits) as u64;
        let adders = |across: usize, bits: usize| if across > 1 { 2 * number(bits) } else { 0 };
        let (along, kept) = (number(folded.along), number(folded.kept));
        let each = adders(a.window.kernel.h, folded.kept) + bits_of(words);
        taken.lut(slots.w as u64 * adders(a.window.kernel.w, folded.along));
        taken.lut((slots.w * slots.h * parts) as u64 * each);
        taken.ff(slots.w as u64 * (along + 2 * bits_of(words)));
        // The beat, of what was folded or of what is in memory.
        let pixel = parts as u64 * kept;
        taken.ff(pixel);
        taken.choose(if later { 2 * pixel } else { pixel }, (slots.w * slots.h) as u64);
        taken.lut(if later { pixel } else { 0 });
        let chosen = (self.w.lanes_out * folded.kept) as u64;
        if !same {
            taken.choose(chosen, beats as u64);
        }
        let way = self.codes(taken, way, self.w.lanes_out, (folded.kept as u64 + 1, 0, self.w.bits_out));
        taken.ff(if way == Way::Wires { 0 } else { chosen });
        taken.chain(1, 4);
        Some(())
    }
}
