//! The search over intervals: folds for one interval, lanes lowered where that costs nothing, multipliers moved to
//! LUTs where DSP blocks run out, and the fastest interval that fits.

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::ActorId;
use nonresc_ir::stream::{Kind, MatVec, Multiplier, Stream};

use super::classes::{Class, classes};
use super::count::{Counter, Lanes};
use super::layer::{Choice, Layer, Prefer, projection_mut};
use super::report;
use crate::area::{self, Inside, Widths};
use crate::arithmetic::{Arithmetic, Ways};
use crate::bind::{self, BindOptions, Binding};
use crate::device::{Device, Limits};
use crate::target::Target;

/// LUTs of a device that "as fast as fits" plans with, in percent, since place and route need room. A rate that is asked
/// for may take all.
const LUT_SHARE_PERCENT: u64 = 80;

/// The same where only the rough figures of data paths are known.
const ROUGH_LUT_SHARE_PERCENT: u64 = 70;

/// Cycles of a frame from which on programs take long to write out: where weights and data paths alone are too much,
/// that is said without them.
const LONG_FRAME: u64 = 10_000_000;

/// What the search starts from.
pub(super) struct Problem<'a> {
    stream: &'a Stream,
    device: &'a Device,
    pub(super) layers: Vec<Layer>,
    others: Vec<(ActorId, Counter)>,
    classes: Vec<Class>,
    class_of: Vec<usize>,
    /// The classes of each actor's first input, first output and second output.
    ends: Vec<[Option<usize>; 3]>,
    /// By the index of an actor, its place among the layers or the others.
    place: Vec<usize>,
    arithmetic: Option<&'a Arithmetic>,
    /// Where numbers are known: actors with scales that are products, and DSP blocks of them in a lane of each output.
    scales: Option<Vec<(ActorId, [u64; 2])>>,
}

/// A folding of the whole stream.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Cycles that a frame may take.
    pub(super) interval: u64,
    /// Lanes of each channel.
    lanes: Vec<usize>,
    /// Folds by actor.
    choices: Vec<(ActorId, Choice)>,
}

impl Plan {
    /// Sets folds and lanes.
    pub(super) fn apply(&self, stream: &mut Stream) {
        for (actor, choice) in &self.choices {
            if let Kind::MatVec(a) = &mut stream.actor_mut(*actor).kind {
                a.fold = choice.fold;
                if let Some(p) = projection_mut(a) {
                    (p.pe, p.simd) = choice.beside;
                }
            }
        }
        let ids: Vec<_> = stream.channels().collect();
        for (id, &lanes) in ids.into_iter().zip(&self.lanes) {
            stream.channel_mut(id).lanes = lanes;
        }
    }
}

/// Folds the stream for the target's rate.
pub(super) fn search(
    stream: &Stream,
    target: &Target,
    arithmetic: Option<&Arithmetic>,
) -> Result<Plan, Diagnostics> {
    let problem = Problem::new(stream, &target.device, arithmetic);
    let (least, limiting) = problem.least_interval();
    match target.rate.cycles(target.clock_mhz) {
        Some(cycles) => {
            if !cycles.is_finite() || cycles < least as f64 {
                return Err(report::too_fast(stream, target, cycles, least, limiting).into());
            }
            // Slower than one multiplier an actor saves nothing.
            let interval = (cycles.floor().min(1e18) as u64).min(problem.most_interval());
            problem.plan(interval.max(least), 100).ok_or_else(|| problem.refuse(interval.max(least)))
        }
        None => problem.fastest(least),
    }
}

impl<'a> Problem<'a> {
    fn new(stream: &'a Stream, device: &'a Device, arithmetic: Option<&'a Arithmetic>) -> Problem<'a> {
        let (classes, class_of) = classes(stream);
        let (mut layers, mut others, mut ends, mut place) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for id in stream.actors() {
            let kind = &stream.actor(id).kind;
            if ends.len() <= id.index() {
                ends.resize(id.index() + 1, [None; 3]);
                place.resize(id.index() + 1, 0);
            }
            place[id.index()] = if matches!(kind, Kind::MatVec(_)) { layers.len() } else { others.len() };
            match kind {
                Kind::MatVec(a) => layers.push(Layer::new(id, a, Widths::of(stream, id), device)),
                _ => others.push((id, Counter::new(kind))),
            }
            let input = stream.input(id, 0).map(|c| class_of[c.index()]);
            let output = |i| stream.outputs(id, i).first().map(|c| class_of[c.index()]);
            ends[id.index()] = [input, output(0), output(1)];
        }
        let scales = arithmetic.map(|known| scales(stream, known, device));
        Problem { stream, device, layers, others, classes, class_of, ends, place, arithmetic, scales }
    }

    fn widest(&self) -> Vec<usize> {
        self.classes.iter().map(Class::most).collect()
    }

    fn narrowest(&self) -> Vec<usize> {
        vec![1; self.classes.len()]
    }

    /// Lanes at an actor's ends.
    fn lanes(&self, actor: ActorId, lanes: &[usize]) -> Lanes {
        let [input, output, second] = self.ends[actor.index()].map(|class| class.map_or(1, |c| lanes[c]));
        Lanes { input, output, second }
    }

    /// The least interval with all lanes and multipliers that there can be, and who limits it.
    fn least_interval(&self) -> (u64, Option<ActorId>) {
        let lanes = self.widest();
        let layers = self
            .layers
            .iter()
            .map(|layer| (layer.least_phases(self.lanes(layer.actor, &lanes)), layer.actor));
        let others =
            self.others.iter().map(|(actor, counter)| (counter.phases(self.lanes(*actor, &lanes)), *actor));
        let mut worst = (1, None);
        for (phases, actor) in layers.chain(others) {
            if phases > worst.0 {
                worst = (phases, Some(actor));
            }
        }
        worst
    }

    /// An interval at which everything is as slow as can be.
    fn most_interval(&self) -> u64 {
        let layers = self.layers.iter().map(|l| l.most_phases(Lanes::ONE));
        let others = self.others.iter().map(|(_, counter)| counter.phases(Lanes::ONE));
        layers.chain(others).max().unwrap_or(1)
    }

    /// The best choice of every layer; none where one cannot keep the interval.
    fn choices(&self, interval: u64, lanes: &[usize], prefer: &[Prefer]) -> Option<Vec<Choice>> {
        let fast =
            self.others.iter().all(|(actor, counter)| counter.phases(self.lanes(*actor, lanes)) <= interval);
        if !fast {
            return None;
        }
        let best = self
            .layers
            .iter()
            .zip(prefer)
            .map(|(layer, &prefer)| layer.best(interval, self.lanes(layer.actor, lanes), prefer));
        best.collect()
    }

    /// DSP blocks of actors that are no layers. Where numbers are known, they are all of scales.
    fn dsps_beside(&self, lanes: &[usize]) -> u64 {
        if self.scales.is_some() {
            return 0;
        }
        self.others
            .iter()
            .map(|(actor, _)| {
                let Lanes { input: lanes_in, output: lanes_out, .. } = self.lanes(*actor, lanes);
                let w = Widths { lanes_in, lanes_out, ..Widths::of(self.stream, *actor) };
                area::area(&self.stream.actor(*actor).kind, w, self.device.family).dsps
            })
            .sum()
    }

    /// DSP blocks of scales, in so many lanes of each class.
    fn dsps_of_scales(&self, scales: &[(ActorId, [u64; 2])], lanes: &[usize]) -> u64 {
        let of_actor = |&(actor, [first, second]): &(ActorId, [u64; 2])| {
            let at = self.lanes(actor, lanes);
            first * at.output as u64 + second * at.second as u64
        };
        scales.iter().map(of_actor).sum()
    }

    /// The fewest DSP blocks of scales that there can be.
    fn least_of_scales(&self) -> u64 {
        self.dsps_of_scales(self.scales.as_deref().unwrap_or_default(), &self.narrowest())
    }

    /// DSP blocks of scales under a plan with these lanes: sums of paired products are wider.
    fn scales_of(&self, plan: &Plan, lanes: &[usize]) -> u64 {
        let of_plan = |known| scales(&self.folded(plan, false), known, self.device);
        self.dsps_of_scales(&self.arithmetic.map(of_plan).unwrap_or_default(), lanes)
    }

    /// Choices in the widest lanes, with multipliers in LUTs where DSP blocks run out, so many of which are not to be had;
    /// none where that cannot be.
    fn within_dsps(&self, interval: u64, reserved: u64) -> Option<(Vec<Prefer>, Vec<Choice>)> {
        let lanes = self.widest();
        let mut prefer = vec![Prefer::Dsp; self.layers.len()];
        let choices = self.choices(interval, &lanes, &prefer)?;
        let Some(limits) = self.device.limits else {
            return Some((prefer, choices));
        };
        let have = limits.dsps.checked_sub(self.dsps_beside(&lanes) + reserved)?;
        if choices.iter().map(|c| c.dsps).sum::<u64>() <= have {
            return Some((prefer, choices));
        }
        let all_luts = self.choices(interval, &lanes, &vec![Prefer::Lut; self.layers.len()])?;
        let in_luts = cheapest_in_luts(&choices, &all_luts, have as usize);
        let mut mixed = choices;
        for (i, _) in in_luts.iter().enumerate().filter(|(_, lut)| **lut) {
            prefer[i] = Prefer::Lut;
            mixed[i] = all_luts[i];
        }
        Some((prefer, mixed))
    }

    /// Whether weights and data paths alone fit, channels left out.
    fn fits_roughly(&self, interval: u64, lut_percent: u64) -> bool {
        let reserved = self.least_of_scales();
        let Some((_, choices)) = self.within_dsps(interval, reserved) else {
            return false;
        };
        let plan = self.finish(interval, &self.widest(), &choices);
        let Some(limits) = self.limits(lut_percent) else { return true };
        self.lacks_nothing(&self.allocated(&self.folded(&plan, false), Some(&limits), None), &limits)
    }

    fn limits(&self, lut_percent: u64) -> Option<Limits> {
        self.device.limits.map(|l| Limits { luts: l.luts * lut_percent / 100, ..l })
    }

    /// Whether all of a plan fits, as well as is known before FIFOs are sized.
    fn fits(&self, plan: &Plan, lut_percent: u64) -> bool {
        let Some(limits) = self.limits(lut_percent) else { return true };
        self.lacks_nothing(&self.bound(plan, Some(&limits)), &limits)
    }

    fn lacks_nothing(&self, binding: &Binding, limits: &Limits) -> bool {
        bind::lacking(self.device.family, limits, &binding.total).is_empty()
    }

    /// What a plan takes with its channels; data paths and programs as they will be, where numbers are known.
    fn bound(&self, plan: &Plan, limits: Option<&Limits>) -> Binding {
        let stream = self.folded(plan, true);
        let inside = self.arithmetic.map(|known| Inside::of(&stream, Some(known)));
        self.allocated(&stream, limits, inside.as_ref())
    }

    fn allocated(&self, stream: &Stream, limits: Option<&Limits>, inside: Option<&Inside>) -> Binding {
        bind::allocate(stream, self.device, limits, inside, BindOptions::default())
    }

    /// The stream under a plan; channels as deep as their readers need at the least, where they are wanted.
    fn folded(&self, plan: &Plan, channels: bool) -> Stream {
        let mut stream = self.stream.clone();
        plan.apply(&mut stream);
        let ids: Vec<_> = stream.channels().collect();
        for id in ids {
            let channel = stream.channel(id);
            let pixel = channel.map.beats(channel.lanes) as u64;
            let row = channel.map.width as u64 * pixel;
            let depths = channel.readers.iter().map(|r| match &stream.actor(r.actor).kind {
                Kind::MatVec(MatVec { window, .. }) if r.input == 0 => {
                    ((window.kernel.h - 1) * window.dilation.h) as u64 * row + 2
                }
                _ => 2,
            });
            let depth = depths.max().unwrap_or(1);
            stream.channel_mut(id).depth = channels.then_some(depth);
        }
        stream
    }

    fn finish(&self, interval: u64, lanes: &[usize], choices: &[Choice]) -> Plan {
        Plan {
            interval,
            lanes: self.class_of.iter().map(|&class| lanes[class]).collect(),
            choices: self.layers.iter().map(|l| l.actor).zip(choices.iter().copied()).collect(),
        }
    }

    /// The best folding for an interval; none where it does not fit.
    fn plan(&self, interval: u64, lut_percent: u64) -> Option<Plan> {
        let mut reserved = self.least_of_scales();
        loop {
            let (prefer, choices) = self.within_dsps(interval, reserved)?;
            let (plan, lanes) = self.narrow(interval, &prefer, choices);
            // Lanes and pairs of products decide what scales take, and they are known last.
            let scales = self.scales_of(&plan, &lanes);
            if self.has_dsps(&plan, &lanes, scales) {
                return self.fits(&plan, lut_percent).then_some(plan);
            }
            if scales <= reserved {
                return None;
            }
            reserved = scales;
        }
    }

    /// Whether the device has the blocks of a plan, with those of its scales.
    fn has_dsps(&self, plan: &Plan, lanes: &[usize], scales: u64) -> bool {
        let own: u64 = plan.choices.iter().map(|(_, choice)| choice.dsps).sum();
        self.device.limits.is_none_or(|limits| own + self.dsps_beside(lanes) + scales <= limits.dsps)
    }

    /// Takes the fewest lanes, class by class, that cost no multiplier and no port; gives them beside the plan.
    fn narrow(&self, interval: u64, prefer: &[Prefer], mut choices: Vec<Choice>) -> (Plan, Vec<usize>) {
        let mut lanes = self.widest();
        for (index, class) in self.classes.iter().enumerate() {
            let widest = lanes[index];
            for &fewer in class.lanes.iter().filter(|&&l| l < widest) {
                lanes[index] = fewer;
                if let Some(changed) = self.no_worse(interval, prefer, class, &lanes, &choices) {
                    for (layer, choice) in changed {
                        choices[layer] = choice;
                    }
                    break;
                }
                lanes[index] = widest;
            }
        }
        (self.finish(interval, &lanes, &choices), lanes)
    }

    /// The choices of the layers at a class in its new lanes, unless one of them gets dearer.
    fn no_worse(
        &self,
        interval: u64,
        prefer: &[Prefer],
        class: &Class,
        lanes: &[usize],
        choices: &[Choice],
    ) -> Option<Vec<(usize, Choice)>> {
        let is_layer = |actor: &ActorId| matches!(self.stream.actor(*actor).kind, Kind::MatVec(_));
        let (at_layers, at_others): (Vec<ActorId>, Vec<ActorId>) =
            class.actors.iter().partition(|a| is_layer(a));
        for (actor, counter) in at_others.iter().map(|a| &self.others[self.place[a.index()]]) {
            if counter.phases(self.lanes(*actor, lanes)) > interval {
                return None;
            }
        }
        let mut changed = Vec::new();
        for (at, layer) in at_layers.iter().map(|a| self.place[a.index()]).map(|at| (at, &self.layers[at])) {
            let (old, new) =
                (&choices[at], layer.best(interval, self.lanes(layer.actor, lanes), prefer[at])?);
            let products = |c: &Choice| match c.fold.multiplier {
                Multiplier::Lut => c.fold.simd * c.fold.pe + c.beside.0 * c.beside.1,
                Multiplier::Dsp | Multiplier::DspPair => 0,
            };
            if new.dsps > old.dsps || new.fold.ports > old.fold.ports || products(&new) > products(old) {
                return None;
            }
            changed.push((at, new));
        }
        Some(changed)
    }

    /// The least interval that fits: bisection on data paths and weights, then upwards until channels fit as well.
    fn fastest(&self, least: u64) -> Result<Plan, Diagnostics> {
        let most = self.most_interval().max(least);
        if self.device.limits.is_none() {
            return self.plan(least, 100).ok_or_else(|| self.refuse(least));
        }
        let (mut too_fast, mut fits) = (least - 1, most);
        if !self.fits_roughly(most, 100) {
            return Err(self.refuse(most));
        }
        while fits - too_fast > 1 {
            let middle = too_fast + (fits - too_fast) / 2;
            if self.fits_roughly(middle, ROUGH_LUT_SHARE_PERCENT) { fits = middle } else { too_fast = middle }
        }
        let share = if self.arithmetic.is_some() { LUT_SHARE_PERCENT } else { ROUGH_LUT_SHARE_PERCENT };
        loop {
            if let Some(plan) = self.plan(fits, share) {
                return Ok(plan);
            }
            if fits >= most {
                // Nothing is faster with the usual room: the slowest may take all LUTs.
                return self.plan(most, 100).ok_or_else(|| self.refuse(most));
            }
            fits = (fits + fits / 32 + 1).min(most);
        }
    }

    /// Why an interval cannot be had.
    fn refuse(&self, interval: u64) -> Diagnostics {
        let lanes = self.widest();
        let dsp = vec![Prefer::Dsp; self.layers.len()];
        let (prefer, choices) = match self.within_dsps(interval, 0) {
            Some(found) => found,
            None => match self.choices(interval, &lanes, &dsp) {
                Some(choices) => (dsp, choices),
                None => {
                    return Diagnostic::new(
                        "fold/interval",
                        format!("{interval} cycles a frame"),
                        "an actor takes longer in every fold",
                        "allow more cycles a frame",
                    )
                    .into();
                }
            },
        };
        let (plan, _) = self.narrow(interval, &prefer, choices);
        let limits = self.device.limits.as_ref();
        let rough = || self.allocated(&self.folded(&plan, false), limits, None);
        let tells = |binding: &Binding| limits.is_some_and(|limits| !self.lacks_nothing(binding, limits));
        let long = (interval > LONG_FRAME).then(rough).filter(tells);
        let binding = long.unwrap_or_else(|| self.bound(&plan, limits));
        report::does_not_fit(self.stream, self.device, &binding, interval, interval >= self.most_interval())
    }
}

/// Actors with scales that are products, and DSP blocks of them in a lane of each output.
fn scales(stream: &Stream, known: &Arithmetic, device: &Device) -> Vec<(ActorId, [u64; 2])> {
    let of_actor = |id: ActorId| {
        let blocks = area::scale_blocks(stream, id, &Ways::of(stream, id, known)?, device.family);
        (blocks != [0; 2]).then_some((id, blocks))
    };
    stream.actors().filter_map(of_actor).collect()
}

/// Which layers multiply in LUTs so that the others' DSP blocks fit: the least LUTs, by dynamic programming over the
/// blocks left.
fn cheapest_in_luts(dsp: &[Choice], lut: &[Choice], have: usize) -> Vec<bool> {
    const NEVER: u64 = u64::MAX / 2;
    // least[d]: LUTs of the layers so far with d blocks left; taken[i][d]: whether layer i then takes LUTs.
    let mut least = vec![NEVER; have + 1];
    least[have] = 0;
    let mut taken: Vec<Vec<bool>> = Vec::with_capacity(dsp.len());
    for (blocks, luts) in dsp.iter().zip(lut) {
        let (need, mut next) = (blocks.dsps as usize, vec![NEVER; have + 1]);
        let mut took = vec![false; have + 1];
        for left in 0..=have {
            let in_luts = least[left].saturating_add(luts.luts);
            let in_blocks =
                if left + need <= have { least[left + need].saturating_add(blocks.luts) } else { NEVER };
            took[left] = in_luts < in_blocks;
            next[left] = in_luts.min(in_blocks).min(NEVER);
        }
        least = next;
        taken.push(took);
    }
    let mut left = (0..=have).min_by_key(|&d| least[d]).unwrap_or(0);
    let mut result = vec![false; dsp.len()];
    for i in (0..dsp.len()).rev() {
        result[i] = taken[i][left];
        if !result[i] {
            left += dsp[i].dsps as usize;
        }
    }
    result
}
