//! Generated hardware in Verilator, against the integer network and the schedule.

use nonresc_passes::quantise::Scales;
use nonresc_passes::target::Rate;
use nonresc_tests::hardware::{designed, proven};
use nonresc_tests::quantised::{options, quantised};
use nonresc_tests::random;

#[test]
fn random_networks_run_as_scheduled() {
    let seeds = std::env::var("SEEDS").unwrap_or("0..6".into());
    let (a, b) = seeds.split_once("..").unwrap();
    for seed in a.parse::<u64>().unwrap()..b.parse().unwrap() {
        let network = random::network(seed);
        let Some(network) = quantised(&network, &options(seed, Some(Scales::PowerOfTwo))) else {
            println!("{seed}: not quantised");
            continue;
        };
        let rate = if seed % 2 == 0 { Rate::Fastest } else { Rate::Fps(100e6 / 3000.0) };
        let design = match designed(&network, "keep", rate) {
            Ok(design) => design,
            Err(e) => {
                println!("{seed}: {e}");
                continue;
            }
        };
        if std::env::var("SHOW").is_ok() {
            println!("{}", nonresc_ir::text::print(&design.source.network));
            println!("{}", design.stream);
            if let Ok(made) = nonresc_passes::integers::integers(
                &design.source.network,
                nonresc_passes::integers::Rule::AsGiven,
            ) {
                println!("{}", nonresc_ir::text::print(&made.network));
            }
        }
        match proven(&design, 3) {
            Ok(all) => {
                for found in all {
                    println!(
                        "{seed}: {} numbers {} starts {:?} {:?} wrong {:#?}",
                        found.numbers, found.starts, found.latency, found.interval, found.wrong
                    );
                }
            }
            Err(e) => println!("{seed}: REFUSED {e}"),
        }
    }
}
