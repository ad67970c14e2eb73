//! Folding: closed phase counts against the phase lists, the wanted rates on real networks, refusals, the table.

use std::time::Instant;

use nonresc_ir::stream::{Kind, Stream, phases};
use nonresc_passes::bind::bind;
use nonresc_passes::device::Device;
use nonresc_passes::fold::{Counter, Folding, fold};
use nonresc_passes::target::{Bits, Rate, Target};
use nonresc_tests::streams::{Builder, resnet8, resnet20, square};

fn target(device: &str, rate: impl Fn(f64) -> Rate) -> Target {
    let device = Device::find(device).unwrap();
    let clock_mhz = device.clock_mhz;
    Target { device, clock_mhz, rate: rate(clock_mhz), bits: Bits { weights: 8, activations: 8 }, seed: 0 }
}

fn within(device: &str, cycles: u64) -> Target {
    target(device, |mhz| Rate::Fps(mhz * 1e6 / cycles as f64))
}

/// Folds, and holds every closed phase count against the phase list.
fn folded(mut stream: Stream, target: &Target) -> (Stream, Folding) {
    let folding = fold(&mut stream, target).unwrap();
    for decision in &folding.actors {
        let list = phases(&stream, decision.actor);
        assert_eq!(decision.phases, list.len(), "{}: {}", decision.label, decision.fold);
    }
    (stream, folding)
}

/// The least depth of each channel for its readers, as bits of all channels.
fn least_bits(stream: &Stream) -> u64 {
    let least = |id| {
        let channel: &nonresc_ir::stream::Channel = stream.channel(id);
        let depths = channel.readers.iter().map(|r| phases(stream, r.actor).least_depth(r.input));
        depths.max().unwrap_or(1) * channel.word_bits()
    };
    stream.channels().map(least).sum()
}

#[test]
fn resnet8_keeps_the_cycles_that_were_asked_for() {
    for (device, cycles, most_dsps) in
        [("xck26", 8_192, 800), ("xck26", 5_500, 1_248), ("xc7z020", 30_000, 220)]
    {
        let (_, folding) = folded(resnet8(), &within(device, cycles));
        assert!(folding.interval <= cycles && folding.dsps <= most_dsps, "{device} {cycles}\n{folding}");
    }
}

#[test]
fn resnet20_keeps_the_cycles_that_were_asked_for() {
    let (stream, folding) = folded(resnet20(), &within("xck26", 20_000));
    assert!(folding.interval <= 20_000 && folding.dsps <= 1_110, "{folding}");
    assert!(least_bits(&stream) <= 200_000, "{}", least_bits(&stream));
}

#[test]
fn the_fastest_that_fits_uses_the_device() {
    let (_, folding) = folded(resnet8(), &target("xck26", |_| Rate::Fastest));
    assert!(folding.dsps <= 1_248 && folding.interval <= 5_300, "{folding}");
}

/// What was reached without a limit can be asked for, so that other designs can be made for the same rate, and one
/// clock less cannot.
#[test]
fn the_fastest_without_limits_is_the_least_that_can_be_asked_for() {
    for stream in [resnet8(), resnet20()] {
        let (_, fastest) = folded(stream.clone(), &target("none", |_| Rate::Fastest));
        let (_, again) = folded(stream.clone(), &target("none", |_| Rate::Cycles(fastest.interval)));
        assert_eq!(again.interval, fastest.interval);
        let refused = fold(&mut stream.clone(), &target("none", |_| Rate::Cycles(fastest.interval - 1)));
        assert!(refused.unwrap_err().to_string().contains("error[fold/rate]"));
    }
}

#[test]
fn folding_takes_milliseconds() {
    // Wide of the budget, since tests share their cores; figures are printed by the benches.
    for (stream, cycles, budget) in [(resnet8(), 5_500, 200), (resnet20(), 20_000, 400)] {
        let mut stream = stream;
        let start = Instant::now();
        fold(&mut stream, &within("xck26", cycles)).unwrap();
        let taken = start.elapsed();
        assert!(taken.as_millis() < budget, "{taken:?}");
    }
}

#[test]
fn a_rate_beyond_one_stream_is_refused_with_who_limits_it() {
    let error = fold(&mut resnet8(), &within("xck26", 500)).unwrap_err().to_string();
    assert!(error.contains("error[fold/rate]") && error.contains("ask for at most"), "{error}");
}

#[test]
fn a_device_too_small_is_refused_itemised() {
    let text = "name = \"tiny\"\nfamily = \"7-series\"\nluts = 4000\nmemory_luts = 1000\nffs = 8000\ndsps = 4\n\
                bram18 = 4\nclock_mhz = 100\n";
    let device = Device::parse(text, "tiny.toml").unwrap();
    let target = Target { device, ..target("none", |_| Rate::Fastest) };
    let error = fold(&mut resnet8(), &target).unwrap_err().to_string();
    assert!(error.contains("error[fold/device]") && error.contains("tiny has"), "{error}");
}

#[test]
fn random_folds_and_lanes_have_the_counted_phases() {
    let mut state = 12345u64;
    let mut random = move |n: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % n
    };
    for _ in 0..400 {
        let mut b = Builder::default();
        let x = b.source(square(1 + random(6), 3 + random(7)));
        let (kernel, stride) = (1 + random(3), 1 + random(3));
        let y = b.conv("conv", x, 1 + random(7), kernel, stride, None);
        let (size, y_map) = (kernel / 2 * 2 + b.map(x).height, b.map(y));
        if size < kernel || (size - kernel) / stride + 1 != y_map.height {
            continue;
        }
        let p = b.select("pad", y, y_map.channels + random(4), 1 + random(2));
        let m = b.mean("mean", p);
        let d = b.dense("dense", m, 1 + random(6));
        let mut stream = b.finish(d);
        let ids: Vec<_> = stream.channels().collect();
        for id in ids {
            stream.channel_mut(id).lanes = 1 + random(stream.channel(id).map.channels);
        }
        let actors: Vec<_> = stream.actors().collect();
        for id in actors {
            if let Kind::MatVec(a) = &mut stream.actor_mut(id).kind {
                a.fold.pe = 1 + random(a.output.channels);
                a.fold.simd = 1 + random(a.flat());
                a.fold.ports = if random(2) == 0 { 1 } else { a.window.kernel.h };
            }
            let w = nonresc_passes::area::Widths::of(&stream, id);
            let counted = Counter::new(&stream.actor(id).kind).phases(w.into());
            let list = phases(&stream, id);
            assert_eq!(counted, list.len(), "{:?} {w:?}", stream.actor(id).kind);
        }
    }
}

fn snapshot(name: &str, text: String) {
    insta::with_settings!({snapshot_path => "../snapshots/fold", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn tables() {
    for (name, stream, target) in [
        ("resnet8_5500_xck26", resnet8(), within("xck26", 5_500)),
        ("resnet8_8192_xck26", resnet8(), within("xck26", 8_192)),
        ("resnet8_30000_xc7z020", resnet8(), within("xc7z020", 30_000)),
        ("resnet8_fastest_ecp5", resnet8(), target("LFE5U-85F", |_| Rate::Fastest)),
        ("resnet20_20000_xck26", resnet20(), within("xck26", 20_000)),
    ] {
        let (mut stream, folding) = folded(stream, &target);
        let least = least_bits(&stream);
        let ids: Vec<_> = stream.channels().collect();
        for id in ids {
            let channel = stream.channel(id);
            let depth =
                channel.readers.iter().map(|r| phases(&stream, r.actor).least_depth(r.input)).max().unwrap();
            stream.channel_mut(id).depth = Some(depth);
        }
        let binding = bind(&stream, &target, None).unwrap();
        snapshot(
            name,
            format!("{folding}\nchannels at their readers' least depths: {least} bits\n\n{binding}"),
        );
    }
}
