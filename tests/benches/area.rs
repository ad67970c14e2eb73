//! `cargo bench -p nonresc-tests --bench area -- check|FIRST LAST [parts]|refit|memories COUNT`: what is predicted of random
//! quantised networks beside what Yosys makes of them, for each family.
//!
//! `refit` makes the prices of LUTs (`passes/src/area/hardware/table.rs`) anew from the networks of `FITTED`. `check` holds
//! those of `HELD_OUT` against the prediction, and fails where LUTs or flip-flops of one of them are more than 10 % off, on ECP5
//! 20 %.
//! `parts` prints each part as well. `memories COUNT` holds the blocks of so many random memories of each family against
//! what Yosys makes of them, and fails where they differ.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a bench prints, and fails where it cannot"
)]

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use nonresc_backends::rtl::{Known, Synthesised, channel_name, names, rtl, synthesise};
use nonresc_passes::area::{Bill, Inside, Price, bill};
use nonresc_passes::arithmetic;
use nonresc_passes::bind::Binding;
use nonresc_passes::design::StreamDesign;
use nonresc_passes::device::Family;
use nonresc_tests::hardware::counted;
use nonresc_tests::least_squares::{Measured, least_squares};
use nonresc_tests::memories::made_otherwise;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

/// Seeds of the networks that the prices are fitted to.
const FITTED: [Range<u64>; 2] = [0..12, 30..40];

/// Seeds of those that are held out.
const HELD_OUT: Range<u64> = 13..30;

/// LUTs of the largest network that is synthesised.
const LARGEST: u64 = 2_500;

/// What a price that is off by all of what is expected of it weighs, beside an actor of so many LUTs that is off by all of
/// them: of several tried, the one that predicts each fitted network best from the others.
const NEAR: f64 = 30.0;

/// By how much of what is made a prediction may be off: of LUTs of six inputs, and of four.
const OFF: [f64; 2] = [0.1, 0.2];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let numbers: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let is = |wanted: &str| words.iter().any(|word| word == wanted);
    if is("memories") {
        return memories(numbers.first().copied().unwrap_or(100) as usize);
    }
    if is("refit") {
        return refit();
    }
    let seeds = match numbers[..] {
        [first, last] => first..last,
        _ => HELD_OUT,
    };
    let mut wrong = Vec::new();
    for family in Family::ALL {
        for one in Made::all(seeds.clone(), family) {
            let off = one.compared(is("parts"));
            if off > OFF[usize::from(family.lut_inputs() == 4)] {
                wrong.push(format!("seed {}, {}: {:.1} % off", one.seed, family.name(), off * 100.0));
            }
        }
    }
    assert!(!is("check") || wrong.is_empty(), "{wrong:#?}");
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

/// Writes the table of prices anew: those of LUTs of six inputs fitted to UltraScale+, those of four to ECP5.
fn refit() {
    let fitted = [Family::UltraScalePlus, Family::Ecp5].map(|family| {
        let all = Made::all(FITTED.into_iter().flatten(), family);
        let expected = Price::ALL.map(|price| price.expected(family));
        let near = expected.iter().enumerate().map(|(price, &luts)| {
            let mut often = vec![0.0; expected.len()];
            often[price] = 1.0 / luts;
            Measured { often, sum: 1.0, weight: NEAR }
        });
        let measured: Vec<Measured> = all.iter().flat_map(Made::parts).chain(near).collect();
        least_squares(&measured, &expected)
    });
    let mut text = "//! Made by `cargo bench -p nonresc-tests --bench area -- refit`: LUTs of each [`Price`](super::Price), of six \
                    inputs and of four.\n\n#[rustfmt::skip]\npub(super) const TABLE: [[f64; 2]; super::Price::ALL.len()] = [\n"
        .to_owned();
    for (number, price) in Price::ALL.into_iter().enumerate() {
        let [six, four] = [0, 1].map(|column| (fitted[column][number] * 100.0).round() / 100.0);
        let _ = writeln!(text, "    [{six:?}, {four:?}], // {price:?}");
    }
    text.push_str("];\n");
    print!("{text}");
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../passes/src/area/hardware/table.rs");
    std::fs::write(table, text).unwrap();
}

/// A random network, bound and made.
struct Made {
    seed: u64,
    design: StreamDesign,
    found: Synthesised,
}

impl Made {
    /// Those of the seeds whose hardware is small enough.
    fn all(seeds: impl Iterator<Item = u64>, family: Family) -> Vec<Made> {
        // LUTs of four inputs are more.
        let largest = if family.lut_inputs() == 6 { LARGEST } else { 2 * LARGEST };
        let one = |seed| {
            let design = counted(seed, family)?;
            let binding = design.binding.as_ref().filter(|binding| binding.total.luts <= largest)?;
            let numbers = arithmetic::of_network(&design.stream, &design.source.network).unwrap();
            let text = rtl(&design.stream, &numbers, Some(binding)).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let found = synthesise(&text, family, folder.path(), &mut Known::default()).unwrap();
            Some(Made { seed, design, found })
        };
        seeds.collect::<Vec<_>>().into_par_iter().filter_map(one).collect()
    }

    fn binding(&self) -> &Binding {
        self.design.binding.as_ref().unwrap()
    }

    /// The LUTs of each actor that are priced: all that were made, less what is counted and what its memories take.
    fn parts(&self) -> Vec<Measured> {
        let (stream, binding) = (&self.design.stream, self.binding());
        let numbers = arithmetic::of_network(stream, &self.design.source.network).unwrap();
        let inside = Inside::of(stream, Some(&numbers));
        let names = names(stream);
        let part = |actor| {
            let bill: Bill = bill(stream, actor, binding.device.family, inside.of_actor(actor)?)?;
            let made = self.found.parts[&names[&actor]].luts() as f64;
            let area = binding.actors.iter().find(|bound| bound.actor == actor)?.area.luts;
            let memories = binding.of_actor(actor).luts - area;
            let often = Price::ALL.iter().map(|&price| bill.asked(price)).collect();
            Some(Measured {
                often,
                sum: made - (bill.counted + memories) as f64,
                weight: 1.0 / (made + 20.0),
            })
        };
        stream.actors().filter_map(part).collect()
    }

    /// Prints figures; gives the larger share by which LUTs and flip-flops are off.
    fn compared(&self, with_parts: bool) -> f64 {
        let (binding, cells) = (self.binding(), &self.found.total);
        let instances = names(&self.design.stream);
        for (part, cells) in self.found.parts.iter().filter(|_| with_parts) {
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
        let predicted = &binding.total;
        let share = |predicted: u64, made: u64| predicted as f64 / made as f64 - 1.0;
        let (luts, ffs) = (share(predicted.luts, cells.luts()), share(predicted.ffs, cells.ffs));
        println!(
            "{}, {}: LUT {} of {} ({:+.1} %), FF {} of {} ({:+.1} %), DSP {} of {}",
            self.seed,
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
}
