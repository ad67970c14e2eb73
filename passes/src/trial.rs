//! Trials: what a design would be under another plan or with other FIFOs. The passes behind a point of the
//! pipeline, run through the manager on a copy.
//!
//! A skip's cost is the difference of two whole allocations, and this is the only way to get one: no pass
//! calls a pass.

use crate::design::{Design, NetworkDesign, Options, StreamDesign};
use crate::manager::{self, Checks, Failed};
use crate::pass::Pass;
use crate::{plan, table};

/// The design that `analysed` (skips known, no plan yet) becomes under the plan and with the FIFOs that `options`
/// ask for.
///
/// # Errors
/// What `plan` and the passes behind it refuse.
pub fn planned(analysed: &NetworkDesign, options: &Options, checks: &Checks) -> Result<StreamDesign, Failed> {
    run(Design::Network(analysed.clone()), &plan::PASS, options, checks)
}

/// `design` with the FIFOs that `options` ask for, everything else as it is.
///
/// # Errors
/// What `fifo` and the passes behind it refuse.
pub fn resized(design: &StreamDesign, options: &Options, checks: &Checks) -> Result<StreamDesign, Failed> {
    run(Design::Stream(design.clone()), &crate::fifo::PASS, options, checks)
}

fn run(design: Design, first: &Pass, options: &Options, checks: &Checks) -> Result<StreamDesign, Failed> {
    let finished = manager::run(design, table::from(first), options, checks, &mut |_, _| {})?;
    match finished.design {
        Design::Stream(design) => Ok(design),
        Design::Network(_) => unreachable!("the pipeline ends on the stream level"),
    }
}
