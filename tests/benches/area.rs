//! `cargo bench -p nonresc-tests --bench area -- fit|check|FIRST LAST [parts]|memories COUNT`: what is predicted of random quantised networks
//! beside what Yosys makes of them, for each family. The figures of
//! `passes/src/area/hardware/prices.rs` were fitted to the networks of `fit` on UltraScale+, and one of them to ECP5; those of `check` were held out, and it fails
//! where LUTs or flip-flops of one of them are more than 10 % off, on ECP5 15 %. `parts` prints each part as well. `memories COUNT`
//! holds the blocks of so many random memories of each family against what Yosys makes of them, and fails where they differ.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and fails where it cannot")]

use std::ops::Range;

use nonresc_backends::rtl::{Known, channel_name, names, rtl, synthesise};
use nonresc_passes::arithmetic;
use nonresc_passes::bind::Binding;
use nonresc_passes::design::StreamDesign;
use nonresc_passes::device::Family;
use nonresc_tests::hardware::counted;
use nonresc_tests::memories::made_otherwise;

/// Seeds of the networks that the prices were fitted to.
const FITTED: Range<u64> = 0..12;

/// Seeds of those that were held out.
const HELD_OUT: Range<u64> = 13..30;

/// LUTs of the largest network that is synthesised.
const LARGEST: u64 = 2_500;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let numbers: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
    if words.iter().any(|word| word == "memories") {
        return memories(numbers.first().copied().unwrap_or(100) as usize);
    }
    let is_check = words.iter().any(|word| word == "check");
    let seeds = match numbers[..] {
        [first, last] => first..last,
        _ if words.iter().any(|word| word == "fit") => FITTED,
        _ => HELD_OUT,
    };
    let with_parts = words.iter().any(|word| word == "parts");
    let mut wrong = Vec::new();
    for family in Family::ALL {
        // Those of four inputs are more.
        let largest = if family.lut_inputs() == 6 { LARGEST } else { 2 * LARGEST };
        let mut known = Known::default();
        for seed in seeds.clone() {
            let Some(design) = counted(seed, family) else { continue };
            let binding = design.binding.as_ref().unwrap();
            if binding.total.luts > largest {
                continue;
            }
            let off = compared(seed, &design, binding, &mut known, with_parts);
            if off > if family == Family::Ecp5 { 0.15 } else { 0.1 } {
                wrong.push(format!("seed {seed}, {}: {:.1} % off", family.name(), off * 100.0));
            }
        }
    }
    assert!(!is_check || wrong.is_empty(), "{wrong:#?}");
}

/// Holds random memories against what is made of them.
fn memories(count: usize) {
    let mut wrong = Vec::new();
    for family in Family::ALL {
        let differing = made_otherwise(2, count, family);
        let equal = count - differing.len();
        wrong.extend(differing);
        println!("{}: {equal} of {count} memories are made of as many blocks as predicted", family.name());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Prints a design's figures; gives the larger share by which LUTs and flip-flops are off.
fn compared(seed: u64, design: &StreamDesign, binding: &Binding, known: &mut Known, with_parts: bool) -> f64 {
    let numbers = arithmetic::of_network(&design.stream, &design.source.network).unwrap();
    let made = rtl(&design.stream, &numbers, Some(binding)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let found = synthesise(&made, binding.device.family, folder.path(), known).unwrap();
    let instances = names(&design.stream);
    if with_parts {
        for (part, cells) in &found.parts {
            let actor = binding.actors.iter().find(|bound| &instances[&bound.actor] == part);
            let channel = || {
                binding
                    .memories
                    .iter()
                    .find(|m| m.memory.role.channel().map(channel_name).as_ref() == Some(part))
            };
            let usage = actor
                .map(|bound| binding.of_actor(bound.actor))
                .or_else(|| channel().map(|m| m.made_of.usage))
                .unwrap();
            println!(
                "  {part}: LUT {} of {}, FF {} of {}, DSP {} of {}",
                usage.luts,
                cells.luts(),
                usage.ffs,
                cells.ffs,
                usage.dsps,
                cells.dsps
            );
        }
    }
    let (predicted, cells) = (&binding.total, &found.total);
    let share = |predicted: u64, made: u64| predicted as f64 / made as f64 - 1.0;
    let (luts, ffs) = (share(predicted.luts, cells.luts()), share(predicted.ffs, cells.ffs));
    println!(
        "{seed}, {}: LUT {} of {} ({:+.1} %), FF {} of {} ({:+.1} %), DSP {} of {}",
        binding.device.family.name(),
        predicted.luts,
        cells.luts(),
        luts * 100.0,
        predicted.ffs,
        cells.ffs,
        ffs * 100.0,
        predicted.dsps,
        cells.dsps
    );
    luts.abs().max(ffs.abs())
}
