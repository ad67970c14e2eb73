//! Actors: what each computes, how it is folded, when it runs, what it takes.

use nonresc_ir::stream::{Form, Kind, Multiplier};
use nonresc_passes::bind::Binding;
use nonresc_passes::design::StreamDesign;
use nonresc_passes::fifo::Sizing;
use nonresc_passes::fold::Folding;
use serde::Serialize;

use crate::dot::kind_name;

/// An actor.
#[derive(Clone, Debug, Serialize)]
pub struct Actor {
    /// Its id.
    pub id: u32,
    /// Its kind in a word.
    pub kind: &'static str,
    /// The ONNX names behind it.
    pub names: Vec<String>,
    /// What it computes, as the text form of streams prints it.
    pub computes: String,
    /// How it is folded, where it multiplies by weights.
    pub fold: Option<Fold>,
    /// Phases of a frame: the least interval that it allows.
    pub phases: u64,
    /// Its first phase with a beat in the first frame, in clocks from reset.
    pub first_clock: u64,
    /// Its last phase with a beat in the first frame.
    pub last_clock: u64,
    /// Numbers a beat of its first input.
    pub lanes_in: usize,
    /// Numbers a beat of its first output.
    pub lanes_out: usize,
    /// Products of a frame, padding included.
    pub products: u64,
    /// What it takes beside memories.
    pub area: Area,
}

/// How a matrix-vector actor is folded.
#[derive(Clone, Debug, Serialize)]
pub struct Fold {
    /// Output channels side by side.
    pub pe: usize,
    /// Inputs of the flattened window side by side.
    pub simd: usize,
    /// `held`, `direct` or `stationary`.
    pub form: &'static str,
    /// Advances in staging (held) or kernel taps read side by side (direct).
    pub form_parameter: Option<usize>,
    /// Beats that can be fetched a phase.
    pub ports: usize,
    /// `dsp`, `dsp pair` (two products a block) or `lut`.
    pub multiplier: &'static str,
    /// SIMD x PE.
    pub multipliers: u64,
}

/// What an actor takes beside memories.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Area {
    /// LUTs (estimate).
    pub luts: u64,
    /// Those of them that are shift registers (estimate).
    pub memory_luts: u64,
    /// Flip-flops (estimate).
    pub ffs: u64,
    /// DSP blocks.
    pub dsps: u64,
    /// Flip-flops that hold the window, of `ffs`.
    pub window_ffs: u64,
    /// Flip-flops that stage it, of `ffs`.
    pub staging_ffs: u64,
}

pub(super) fn actors(
    design: &StreamDesign,
    folding: &Folding,
    sizing: &Sizing,
    binding: &Binding,
) -> Vec<Actor> {
    let actor = |decision: &nonresc_passes::fold::Decision| {
        let actor = design.stream.actor(decision.actor);
        let fold = match &actor.kind {
            Kind::MatVec(a) => Some(fold(a.fold, decision.multipliers)),
            _ => None,
        };
        let run = sizing.timing.run_of(decision.actor);
        let bound = binding.actors.iter().find(|bound| bound.actor == decision.actor);
        let area = bound.map(|bound| bound.area).unwrap_or_default();
        Actor {
            id: decision.actor.0,
            kind: kind_name(&actor.kind),
            names: actor.names.iter().map(str::to_string).collect(),
            computes: actor.kind.to_string(),
            fold,
            phases: decision.phases,
            first_clock: run.map_or(0, |(first, _)| first),
            last_clock: run.map_or(0, |(_, last)| last),
            lanes_in: decision.lanes_in,
            lanes_out: decision.lanes_out,
            products: decision.products,
            area: Area {
                luts: area.luts,
                memory_luts: area.memory_luts,
                ffs: area.ffs,
                dsps: area.dsps,
                window_ffs: area.window_ffs,
                staging_ffs: area.staging_ffs,
            },
        }
    };
    folding.actors.iter().map(actor).collect()
}

fn fold(fold: nonresc_ir::stream::Fold, multipliers: u64) -> Fold {
    let (form, form_parameter) = match fold.form {
        Form::Held { slots } => ("held", Some(slots)),
        Form::Direct { taps } => ("direct", Some(taps)),
        Form::Stationary => ("stationary", None),
    };
    let multiplier = match fold.multiplier {
        Multiplier::Dsp => "dsp",
        Multiplier::DspPair => "dsp pair",
        Multiplier::Lut => "lut",
    };
    Fold { pe: fold.pe, simd: fold.simd, form, form_parameter, ports: fold.ports, multiplier, multipliers }
}
