//! `cargo bench -p nonresc-tests --bench hardware -- NETWORKS [FIRST]`: so many random quantised networks as hardware in
//! Verilator, each running freely, with random stalls, and reset in the middle of a frame; with their skips kept, or
//! served from the convolutions beside them, or removed, as fast as may be or slower, as their seeds say. Prints what was
//! compared, and fails where anything differs.
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::collections::BTreeMap;

use nonresc_passes::target::Rate;
use nonresc_tests::hardware::{designed, faults};
use nonresc_tests::quantised::{options, quantised};
use nonresc_tests::random;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
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
