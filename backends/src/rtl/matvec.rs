//! Matrix-vector actors: what is particular to each form, and what all multiply by.

use nonresc_ir::network::Pair;
use nonresc_ir::stream::{Carry, Form, MatVec, Multiplier, Second};
use nonresc_passes::area::{Role, operand_sets};
use nonresc_passes::arithmetic::{Output, Source};
use nonresc_passes::control::{Control, Refusal, Steps, fresh, unsigned};

use nonresc_passes::images;

use super::actor::Making;
use super::beats::{Beats, Given};
use super::numbers;

impl Making<'_> {
    pub(super) fn held(&mut self, a: &MatVec, control: &Control) -> Result<(), Refusal> {
        self.made.module = "held";
        if a.carry != Carry::NONE {
            return Err(("what a layer carries through has no hardware yet".into(), "keep the skip"));
        }
        let memory = self.memory(0);
        let Form::Held { slots } = a.fold.form else { return Ok(()) };
        let (kernel, dilation) = (a.window.kernel, a.window.dilation.w);
        let extent = (kernel.w - 1) * dilation + 1;
        self.number("KH", kernel.h);
        self.number("KW", kernel.w);
        self.number("EXTENT", extent);
        self.number("DILATION", dilation);
        self.number("CHANNELS", a.input.channels);
        self.input_numbers();
        self.zero()?;
        self.number("FRESH", fresh(a));
        self.number("SLOTS", slots);
        self.number("PORTS", a.fold.ports.max(1));
        self.number("GROUPS", a.groups);
        self.number("OWN", operand_sets(a, self.input(0).lanes));
        self.number("PARTS", a.input_folds());
        self.number("PART", unsigned(a.input_folds() as u64 - 1));
        match &a.second {
            None => {}
            Some(Second::Tap { row }) => {
                self.number("TAP", 1);
                self.number("TAP_ROW", row);
            }
            Some(Second::Projection(_)) => self.beside(a, &control.steps)?,
        }
        if a.second.is_some() {
            let bits = self.output(1).map_or(1, |c| c.word_bits());
            self.number("SECOND_BITS", bits);
        }
        let lanes = self.input(0).lanes;
        self.multiplies(a, &control.steps, 3, lanes)?;
        self.gathers(&memory, control);
        self.program(control);
        Ok(())
    }

    pub(super) fn direct(&mut self, a: &MatVec, taps: usize, control: &Control) -> Result<(), Refusal> {
        self.made.module = "direct";
        let (memory, lanes) = (self.memory(0), self.input(0).lanes);
        let side: Pair = a.window.side_by_side(taps);
        self.number("TAP_ROWS", side.h);
        self.number("TAP_COLUMNS", side.w);
        self.input_numbers();
        self.number("CHOSEN", a.fold.simd / taps);
        self.number("OWN", operand_sets(a, lanes));
        self.number("INSIDE", a.input.channels / a.groups);
        self.number("MEMBERS", a.output.channels / a.groups);
        self.zero()?;
        let parts = a.direct_beats(lanes)[0].len() * (a.window.kernel.h * a.window.kernel.w).div_ceil(taps);
        self.number("PARTS", parts);
        self.number("PART", unsigned(parts as u64 - 1));
        self.multiplies(a, &control.steps, 0, lanes)?;
        self.gathers(&memory, control);
        self.program(control);
        Ok(())
    }

    pub(super) fn stationary(&mut self, a: &MatVec, control: &Control) -> Result<(), Refusal> {
        self.made.module = "stationary";
        let (memory, lanes) = (self.memory(0), self.input(0).lanes);
        let beats = a.input.pixels() * a.input.beats(lanes);
        self.input_numbers();
        self.number("PARTS", beats);
        self.number("PART", unsigned(beats as u64 - 1));
        self.number("WIDTH", memory.width);
        self.multiplies(a, &control.steps, 1, lanes)?;
        self.reads(&memory);
        self.program(control);
        Ok(())
    }

    fn zero(&mut self) -> Result<(), Refusal> {
        let zero = match &self.computed()?.source {
            Source::Products(products) => products.zero,
            _ => 0,
        };
        let zero = self.code(zero);
        self.number("ZERO", zero);
        Ok(())
    }

    /// Products, sums and the way to codes; `compute` is the micro word's bit of computing phases.
    fn multiplies(&mut self, a: &MatVec, steps: &Steps, compute: usize, lanes: usize) -> Result<(), Refusal> {
        let Output { source: Source::Products(products), inner, rescale } = self.computed()?.clone() else {
            return Err(("it is no layer of whole numbers".into(), "report this with the model"));
        };
        let (ways, w) = (self.ways()?, a.weight_bits as usize);
        let acc = ways.accumulator;
        let words = match a.fold.form {
            Form::Direct { taps } => {
                let groups = (a.window.kernel.h * a.window.kernel.w).div_ceil(taps);
                a.direct_beats(lanes).iter().map(|beats| beats.len() * groups).sum()
            }
            Form::Held { .. } | Form::Stationary => a.input_folds() * a.output_folds(),
        };
        let (lanes_out, bits_out) = self.output(0).map_or((1, 8), |c| (c.lanes, c.bits));
        self.number("SIMD", a.fold.simd);
        self.number("PE", a.fold.pe);
        self.number("PAIR", u8::from(a.fold.multiplier == Multiplier::DspPair));
        self.number("SOFT", u8::from(a.fold.multiplier == Multiplier::Lut));
        self.number("W", w);
        self.number("ACC", acc);
        self.number("FOLDS", a.output_folds());
        self.number("FOLD", unsigned(a.output_folds() as u64 - 1));
        self.number("WORDS", words);
        self.number("WORD", unsigned(words as u64 - 1));
        self.number("OUTPUTS", a.output.channels);
        self.number("OUT_LANES", lanes_out);
        self.number("BEAT", unsigned(a.output.beats(lanes_out) as u64 - 1));
        let parts = (a.fold.form != Form::Stationary).then_some(words / a.output_folds());
        let channels = a.output.channels;
        self.beats(
            "",
            steps,
            Given { compute, output: 0, channels, pe: a.fold.pe, lanes: lanes_out, parts },
        )?;
        self.number("OUT_BITS", bits_out);
        self.number("ADD", u8::from(rescale.skip.is_some()));
        if rescale.skip.is_some() {
            self.takes_skip();
        }
        if a.add.is_some_and(|add| add.rounded) != inner.is_some() {
            return Err((
                "its own rounding in front of a sum is not where its quantisers say".into(),
                "report this with the model",
            ));
        }
        if let (Some(inner), Some(way)) = (&inner, &ways.inner) {
            self.number("INNER", 1);
            self.number("INNER_BITS", inner.bits + 1);
            numbers::parameters(way, &mut self.made.parameters, "INNER_", "INNER_ZERO");
            self.style("INNER_STYLE", Role::Factors(self.actor), 0);
            self.file("INNER_SCALES", "inner", images::factors(way, lanes_out));
        }
        self.codes(ways.last.as_ref(), lanes_out, usize::from(inner.is_some()))?;
        self.style("WEIGHT_STYLE", Role::Weights(self.actor), 0);
        self.style("BIAS_STYLE", Role::Bias(self.actor), 0);
        if a.fold.form == Form::Stationary && a.output_folds() > 1 {
            self.style("PARTIAL_STYLE", Role::Private(self.actor), 0);
        }
        let weights = images::weights(a, &products, lanes);
        self.number("LENT", u8::from(weights.lent));
        self.file("WEIGHTS", "weights", weights.words);
        self.file("BIAS", "bias", images::bias(&products, a.fold.pe, acc));
        Ok(())
    }

    /// Where beats come from.
    fn beats(&mut self, prefix: &str, steps: &Steps, given: Given) -> Result<(), Refusal> {
        let beats = Beats::new(steps, given).map_err(|why| (why, "report this as a fault of nonresc"))?;
        self.number(format!("{prefix}HISTORY"), beats.history);
        self.number(format!("{prefix}CHOICES"), beats.choices);
        self.number(format!("{prefix}CHOICE"), beats.bits);
        self.number(format!("{prefix}PICK"), beats.pick);
        self.number(format!("{prefix}FROM"), beats.from);
        Ok(())
    }

    /// A projection beside, from the held window.
    fn beside(&mut self, a: &MatVec, steps: &Steps) -> Result<(), Refusal> {
        let report = "report this with the model";
        let (Some(p), Some(tap)) = (a.projection(), a.window.own_tap()) else {
            return Err(("no tap of its window lies on the projection's pixel".into(), "keep the skip"));
        };
        let Some(Output { source: Source::Products(products), inner: None, .. }) =
            self.arithmetic.beside(self.actor).cloned()
        else {
            return Err(("the projection beside is no layer of whole numbers".into(), report));
        };
        let (ways, w) = (self.ways()?, p.weight_bits as usize);
        let acc = ways.beside_accumulator;
        let extent = (a.window.kernel.w - 1) * a.window.dilation.w + 1;
        let (parts, folds) = (p.input_folds(a.input.channels), p.output_folds());
        let (lanes, bits) = self.output(1).map_or((1, 8), |c| (c.lanes, c.bits));
        self.number("BESIDE", 1);
        self.number("BESIDE_TAP", tap.h * extent + tap.w * a.window.dilation.w);
        self.number("BESIDE_SIMD", p.simd);
        self.number("BESIDE_PE", p.pe);
        self.number("BESIDE_W", w);
        self.number("BESIDE_ACC", acc);
        self.number("BESIDE_FOLDS", folds);
        self.number("BESIDE_FOLD", unsigned(folds as u64 - 1));
        self.number("BESIDE_PARTS", parts);
        self.number("BESIDE_PART", unsigned(parts as u64 - 1));
        self.number("BESIDE_WORDS", parts * folds);
        self.number("BESIDE_WORD", unsigned((parts * folds) as u64 - 1));
        self.number("BESIDE_OUTPUTS", p.channels);
        self.number("BESIDE_LANES", lanes);
        self.number("BESIDE_BEAT", unsigned(p.channels.div_ceil(lanes) as u64 - 1));
        let (channels, pe) = (p.channels, p.pe);
        self.beats(
            "BESIDE_",
            steps,
            Given { compute: 4, output: 1, channels, pe, lanes, parts: Some(parts) },
        )?;
        self.number("BESIDE_BITS", bits);
        let Some(way) = &ways.beside else {
            return Err(("its way to codes is not known".into(), report));
        };
        self.number("BESIDE_CLAMP", u8::from(way.limits.is_some()));
        numbers::parameters(way, &mut self.made.parameters, "BESIDE_", "BESIDE_ZERO");
        self.style("BESIDE_SCALE_STYLE", Role::Factors(self.actor), 1 + usize::from(ways.inner.is_some()));
        self.file("BESIDE_SCALES", "beside.scales", images::factors(way, lanes));
        self.style("BESIDE_WEIGHT_STYLE", Role::Weights(self.actor), 1);
        self.style("BESIDE_BIAS_STYLE", Role::Bias(self.actor), 1);
        let weights = images::weights_beside(a, p, &products);
        self.number("BESIDE_LENT", u8::from(weights.lent));
        self.file("BESIDE_WEIGHTS", "beside.weights", weights.words);
        self.file("BESIDE_BIAS", "beside.bias", images::bias(&products, p.pe, acc));
        Ok(())
    }
}
