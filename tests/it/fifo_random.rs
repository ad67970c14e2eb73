//! Random residual networks, lowered, folded and sized: what the recurrence says of them is what a simulation sees,
//! no channel can lose a word, and a skip that is too short to run is named with who waits for whom.
//!
//! The seeds are dealt out to several tests, so that they run side by side.

use std::cell::RefCell;
use std::collections::BTreeMap;

use nonresc_ir::id::ActorId;
use nonresc_ir::names::Names;
use nonresc_ir::network::{Network, Sides};
use nonresc_ir::stream::{Actor, Form, Kind, Reader, Stream, verify};
use nonresc_passes::fifo::{Depth, FifoOptions, Sizing, measure, size};
use nonresc_passes::fold::fold;
use nonresc_passes::lower::{Skipped, lower};
use nonresc_passes::plan::Rewrite;
use nonresc_passes::residual::skips;
use nonresc_passes::target::Rate;
use nonresc_tests::random;
use nonresc_tests::reference::simulator::{Run, Stop, simulate};
use nonresc_tests::seed::Seed;
use nonresc_tests::target::unlimited;

use crate::rewrites;
use crate::simulator::agree_over_time;

const SEEDS: u64 = 200;
const TESTS: u64 = 4;
const MOST_FRAMES: u64 = 5_000;

/// What was held against what.
#[derive(Debug, Default)]
struct Counts {
    networks: u64,
    channels: u64,
    /// Channels of one place, which nothing can be shorter than.
    single: u64,
    slower: u64,
    hanging: u64,
    skips_made_too_short: u64,
    feasible_only: u64,
}

fn folded(network: &Network, cycles: u32) -> Result<Stream, String> {
    lowered(network, &Skipped::kept(&skips(network)), cycles)
}

fn lowered(network: &Network, skipped: &Skipped<'_>, cycles: u32) -> Result<Stream, String> {
    let target = unlimited(Rate::Cycles(cycles.into()));
    let mut stream = lower(network, skipped, &target).map_err(|e| e.to_string())?;
    verify(&stream).map_err(|e| format!("lowered: {e}"))?;
    if fold(&mut stream, &target).is_err() {
        let slower = || lowered(network, skipped, cycles * 4);
        return if cycles < 1 << 24 { slower() } else { Err("no folding".into()) };
    }
    Ok(stream)
}

/// The stream with a rewrite of all skips that it fits, and how many these are.
fn rewritten(network: &Network, rewrite: Rewrite, cycles: u32) -> Result<Option<(Stream, usize)>, String> {
    let (changed, planned) = match rewrites::rewritten(network, rewrite) {
        Ok(Some(made)) => made,
        Ok(None) => return Ok(None),
        // A sum that would change its shape.
        Err(faults) if rewrite == Rewrite::Remove && faults.iter().all(|f| f.code == "plan/remove") => {
            return Ok(None);
        }
        Err(faults) => return Err(faults.to_string()),
    };
    let n = planned.plan.skips.iter().filter(|entry| entry.rewrite == rewrite).count();
    lowered(&changed, &Skipped::from(&planned), cycles).map(|stream| Some((stream, n)))
}

fn sized(mut stream: Stream) -> Result<(Stream, Sizing), String> {
    verify(&stream).map_err(|e| format!("folded: {e}\n{stream}"))?;
    let sizing = size(&mut stream, &FifoOptions::default()).map_err(|e| format!("{e}\n{stream}"))?;
    verify(&stream).map_err(|e| format!("sized: {e}"))?;
    Ok((stream, sizing))
}

pub(crate) fn agree(stream: &Stream, sizing: &Sizing, run: &Run) -> Result<(), String> {
    let timing = &sizing.timing;
    let interval = timing.interval_clocks * run.frames == run.clocks * timing.interval_frames;
    if interval && timing.actors == run.first_frame && timing.peak_words == run.peaks {
        return Ok(());
    }
    Err(format!("recurrence {timing:?}\nsimulation {run:?}\n{stream}"))
}

fn one_word_less(stream: &mut Stream, run: &Run, depth: &Depth, counts: &mut Counts) -> Result<(), String> {
    counts.channels += 1;
    counts.single += u64::from(depth.words == 1);
    counts.feasible_only += u64::from(!depth.evidence.proven());
    if depth.words == 1 || !depth.evidence.proven() {
        return Ok(());
    }
    stream.channel_mut(depth.channel).depth = Some(depth.words - 1);
    let shorter = simulate(stream, MOST_FRAMES);
    stream.channel_mut(depth.channel).depth = Some(depth.words);
    match shorter {
        Ok(shorter) if shorter.clocks * run.frames > run.clocks * shorter.frames => counts.slower += 1,
        Err(Stop::Hangs(_)) => counts.hanging += 1,
        other => {
            return Err(format!("{depth:?} with a word less: {other:?}, not slower than {run:?}\n{stream}"));
        }
    }
    Ok(())
}

/// A skip with a word less than it needs to run: both name its channel, who waits to give to it, and for whom.
fn too_short(stream: &mut Stream, depth: &Depth, counts: &mut Counts) -> Result<(), String> {
    let Some(least @ 2..) = depth.least_running_words else { return Ok(()) };
    let id = depth.channel;
    stream.channel_mut(id).depth = Some(least);
    let runs = simulate(stream, MOST_FRAMES).is_ok();
    stream.channel_mut(id).depth = Some(least - 1);
    let (hang, said) = (simulate(stream, MOST_FRAMES), measure(stream).map_err(|e| e.to_string()));
    let writer = stream.channel(id).writer;
    let named = stream.channel(id).readers.iter().any(|&Reader { actor: reader, .. }| {
        let waits = match &hang {
            Err(Stop::Hangs(waits)) => {
                waits.iter().any(|w| w.full && (w.actor, w.channel, w.waits_for) == (writer, id, reader))
            }
            _ => false,
        };
        let (from, to) = (&stream.actor(writer).names, &stream.actor(reader).names);
        let names = [format!("{id} from \"{from}\" to \""), format!("\"{to}\"")];
        let told =
            |text: &str| text.contains("error[fifo/hang]") && names.iter().all(|name| text.contains(name));
        waits && matches!(&said, Err(text) if told(text))
    });
    stream.channel_mut(id).depth = Some(depth.words);
    counts.skips_made_too_short += 1;
    if runs && named { Ok(()) } else { Err(format!("{depth:?}: {hang:?}, {said:?}\n{stream}")) }
}

/// Everything of one network that is folded.
fn check(stream: Stream, counts: &mut Counts) -> Result<(), String> {
    let (mut stream, sizing) = sized(stream)?;
    let run = simulate(&stream, MOST_FRAMES).map_err(|e| format!("{e:?}\n{stream}"))?;
    agree(&stream, &sizing, &run)?;
    counts.networks += 1;
    for depth in &sizing.channels {
        one_word_less(&mut stream, &run, depth, counts)?;
        too_short(&mut stream, depth, counts)?;
    }
    Ok(())
}

fn seeds_from(first: u64) {
    let counts = RefCell::new(Counts::default());
    for seed in (first..SEEDS).step_by(TESTS as usize) {
        let cycles = [250, 1_000, 4_000][(seed / TESTS % 3) as usize];
        random::for_each(seed..seed + 1, |network| check(folded(network, cycles)?, &mut counts.borrow_mut()));
    }
    let counts = counts.into_inner();
    println!("{counts:?}");
    assert_eq!(counts.networks, SEEDS / TESTS);
    assert!(counts.slower > 0 && counts.hanging > 0 && counts.skips_made_too_short > 0, "{counts:?}");
}

#[test]
fn every_fourth_network() {
    seeds_from(0);
}

#[test]
fn every_fourth_network_from_1() {
    seeds_from(1);
}

#[test]
fn every_fourth_network_from_2() {
    seeds_from(2);
}

#[test]
fn every_fourth_network_from_3() {
    seeds_from(3);
}

/// Each rewrite, of all skips that it fits.
fn rewritten_from(first: u64) {
    let counts = RefCell::new(Counts::default());
    let skips = RefCell::new(BTreeMap::<&str, usize>::new());
    for seed in (first..SEEDS).step_by(TESTS as usize) {
        let cycles = [250, 1_000, 4_000][(seed / TESTS % 3) as usize];
        for rewrite in Rewrite::ALL.into_iter().filter(|&rewrite| rewrite != Rewrite::Keep) {
            random::for_each(seed..seed + 1, |network| {
                let Some((stream, n)) = rewritten(network, rewrite, cycles)? else { return Ok(()) };
                *skips.borrow_mut().entry(rewrite.name()).or_default() += n;
                check(stream, &mut counts.borrow_mut())
            });
        }
    }
    let (counts, skips) = (counts.into_inner(), skips.into_inner());
    println!("{counts:?} {skips:?}");
    assert!(skips.len() == 7 && skips.values().all(|&n| n >= 3), "{skips:?}");
}

#[test]
fn rewrites_of_every_fourth_network() {
    rewritten_from(0);
}

#[test]
fn rewrites_of_every_fourth_network_from_1() {
    rewritten_from(1);
}

#[test]
fn rewrites_of_every_fourth_network_from_2() {
    rewritten_from(2);
}

#[test]
fn rewrites_of_every_fourth_network_from_3() {
    rewritten_from(3);
}

/// Other lanes in front of some matrix-vectors, and folds that no search would choose: any PE and SIMD, every form.
fn refold(stream: &mut Stream, seed: &mut Seed) {
    let actors: Vec<ActorId> = stream.actors().collect();
    for id in actors {
        let Kind::MatVec(a) = &stream.actor(id).kind else { continue };
        let mut a = a.clone();
        let channel = stream.input(id, 0).unwrap();
        if seed.chance(25) {
            let convert = Actor { names: Names::one("convert"), kind: Kind::Convert(a.input) };
            let lanes = seed.between(1, a.input.channels);
            stream.insert(channel, &[Reader { actor: id, input: 0 }], convert, lanes);
        }
        let lanes = stream.channel(stream.input(id, 0).unwrap()).lanes;
        let kernel = a.window.kernel;
        let each = a.input.channels / a.groups;
        let whole = (kernel.h, kernel.w) == (a.input.height, a.input.width) && a.window.pad == Sides::ZERO;
        a.fold.pe = seed.between(a.output.channels.div_ceil(3), a.output.channels);
        a.fold.ports = if seed.chance(30) { kernel.h } else { 1 };
        match seed.below(3) {
            0 if whole && a.groups == 1 => (a.fold.form, a.fold.simd) = (Form::Stationary, lanes),
            0 | 1 => {
                a.fold.form = Form::Held { slots: seed.between(1, 3) };
                a.fold.simd = seed.between(a.flat().div_ceil(4), a.flat());
            }
            _ => {
                let taps = seed.between((kernel.h * kernel.w).div_ceil(4), kernel.h * kernel.w);
                (a.fold.form, a.fold.simd) = (Form::Direct { taps }, taps * lanes.min(each));
            }
        }
        stream.actor_mut(id).kind = Kind::MatVec(a);
    }
}

#[test]
fn networks_folded_at_random() {
    let counts = RefCell::new(Counts::default());
    for seed in SEEDS..SEEDS + 40 {
        random::for_each(seed..seed + 1, |network| {
            let mut stream = folded(network, 1_000)?;
            refold(&mut stream, &mut Seed(seed));
            check(stream, &mut counts.borrow_mut())
        });
    }
    println!("{:?}", counts.into_inner());
}

/// Also where convolutions give to skips, and places are freed before their frame begins.
#[test]
fn channels_are_as_full_over_time_as_the_simulator_sees() {
    for seed in SEEDS..SEEDS + 24 {
        let rewrite = [Rewrite::Tap, Rewrite::Share, Rewrite::Keep][(seed % 3) as usize];
        random::for_each(seed..seed + 1, |network| {
            let Some((mut stream, _)) = rewritten(network, rewrite, 1_000)? else { return Ok(()) };
            if rewrite == Rewrite::Keep {
                refold(&mut stream, &mut Seed(seed));
            }
            let (stream, sizing) = sized(stream)?;
            agree_over_time(&stream, sizing.timing.last_output() + 1);
            Ok(())
        });
    }
}
