//! A design in simulation, held against the integer network and the schedule: numbers, start times, peaks.

use std::collections::BTreeMap;
use std::path::Path;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::network::Network;
use nonresc_ir::stream::{Kind, Stream, phases};
use nonresc_passes::arithmetic::arithmetic;
use nonresc_passes::bind::Binding;
use nonresc_passes::control::{Step, Steps};
use nonresc_passes::engine::Given;
use nonresc_passes::fifo;
use nonresc_passes::integers::{Integers, Rule, integers};
use nonresc_passes::random::Random;

use super::reference::{Reference, pattern};
use super::{Rtl, Run, Seen, Simulator, TOP, rtl};

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// Frames, one behind the other.
    pub frames: usize,
    /// Seed of the frames' codes, and of what registers hold at first.
    pub seed: u64,
    /// Random stalls at all pins.
    pub stalled: bool,
    /// Whether the design is reset in the middle of the first frame.
    pub reset: bool,
}

/// What was compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verified {
    /// Frames that came out.
    pub frames: usize,
    /// Numbers that came out and were compared.
    pub numbers: usize,
    /// Phases whose start times were compared.
    pub starts: usize,
    /// What was wrong, in words.
    pub wrong: Vec<String>,
    /// Cycles from the first phase of a source to the first and to the last beat at an output pin of the first frame.
    pub latency: (u64, u64),
    /// Cycles between the last beats of the last two frames; nothing of fewer frames.
    pub interval: Option<u64>,
    /// For each channel the most words held at once.
    pub peaks: Vec<(ChannelId, u64)>,
}

/// What a TLAST on a wrong beat, or none on a frame's last one, did.
#[derive(Clone, Debug)]
pub struct Misplaced {
    /// What was compared; `frame_error` is no part of it.
    pub found: Verified,
    /// The cycle in which the source's phase gave that beat.
    pub given: Option<u64>,
    /// The cycles in which `frame_error` changed; it is low at first.
    pub frame_error: Vec<u64>,
}

/// A trial as the simulator takes it, and what is to be seen.
struct Prepared {
    run: Run,
    /// For each output pin, the numbers that are to come out.
    wanted: Vec<Vec<i64>>,
    /// When phases are to start where no pin waits.
    timing: Vec<(ActorId, fifo::Starts)>,
}

/// What a trial looked like from outside.
#[derive(Clone, Debug)]
pub struct Observed {
    /// For each actor, in the order of ids, the cycles in which its phases started.
    pub starts: Vec<Vec<u64>>,
    /// In each cycle whether feeders and takers were willing; behind its end all were.
    pub pattern: Vec<(bool, bool)>,
    /// The cycle in which a beat may be taken for the first time; phases may start in the next one.
    pub clock: u64,
}

/// A design and its simulator.
pub struct Bench<'a> {
    stream: &'a Stream,
    reference: Reference,
    simulator: Simulator,
    integers: Integers,
    files: Rtl,
}

impl<'a> Bench<'a> {
    /// Builds the design of `stream`, which was lowered from `network`, with its memories as bound, in the folder;
    /// `library` as [`Simulator::build`] takes it.
    ///
    /// # Errors
    /// A network that is not one of integers; actors without hardware; a missing tool.
    pub fn build(
        stream: &'a Stream,
        network: &Network,
        bound: Option<&Binding>,
        folder: &Path,
        library: Option<&Path>,
    ) -> Result<Bench<'a>, Diagnostics> {
        let integers = integers(network, Rule::AsGiven)?;
        let files = rtl(stream, &arithmetic(stream, &integers)?, bound)?;
        let reference = Reference::new(stream, &integers, None)?;
        let simulator = Simulator::build(stream, &files, folder, library)?;
        Ok(Bench { stream, reference, simulator, integers, files })
    }

    /// Takes the frames of arrays by the names of the network's inputs in place of random codes, again from the first where
    /// a trial has more.
    ///
    /// # Errors
    /// Arrays that are not the network's inputs.
    pub fn give(&mut self, given: &Given) -> Result<(), Diagnostic> {
        self.reference.give(self.stream, &self.integers, given)
    }

    /// The same design with other depths of channels, which the simulator takes without being built anew; nothing where
    /// it would have to be, as where memories are bound.
    ///
    /// # Errors
    /// Images that cannot be written.
    pub fn with_depths(self, stream: &'a Stream) -> Result<Option<Bench<'a>>, Diagnostics> {
        let files = rtl(stream, &arithmetic(stream, &self.integers)?, None)?;
        let code = |rtl: &Rtl| {
            let text = rtl.files.get(&format!("{TOP}.sv")).map_or("", String::as_str);
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
        };
        if code(&files) != code(&self.files) {
            return Ok(None);
        }
        self.simulator.reload(&files)?;
        Ok(Some(Bench { stream, files, ..self }))
    }

    /// Simulates frames of random codes, or of those that were given.
    ///
    /// # Errors
    /// A simulation that stops; a schedule that hangs.
    pub fn run(&self, trial: Trial) -> Result<Verified, Diagnostics> {
        let prepared = self.prepared(trial)?;
        let seen = self.simulator.run(&prepared.run)?;
        let mut found = self.judged(&seen, &prepared, trial);
        if !seen.frame_error.is_empty() {
            found.wrong.push("a TLAST was taken to be misplaced".into());
        }
        Ok(found)
    }

    /// What was seen beside what is to be seen.
    fn judged(&self, seen: &Seen, prepared: &Prepared, trial: Trial) -> Verified {
        let mut found = Verified { frames: trial.frames, ..Verified::default() };
        self.compare_numbers(seen, &prepared.wanted, &mut found);
        if !trial.stalled && !trial.reset && found.wrong.is_empty() {
            self.compare_times(seen, &prepared.timing, trial.frames, &mut found);
        }
        self.measure(seen, trial.frames, &mut found);
        found
    }

    /// Simulates frames in which the TLAST of one beat of an input pin is turned over.
    ///
    /// # Errors
    /// A simulation that stops; a schedule that hangs.
    pub fn misplaced(&self, trial: Trial, pin: usize, beat: usize) -> Result<Misplaced, Diagnostics> {
        let mut prepared = self.prepared(trial)?;
        prepared.run.turned = Some((pin, beat));
        let seen = self.simulator.run(&prepared.run)?;
        let found = self.judged(&seen, &prepared, trial);
        let mut sources = self.stream.actors().filter(|&id| self.is_source(id));
        let given = sources.nth(pin).and_then(|id| seen.starts[id.index()].get(beat).copied());
        Ok(Misplaced { found, given, frame_error: seen.frame_error })
    }

    fn is_source(&self, id: ActorId) -> bool {
        matches!(self.stream.actor(id).kind, Kind::Source(_))
    }

    fn prepared(&self, trial: Trial) -> Result<Prepared, Diagnostics> {
        let mut draw = Random(trial.seed);
        let frames = self.reference.frames(trial.frames, &mut draw)?;
        let timing = fifo::start_times(self.stream, trial.frames)?;
        let longest = timing.iter().filter_map(|(_, starts)| starts.last()).map(|s| s.1).max().unwrap_or(0);
        let pattern = if trial.stalled { pattern(&mut draw, longest as usize * 2) } else { Vec::new() };
        let run = Run {
            seed: trial.seed,
            frames: frames.inputs,
            awaited: trial.frames,
            pattern,
            reset_at: trial.reset.then_some((longest / trial.frames as u64) as u32 * 2 / 3 + 40),
            patience: 4 * longest as u32 + 2_000,
            ..Run::default()
        };
        let wanted = frames.outputs.iter().map(|pin| pin.concat()).collect();
        Ok(Prepared { run, wanted, timing })
    }

    /// When phases start in a trial, and when the pins were willing.
    ///
    /// # Errors
    /// A simulation that stops; a schedule that hangs.
    pub fn observe(&self, trial: Trial) -> Result<Observed, Diagnostics> {
        let run = self.prepared(trial)?.run;
        let seen = self.simulator.run(&run)?;
        // The design holds its reset so long behind the pin's; controls then read three words ahead.
        Ok(Observed { starts: seen.starts, pattern: run.pattern, clock: self.files.settling as u64 + 3 })
    }

    /// How many of so many frames come out, however long it takes.
    ///
    /// # Errors
    /// A simulation that stops.
    pub fn frames_out(&self, frames: usize) -> Result<usize, Diagnostics> {
        let inputs = self.reference.frames(frames, &mut Random(0))?.inputs;
        let slowest = self.stream.actors().map(|id| phases(self.stream, id).len()).max().unwrap_or(1);
        let patience = 4 * slowest as u32 + 2_000;
        let run = Run { frames: inputs, awaited: frames, patience, ..Run::default() };
        let seen = self.simulator.run(&run)?;
        let whole = seen.beats.iter().map(|beats| beats.iter().filter(|beat| beat.1).count());
        Ok(whole.min().unwrap_or(0))
    }

    fn compare_numbers(&self, seen: &Seen, wanted: &[Vec<i64>], found: &mut Verified) {
        for (pin, (got, want)) in seen.outputs.iter().zip(wanted).enumerate() {
            found.numbers += got.len().min(want.len());
            if got.len() != want.len() {
                found.wrong.push(format!(
                    "output {pin}: {} numbers came out and not {}",
                    got.len(),
                    want.len()
                ));
            }
            let differs: Vec<usize> = (0..got.len().min(want.len())).filter(|&i| got[i] != want[i]).collect();
            if let Some(&first) = differs.first() {
                found.wrong.push(format!(
                    "output {pin}: {} of {} numbers differ, the first is number {first}: {} and not {}",
                    differs.len(),
                    want.len(),
                    got[first],
                    want[first]
                ));
            }
            let beats = &seen.beats[pin];
            let lasts = beats.iter().filter(|beat| beat.1).count();
            let frame = beats.len() / found.frames.max(1);
            let placed = beats.iter().enumerate().all(|(k, beat)| beat.1 == ((k + 1) % frame.max(1) == 0));
            if !placed && got.len() == want.len() {
                found
                    .wrong
                    .push(format!("output {pin}: {lasts} beats carry TLAST, not the last of each frame"));
            }
        }
    }

    /// Start times against those of the schedule, whose clock 0 is the first phase of the first source.
    fn compare_times(
        &self,
        seen: &Seen,
        timing: &[(ActorId, fifo::Starts)],
        frames: usize,
        found: &mut Verified,
    ) {
        let first = |list: &fifo::Starts, id: ActorId| {
            let &(phase, clock) = list.first()?;
            Some(*seen.starts[id.index()].get(phase as usize)? as i64 - clock as i64)
        };
        let offset =
            timing.iter().filter(|(id, _)| self.is_source(*id)).find_map(|(id, list)| first(list, *id));
        let Some(offset) = offset else { return };
        for (id, wanted) in timing {
            let len = phases(self.stream, *id).len();
            let in_frame = wanted.len() / frames.max(1);
            for (k, &(phase, clock)) in wanted.iter().enumerate() {
                let at = (k / in_frame.max(1)) as u64 * len + phase;
                let got = seen.starts[id.index()].get(at as usize).map(|&start| start as i64 - offset);
                // What the last frame's tail does is not waited for.
                let Some(got) = got else { continue };
                found.starts += 1;
                if got != clock as i64 {
                    let names = &self.stream.actor(*id).names;
                    found.wrong.push(format!("\"{names}\": phase {at} starts in {got} and not in {clock}"));
                    break;
                }
            }
        }
    }

    fn measure(&self, seen: &Seen, frames: usize, found: &mut Verified) {
        let begin = self
            .stream
            .actors()
            .filter(|&id| self.is_source(id))
            .filter_map(|id| seen.starts[id.index()].first().copied())
            .min()
            .unwrap_or(0);
        let last_of = |frame: usize| {
            let all = seen.beats.iter();
            all.filter_map(|beats| beats.get((beats.len() / frames.max(1) * (frame + 1)).checked_sub(1)?))
                .map(|b| b.0)
                .max()
        };
        let first = seen.beats.iter().filter_map(|beats| beats.first()).map(|b| b.0).min();
        if let (Some(first), Some(last), true) = (first, last_of(0), found.frames > 0) {
            found.latency = (first - begin, last - begin);
        }
        if frames > 1 {
            found.interval = last_of(frames - 1).zip(last_of(frames - 2)).map(|(a, b)| a - b);
        }
        let lists: BTreeMap<ActorId, Vec<Step>> = self
            .stream
            .actors()
            .map(|id| (id, Steps::of(&phases(self.stream, id)).iter().collect()))
            .collect();
        for id in self.stream.channels() {
            let channel = self.stream.channel(id);
            // A place is taken when a phase that gives starts, and free in the cycle behind the phase that releases it.
            let gives = &lists[&channel.writer];
            let mut changes: Vec<(u64, usize, u64)> = Vec::new();
            for (k, &start) in seen.starts[channel.writer.index()].iter().enumerate() {
                if gives[k % gives.len()].gives >> channel.output & 1 == 1 {
                    changes.push((start, 0, 1));
                }
            }
            let readers = channel.readers.len();
            let mut freed = vec![0u64; readers + 1];
            for (r, reader) in channel.readers.iter().enumerate() {
                freed[r + 1] = phases(self.stream, reader.actor).preset(reader.input).unread_head;
                let frees = &lists[&reader.actor];
                for (k, &start) in seen.starts[reader.actor.index()].iter().enumerate() {
                    let free = frees[k % frees.len()].free[usize::from(reader.input)];
                    if free > 0 {
                        changes.push((start + 1, r + 1, free.into()));
                    }
                }
            }
            changes.sort_unstable();
            let (mut peak, mut at) = (0, 0);
            while at < changes.len() {
                let now = changes[at].0;
                while at < changes.len() && changes[at].0 == now {
                    freed[changes[at].1] += changes[at].2;
                    at += 1;
                }
                let slowest = freed[1..].iter().min().copied().unwrap_or(0);
                peak = peak.max(freed[0].saturating_sub(slowest));
            }
            found.peaks.push((id, peak));
        }
    }
}
