//! Retraining by teacher and student: skips go while the network learns to do without them.
//!
//! - [`recipe`]: the options; [`removals`]: when skips go; [`schedule`]: the rate of each step.
//! - [`batches`]: what is learned from, [`images`]: its pixels; [`optimiser`]: what becomes of gradients.
//! - [`student`]: the network that is trained; [`state`]: its numbers; [`scales`]: those of codes, where they are trained;
//!   [`gradient`]: reverse-mode differentiation; [`step`]: one step of training as a network; [`stage`]: what runs in an
//!   epoch; [`trainer`]: all epochs; [`group`]: in several processes.
//! - [`checkpoint`]: to go on where training stopped, [`claim`]: by one training at a time; [`history`]: what is told of
//!   it; [`picture`]: as a picture.

pub mod batches;
pub mod checkpoint;
pub mod claim;
mod codes;
pub mod gradient;
pub mod group;
pub mod history;
mod images;
#[cfg(feature = "mpi")]
mod mpi;
pub mod optimiser;
mod picture;
pub mod rank;
pub mod recipe;
pub mod removals;
mod save;
pub mod scales;
pub mod schedule;
pub mod stage;
pub mod state;
pub mod step;
pub mod student;
mod ties;
pub mod trainer;

use nonresc_ir::diagnostic::Diagnostics;

use crate::design::{NetworkDesign, Options};
use crate::pass::{Function, Pass, Property};

/// The pass, for the table: what [`trainer::train`] found goes into the network as the plan left it. Without a training
/// it does nothing.
pub(crate) const PASS: Pass =
    Pass::on_network("distill", "weights that were trained for the network so", run)
        .needs(&[Property::Planned])
        .function(Function::Changed);

fn run(design: &mut NetworkDesign, options: &Options) -> Result<(), Diagnostics> {
    let Some(trained) = &options.trained else { return Ok(()) };
    trained.apply(&mut design.network)?;
    design.notes.retain(|note| note.code != "plan/changed");
    Ok(())
}
