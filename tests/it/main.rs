//! All tests in one binary: one module a subject, cases in `tests/cases`, snapshots in `tests/snapshots`.

#![allow(clippy::unwrap_used, reason = "a test that unwraps fails with the fault")]
#![allow(clippy::print_stdout, reason = "tests of whole corpora say what they counted")]

mod batch;
mod bind;
mod choose;
mod cli;
mod compile;
mod corpus_eval;
mod corpus_import;
mod corpus_integers;
mod corpus_nodes;
#[cfg(feature = "ort")]
mod corpus_ort;
mod corpus_passes;
mod corpus_plan;
mod corpus_quantise;
mod corpus_rewrites;
mod corpus_skips;
mod corpus_streams;
mod corpus_text;
#[cfg(feature = "engine")]
mod corpus_tract;
mod data;
mod device;
mod docs;
mod engine;
mod example;
mod explain;
#[cfg(any(feature = "engine", feature = "ort"))]
mod exported;
mod fifo;
mod fifo_random;
mod fold;
mod fork;
mod gradients;
#[cfg(any(feature = "engine", feature = "ort"))]
mod gradients_exported;
mod hardware;
mod hardware_modules;
mod hardware_pins;
mod hardware_pools;
mod import;
mod integer_dialects;
mod integer_layers;
mod integers;
mod integers_random;
mod interrupt;
mod lower;
mod lower_values;
mod manager;
mod normalise;
mod order;
#[cfg(feature = "ort")]
mod ort;
mod out;
mod page;
mod phases;
mod plan;
mod program;
mod quantise;
mod quantise_plan;
mod quantise_signs;
mod random;
mod requantise;
mod residual;
mod retrain;
mod retrain_engines;
mod retrain_group;
mod retrain_mpi;
mod retrain_scales;
mod rewrites;
mod rtl;
mod run_eval;
mod simulator;
mod stream;
mod synthesis;
mod text;
mod tidy;
mod timing_pictures;
#[cfg(feature = "engine")]
mod tract;
mod training_kernels;
mod verify;

/// Holds `text` against `tests/snapshots/FOLDER/NAME.snap`.
fn snapshot(folder: &str, name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => format!("../snapshots/{folder}"), prepend_module_to_snapshot => false, omit_expression => true
    }, {
        insta::assert_snapshot!(name, text);
    });
}
