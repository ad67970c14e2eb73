//! The command line over the passes and backends: flags become options, results become tables and files.
//!
//! This is the only crate that prints and that knows exit codes.

pub mod args;
mod columns;
pub mod exit;
pub mod report;
pub mod run;
