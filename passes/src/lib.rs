//! The passes: from an imported network to a sized and bound stream.
//!
//! Passes do not call each other; the manager runs them in the order of one table.

pub mod device;
pub mod engine;
pub mod target;
