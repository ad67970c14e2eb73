//! Matrix-vector actors: operands, products and their trees, accumulators, output registers.

use nonresc_ir::network::Pair;
use nonresc_ir::stream::{Form, MatVec, Multiplier, Projection, Second};

use super::codes::{Way, blocks};
use super::sequence::tally;
use super::{Known, Price, Taken, bits_of};
use crate::area::actor::{lut_multiplier, operand_sets, output_registers};
use crate::area::inside::Varying;
use crate::arithmetic::{Rounded, Ways};
use crate::control::fresh;
use crate::images;

/// A layer whose inside is known.
pub(super) struct Layer<'a> {
    known: &'a Known<'a>,
    a: &'a MatVec,
}

/// What one set of multipliers and what lies behind computes.
struct Multiply<'a> {
    simd: u64,
    pe: usize,
    weight_bits: u64,
    /// Bits of the sums.
    sum: u64,
    /// Phases of an output fold, and output folds.
    parts: usize,
    folds: usize,
    channels: usize,
    lanes: usize,
    bits_out: u64,
    /// Register stages between a phase and its flags at the products.
    before: u64,
    /// Sets of operands: outputs beside each other share one.
    sets: usize,
    last: &'a Rounded,
    inner: Option<&'a Rounded>,
    bias: Option<Varying>,
    /// Whether weights that share a multiplier are put together already.
    lent: bool,
    /// Bits of a beat that is added, and of one of its numbers.
    skip: Option<(u64, u64)>,
}

impl<'a> Layer<'a> {
    pub(super) fn new(known: &'a Known<'a>, a: &'a MatVec) -> Layer<'a> {
        Layer { known, a }
    }

    pub(super) fn takes(&self, taken: &mut Taken) -> Option<()> {
        let (known, a) = (self.known, self.a);
        let (lanes, bits) = (known.w.lanes_in, known.w.bits_in);
        let layout = known.layout(0)?;
        let beat = lanes as u64 * bits;
        let skip = if a.add.is_some() { known.skip() } else { None };
        if let Some((word, _)) = skip {
            known.taking(taken, &known.layout(1)?, word);
        }
        let mut before = 1;
        let sets = operand_sets(a, lanes);
        let parts = match a.fold.form {
            Form::Held { slots } => {
                before = 2;
                known.gather(taken, &layout, beat, Pair { h: a.fold.ports.max(1), w: 1 });
                self.window(taken, slots, layout.beats, sets);
                a.input_folds()
            }
            Form::Direct { taps } => {
                let side = a.window.side_by_side(taps);
                known.gather(taken, &layout, beat, side);
                self.direct(taken, side, sets);
                a.direct_beats(lanes)[0].len() * (a.window.kernel.h * a.window.kernel.w).div_ceil(taps)
            }
            Form::Stationary => {
                known.taking(taken, &layout, beat);
                taken.ff(a.fold.simd as u64 * bits + 1);
                a.input_folds()
            }
        };
        let ways = known.ways;
        self.multiply(
            taken,
            &Multiply {
                simd: a.fold.simd as u64,
                pe: a.fold.pe,
                weight_bits: a.weight_bits.into(),
                sum: ways.accumulator as u64,
                parts,
                folds: a.output_folds(),
                channels: a.output.channels,
                lanes: known.w.lanes_out,
                bits_out: known.w.bits_out,
                before,
                sets,
                last: ways.last.as_ref()?,
                inner: ways.inner.as_ref(),
                bias: known.within.varying[1],
                lent: known.within.lent[0],
                skip,
            },
        );
        match &a.second {
            None => {}
            Some(Second::Tap { .. }) => taken.ff(1),
            Some(Second::Projection(p)) => self.beside(taken, p)?,
        }
        Some(())
    }

    /// `window`: the held pixels and what is staged in front of them, and the registers of their operands.
    fn window(&self, taken: &mut Taken, slots: usize, beats: usize, sets: usize) {
        let a = self.a;
        let (bits, fresh) = (self.known.w.bits_in, fresh(a) as u64);
        let (kernel, c) = (a.window.kernel, self.known.control);
        let extent = ((kernel.w - 1) * a.window.dilation.w + 1) as u64;
        let column = (kernel.h * a.input.channels) as u64 * bits;
        let slots = slots.max(1) as u64;
        taken.ff(extent * column + slots * fresh * column);
        // What is masked is reset; what is staged in slots is chosen.
        taken.choose(fresh * column, slots);
        tally(taken, beats);
        // A flag for each entry of the staging.
        taken.lut(2 * kernel.h as u64 * slots * fresh * beats as u64);
        // What loads, and what lies in the padding, two stages behind; what fetches, one stage.
        let at = c.micro_at();
        let masks = at + 27 + self.known.layout(0).map_or(0, |layout| layout.address as u64);
        let load = c.functions_in(at + 1..at + 3)
            + c.functions_in(at + 6..at + 8)
            + c.functions_in(masks..at + c.micro);
        taken.ff(2 * load + c.functions_in(at..at + 1) + c.functions_in(at + 8..at + 18));
        let folds = a.input_folds() * if a.groups == 1 { 1 } else { a.output_folds() };
        let operands = (sets * a.fold.simd) as u64 * bits;
        taken.ff(operands + 2 * bits_of(folds));
        taken.choose(operands, folds as u64);
    }

    /// The operands of the direct form, with what masks them.
    fn direct(&self, taken: &mut Taken, side: Pair, own: usize) {
        let (a, c) = (self.a, self.known.control);
        let operands = (own * a.fold.simd) as u64 * self.known.w.bits_in;
        let masks = (side.h + side.w) as u64;
        let varying = c.functions_in(c.micro_at() + c.micro - masks..c.micro_at() + c.micro);
        taken.ff(operands + varying);
        if varying > 0 {
            taken.lut(operands + (side.h * side.w) as u64);
        }
        if own > 1 {
            taken.choose(operands, a.output_folds() as u64);
        }
    }

    /// The projection beside, from the held window.
    fn beside(&self, taken: &mut Taken, p: &Projection) -> Option<()> {
        let known = self.known;
        let channel = known.stream.outputs(known.actor, 1).first().map(|&c| known.stream.channel(c))?;
        let parts = p.input_folds(self.a.input.channels);
        let operands = p.simd as u64 * known.w.bits_in;
        taken.ff(operands + 2 * bits_of(parts));
        taken.choose(operands, parts as u64);
        self.multiply(
            taken,
            &Multiply {
                simd: p.simd as u64,
                pe: p.pe,
                weight_bits: p.weight_bits.into(),
                sum: known.ways.beside_accumulator as u64,
                parts,
                folds: p.output_folds(),
                channels: p.channels,
                lanes: known.w.lanes_second,
                bits_out: channel.bits.into(),
                before: 2,
                sets: 1,
                last: known.ways.beside.as_ref()?,
                inner: None,
                bias: known.within.varying[3],
                lent: known.within.lent[1],
                skip: None,
            },
        );
        Some(())
    }

    /// `folds`, `multiply` and the counter of beats.
    fn multiply(&self, taken: &mut Taken, m: &Multiply<'_>) {
        let known = self.known;
        let pair = self.a.fold.multiplier == Multiplier::DspPair;
        let (levels, before) = (bits_of(m.simd as usize), m.before);
        let summed = 2 + levels;
        let select = summed + 1;
        let inner = u64::from(m.inner.is_some());
        let scaled = select + 1 + 2 * inner;
        let stages = scaled + 2 + u64::from(m.skip.is_some());
        // The numbers of phases: input fold, output fold, word.
        let counted = bits_of(m.parts) + bits_of(m.folds) + bits_of(m.parts * m.folds);
        taken.ff(counted + if before > 1 { bits_of(m.parts * m.folds) } else { 0 });
        taken.ask(Price::TallyBit, counted);
        taken.ask(Price::Tally, 2);
        self.products(taken, m, pair);
        let stationary = self.a.fold.form == Form::Stationary && m.folds > 1;
        // Accumulators, begun with a bias; all folds at once have theirs in a memory.
        let sums = m.pe as u64 * m.sum;
        // A block has a place for the sum of its own product.
        let packed = known.packs() && m.simd == 1 && m.folds > 1 && !pair && !stationary;
        let sums = if packed { 0 } else { sums };
        taken.ff(sums);
        taken.lut(if m.folds > 1 || m.bias.is_some_and(|bias| bias.bits > 0) { 2 * sums } else { sums });
        taken.chain(2, summed + before);
        if m.folds > 1 && (stationary || m.bias.is_none_or(|bias| bias.bits > 0)) {
            taken.chain(bits_of(m.folds), summed - 1 + before);
            taken.ff(if stationary { bits_of(m.folds) } else { 0 });
        }
        // Sums that wait for their beat, and the beat's choice.
        let waiting = output_registers(m.channels, m.pe, m.lanes) as u64;
        if waiting > 0 {
            taken.ff(waiting * m.sum);
            taken.chain(1, select + before);
        }
        let ways = ways(m.pe, m.lanes, m.channels) as u64;
        let chosen = m.lanes as u64 * m.sum;
        taken.choose(chosen, ways);
        taken.chain(bits_of(ways as usize), select);
        let beats = m.channels.div_ceil(m.lanes);
        let varies = |way: &Rounded| images::varying(&images::factors(way, m.lanes)) > 0;
        let factors = varies(m.last) || m.inner.is_some_and(varies);
        if ways > 1 || factors {
            tally(taken, beats);
        }
        if factors {
            taken.chain(bits_of(beats), select + before);
        }
        // Codes, with the beat that is added waiting for them.
        let number = m.skip.map_or(0, |(_, number)| number);
        if let Some((word, _)) = m.skip {
            taken.chain(word, scaled + before - 1);
        }
        let mut own = m.sum;
        if let Some(way) = m.inner {
            let codes = inner_bits(known.ways, m.bits_out);
            known.codes(taken, way, m.lanes, (own, 0, codes));
            own = codes;
        }
        let way = known.codes(taken, m.last, m.lanes, (own, number, m.bits_out));
        taken.ff(if way == Way::Wires && m.inner.is_none() { 0 } else { chosen });
        taken.chain(1, stages + before);
    }

    /// `dot` and `dot_pair`.
    fn products(&self, taken: &mut Taken, m: &Multiply<'_>, pair: bool) {
        let (x, w, simd) = (self.known.w.bits_in + 1, m.weight_bits, m.simd);
        let pairs = if pair && m.sets < m.pe { m.pe as u64 / 2 } else { 0 };
        let singles = m.pe as u64 - 2 * pairs;
        let blocks = match self.a.fold.multiplier {
            Multiplier::Lut => 0,
            // Of a product no more is made than the sum has.
            _ => blocks(x, w, (x + w).min(m.sum), self.known.family),
        };
        if blocks == 0 {
            taken.lut(singles * simd * lut_multiplier(w, x, self.known.family));
        }
        taken.dsps += singles * simd * blocks + pairs * simd;
        let packed = self.known.packs() && blocks > 0 && simd == 1 && !pair;
        if packed && m.pe == 1 {
            // Operands as well, which are those of no other block.
            taken.ffs -= (x - 1).min(taken.ffs);
        }
        taken.ff(if packed { 0 } else { singles * simd * (x + w) });
        tree(taken, simd, (x + w, m.sum), singles);
        if pairs == 0 {
            return;
        }
        // Two weights are put together by an adder, which 7-series has in its block; that keeps products too, and
        // operands, a copy in each.
        let packs = self.known.packs();
        taken.lut(if packs || m.lent { 0 } else { pairs * simd * w });
        if packs && singles == 0 {
            taken.ffs -= (m.sets as u64 * simd * (x - 1)).min(taken.ffs);
        }
        let product = x - 1 + w;
        taken.ff(if packs { 0 } else { pairs * simd * 2 * product });
        tree(taken, simd, (product, m.sum), 2 * pairs);
        // The carries of the upper sums: half of those that come to a level wait for the next one.
        let (mut left, mut waited) = (simd, 0);
        while left > 1 {
            taken.chain(pairs * (left / 2), waited);
            (left, waited) = (left.div_ceil(2), waited + 1);
        }
        taken.chain(pairs, waited);
    }
}

/// Bits of the result's own codes before a sum, signed; `bits_out` are those of the sum.
pub(super) fn inner_bits(ways: &Ways, bits_out: u64) -> u64 {
    ways.inner.as_ref().and_then(|way| way.limits).map_or(bits_out, |(low, high)| {
        let most = low.unsigned_abs().max(high.unsigned_abs());
        u64::from(u64::BITS - most.leading_zeros()) + 1
    })
}

/// `tree` over so many terms of so many bits, which come from registers, whose sum has as many as it says; so often.
fn tree(taken: &mut Taken, terms: u64, (term, width): (u64, u64), times: u64) {
    let (mut left, mut own) = (terms, term.min(width));
    // Levels that the last term has no partner in, and its bits.
    let (mut waits, mut last) = (0, own);
    while left > 1 {
        let grown = (own + 1).min(width);
        taken.ff(times * (left / 2) * grown);
        taken.lut(times * (left / 2) * own);
        if left % 2 == 1 {
            waits += 1;
        } else {
            wait(taken, times * last, waits);
            (waits, last) = (0, grown);
        }
        (left, own) = (left.div_ceil(2), grown);
    }
}

/// A term that waits so many stages behind its register, which becomes part of the chain where that is long.
fn wait(taken: &mut Taken, width: u64, stages: u64) {
    match stages {
        0 | 1 => taken.ff(width * stages),
        _ => {
            taken.ffs -= width.min(taken.ffs);
            taken.chain(width, stages + 1);
        }
    }
}

/// Ways to fill a beat out of folds: beats that begin at the same place of a fold are filled alike.
fn ways(pe: usize, lanes: usize, channels: usize) -> usize {
    let turn = (1..=pe).find(|beats| (beats * lanes).is_multiple_of(pe)).unwrap_or(pe);
    turn.min(channels.div_ceil(lanes))
}
