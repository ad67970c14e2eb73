//! The hardware spike: start times and values of small designs in Verilator, against the plain references and the
//! sizing of the product; and mistakes that must be seen. `tests/rtl/README.md` says what this proves.

use std::sync::atomic::{AtomicUsize, Ordering};

use nonresc_passes::fifo::{self, FifoOptions};
use nonresc_tests::rtl::design::Design;
use nonresc_tests::rtl::{Bench, Falsified, Findings, Mistake, Patch, Run, Tool, cases, least};
use nonresc_tests::seed::Seed;

/// Stalled runs of each design.
const STALLED: u64 = 24;

fn tool() -> Tool {
    Tool::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Runs of one design: with the depths of the sizing, with more, with less.
struct Proof<'a> {
    bench: &'a Bench,
    depths: &'a [u64],
    interval: u64,
    found: Findings,
}

impl Proof<'_> {
    /// Unstalled, the last frames take the interval.
    fn unstalled(&mut self, frames: usize) -> Vec<Vec<u64>> {
        let run = Run { frames, seed: 1, stalled: false, depths: self.depths };
        let (found, seen) = self.bench.run(run, Falsified::Nothing);
        self.found.merge(found);
        let sink = seen.starts.len() - 1;
        let (length, starts) = (self.bench.phases(sink), &seen.starts[sink]);
        let taken = |frame: usize| starts[frame * length - 1] - starts[(frame - 1) * length - 1];
        assert_eq!(
            (taken(frames), taken(frames - 1)),
            (self.interval, self.interval),
            "{}",
            self.bench.name()
        );
        seen.starts
    }

    /// Random stalls at both pins: the same depths, all that the memories hold, and what lies between.
    fn stalled(&mut self) {
        for seed in 0..STALLED {
            let more = |(&least, &most): (&u64, &u64)| match seed % 3 {
                0 => least,
                1 => most,
                _ => Seed(seed + least).within(least as i64, most as i64) as u64,
            };
            let depths: Vec<u64> = self.depths.iter().zip(&self.bench.capacity).map(more).collect();
            let run = Run { frames: 3, seed: 100 + seed, stalled: true, depths: &depths };
            self.found.merge(self.bench.run(run, Falsified::Nothing).0);
        }
    }

    /// One word less in one channel after the other: slower, or no end; as the recurrence says.
    fn shorter(&mut self, frames: usize) -> String {
        let mut lines = String::new();
        for w in 0..self.depths.len() {
            if self.depths[w] == 1 {
                continue;
            }
            let mut depths = self.depths.to_vec();
            depths[w] -= 1;
            let run = Run { frames, seed: 3, stalled: false, depths: &depths };
            let (found, seen) = self.bench.run(run, Falsified::Nothing);
            let sink = seen.starts.len() - 1;
            let (length, starts) = (self.bench.phases(sink), &seen.starts[sink]);
            let effect = if found.hung > 0 {
                "hangs".to_owned()
            } else {
                let taken = starts[frames * length - 1] - starts[(frames - 1) * length - 1];
                assert!(taken > self.interval, "{}: wire {w} loses a word unharmed", self.bench.name());
                format!("{taken}")
            };
            lines += &format!(" {w}:{}>{effect}", self.depths[w]);
            self.found.merge(found);
        }
        lines
    }

    fn end(self) -> Findings {
        assert!(self.found.wrong.is_empty(), "{:#?}", self.found.wrong);
        self.found
    }
}

/// A design that the product has a stream for: sized by the product, and run in all ways.
fn prove(design: Design) {
    let mut stream = design.stream();
    let sizing = fifo::size(&mut stream, &FifoOptions::default()).unwrap();
    assert!(sizing.channels.iter().all(|d| d.evidence.proven()), "{}: {sizing:?}", design.name);
    assert_eq!(sizing.timing.interval_frames, 1);
    let depths: Vec<u64> = sizing.channels.iter().map(|d| d.words).collect();
    let interval = sizing.timing.interval_clocks;
    let settled = fifo::measure(&stream).unwrap();
    assert_eq!((settled.interval_clocks, settled.interval_frames), (interval, 1), "{}", design.name);
    let frames = 4 + settled.settled_after.unwrap() as usize;

    let bench = Bench::new(&tool(), design, &depths);
    let mut proof = Proof { bench: &bench, depths: &depths, interval, found: Findings::default() };
    let starts = proof.unstalled(frames);
    // The product's clock 0 is the first phase of the source; the pin's first beat is taken in cycle 0.
    let mut events = 0;
    for (p, (_, want)) in fifo::start_times(&stream, frames).unwrap().iter().enumerate() {
        let in_frame = want.len() / frames;
        let of = |(k, &(phase, clock)): (usize, &(u64, u64))| {
            let at = k / in_frame * bench.phases(p) + phase as usize;
            starts[p].get(at).map(|&got| (got, clock + 1))
        };
        let (got, want): (Vec<u64>, Vec<u64>) = want.iter().enumerate().filter_map(of).unzip();
        assert_eq!(got, want, "{}: part {p}", bench.name());
        events += got.len();
    }
    proof.stalled();
    let shorter = proof.shorter(frames + 12);
    let found = proof.end();
    report(
        &bench,
        &found,
        &format!(
            "depths {depths:?}, interval {interval}, {events} events as the product says, one word less:{shorter}"
        ),
    );
}

#[expect(clippy::print_stdout, reason = "figures for the README, shown with --no-capture")]
fn report(bench: &Bench, found: &Findings, more: &str) {
    let Findings { starts, beats, complete, hung, .. } = found;
    println!(
        "{}: {complete} runs end, {hung} hang, {starts} start times, {beats} beats; {more}",
        bench.name()
    );
}

#[test]
fn block_runs_as_sized() {
    prove(cases::block(false));
}

#[test]
fn odd_shapes_run_as_sized() {
    prove(cases::odd());
}

#[test]
fn gaps_run_as_sized() {
    prove(cases::gaps());
}

/// The product has no stream for a tap yet: depths and interval are those of the plain recurrence.
#[test]
fn block_with_a_tap_runs_as_the_recurrence_says() {
    let design = cases::block(true);
    let interval = design.slowest();
    let depths = least(&design, 12, Some(interval));
    let bench = Bench::new(&tool(), design, &depths);
    let mut proof = Proof { bench: &bench, depths: &depths, interval, found: Findings::default() };
    proof.unstalled(12);
    proof.stalled();
    let shorter = proof.shorter(24);
    let found = proof.end();
    report(&bench, &found, &format!("depths {depths:?}, interval {interval}, one word less:{shorter}"));
}

/// Whether one of a few runs sees that something is wrong; says where first.
fn seen(bench: &Bench, depths: &[u64], falsified: Falsified) -> Option<String> {
    (0..8).find_map(|seed| {
        let run = Run { frames: 3, seed, stalled: seed % 2 == 1, depths };
        bench.run(run, falsified).0.wrong.into_iter().next()
    })
}

#[test]
fn mistakes_in_images_and_settings_are_seen() {
    let design = cases::block(true);
    // Depths with which it just runs: every place is waited for.
    let depths = least(&design, 3, None);
    let bench = Bench::new(&tool(), design, &depths);
    assert_eq!(seen(&bench, &depths, Falsified::Nothing), None);
    let mut unseen = Vec::new();
    let mut planted: Vec<Falsified> = Vec::new();
    let all = [
        Mistake::LateLoad,
        Mistake::NoRowMask,
        Mistake::RowMaskOffByOne,
        Mistake::NoColumnMask,
        Mistake::WrongAddress,
        Mistake::EarlyGive,
        Mistake::LateFree,
        Mistake::LateNeed,
        Mistake::WrongFold,
    ];
    for part in [1, 3, 5] {
        planted.extend(all.map(|mistake| Falsified::Image(part, mistake)));
        planted.push(Falsified::Image(part, Mistake::NoClear));
        planted.push(Falsified::Image(part, Mistake::EarlyFree));
    }
    for part in [1, 5] {
        planted.push(Falsified::Image(part, Mistake::WrongBank));
    }
    planted.push(Falsified::Image(1, Mistake::EarlyTap));
    for part in [4, 5] {
        planted.push(Falsified::Image(part, Mistake::EarlySkip));
    }
    planted.push(Falsified::Image(3, Mistake::WrongStaging));
    planted.extend((0..depths.len()).map(Falsified::Credit));
    planted.extend((0..2).map(|reader| Falsified::Reader(0, reader)));
    for falsified in planted {
        if seen(&bench, &depths, falsified).is_none() {
            unseen.push(falsified);
        }
    }
    assert!(unseen.is_empty(), "{unseen:?}");

    let design = cases::gaps();
    let depths = least(&design, 6, None);
    let bench = Bench::new(&tool(), design, &depths);
    assert_eq!(seen(&bench, &depths, Falsified::Nothing), None);
    for part in [1, 2] {
        assert!(seen(&bench, &depths, Falsified::Tail(part)).is_some(), "the tail of part {part}");
    }
}

const PATCHES: [Patch; 14] = [
    Patch("dot_pair.sv", "+ {{SUM - 1{1'b0}}, total[K-1]}", ""),
    Patch("matrix_vector.sv", ".STAGES(SELECT)) waiting", ".STAGES(SELECT - 1)) waiting"),
    Patch("matrix_vector.sv", ".STAGES(STAGES)) to_write", ".STAGES(STAGES - 1)) to_write"),
    Patch("matrix_vector.sv", ".STAGES(SUMMED - 1)) to_bias", ".STAGES(SUMMED)) to_bias"),
    Patch("matrix_vector.sv", "now ? acc[", "1'b0 ? acc["),
    Patch("control.sv", "(count != 0)", "(count > 1)"),
    Patch("control.sv", "count >= need", "count + 1 >= need"),
    Patch("control.sv", "word <= rom[next]", "word <= rom[phase]"),
    Patch("fetch.sv", "TURN = ROWS % BANKS", "TURN = 0"),
    Patch("fetch.sv", "bank_read <= bank;", "bank_read <= sum;"),
    Patch("walk.sv", "if (bank == LAST_BANK[3:0]) base", "base"),
    Patch("operands.sv", "{SIGNED != 0 && choice[BITS-1], choice}", "{1'b0, choice}"),
    Patch("requantise.sv", "total >>> SHIFT", "total >> SHIFT"),
    Patch("window.sv", "row_mask[y] &&", "row_mask[KH-1-y] &&"),
];

/// Changes of the modules themselves; two threads build them.
#[test]
fn mistakes_in_modules_are_seen() {
    let tool = tool();
    let design = cases::least();
    let depths = least(&design, 12, Some(design.slowest()));
    let right = Bench::new(&tool, design.clone(), &depths);
    assert_eq!(seen(&right, &depths, Falsified::Nothing), None);
    let next = AtomicUsize::new(0);
    let unseen: Vec<Patch> = std::thread::scope(|scope| {
        let work = || {
            let mut unseen = Vec::new();
            while let Some(&patch) = PATCHES.get(next.fetch_add(1, Ordering::Relaxed)) {
                let bench = Bench::patched(&tool, design.clone(), &depths, Some(patch));
                if seen(&bench, &depths, Falsified::Nothing).is_none() {
                    unseen.push(patch);
                }
            }
            unseen
        };
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    assert!(unseen.is_empty(), "{unseen:#?}");
}
