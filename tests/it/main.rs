//! All tests in one binary: one module a subject, cases in `tests/cases`, snapshots in `tests/snapshots`.

#![allow(clippy::unwrap_used, reason = "a test that unwraps fails with the fault")]

mod cli;
mod device;
mod example;
mod out;
mod tidy;
