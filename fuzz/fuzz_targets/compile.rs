//! Any bytes as a residual network, a target and a plan, through all passes with every invariant looked at: a schedule,
//! or an error; never a panic, an overflow or a hang.
//!
//! The first bytes say which device, rate, widths and plan; the rest are blocks, one a byte; behind a zero byte may be a
//! device as TOML.
#![no_main]

mod networks;

use libfuzzer_sys::fuzz_target;
use networks::{Maker, stem};
use nonresc_backends::schedule;
use nonresc_ir::id::Value;
use nonresc_ir::network::{Batch, Edit, GlobalAvgPool, MaxPool, Network, Pair, Relu};
use nonresc_passes::cost::{Extent, skip_report};
use nonresc_passes::design::{Design, NetworkDesign, Options};
use nonresc_passes::device::Device;
use nonresc_passes::fifo::{Effort, FifoOptions, Mode};
use nonresc_passes::manager::{self, Checks};
use nonresc_passes::plan::Request;
use nonresc_passes::table;
use nonresc_passes::target::{Bits, Rate, Target};

/// Blocks of a network at most.
const BLOCKS: usize = 5;

fn block(make: &mut Maker, x: Value, byte: u8) -> Value {
    let channels = make.0.ty(x).shape.0[1];
    let rows = make.0.ty(x).shape.0[2];
    let stride = if rows >= 4 && byte & 1 == 1 { 2 } else { 1 };
    let outputs = if byte & 2 == 2 { channels + usize::from(byte >> 6) + 1 } else { channels };
    match byte >> 2 & 3 {
        0 => {
            let x = make.conv(x, outputs, 3, stride);
            make.op(Relu {}, &[x])
        }
        1 if rows >= 4 => {
            let two = Pair::square(2);
            make.op(MaxPool { kernel: two, stride: two, ..MaxPool::default() }, &[x])
        }
        _ => {
            let y = make.two(x, outputs, stride);
            let skip = match (outputs == channels, stride) {
                (true, 1) => x,
                _ => make.conv(x, outputs, 1, stride),
            };
            make.joined(y, skip)
        }
    }
}

fn network(bytes: &[u8]) -> Network {
    let (mut make, mut x) = stem();
    for &byte in bytes.iter().take(BLOCKS) {
        x = block(&mut make, x, byte);
    }
    let y = make.op(GlobalAvgPool {}, &[x]);
    Edit::new(&mut make.0).output("y", y, Batch::Dynamic(None));
    make.0
}

fn device(which: u8, text: &[u8]) -> Option<Device> {
    if text.is_empty() {
        let all = Device::all();
        return Some(match all.get(usize::from(which) % (all.len() + 1)) {
            Some(device) => device.clone(),
            None => Device::unlimited(),
        });
    }
    match Device::parse(&String::from_utf8_lossy(text), "fuzz.toml") {
        Ok(device) => Some(device),
        Err(faults) => {
            assert!(!faults.is_empty());
            None
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some(([which, kind], rest)) = bytes.split_first_chunk::<2>() else { return };
    let Some((rate, rest)) = rest.split_first_chunk::<4>() else { return };
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let blocks = parts.next().unwrap_or_default();
    let Some(device) = device(*which, parts.next().unwrap_or_default()) else { return };
    let rate = match kind & 3 {
        0 => Rate::Fastest,
        1 => Rate::Cycles(u64::from(u32::from_le_bytes(*rate))),
        // As the command line takes it: above 0, and finite.
        _ => Rate::Fps(f64::from(f32::from_le_bytes(*rate)).abs().clamp(1e-3, 1e9)),
    };
    let bits = |shift: u8| u32::from(which >> shift & 15) + 1;
    let (mode, effort) = match kind >> 2 & 3 {
        0 => (Mode::WholeFrame, Effort::Fast),
        1 => (Mode::AllWholeFrame, Effort::Fast),
        2 => (Mode::Exact, Effort::Fast),
        _ => (Mode::Exact, Effort::Full),
    };
    let words = ["keep", "tap", "share", "fuse", "exact", "shorten", "shorten-behind", "remove"];
    let options = Options {
        target: Target {
            clock_mhz: device.clock_mhz,
            device,
            rate,
            bits: Bits { weights: bits(0), activations: bits(4) },
            seed: 0,
        },
        skips: Request::parse(words[usize::from(kind >> 5)]).expect("a word of its own"),
        trained: None,
        fifo: FifoOptions { mode, effort, ..FifoOptions::default() },
    };
    let design = Design::Network(NetworkDesign::new(network(blocks)));
    let checks = Checks { verify: true, ..Checks::default() };
    let mut analysed = None;
    let run = manager::run(design, table::FPGA, &options, &checks, &mut |pass, design| {
        if pass.name == "residual" {
            analysed = Some(design.source().clone());
        }
    });
    match run {
        Ok(finished) => {
            let Design::Stream(mut made) = finished.design else { unreachable!("the pipeline ends with a stream") };
            let analysed = analysed.expect("skips are analysed");
            let report = skip_report(&analysed, &mut made, &options, Extent::Fast);
            let schedule = schedule::schedule(&made, &options, Some(&report), &[]).expect("it is finished");
            assert!(schedule.timing.frames_per_second > 0.0);
        }
        Err(failed) => {
            assert!(!failed.faults.is_empty());
            // What the checks find is a fault of ours.
            assert!(failed.faults.iter().all(|fault| !fault.remedy.contains("report this")), "{}", failed.faults);
        }
    }
});
