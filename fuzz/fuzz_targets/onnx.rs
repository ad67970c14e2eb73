//! Any bytes as an ONNX file, at both levels: a network or an error, never a panic, a hang or runaway memory
//! (libFuzzer's `-rss_limit_mb`, `-malloc_limit_mb` and `-timeout` watch over the last two).
#![no_main]

use libfuzzer_sys::fuzz_target;
use nonresc_ir::onnx::import::{ImportOptions, Level, import_bytes};

fuzz_target!(|bytes: &[u8]| {
    for level in [Level::Network, Level::Operator] {
        let options = ImportOptions { level, ..ImportOptions::default() };
        match import_bytes(bytes.to_vec(), "fuzz.onnx", &options) {
            Ok(imported) => assert!(imported.network.topological().is_some()),
            Err(faults) => assert!(!faults.is_empty() && !faults.to_string().is_empty()),
        }
    }
});
