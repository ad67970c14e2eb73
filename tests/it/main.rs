//! All tests in one binary: one module a subject, cases in `tests/cases`, snapshots in `tests/snapshots`.

mod cli;
mod example;
mod out;
mod tidy;
