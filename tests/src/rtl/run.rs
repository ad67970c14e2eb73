//! Runs of a bench: frames in, start times and beats out, held against the recurrence and the convolution.

use std::path::Path;
use std::process::Command;

use super::bench::{Bench, Pins};
use super::design::Part;
use super::held::{self, Mistake};
use super::image::{self, Word, image};
use super::top::COUNT;
use crate::reference::conv::Tensor;
use crate::reference::start_times::Phase;
use crate::seed::Seed;

/// Cycles without any phase or handshake after which a run has hung. Few stalls of a pin are a quarter as long.
const PATIENCE: u32 = 1500;

/// Words of a beat in the program's answer: 32 lanes.
const BEAT_WORDS: usize = 8;

/// Wires and parts of the program's answer.
const PORTS: usize = 32;

/// What a run is about.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Frames fed.
    pub frames: usize,
    /// Seed of frames and stalls.
    pub seed: u64,
    /// Random stalls at both pins.
    pub stalled: bool,
    /// Places of each wire.
    pub depths: &'a [u64],
}

/// A falsified setting or image of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Falsified {
    /// Nothing.
    Nothing,
    /// The hardware has one credit more for the wire than the model has places.
    Credit(usize),
    /// The tail of a part is not preset.
    Tail(usize),
    /// A reader's places never matter to the writer: `(wire, reader)`.
    Reader(usize, usize),
    /// The images of a part carry a mistake.
    Image(usize, Mistake),
}

/// What was compared, and what was found wrong.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Start times compared.
    pub starts: usize,
    /// Beats compared, at all wires.
    pub beats: usize,
    /// Runs that ended.
    pub complete: usize,
    /// Runs that hung where the model hangs.
    pub hung: usize,
    /// Differences, in words.
    pub wrong: Vec<String>,
}

impl Findings {
    /// Adds those of other runs.
    pub fn merge(&mut self, other: Findings) {
        self.starts += other.starts;
        self.beats += other.beats;
        self.complete += other.complete;
        self.hung += other.hung;
        self.wrong.extend(other.wrong);
    }
}

/// What the hardware did.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Cycles from reset on.
    pub cycles: u64,
    /// For each part, the cycles in which its phases started.
    pub starts: Vec<Vec<u64>>,
    /// The cycles in which beats left at the pin.
    pub left: Vec<u64>,
    /// For each wire, the beats written: each a number of eight bits a lane.
    pub beats: Vec<Vec<Vec<u32>>>,
    /// Those at the pin.
    pub out: Vec<Vec<u32>>,
}

impl Bench {
    /// Runs the design and holds it against the references.
    pub fn run(&self, run: Run<'_>, falsified: Falsified) -> (Findings, Seen) {
        let d = &self.design;
        let mut seed = Seed(run.seed);
        let longest = self.lists.iter().map(|l| l.phases.len()).max().unwrap_or(0);
        let cycles = if run.stalled { 4 * run.frames * longest } else { 0 };
        let pins = Pins { willing: pattern(cycles, &mut seed), ready: pattern(cycles, &mut seed) };
        let frames: Vec<Tensor> = (0..run.frames).map(|_| self.frame(&mut seed)).collect();
        let beats = |w: usize| d.wires[w].beats().1 * run.frames;
        let awaited = beats(d.input(d.parts.len() - 1, 0));

        let folder = tempfile::tempdir().expect("a temporary folder");
        self.write_images(folder.path(), falsified);
        let input = self.input(run, falsified, &frames, awaited, &pins, &mut seed);
        let seen = self.simulate(folder.path(), &input);

        let name = format!("{} {run:?} {falsified:?}", d.name);
        let mut found = Findings::default();
        let starts = self.model(run.depths, run.frames, &pins);
        for (p, want) in starts.iter().enumerate() {
            let want: Vec<u64> = want.iter().copied().filter(|&s| s < seen.cycles).collect();
            found.starts += want.len();
            if seen.starts[p] != want {
                let k = seen.starts[p].iter().zip(&want).take_while(|(g, w)| g == w).count();
                let at = |list: &[u64]| list.get(k).map_or("never".to_owned(), u64::to_string);
                let (got, want) = (at(&seen.starts[p]), at(&want));
                found.wrong.push(format!("{name}: part {p} phase {k} starts in {got} and not {want}"));
            }
        }
        let wanted = self.wanted(&frames);
        for (w, wire) in d.wires.iter().enumerate() {
            let valid = valid_lanes(wire.map.channels, wire.lanes);
            self.compare(&format!("{name}: wire {w}"), &seen.beats[w], &wanted[w], &valid, &mut found);
        }
        let last = d.input(d.parts.len() - 1, 0);
        let valid = valid_lanes(d.wires[last].map.channels, d.wires[last].lanes);
        self.compare(&format!("{name}: pin"), &seen.out, &wanted[last], &valid, &mut found);
        let ends = starts[d.parts.len() - 1].len() >= awaited;
        if ends != (seen.out.len() == awaited) {
            let count = seen.out.len();
            found.wrong.push(format!("{name}: {count} beats of {awaited}, model ends: {ends}"));
        }
        if ends {
            found.complete += 1
        } else {
            found.hung += 1
        }
        (found, seen)
    }

    fn compare(
        &self,
        name: &str,
        got: &[Vec<u32>],
        want: &[Vec<u32>],
        valid: &dyn Fn(usize, &[u32]) -> Vec<u32>,
        found: &mut Findings,
    ) {
        found.beats += got.len();
        if got.len() > want.len() {
            found.wrong.push(format!("{name}: {} beats, at most {}", got.len(), want.len()));
        }
        if let Some(k) = (0..got.len().min(want.len())).find(|&k| valid(k, &got[k]) != valid(k, &want[k])) {
            found.wrong.push(format!("{name}: beat {k} is {:?} and not {:?}", got[k], want[k]));
        }
    }

    /// The beats of every wire.
    fn wanted(&self, frames: &[Tensor]) -> Vec<Vec<Vec<u32>>> {
        let d = &self.design;
        let mut all = vec![Vec::new(); d.wires.len()];
        for frame in frames {
            for (w, tensor) in d.expect(frame).iter().enumerate() {
                all[w].extend(image::beats(tensor, d.wires[w].lanes, None));
            }
        }
        all
    }

    /// A frame of random numbers; every second one has mostly numbers at the limits.
    fn frame(&self, seed: &mut Seed) -> Tensor {
        let wire = &self.design.wires[0];
        let (low, high) = wire.format.limits();
        let extreme = seed.chance(50);
        let mut number = || match extreme && seed.chance(75) {
            true => *seed.pick(&[low, high]),
            false => seed.within(low, high),
        };
        let m = wire.map;
        let values = (0..m.channels * m.height * m.width).map(|_| number()).collect();
        Tensor { channels: m.channels, height: m.height, width: m.width, values }
    }

    fn write_images(&self, folder: &Path, falsified: Falsified) {
        let put = |name: String, text: String| {
            std::fs::write(folder.join(name), text).expect("a file in a temporary folder")
        };
        for (p, part) in self.design.parts.iter().enumerate() {
            let links = &self.layout.links[p];
            let mut steps = self.lists[p].steps.clone();
            let mut phases = self.lists[p].phases.clone();
            let micro: Vec<Word> = match part {
                Part::Layer(a) => {
                    put(format!("p{p}.weights.hex"), image::weights(a));
                    put(format!("p{p}.bias.hex"), image::bias(a));
                    put(format!("p{p}.scales.hex"), image::scales(a));
                    if let Falsified::Image(part, mistake) = falsified
                        && part == p
                    {
                        held::plant(a, mistake, &mut steps);
                        phases = steps.iter().map(|s| s.phase.clone()).collect();
                    }
                    held::micro(a, &steps, self.design.banks(self.design.input(p, 0)))
                }
                _ => vec![Word::zero(1); phases.len()],
            };
            let words = phases.iter().zip(&micro).map(|(phase, micro)| self.word(links, phase, micro));
            put(format!("p{p}.hex"), image(words));
        }
    }

    /// A word of a control image.
    fn word(&self, links: &[(usize, usize)], phase: &Phase, micro: &Word) -> Word {
        let mut word = Word::default();
        phase.takes.iter().for_each(|t| word.push(t.need as i64, COUNT));
        phase.takes.iter().for_each(|t| word.push(t.free as i64, COUNT));
        if links.is_empty() {
            word.push(1, 1); // the sink's link to its pin
        }
        for &(w, _) in links {
            word.push(i64::from(phase.gives[self.design.wires[w].writer.1]), 1);
        }
        word.append(micro);
        word
    }

    /// What the program reads.
    fn input(
        &self,
        run: Run<'_>,
        falsified: Falsified,
        frames: &[Tensor],
        awaited: usize,
        pins: &Pins,
        seed: &mut Seed,
    ) -> Vec<u32> {
        let mut settings = vec![0u32; 64];
        for p in 0..self.design.parts.len() {
            for (i, &(w, r)) in self.layout.links[p].iter().enumerate() {
                let more = u32::from(falsified == Falsified::Credit(w));
                let deaf = if falsified == Falsified::Reader(w, r) { 30_000 } else { 0 };
                settings[self.layout.depth_slot[p] + i] = run.depths[w] as u32 + more + deaf;
            }
            let tail = if falsified == Falsified::Tail(p) { 0 } else { self.lists[p].tail as u32 };
            settings[self.layout.preset_slot[p]] = tail;
        }
        let lanes = self.design.wires[0].lanes;
        let all: Vec<Vec<u32>> = frames.iter().flat_map(|f| image::beats(f, lanes, Some(seed))).collect();
        let words = (lanes * 8).div_ceil(32);
        let mut file = settings;
        file.extend([run.seed as u32, all.len() as u32, words as u32]);
        for beat in &all {
            for lanes in beat.chunks(4) {
                file.push(lanes.iter().rev().fold(0, |n, &lane| n << 8 | lane));
            }
        }
        file.extend([awaited as u32, PATIENCE, pins.willing.len() as u32]);
        file.extend(pins.willing.iter().zip(&pins.ready).map(|(&w, &r)| u32::from(w) | u32::from(r) << 1));
        file
    }

    fn simulate(&self, folder: &Path, input: &[u32]) -> Seen {
        let bytes: Vec<u8> = input.iter().flat_map(|word| word.to_le_bytes()).collect();
        std::fs::write(folder.join("in.bin"), bytes).expect("a file in a temporary folder");
        let status = Command::new(&self.program).args(["in.bin", "out.bin"]).current_dir(folder).status();
        assert!(status.is_ok_and(|s| s.success()), "{}: the simulator failed", self.design.name);
        let bytes = std::fs::read(folder.join("out.bin")).expect("the simulator's file");
        let mut words = bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let mut next = || words.next().expect("the simulator's file is whole");
        let cycles = u64::from(next());
        let parts = self.design.parts.len();
        let mut starts: Vec<Vec<u64>> =
            (0..PORTS).map(|_| (0..next()).map(|_| u64::from(next())).collect()).collect();
        starts.truncate(parts);
        let beat = |lanes: usize, next: &mut dyn FnMut() -> u32| -> Vec<u32> {
            let words: Vec<u32> = (0..BEAT_WORDS).map(|_| next()).collect();
            (0..lanes).map(|l| words[l / 4] >> (8 * (l % 4)) & 255).collect()
        };
        let mut beats = Vec::new();
        for wire in 0..PORTS {
            let lanes = self.design.wires.get(wire).map_or(0, |w| w.lanes);
            beats.push((0..next()).map(|_| beat(lanes, &mut next)).collect());
        }
        beats.truncate(self.design.wires.len());
        let lanes = self.design.wires[self.design.input(parts - 1, 0)].lanes;
        let (mut left, mut out) = (Vec::new(), Vec::new());
        for _ in 0..next() {
            left.push(u64::from(next()));
            out.push(beat(lanes, &mut next));
        }
        Seen { cycles, starts, left, beats, out }
    }
}

/// The lanes of beat `k` that carry numbers.
fn valid_lanes(channels: usize, lanes: usize) -> impl Fn(usize, &[u32]) -> Vec<u32> {
    move |k, beat| {
        let b = k % channels.div_ceil(lanes);
        beat[..lanes.min(channels - b * lanes)].to_vec()
    }
}

/// When a pin is willing, in runs of random length; in the end it is.
fn pattern(cycles: usize, seed: &mut Seed) -> Vec<bool> {
    let mut pattern = Vec::new();
    let unwilling = 100 / seed.between(2, 5);
    while pattern.len() < cycles {
        let longest = *seed.pick(&[3, 3, 3, 3, 3, 3, 3, 3, 3, 40, 40, 300]);
        let length = seed.between(1, longest);
        let value = !seed.chance(unwilling);
        pattern.extend(std::iter::repeat_n(value, length));
    }
    pattern.truncate(cycles);
    pattern
}
