//! Generated hardware in Yosys: it is taken, and memories and multipliers are what they are bound to.

use std::collections::BTreeMap;

use nonresc_backends::rtl::{Known, Rtl, Synthesised, channel_name, names, rtl, synthesise};
use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::stream::{Kind, Multiplier};
use nonresc_passes::arithmetic::arithmetic;
use nonresc_passes::bind::Primitive;
use nonresc_passes::design::StreamDesign;
use nonresc_passes::device::{Device, Family};
use nonresc_passes::integers::{Rule, integers};
use nonresc_passes::quantise::Scales;
use nonresc_passes::target::{Rate, Target};
use nonresc_tests::hardware::{counted, designed_for};
use nonresc_tests::memories::made_otherwise;
use nonresc_tests::quantised::{options, quantised};
use nonresc_tests::random;
use nonresc_tests::target::unlimited;

fn made(design: &StreamDesign) -> Result<Rtl, Diagnostics> {
    let integers = integers(&design.source.network, Rule::AsGiven)?;
    let numbers = arithmetic(&design.stream, &integers)?;
    rtl(&design.stream, &numbers, design.binding.as_ref())
}

fn synthesised(design: &StreamDesign, family: Family) -> Synthesised {
    let made = made(design).unwrap();
    let folder = tempfile::tempdir().unwrap();
    synthesise(&made, family, folder.path(), &mut Known::default()).unwrap()
}

/// Slow enough for designs to be small.
const SLOW: Rate = Rate::Fps(100e6 / 20_000.0);

/// The random networks that have hardware.
fn designs(target: Target) -> impl Iterator<Item = StreamDesign> {
    (0..).filter_map(move |seed| {
        let network = quantised(&random::network(seed), &options(seed, Some(Scales::PowerOfTwo)))?;
        designed_for(&network, "keep", target.clone()).ok().filter(|design| made(design).is_ok())
    })
}

/// The first of them that is small.
fn small() -> StreamDesign {
    designs(unlimited(SLOW)).next().unwrap()
}

/// Each block RAM and UltraRAM of the design is one that the binding lists, in the very part that it is listed for.
fn has_the_blocks_that_are_bound(design: &StreamDesign, found: &Synthesised) {
    let planned = planned(design);
    for (part, cells) in &found.parts {
        let blocks = planned.get(part).copied().unwrap_or_default();
        assert_eq!((cells.blocks(), cells.urams), blocks, "{part}:\n{}", design.binding.as_ref().unwrap());
    }
    let total = design.binding.as_ref().unwrap().total;
    assert_eq!((found.total.blocks(), found.total.urams), (total.bram18, total.urams));
}

/// Words that lie deeper than one block share the width of blocks, where they can.
#[test]
fn a_memory_takes_as_many_blocks_as_it_is_said_to() {
    for family in Family::ALL {
        assert_eq!(made_otherwise(1, 6, family), Vec::<String>::new());
    }
}

/// Block RAMs and UltraRAMs that the binding lists for each part.
fn planned(design: &StreamDesign) -> BTreeMap<String, (u64, u64)> {
    let binding = design.binding.as_ref().unwrap();
    let mut planned: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let instances = names(&design.stream);
    for bound in &binding.memories {
        let role = bound.memory.role;
        let part = role.channel().map(channel_name).or_else(|| Some(instances[&role.actor()?].clone()));
        let blocks = planned.entry(part.unwrap()).or_default();
        blocks.0 += bound.made_of.usage.bram18;
        blocks.1 += bound.made_of.usage.urams;
    }
    planned
}

#[test]
fn memories_and_multipliers_are_made_as_bound() {
    let design = small();
    let binding = design.binding.as_ref().unwrap();
    let found = synthesised(&design, Family::UltraScalePlus);
    has_the_blocks_that_are_bound(&design, &found);
    let mut seen = 0;
    for bound in &binding.memories {
        let Some(id) = bound.memory.role.channel() else { continue };
        let cells = found.parts[&channel_name(id)];
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

/// The multipliers of this family are narrower.
#[test]
fn two_products_share_a_multiplier_of_25_bits() {
    let text = BLOCKS_ALONE.replace("ultrascale-plus", "7-series").replace("urams = 4\n", "");
    let device = Device::parse(&text, "blocks.toml").unwrap();
    let paired = |kind: &Kind| matches!(kind, Kind::MatVec(a) if a.fold.multiplier == Multiplier::DspPair && a.add.is_none());
    let has_pairs =
        |design: &StreamDesign| design.stream.actors().any(|id| paired(&design.stream.actor(id).kind));
    let design = designs(Target { device, ..unlimited(SLOW) }).find(has_pairs).unwrap();
    let found = synthesised(&design, Family::Series7);
    let instances = names(&design.stream);
    for bound in &design.binding.as_ref().unwrap().actors {
        if paired(&design.stream.actor(bound.actor).kind) {
            assert_eq!(found.parts[&instances[&bound.actor]].dsps, bound.area.dsps, "{}", bound.label);
        }
    }
}

/// What tools would make multipliers of is not left to them.
#[test]
fn multipliers_of_luts_are_made_of_luts() {
    for family in ["ultrascale-plus", "ecp5"] {
        let text = BLOCKS_ALONE.replace("ultrascale-plus", family).replace("dsps = 10000", "dsps = 0");
        let text = if family == "ecp5" { text.replace("urams = 4\n", "") } else { text };
        let device = Device::parse(&text, "luts.toml").unwrap();
        let family = device.family;
        let design = designs(Target { device, ..unlimited(SLOW) }).next().unwrap();
        assert!(design.stream.actors().any(|id| matches!(design.stream.actor(id).kind, Kind::MatVec(_))));
        let found = synthesised(&design, family);
        assert_eq!(found.total.dsps, 0, "{}", family.name());
    }
}

#[test]
fn luts_and_flip_flops_are_as_predicted() {
    // One that no figure was fitted to.
    let design = counted(18, Family::UltraScalePlus).unwrap();
    let (found, binding) = (synthesised(&design, Family::UltraScalePlus), design.binding.as_ref().unwrap());
    let (predicted, made) = (&binding.total, &found.total);
    for (predicted, made) in [(predicted.luts, made.luts()), (predicted.ffs, made.ffs)] {
        assert!(10 * predicted.abs_diff(made) <= made, "{predicted} are predicted, {made} made");
    }
    assert_eq!(predicted.dsps, made.dsps);
}

/// A part of few LUTs and many blocks, where nearly everything is cheapest in a block.
const BLOCKS_ALONE: &str = "name = \"blocks\"\nfamily = \"ultrascale-plus\"\nluts = 400000\nmemory_luts = 200000\n\
                            ffs = 800000\ndsps = 10000\nbram18 = 400000\nurams = 4\nclock_mhz = 100\n";

#[test]
fn no_memory_is_made_that_is_not_bound() {
    let mut blocks = 0;
    for seed in [3, 5, 11, 17, 21, 34] {
        let Some(network) = quantised(&random::network(seed), &options(seed, None)) else { continue };
        let device = Device::parse(BLOCKS_ALONE, "blocks.toml").unwrap();
        let target = Target { device, ..unlimited(Rate::Fps(100e6 / 20_000.0)) };
        let Ok(design) = designed_for(&network, "keep", target) else { continue };
        let Ok(made) = made(&design) else { continue };
        assert!(!made.files["nonresc_top.sv"].contains("STYLE(\"auto\")"), "a memory is not bound");
        let found = synthesised(&design, Family::UltraScalePlus);
        // A constant of few words may lose more of its bits to synthesis than those that never vary.
        let planned = planned(&design);
        for (part, cells) in &found.parts {
            let (blocks, urams) = planned.get(part).copied().unwrap_or_default();
            assert!(
                cells.blocks() <= blocks && cells.urams <= urams,
                "{part}: {cells:?} of {blocks} and {urams}"
            );
        }
        let binding = design.binding.as_ref().unwrap();
        let of_actors = binding.memories.iter().filter(|bound| bound.memory.role.actor().is_some());
        blocks += of_actors.map(|bound| bound.made_of.usage.bram18).sum::<u64>();
    }
    assert!(blocks > 20, "{blocks} blocks inside of actors");
}

#[test]
fn lattice_takes_it_too() {
    let design = small();
    let found = synthesised(&design, Family::Ecp5);
    assert!(found.total.luts() > 0 && found.total.ffs > 0);
    assert_eq!(found.total.urams, 0);
}

#[test]
fn a_part_that_is_known_is_counted_as_if_it_were_made() {
    let design = small();
    let made = made(&design).unwrap();
    let mut known = Known::default();
    let synthesised = |known: &mut Known| {
        let folder = tempfile::tempdir().unwrap();
        synthesise(&made, Family::UltraScalePlus, folder.path(), known).unwrap()
    };
    let first = synthesised(&mut known);
    assert_eq!(synthesised(&mut known), first);
    assert_eq!(first.parts.len(), made.parts.len());
}
