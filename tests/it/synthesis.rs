//! Generated hardware in Yosys: it is taken, and memories and multipliers are what they are bound to.

use nonresc_backends::rtl::{Synthesised, channel_name, names, rtl, synthesise};
use nonresc_ir::stream::Kind;
use nonresc_passes::area::Role;
use nonresc_passes::arithmetic::arithmetic;
use nonresc_passes::bind::Primitive;
use nonresc_passes::design::StreamDesign;
use nonresc_passes::device::Family;
use nonresc_passes::integers::{Rule, integers};
use nonresc_passes::quantise::Scales;
use nonresc_passes::target::Rate;
use nonresc_tests::hardware::designed;
use nonresc_tests::quantised::{options, quantised};
use nonresc_tests::random;

fn synthesised(design: &StreamDesign, family: Family) -> Synthesised {
    let integers = integers(&design.source.network, Rule::AsGiven).unwrap();
    let numbers = arithmetic(&design.stream, &integers).unwrap();
    let made = rtl(&design.stream, &numbers, design.binding.as_ref()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    synthesise(&design.stream, &made, family, folder.path()).unwrap()
}

/// The first small random network that has hardware, slow enough to be small.
fn small() -> StreamDesign {
    let designs = (0..).filter_map(|seed| {
        let network = quantised(&random::network(seed), &options(seed, Some(Scales::PowerOfTwo)))?;
        let design = designed(&network, "keep", Rate::Fps(100e6 / 20_000.0)).ok()?;
        let integers = integers(&design.source.network, Rule::AsGiven).ok()?;
        let numbers = arithmetic(&design.stream, &integers).ok()?;
        rtl(&design.stream, &numbers, design.binding.as_ref()).ok()?;
        Some(design)
    });
    designs.take(1).next().unwrap()
}

#[test]
fn memories_and_multipliers_are_made_as_bound() {
    let design = small();
    let binding = design.binding.as_ref().unwrap();
    let found = synthesised(&design, Family::UltraScalePlus);
    let mut seen = 0;
    for bound in &binding.memories {
        let (Role::Fifo(id) | Role::LineBuffer(id)) = bound.memory.role else { continue };
        let (cells, usage) = (found.parts[&channel_name(id)], bound.made_of.usage);
        assert_eq!((cells.blocks(), cells.urams), (usage.bram18, usage.urams), "{}", bound.label);
        let in_luts = match bound.made_of.primitive {
            Primitive::LutRam => true,
            // Yosys makes chains of one or two words of flip-flops.
            Primitive::ShiftRegister => bound.memory.words > 2,
            _ => false,
        };
        assert_eq!(cells.memory_luts() > 0, in_luts, "{} {:?}", bound.label, bound);
        seen += 1;
    }
    assert!(seen > 2);
    // What a layer multiplies with powers of two as scales are its products alone.
    let instances = names(&design.stream);
    for bound in &binding.actors {
        if matches!(design.stream.actor(bound.actor).kind, Kind::MatVec(_)) {
            assert_eq!(found.parts[&instances[&bound.actor]].dsps, bound.area.dsps, "{}", bound.label);
        }
    }
}

#[test]
fn lattice_takes_it_too() {
    let design = small();
    let found = synthesised(&design, Family::Ecp5);
    assert!(found.total.luts() > 0 && found.total.ffs > 0);
    assert_eq!(found.total.urams, 0);
}
