//! Compile time and size of designs on trained networks, beside what peers publish or were measured to do.
//!
//! `NONRESC_SHARED=... cargo bench -p nonresc-tests --bench compile`. Times are of the whole process, the least and
//! the median of several runs: machines differ and are noisy, so they are printed and never asserted.

#![allow(missing_docs, reason = "a program")]
#![allow(clippy::print_stdout, reason = "a program that prints figures")]
#![allow(clippy::unwrap_used, reason = "a bench that unwraps stops with the fault")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A design: the network, the device, its clock in MHz, the cycles that a frame may take, and the peers' figures.
struct Case {
    model: &'static str,
    device: &'static str,
    clock_mhz: f64,
    cycles: u64,
    peers: &'static str,
}

const CASES: [Case; 4] = [
    Case {
        model: "resnet8_ts13_fold.onnx",
        device: "xck26",
        clock_mhz: 250.0,
        cycles: 8_192,
        peers: "nn2FPGA: 8,192 cycles, 265 kbit, 13.4 s and 140 s to size; hls4ml: 3,424 kbit + line buffers, 10.9 s",
    },
    Case {
        model: "resnet8_ts13_fold.onnx",
        device: "xck26",
        clock_mhz: 250.0,
        cycles: 5_500,
        peers: "none this fast",
    },
    Case {
        model: "resnet20_ts13_fold.onnx",
        device: "xck26",
        clock_mhz: 250.0,
        cycles: 20_000,
        peers: "nn2FPGA: 32,768 cycles, 703 kbit, 44.6 s and 276 s to size; hls4ml: 12,218 kbit + line buffers, 39 s",
    },
    Case {
        model: "resnet8_ts13_fold.onnx",
        device: "xc7z020",
        clock_mhz: 100.0,
        cycles: 30_000,
        peers: "fpgaConvNet: 58,800 cycles at 211 DSP",
    },
];

const RUNS: usize = 7;

fn main() {
    let shared = std::env::var_os("NONRESC_SHARED").expect("NONRESC_SHARED names the folder of the corpora");
    let program = program();
    for case in &CASES {
        let model = Path::new(&shared).join("models").join(case.model);
        let command = || {
            let mut command = Command::new(&program);
            let fps = case.clock_mhz * 1e6 / case.cycles as f64;
            command.arg(&model).args(["--target", "fpga", "--device", case.device]);
            command.args(["--clock", &case.clock_mhz.to_string(), "--fps", &fps.to_string()]);
            command
        };
        let mut times: Vec<Duration> = (0..RUNS).map(|_| timed(command().stdout(Stdio::null()))).collect();
        times.sort();
        let output = command().args(["--format", "json"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let schedule: Value = serde_json::from_slice(&output.stdout).unwrap();
        print(case, &times, &schedule);
    }
}

fn timed(command: &mut Command) -> Duration {
    let start = Instant::now();
    assert!(command.status().unwrap().success());
    start.elapsed()
}

/// The release build of the compiler.
fn program() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--package", "nonresc", "--quiet", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
        .status();
    assert!(built.unwrap().success(), "the compiler does not build");
    // The bench itself lies in the target folder's release/deps.
    let deps = std::env::current_exe().unwrap();
    deps.parent().and_then(Path::parent).expect("a bench lies in release/deps").join("nonresc")
}

fn print(case: &Case, times: &[Duration], schedule: &Value) {
    let kbit = |key: &str| schedule["resources"][key].as_u64().unwrap() as f64 / 1000.0;
    let timing = &schedule["timing"];
    let number = |value: &Value| value.as_u64().unwrap();
    let channels = schedule["channels"].as_array().unwrap();
    let proven = channels.iter().filter(|c| c["evidence"]["proven"] == true).count();
    let share = number(&timing["products_per_frame"]) as f64 / number(&timing["product_slots"]) as f64;
    println!("{} on {}, at most {} cycles a frame", case.model, case.device, case.cycles);
    println!(
        "  time      least {:.0} ms, median {:.0} ms of {} runs, file to schedule and skip report",
        times[0].as_secs_f64() * 1e3,
        times[times.len() / 2].as_secs_f64() * 1e3,
        times.len()
    );
    println!(
        "  design    {} cycles, {} DSP, products {:.1} % of slots, {proven} of {} channels proven",
        timing["interval_clocks"],
        schedule["resources"]["taken"]["dsps"],
        100.0 * share,
        channels.len()
    );
    println!(
        "  buffers   FIFOs {:.1} + line buffers {:.1} = {:.1} kbit; held registers {:.1} kbit",
        kbit("fifo_bits"),
        kbit("line_buffer_bits"),
        kbit("fifo_bits") + kbit("line_buffer_bits"),
        kbit("window_bits") + kbit("staging_bits")
    );
    println!("  peers     {}", case.peers);
}
