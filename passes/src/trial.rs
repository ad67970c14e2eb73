//! Trials: what a network would cost under another plan. The passes from `plan` on, run through the manager on
//! a copy.
//!
//! A skip's cost is the difference of two whole allocations, and this is the only way to get one: no pass
//! calls a pass.

use crate::design::{Design, NetworkDesign, Options, StreamDesign};
use crate::manager::{self, Checks, Failed};
use crate::plan::Request;
use crate::table;

/// The design that `analysed` (skips known, no plan yet) becomes under the plan that `skips` asks for.
///
/// # Errors
/// What `plan` and the passes behind it refuse.
///
/// # Panics
/// Never: the last pass of the table leaves a stream.
pub fn trial(
    analysed: &NetworkDesign,
    skips: Request,
    options: &Options,
    checks: &Checks,
) -> Result<StreamDesign, Failed> {
    let options = Options { skips, ..options.clone() };
    let design = Design::Network(analysed.clone());
    let finished = manager::run(design, table::from("plan"), &options, checks, &mut |_, _| {})?;
    match finished.design {
        Design::Stream(design) => Ok(design),
        Design::Network(_) => unreachable!("the pipeline ends on the stream level"),
    }
}
