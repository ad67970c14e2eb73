//! Binding: real shapes of primitives, banks and copies, refusals with every buffer.

use nonresc_ir::stream::{Kind, Stream, phases};
use nonresc_passes::area::{Memory, Role, bank_words};
use nonresc_passes::bind::{Primitive, bind, candidates};
use nonresc_passes::device::{Device, Family};
use nonresc_passes::quantise::{QuantiseOptions, Scales};
use nonresc_passes::target::{Bits, Rate, Target};
use nonresc_tests::allocation::most_held;
use nonresc_tests::hardware::designed_for;
use nonresc_tests::networks::Maker;
use nonresc_tests::quantised::{options, quantised};
use nonresc_tests::random;
use nonresc_tests::streams::{Builder, square};
use nonresc_tests::target::unlimited;

fn target(device: Device) -> Target {
    Target {
        device,
        clock_mhz: 100.0,
        rate: Rate::Fastest,
        bits: Bits { weights: 8, activations: 8 },
        seed: 0,
    }
}

fn fifo(words: u64, width: u64) -> Memory {
    Memory::single(Role::Fifo(nonresc_ir::id::ChannelId(0)), words, width, false)
}

#[test]
fn port_shapes_decide_and_not_bits() {
    // 703 x 64 bits are 2.4 blocks of 18,432 bits, and no mode holds them in fewer than 4.
    for family in Family::ALL {
        let all = candidates(&fifo(703, 64), family);
        let block = all.iter().find(|c| c.primitive == Primitive::Block).unwrap();
        assert_eq!((block.usage.bram18, block.allocated_words >= 703), (4, true), "{family:?}");
    }
}

#[test]
fn a_copy_for_each_reader_and_a_bank_for_each_row() {
    let three = Memory { banks: 3, bank_words: 32, readers: 2, in_order: false, ..fifo(96, 72) };
    let all = candidates(&three, Family::UltraScalePlus);
    let block = all.iter().find(|c| c.primitive == Primitive::Block).unwrap();
    assert_eq!(block.count, 3 * 2 * 2, "two blocks of 36 bits for each bank of each reader");
    assert!(all.iter().all(|c| c.primitive != Primitive::ShiftRegister), "it is not read in order");
}

#[test]
fn families_differ_in_what_they_have() {
    let kinds = |family| candidates(&fifo(40, 8), family).iter().map(|c| c.primitive).collect::<Vec<_>>();
    assert!(!kinds(Family::Ecp5).contains(&Primitive::ShiftRegister));
    assert!(kinds(Family::Series7).contains(&Primitive::ShiftRegister));
    assert!(!kinds(Family::Series7).contains(&Primitive::UltraRam));
    let rom = Memory { constant: true, in_order: false, ..fifo(5000, 72) };
    let ways = candidates(&rom, Family::UltraScalePlus);
    assert!(ways.iter().all(|c| c.primitive != Primitive::UltraRam), "it has no initial contents");
}

#[test]
fn a_bank_holds_the_most_that_can_lie_in_its_rows() {
    // By counting, for every place where the kept beats may begin.
    for (row, rows) in [(5u64, 3u64), (4, 2), (7, 1)] {
        for depth in 1..40 {
            let in_bank = |begin: u64| (begin..begin + depth).filter(|b| b / row % rows == 0).count() as u64;
            let most = (0..row * rows).map(in_bank).max().unwrap();
            assert_eq!(bank_words(depth, row, 1, rows, 1), most, "{depth} of rows of {row}, {rows} banks");
        }
    }
}

/// Two convolutions and a skip, folded a little, each channel as deep as its readers need.
fn block() -> Stream {
    let mut b = Builder::default();
    let x = b.source(square(8, 16));
    let y = b.conv("first", x, 8, 3, 1, None);
    let z = b.conv("second", y, 8, 3, 1, Some(x));
    b.mark_skip(1);
    let mut stream = b.finish(z);
    let actors: Vec<_> = stream.actors().collect();
    for id in actors {
        if let Kind::MatVec(a) = &mut stream.actor_mut(id).kind {
            (a.fold.pe, a.fold.simd) = (4, 9);
        }
    }
    let ids: Vec<_> = stream.channels().collect();
    for id in ids {
        stream.channel_mut(id).lanes = 4;
        let channel = stream.channel(id);
        let least = channel.readers.iter().map(|r| phases(&stream, r.actor).least_depth(r.input));
        let depth = if channel.skip.is_some() { 70 } else { least.max().unwrap() };
        stream.channel_mut(id).depth = Some(depth);
    }
    stream
}

fn snapshot(name: &str, text: String) {
    insta::with_settings!({snapshot_path => "../snapshots/bind", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn a_residual_block_on_each_family() {
    for device in ["xck26", "xc7z020", "LFE5U-85F", "none"] {
        let binding = bind(&block(), &target(Device::find(device).unwrap()), None).unwrap();
        snapshot(&format!("block_{device}"), binding.to_string());
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_takes_most() {
    let text = "name = \"tiny\"\nfamily = \"7-series\"\nluts = 900\nmemory_luts = 60\nffs = 4000\ndsps = 100\n\
                bram18 = 2\nclock_mhz = 100\n";
    let device = Device::parse(text, "tiny.toml").unwrap();
    snapshot("refused", bind(&block(), &target(device), None).unwrap_err().to_string());
}

#[test]
fn totals_are_the_sums_of_the_items() {
    let binding = bind(&block(), &target(Device::find("xck26").unwrap()), None).unwrap();
    let memories: u64 = binding.memories.iter().map(|m| m.made_of.usage.luts).sum();
    let actors: u64 = binding.actors.iter().map(|a| a.area.luts).sum();
    assert_eq!(binding.total.luts, memories + actors);
    let blocks: u64 = binding.memories.iter().map(|m| m.made_of.usage.bram18).sum();
    assert_eq!(binding.total.bram18, blocks);
    let channels = binding.bits.fifo + binding.bits.line_buffer;
    let of = |role: &Role| matches!(role, Role::Fifo(_) | Role::LineBuffer(_));
    let each: u64 = binding.memories.iter().filter(|m| of(&m.memory.role)).map(|m| m.memory.bits()).sum();
    assert_eq!(channels, each);
}

/// As fast as fits leaves room for the blocks of scales, which are there once lanes are chosen.
#[test]
fn the_fastest_design_has_blocks_for_its_scales() {
    let text = "name = \"few\"\nfamily = \"7-series\"\nluts = 40000\nmemory_luts = 20000\nffs = 80000\ndsps = 40\n\
                bram18 = 400\nclock_mhz = 100\n";
    let device = Device::parse(text, "few.toml").unwrap();
    let target = Target { device, ..unlimited(Rate::Fastest) };
    let mut with_scales = 0;
    for (seed, bits) in (0..12).flat_map(|seed| [(seed, 8), (seed, 4)]) {
        let bits = Bits { weights: bits, activations: bits };
        let options = QuantiseOptions { bits, ..options(seed, Some(Scales::Free)) };
        let Some(network) = quantised(&random::network(seed), &options) else { continue };
        match designed_for(&network, "keep", target.clone()) {
            Ok(design) => {
                let (binding, folding) = (design.binding.unwrap(), design.folding.unwrap());
                assert!(binding.total.dsps <= 40, "seed {seed}");
                with_scales += usize::from(binding.total.dsps > folding.dsps);
            }
            Err(faults) => assert!(!faults.to_string().contains("DSP"), "seed {seed}: {faults}"),
        }
    }
    assert!(with_scales > 6, "{with_scales} designs have blocks of scales");
}

/// What "as fast as fits" chooses fits indeed, once FIFOs are sized and all is counted.
#[test]
fn the_fastest_design_fits_when_all_is_counted() {
    let mut made = 0;
    for (luts, dsps) in [(3_000, 20), (8_000, 60), (20_000, 100)] {
        let text = format!(
            "name = \"few\"\nfamily = \"7-series\"\nluts = {luts}\nmemory_luts = {}\nffs = {}\ndsps = {dsps}\n\
             bram18 = 40\nclock_mhz = 100\n",
            luts / 3,
            luts * 2
        );
        let device = Device::parse(&text, "few.toml").unwrap();
        let target = Target { device, ..unlimited(Rate::Fastest) };
        for seed in 0..16 {
            let Some(network) = quantised(&random::network(seed), &options(seed, None)) else { continue };
            match designed_for(&network, "keep", target.clone()) {
                Ok(design) => {
                    let total = design.binding.unwrap().total;
                    assert!(total.luts <= luts && total.dsps <= dsps, "seed {seed}: {total:?}");
                    made += 1;
                }
                Err(faults) => assert!(!faults.to_string().contains("bind/over"), "seed {seed}: {faults}"),
            }
        }
    }
    assert!(made > 15, "{made} designs fit");
}

/// A slow layer's frame has millions of phases, nearly all like others: none of them takes memory of its own.
#[test]
fn memory_is_taken_by_what_differs_between_phases() {
    let (mut maker, x) = Maker::new(32, 64);
    let y = maker.conv("wide", x, 32, 3, 1);
    let network = maker.classify(y, 10);
    let target = unlimited(Rate::Fps(1.0));
    let design = designed_for(&network, "keep", target.clone()).unwrap();
    let phases: u64 = design.folding.as_ref().unwrap().actors.iter().map(|actor| actor.phases).sum();
    let (bound, most) = most_held(|| bind(&design.stream, &target, None));
    assert!(bound.is_ok_and(|bound| Some(bound.total) == design.binding.as_ref().map(|same| same.total)));
    assert!(phases > 30_000_000 && (most as u64) < 2 * phases, "{most} bytes held for {phases} phases");
}
