//! All passes and the one pipeline. `--list-passes`, `--stop-after`, `--dump-ir=after:` and the manual read
//! this table; there is no second list.

use std::fmt::Write as _;

use nonresc_ir::diagnostic::Diagnostic;

use crate::nearest::nearest;
use crate::pass::{Pass, Property};
use crate::{bind, distill, fifo, fold, lower, normalise, plan, residual, width};

/// From an imported network to a sized and bound stream.
pub const FPGA: &[&Pass] = &[
    &normalise::PASS,
    &residual::PASS,
    &plan::PASS,
    &distill::PASS,
    &lower::PASS,
    &width::PASS,
    &fold::PASS,
    &fifo::PASS,
    &bind::PASS,
];

/// The pipeline up to and with the pass called `name`.
///
/// # Errors
/// Where no pass is called so; the message names the nearest.
pub fn up_to(name: &str) -> Result<&'static [&'static Pass], Diagnostic> {
    match FPGA.iter().position(|pass| pass.name == name) {
        Some(last) => Ok(&FPGA[..=last]),
        None => Err(unknown(name)),
    }
}

/// The pipeline from `first` on.
pub(crate) fn from(first: &Pass) -> &'static [&'static Pass] {
    let at = FPGA.iter().position(|pass| pass.name == first.name).expect("every pass is in the pipeline");
    &FPGA[at..]
}

/// The pass that gives `property`, to be named in an error.
pub(crate) fn giver(property: Property) -> Option<&'static Pass> {
    FPGA.iter().copied().find(|pass| pass.gives.contains(&property))
}

/// The text of `--list-passes`: one line a pass, in the order in which they run.
pub fn listing() -> String {
    let width = FPGA.iter().map(|pass| pass.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for pass in FPGA {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:width$}  {}", pass.name, pass.summary);
    }
    text
}

fn unknown(name: &str) -> Diagnostic {
    let names: Vec<&str> = FPGA.iter().map(|pass| pass.name).collect();
    let nearest = nearest(name, names.iter().copied());
    Diagnostic::new(
        "passes/unknown",
        format!("there is no pass \"{name}\""),
        format!("the passes are {}", names.join(", ")),
        nearest.map_or_else(String::new, |nearest| format!("did you mean \"{nearest}\"?")),
    )
}
