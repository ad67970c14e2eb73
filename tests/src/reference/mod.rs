//! References: plain, slow and obviously right. Nothing in here calls what it is held against.
//!
//! - [`program`]: what an actor reads and gives in each clock of a frame, beat by beat.
//! - [`simulator`]: whole streams cycle by cycle.

mod matvec;
mod pixelwise;
mod pool;
pub mod program;
pub mod simulator;
