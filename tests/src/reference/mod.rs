//! References: plain, slow and obviously right. Nothing in here calls what it is held against.
//!
//! - [`conv`]: convolution of integers with requantisation.
//! - [`program`]: what an actor reads and gives in each clock of a frame, beat by beat.
//! - [`simulator`]: whole streams cycle by cycle.
//! - [`start_times`]: when phases start, as the largest of a few times.
//! - [`values`]: what a stream computes.

pub mod conv;
mod matvec;
mod pixelwise;
mod pool;
pub mod program;
pub mod simulator;
pub mod start_times;
pub mod values;
