//! `cargo bench -p nonresc-tests --bench hardware -- NETWORKS [FIRST]`: so many random quantised networks as hardware in
//! Verilator, each running freely, with random stalls, and reset in the middle of a frame; with their skips kept, or
//! served from the convolutions beside them, or removed, as fast as may be or slower, as their seeds say. Prints what was
//! compared, and fails where anything differs.
//!
//! `-- FILE.onnx CYCLES PLAN...`: a quantised network for so many cycles a frame, under each of the plans, in the same way; and
//! where its skips have FIFOs, each of them a word shorter, which has to be slower or not to come to an end.
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::collections::BTreeMap;

use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_passes::target::Rate;
use nonresc_tests::hardware::{designed, faults, with_shorter_skips};
use nonresc_tests::quantised::{options, quantised};
use nonresc_tests::random;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let [file, cycles, plans @ ..] = &words[..]
        && let (false, Ok(cycles)) = (file.parse::<u64>().is_ok(), cycles.parse())
    {
        return one(file, cycles, plans);
    }
    let mut numbers = words.iter().filter_map(|text| text.parse::<u64>().ok());
    let wanted = numbers.next().unwrap_or(20);
    let first = numbers.next().unwrap_or(0);
    let (mut done, mut starts, mut compared, mut wrong) = (0, 0, 0, Vec::new());
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut seed = first;
    while done < wanted && seed < first + 50 * wanted {
        let plan = ["keep", "reuse", "keep", "remove"][(seed / 2 % 4) as usize];
        let rate = if seed % 2 == 0 { Rate::Fastest } else { Rate::Fps(100e6 / 2_000.0) };
        let network = quantised(&random::network(seed), &options(seed, None));
        let found =
            network.map(|network| designed(&network, plan, rate).and_then(|design| faults(&design, 3)));
        match found {
            None => *refused.entry("not quantised".into()).or_default() += 1,
            Some(Err(faults)) => {
                let why = faults.iter().next().map(|fault| fault.why.clone()).unwrap_or_default();
                *refused.entry(why).or_default() += 1;
            }
            Some(Ok((found, faults))) => {
                println!(
                    "{seed} {plan}: {} numbers, {} start times: {faults:?}",
                    found.numbers, found.starts
                );
                (done, starts, compared) = (done + 1, starts + found.starts, compared + found.numbers);
                wrong.extend(faults.into_iter().map(|why| format!("seed {seed}, {plan}: {why}")));
            }
        }
        seed += 1;
    }
    println!(
        "{done} networks of seeds {first}..{seed}: {compared} numbers, {starts} start times, {} wrong",
        wrong.len()
    );
    for (why, count) in refused {
        println!("refused {count}: {why}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Frames behind which the cycles between them have settled.
const SETTLED: usize = 12;

/// A network of the user's under some plans.
fn one(file: &str, cycles: f64, plans: &[String]) {
    let imported = import_file(file.as_ref(), &ImportOptions::default());
    let network = imported.unwrap_or_else(|faults| panic!("{file}: {faults}")).network;
    for plan in plans {
        let design = designed(&network, plan, Rate::Fps(100e6 / cycles));
        let design = design.unwrap_or_else(|faults| panic!("{file}, {plan}: {faults}"));
        let (found, wrong) = faults(&design, 3).unwrap_or_else(|faults| panic!("{file}, {plan}: {faults}"));
        println!("{plan}: {} numbers, {} start times: {wrong:?}", found.numbers, found.starts);
        assert!(wrong.is_empty());
        let interval = design.sizing.as_ref().map_or(0, |sizing| sizing.timing.interval_clocks);
        let shorter = with_shorter_skips(&design, SETTLED);
        for (skip, found) in shorter.unwrap_or_else(|faults| panic!("{file}, {plan}: {faults}")) {
            let text = found.map_or_else(|| "it hangs".to_owned(), |found| format!("{found} cycles a frame"));
            println!("  skip {skip} with a word less: {text} instead of {interval}");
            assert!(found.is_none_or(|found| found > interval));
        }
    }
}
