//! The best fold of one matrix-vector actor for an interval and given lanes.
//!
//! For each number of output folds the largest number of input folds that the interval allows is taken, so about two
//! times the root of the output channels folds are looked at. Least DSP blocks, then one fetch port, then the least
//! area (LUTs, half a LUT a flip-flop, the input's memory by its banks).

use nonresc_ir::id::ActorId;
use nonresc_ir::stream::{Carry, Fold, Form, Kind, MatVec, Multiplier, Projection, Second};

use super::count::{Counter, Lanes, direct_fold_ends};
use crate::area::{self, Memory, Role, Widths};
use crate::bind::{Prices, Usage, cheapest};
use crate::device::{Device, Family};

/// What the multipliers of an actor are to be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefer {
    /// DSP blocks, as few as may be.
    Dsp,
    /// LUTs alone.
    Lut,
}

/// A fold and what it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) fold: Fold,
    /// PE and SIMD of a projection beside.
    pub(super) beside: (usize, usize),
    pub(super) phases: u64,
    pub(super) dsps: u64,
    /// LUTs without memories, weights as logic included.
    pub(super) luts: u64,
    /// All in LUTs, flip-flops and memories at their worth.
    pub(super) area: f64,
}

impl Choice {
    fn key(&self, prefer: Prefer) -> (u64, bool, f64) {
        let dsps = if prefer == Prefer::Dsp { self.dsps } else { 0 };
        (dsps, self.fold.ports > 1, self.area)
    }

    fn better(&self, other: &Choice, prefer: Prefer) -> bool {
        let (a, b) = (self.key(prefer), other.key(prefer));
        (a.0, a.1) < (b.0, b.1) || ((a.0, a.1) == (b.0, b.1) && a.2 < b.2)
    }
}

/// A matrix-vector actor to be folded.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) actor: ActorId,
    pub(super) a: MatVec,
    pub(super) counter: Counter,
    bits_in: u64,
    bits_out: u64,
    family: Family,
    prices: Prices,
    dsp_fits: bool,
    pair_fits: bool,
}

/// The projection beside, to be folded.
pub(super) fn projection_mut(a: &mut MatVec) -> Option<&mut Projection> {
    match &mut a.second {
        Some(Second::Projection(p)) => Some(p),
        _ => None,
    }
}

/// Numbers of `total` that give distinct quotients, rounded up: `ceil(total / n)` for every n.
fn folds(total: usize) -> Vec<usize> {
    let mut all = Vec::new();
    let mut parallel = total;
    while parallel >= 1 {
        let n = total.div_ceil(parallel);
        all.push(n);
        // One less than the least parallelism that gets by with n folds.
        parallel = total.div_ceil(n) - 1;
    }
    all
}

impl Layer {
    pub(super) fn new(actor: ActorId, a: &MatVec, w: Widths, device: &Device) -> Layer {
        let dsp = device.family.dsp();
        let weight_bits = u64::from(a.weight_bits);
        // One more bit makes an unsigned number signed.
        let operand_bits = w.bits_in + 1;
        let blocks = area::blocks(weight_bits, operand_bits, weight_bits + operand_bits, device.family);
        Layer {
            actor,
            a: a.clone(),
            counter: Counter::new(&Kind::MatVec(a.clone())),
            bits_in: w.bits_in,
            bits_out: w.bits_out,
            family: device.family,
            prices: Prices::of(device.limits.as_ref()),
            dsp_fits: blocks == 1,
            pair_fits: dsp.pairs(weight_bits, w.bits_in),
        }
    }

    /// The least phases of a frame with any fold in these lanes: every product of a pixel side by side, in the form
    /// that takes fewest.
    pub(super) fn least_phases(&self, lanes: Lanes) -> u64 {
        let mut a = self.a.clone();
        let (taps, channels) = (a.window.kernel.h * a.window.kernel.w, a.input.channels);
        if let Some(p) = projection_mut(&mut a) {
            (p.pe, p.simd) = (p.channels, channels);
        }
        let held = self.ports().into_iter().map(|ports| (Form::Held { slots: 1 }, ports, a.flat()));
        let mut whole = a.clone();
        whole.fold.pe = a.computed();
        let regular = whole.is_regular_direct(taps, lanes.input);
        let direct = (Form::Direct { taps }, 1, taps * lanes.input.min(channels / a.groups));
        let stationary = (Form::Stationary, 1, lanes.input.min(channels));
        let others = [regular.then_some(direct), self.sees_all().then_some(stationary)].into_iter().flatten();
        let forms: Vec<(Form, usize, usize)> = held.chain(others.filter(|_| !self.only_held())).collect();
        let mut phases = |(form, ports, simd)| {
            a.fold = Fold { pe: a.computed(), simd, form, ports, multiplier: Multiplier::Lut };
            self.counter.matrix_vector(&a, lanes)
        };
        forms.into_iter().map(&mut phases).min().unwrap_or(u64::MAX)
    }

    /// Whether a skip is served from here, or carried: what the held form alone does.
    fn only_held(&self) -> bool {
        self.a.second.is_some() || self.a.carry != Carry::NONE
    }

    /// Whether the one window is the whole map, so that there is a stationary form.
    fn sees_all(&self) -> bool {
        let a = &self.a;
        a.output.pixels() == 1
            && a.groups == 1
            && (a.window.kernel.h, a.window.kernel.w) == (a.input.height, a.input.width)
            && a.window.pad == nonresc_ir::network::Sides::ZERO
    }

    /// The phases of a frame with the slowest fold in these lanes.
    pub(super) fn most_phases(&self, lanes: Lanes) -> u64 {
        let mut a = self.a.clone();
        a.fold =
            Fold { pe: 1, simd: 1, form: Form::Held { slots: 1 }, ports: 1, multiplier: Multiplier::Lut };
        if let Some(p) = projection_mut(&mut a) {
            (p.pe, p.simd) = (1, 1);
        }
        self.counter.matrix_vector(&a, lanes)
    }

    fn ports(&self) -> Vec<usize> {
        let (rows, dilation) = (self.a.window.kernel.h, self.a.window.dilation.h);
        // Rows that are apart may lie in the same bank.
        if rows > 1 && dilation == 1 { vec![1, rows] } else { vec![1] }
    }

    /// The best fold that takes at most `interval` phases a frame; none where there is none.
    pub(super) fn best(&self, interval: u64, lanes: Lanes, prefer: Prefer) -> Option<Choice> {
        let mut search = Search { layer: self, interval, lanes, prefer, best: None };
        for ports in self.ports() {
            search.held(ports);
        }
        if !self.only_held() {
            search.direct();
            search.stationary();
        }
        search.best
    }

    fn multiplier(&self, a: &MatVec, pe: usize, prefer: Prefer) -> Multiplier {
        if prefer == Prefer::Lut || !self.dsp_fits {
            Multiplier::Lut
        } else if self.pair_fits && area::pairs(a, pe) < pe {
            Multiplier::DspPair
        } else {
            Multiplier::Dsp
        }
    }

    fn least_memory(&self, a: &MatVec, lanes_in: usize) -> Memory {
        let (kernel, beats) = (a.window.kernel, a.input.beats(lanes_in) as u64);
        let row = a.input.width as u64 * beats;
        let (rows, columns) = match a.fold.form {
            Form::Direct { taps } => (a.window.side_by_side(taps).h, a.window.side_by_side(taps).w),
            Form::Held { .. } => (a.fold.ports, 1),
            Form::Stationary => (1, 1),
        };
        let (rows, columns) = (rows as u64, columns as u64);
        let above = ((kernel.h - 1) * a.window.dilation.h) as u64 * row;
        let depth = above + if columns > 1 { kernel.w as u64 * beats } else { beats };
        Memory {
            role: Role::Private(self.actor),
            width: lanes_in as u64 * self.bits_in,
            varying: lanes_in as u64 * self.bits_in,
            functions: lanes_in as u64 * self.bits_in,
            luts: None,
            words: depth,
            banks: rows * columns,
            bank_words: area::bank_words(depth, row, beats, rows, columns),
            readers: 1,
            in_order: kernel.h * kernel.w == 1 && matches!(a.fold.form, Form::Held { .. }),
            constant: false,
            read: area::Read::Registered,
        }
    }
}

/// The search over the folds of one layer.
struct Search<'a> {
    layer: &'a Layer,
    interval: u64,
    lanes: Lanes,
    prefer: Prefer,
    best: Option<Choice>,
}

impl Search<'_> {
    /// Looks at one fold.
    fn offer(&mut self, a: &mut MatVec, memory: f64) {
        let layer = self.layer;
        a.fold.multiplier = layer.multiplier(a, a.fold.pe, self.prefer);
        let phases = layer.counter.matrix_vector(a, self.lanes);
        if phases > self.interval {
            return;
        }
        let w = Widths {
            lanes_in: self.lanes.input,
            lanes_out: self.lanes.output,
            lanes_second: self.lanes.second,
            bits_in: layer.bits_in,
            bits_out: layer.bits_out,
        };
        let fold = a.fold;
        let beside = a.projection().map_or((1, 1), |p| (p.pe, p.simd));
        let weights: Vec<Memory> =
            [area::weights(layer.actor, a)].into_iter().chain(area::weights_beside(layer.actor, a)).collect();
        let roms =
            weights.iter().map(|m| layer.prices.of_usage(&cheapest(m, layer.family, &layer.prices).usage));
        let roms: f64 = roms.sum();
        let rom_luts: u64 = weights.iter().map(|m| layer.family.rom_luts(m.words, m.width)).sum();
        let private = area::partial_sums(layer.actor, a, area::accumulator_bits(a, w.bits_in))
            .map_or(0.0, |m| layer.prices.of_usage(&cheapest(&m, layer.family, &layer.prices).usage));
        let kind = Kind::MatVec(std::mem::replace(a, layer.a.clone()));
        let own = area::area(&kind, w, layer.family);
        if let Kind::MatVec(back) = kind {
            *a = back;
        }
        let usage = Usage { luts: own.luts, ffs: own.ffs, ..Usage::default() };
        let choice = Choice {
            fold,
            beside,
            phases,
            dsps: own.dsps,
            luts: own.luts + rom_luts,
            area: layer.prices.of_usage(&usage) + roms + private + memory,
        };
        if self.best.is_none_or(|best| choice.better(&best, self.prefer)) {
            self.best = Some(choice);
        }
    }

    fn memory_worth(&self, a: &MatVec) -> f64 {
        let memory = self.layer.least_memory(a, self.lanes.input);
        let layer = self.layer;
        layer.prices.of_usage(&cheapest(&memory, layer.family, &layer.prices).usage)
    }

    /// The held form: the longest computation of a pixel that the interval allows, shared out in every way.
    fn held(&mut self, ports: usize) {
        let layer = self.layer;
        let mut a = layer.a.clone();
        a.fold.form = Form::Held { slots: 1 };
        a.fold.ports = ports;
        let beats = a.input.beats(self.lanes.input) as u64;
        let beside = a.projection().map_or(0, |p| p.channels.div_ceil(self.lanes.second));
        let give = a.output.beats(self.lanes.output).max(beside) as u64;
        let phases = |compute: u64| {
            let period = compute.max(give);
            layer.counter.held(beats, ports > 1, period, compute.max(give))
        };
        if phases(1) > self.interval {
            return;
        }
        // The largest computation that fits: phases rise with it.
        let (mut fits, mut too_long) = (1, (a.flat() * a.computed()) as u64 + 1);
        while too_long - fits > 1 {
            let middle = fits + (too_long - fits) / 2;
            if phases(middle) <= self.interval { fits = middle } else { too_long = middle }
        }
        self.beside(&mut a, fits);
        let memory = self.memory_worth(&a);
        for output_folds in folds(a.computed()) {
            let most = fits / output_folds as u64;
            // The last beats may be given behind the computation, so the longest may just fail.
            for input_folds in [most, most.saturating_sub(1)] {
                let input_folds = (input_folds as usize).min(a.flat());
                if input_folds == 0 {
                    continue;
                }
                a.fold.pe = a.computed().div_ceil(output_folds);
                a.fold.simd = a.flat().div_ceil(input_folds);
                self.offer(&mut a, memory);
            }
        }
    }

    /// Folds the projection beside for at most `phases` a pixel: the fewest blocks, then the fewest multipliers.
    fn beside(&self, a: &mut MatVec, phases: u64) {
        let channels = a.input.channels;
        let Some(p) = projection_mut(a) else { return };
        let mut least = (usize::MAX, usize::MAX);
        for output_folds in folds(p.channels) {
            let input_folds = (phases as usize / output_folds).min(channels);
            if input_folds == 0 {
                continue;
            }
            let (pe, simd) = (p.channels.div_ceil(output_folds), channels.div_ceil(input_folds));
            let cost = (simd * pe.div_ceil(2), simd * pe);
            if cost < least {
                least = cost;
                (p.pe, p.simd) = (pe, simd);
            }
        }
    }

    /// The direct form: taps side by side, all lanes of a beat.
    fn direct(&mut self) {
        let mut a = self.layer.a.clone();
        let channels = a.input.channels / a.groups;
        let kernel = a.window.kernel;
        let rows = folds(kernel.h).into_iter().map(|groups| kernel.h.div_ceil(groups) * kernel.w);
        let parts = (1..kernel.w).filter(|&taps| kernel.w.is_multiple_of(taps));
        for taps in rows.chain(parts) {
            a.fold.form = Form::Direct { taps };
            a.fold.ports = 1;
            a.fold.simd = taps * self.lanes.input.min(channels);
            let memory = self.memory_worth(&a);
            for output_folds in folds(a.computed()) {
                a.fold.pe = a.computed().div_ceil(output_folds);
                if !a.is_regular_direct(taps, self.lanes.input) {
                    continue;
                }
                let compute = direct_fold_ends(&a, taps, self.lanes.input).last().copied().unwrap_or(1);
                if compute.saturating_mul(a.output.pixels() as u64) <= self.interval {
                    self.offer(&mut a, memory);
                }
            }
        }
    }

    /// The stationary form, where the window is the whole map.
    fn stationary(&mut self) {
        if !self.layer.sees_all() {
            return;
        }
        let mut a = self.layer.a.clone();
        a.fold.form = Form::Stationary;
        a.fold.ports = 1;
        a.fold.simd = self.lanes.input.min(a.input.channels);
        let memory = self.memory_worth(&a);
        for output_folds in folds(a.computed()) {
            a.fold.pe = a.computed().div_ceil(output_folds);
            self.offer(&mut a, memory);
        }
    }
}
