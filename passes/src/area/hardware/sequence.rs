//! Controls, pins, and what counts beats and phases.

use super::{Known, Price, Taken, bits_of};
use crate::area::ceil_log2;

impl Known<'_> {
    /// `control`, its memories apart.
    pub(super) fn sequence(&self, taken: &mut Taken) {
        let c = self.control;
        let place = ceil_log2(c.words);
        let flow = if c.has_loops() { c.flow_bits * u64::from(c.luts[1] > 0) } else { 0 };
        if c.words > 1 {
            // The program counter: the place, and with loops the third place, its kind and the one behind.
            let whole = 2 * place + 2 * flow;
            taken.ff(if c.has_loops() { whole } else { place });
            taken.ask(Price::PlaceBit, place);
            let several = c.loops.len() as u64;
            for &bits in &c.loops {
                taken.ff(bits + 1 + whole);
                taken.ask(Price::LoopBit, bits);
                taken.ask(Price::Loop, 1);
            }
            // What a loop begins with, or what comes: up to five inputs a bit, or more.
            if several > 0 {
                taken.ask(if several > 2 { Price::NextBitOfMore } else { Price::NextBit }, whole);
            }
            taken.ask(Price::Kind, if several == 0 { 0 } else { c.kind_luts });
            // Repetitions.
            taken.ff(c.run + 1);
            taken.ask(Price::RunBit, c.run);
            taken.ask(Price::Run, 1);
            // The words to come and now.
            let end = c.micro_at() + c.micro;
            taken.ff(c.functions_in(0..end + c.run) + c.functions_in(0..end));
            let gives = 2 * c.inputs * c.take;
            taken.lut(c.functions_in(0..c.inputs * c.take) + c.functions_in(gives..gives + c.outputs));
        }
        taken.ff(2 + c.counters * c.slack);
        taken.ask(Price::CounterBit, c.counters * c.slack);
    }

    /// The pin of `source`.
    pub(super) fn source(&self, taken: &mut Taken) {
        let word = self.w.lanes_out as u64 * self.w.bits_out;
        taken.ff(2 * (word + 1) + 6);
        taken.lut(word + 8);
    }

    /// The pin of `sink`, its memory apart.
    pub(super) fn sink(&self, taken: &mut Taken) -> Option<()> {
        taken.ff(9);
        taken.lut(10);
        let word = self.w.lanes_in as u64 * self.w.bits_in;
        self.taking(taken, &self.layout(0)?, word);
        Some(())
    }
}

/// `tally` of so many: what has happened, and the number, which is part of a chain of registers behind.
pub(super) fn tally(taken: &mut Taken, things: usize) {
    let bits = bits_of(things);
    taken.ff(bits);
    if bits > 0 {
        taken.ask(Price::TallyBit, bits);
        taken.ask(Price::Tally, 1);
    }
}
