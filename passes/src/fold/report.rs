//! A folding for people: its evidence, its table, and what is said where there is none.

use std::fmt;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::ActorId;
use nonresc_ir::stream::{Form, Kind, MatVec, Multiplier, Second, Stream};

use super::count::Counter;
use super::search::Plan;
use super::{Decision, Folding};
use crate::area::{Widths, actor_area};
use crate::bind::{self, Binding};
use crate::device::Device;
use crate::target::{Rate, Target};

/// What a matrix-vector's fold is called in tables.
fn fold_in_words(a: &MatVec) -> String {
    let form = match a.fold.form {
        Form::Held { slots: 1 } => "held".to_string(),
        Form::Held { slots } => format!("held/{slots}"),
        Form::Direct { taps } => format!("direct/{taps}"),
        Form::Stationary => "stationary".to_string(),
    };
    let ports = if a.fold.ports > 1 { format!(" {} ports", a.fold.ports) } else { String::new() };
    let multiplier = match a.fold.multiplier {
        Multiplier::Dsp => "",
        Multiplier::DspPair => " paired",
        Multiplier::Lut => " in LUTs",
    };
    let second = match &a.second {
        None => String::new(),
        Some(Second::Tap { .. }) => " tap".to_string(),
        Some(Second::Projection(p)) => format!(" + {}x{}", p.simd, p.pe),
    };
    format!("{form} {}x{}{second}{ports}{multiplier}", a.fold.simd, a.fold.pe)
}

/// The evidence of a folded stream.
pub(super) fn folding(stream: &Stream, target: &Target, plan: &Plan) -> Folding {
    let decide = |actor: ActorId| {
        let kind = &stream.actor(actor).kind;
        let w = Widths::of(stream, actor);
        let (products, multipliers, fold) = match kind {
            Kind::MatVec(a) => (a.products(), a.multipliers(), fold_in_words(a)),
            _ => (0, 0, String::new()),
        };
        Decision {
            actor,
            label: bind::actor_label(stream, actor),
            phases: Counter::new(kind).phases(w.into()),
            lanes_in: w.lanes_in,
            lanes_out: w.lanes_out,
            products,
            multipliers,
            dsps: actor_area(stream, actor, target.device.family, None).dsps,
            fold,
        }
    };
    let actors: Vec<Decision> = stream.actors().map(decide).collect();
    let (mut interval, mut bottleneck) = (1, ActorId(0));
    for decision in &actors {
        if decision.phases > interval {
            (interval, bottleneck) = (decision.phases, decision.actor);
        }
    }
    Folding {
        allowed: plan.interval,
        interval,
        bottleneck,
        fps: target.fps(interval as f64),
        dsps: actors.iter().map(|d| d.dsps).sum(),
        products: actors.iter().map(|d| d.products).sum(),
        slots: actors.iter().map(|d| d.multipliers).sum::<u64>() * interval,
        actors,
    }
}

/// A rate that no folding reaches.
pub(super) fn too_fast(
    stream: &Stream,
    target: &Target,
    cycles: f64,
    least: u64,
    limiting: Option<ActorId>,
) -> Diagnostic {
    let most = target.clock_mhz * 1e6 / least as f64;
    let who = limiting.map_or_else(String::new, |a| {
        format!(
            "{} takes at least {least} cycles a frame with every product of a pixel side by side; ",
            bind::actor_label(stream, a)
        )
    });
    let what = match target.rate {
        Rate::Fps(fps) => format!("{fps} frames a second at {} MHz", target.clock_mhz),
        Rate::Cycles(_) | Rate::Fastest => format!("{cycles} cycles a frame"),
    };
    Diagnostic::new(
        "fold/rate",
        what,
        format!("{who}one stream cannot give a frame every {cycles:.1} cycles"),
        format!("ask for at most {:.0} frames a second, or raise the clock (--clock)", most.floor()),
    )
}

/// A folding that the device has too little for.
pub(super) fn does_not_fit(
    stream: &Stream,
    device: &Device,
    binding: &Binding,
    interval: u64,
    slowest: bool,
) -> Diagnostics {
    let mut faults = Diagnostics::default();
    for over in bind::over_use(binding).iter() {
        let mut over = over.clone();
        over.code = "fold/device";
        over.what = format!("{} at {interval} cycles a frame", over.what);
        if slowest {
            over.why = format!("this is the slowest folding of all; {}", over.why);
        }
        faults.push(over);
    }
    if faults.is_empty() {
        faults.push(Diagnostic::new(
            "fold/device",
            format!("{interval} cycles a frame on {}", device.name),
            format!("none of the foldings of {} actors fits", stream.actors().count()),
            "allow more cycles a frame (a lower --fps), or use a larger device",
        ));
    }
    faults
}

/// Decisions as a table.
impl fmt::Display for Folding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.actors.iter().map(|d| d.label.chars().count()).max().unwrap_or(0).max(5);
        let fold = self.actors.iter().map(|d| d.fold.chars().count()).max().unwrap_or(0).max(4);
        writeln!(
            f,
            "{:name$}  {:fold$}  {:>8}  {:>6}  {:>9}  {:>5}",
            "actor", "fold", "lanes", "DSP", "cycles", "busy"
        )?;
        for d in &self.actors {
            let slots = d.multipliers * self.interval;
            let busy = if slots == 0 {
                format!("{:.0} %", 100.0 * d.phases as f64 / self.interval as f64)
            } else {
                format!("{:.0} %", 100.0 * d.products as f64 / slots as f64)
            };
            let lanes = format!("{}>{}", d.lanes_in, d.lanes_out);
            writeln!(
                f,
                "{:name$}  {:fold$}  {lanes:>8}  {:>6}  {:>9}  {busy:>5}",
                d.label, d.fold, d.dsps, d.phases
            )?;
        }
        let share = if self.slots == 0 { 0.0 } else { 100.0 * self.products as f64 / self.slots as f64 };
        write!(
            f,
            "{} of {} cycles a frame allowed; {} DSP; products {} of {} slots ({share:.1} %)",
            self.interval, self.allowed, self.dsps, self.products, self.slots
        )
    }
}
