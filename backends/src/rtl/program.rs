//! An actor's phases as the program that its control runs: what each phase needs, frees and gives, and the micro word
//! that its data path takes.

use nonresc_ir::stream::PhaseList;

use super::loops::Loops;
use super::word::{Word, image, unsigned};

/// One phase of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Step {
    /// Beats by which each input's need rises.
    pub(super) need: [u32; 2],
    /// Places that each input frees.
    pub(super) free: [u32; 2],
    /// Bit `i` is set where output `i` gets a beat.
    pub(super) gives: u32,
    /// What the data path does, low bits first.
    pub(super) micro: u128,
}

/// Fills the micro word of a phase from its low bits.
#[derive(Debug)]
pub(super) struct Micro<'a>(pub(super) &'a mut Step);

impl Micro<'_> {
    /// Sets `width` bits from bit `at` on.
    pub(super) fn set(&mut self, at: usize, width: usize, value: u64) {
        let mask = (1u128 << width) - 1;
        self.0.micro = self.0.micro & !(mask << at) | (u128::from(value) & mask) << at;
    }

    /// Sets a step of a reader from bit `at` on: banks down and to the right, words along.
    pub(super) fn moves(&mut self, at: usize, address: usize, (down, right, along): (usize, usize, u64)) {
        self.set(at, 4, down as u64);
        self.set(at + 4, 4, right as u64);
        self.set(at + 8, address, along);
    }
}

/// All phases of a frame, without micro words.
pub(super) fn steps(list: &PhaseList) -> Vec<Step> {
    let mut all = Vec::with_capacity(list.len() as usize);
    for phase in list.iter() {
        all.extend(std::iter::repeat_n(Step::default(), phase.idle as usize));
        let mut step = Step { gives: phase.gives, ..Step::default() };
        for take in &phase.takes {
            step.need[usize::from(take.input)] = take.need;
            step.free[usize::from(take.input)] = take.free;
        }
        all.push(step);
    }
    all.extend(std::iter::repeat_n(Step::default(), list.tail() as usize));
    all
}

/// The places and beats that an actor begins with.
#[derive(Clone, Debug, Default)]
pub(super) struct Start {
    /// For each input, beats that count as visible.
    pub(super) visible: Vec<u64>,
    /// For each link, places; links of output 1 behind those of output 0.
    pub(super) places: Vec<u64>,
    /// Of these, links on output 0.
    pub(super) first: usize,
    /// The most places that a link ever has: a reader may release beats that are still to be written.
    pub(super) most: u64,
    /// For each input, the depth of its channel.
    pub(super) depth: Vec<u64>,
}

/// By how many beats a reader's releases run ahead of what it has waited for, at the most.
pub(super) fn ahead(list: &PhaseList, input: u16) -> u64 {
    let preset = list.preset(input);
    let (mut need, mut free) = (0u64, preset.unread_head + preset.unread_tail);
    let takes = list.iter().flat_map(|phase| &phase.takes).filter(|take| take.input == input);
    takes.fold(free, |most, take| {
        (need, free) = (need + u64::from(take.need), free + u64::from(take.free));
        most.max(free.saturating_sub(need))
    })
}

/// The images and sizes of a control.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// Words.
    pub(super) words: usize,
    /// Bits of a count of passes.
    pub(super) repeat: usize,
    /// Bits of a count of repetitions.
    pub(super) run: usize,
    /// Bits of a need or free.
    pub(super) take: usize,
    /// Bits of a counter.
    pub(super) slack: usize,
    /// The images of words, flow and start.
    pub(super) images: [String; 3],
}

impl Program {
    /// The program of a frame of `steps`, with `micro` bits of micro word and `outputs` outputs.
    pub(super) fn new(steps: &[Step], micro: usize, outputs: usize, start: &Start) -> Program {
        let inputs = start.visible.len();
        let first = steps.first().copied().unwrap_or_default();
        let loops = Loops::new(steps.iter().copied());
        let most = |of: &dyn Fn(&Step) -> u64| steps.iter().map(of).max().unwrap_or(0);
        let take =
            unsigned((0..inputs).map(|i| most(&|s| s.need[i].max(s.free[i]).into())).max().unwrap_or(0));
        let run = unsigned(loops.words.iter().map(|w| w.run).max().unwrap_or(0));
        let repeat = unsigned(loops.words.iter().flat_map(|w| w.ends).flatten().max().unwrap_or(0));

        let words = loops.words.iter().map(|entry| {
            let mut word = Word::default();
            let step = &entry.phase;
            step.need[..inputs].iter().for_each(|&n| word.push(n.into(), take));
            step.free[..inputs].iter().for_each(|&n| word.push(n.into(), take));
            word.push(step.gives.into(), outputs);
            word.push(step.micro as i128, micro);
            word.push(entry.run.into(), run);
            word
        });
        let flows = loops.words.iter().map(|entry| {
            let mut word = Word::default();
            for end in entry.ends {
                word.push(end.is_some().into(), 1);
                word.push(end.unwrap_or(0).into(), repeat);
            }
            word
        });
        let slack = slack_bits(steps, start) + 1;
        let begin = (0..inputs).map(|i| start.visible[i] as i128 - i128::from(first.need[i]));
        let links = start.places.iter().enumerate().map(|(i, &places)| {
            let output = u32::from(i >= start.first);
            places as i128 - i128::from(first.gives >> output & 1)
        });
        let starts = begin.chain(links).map(|value| {
            let mut word = Word::default();
            word.push(value, slack);
            word
        });
        let images = [image(words), image(flows), image(starts)];
        Program { words: loops.words.len(), repeat, run, take, slack, images }
    }
}

/// Bits of the largest number that a counter holds, and of the largest that is taken off it.
fn slack_bits(steps: &[Step], start: &Start) -> usize {
    let mut most = start.places.iter().chain(&start.visible).copied().max().unwrap_or(0).max(start.most);
    for (i, &depth) in start.depth.iter().enumerate() {
        // What is released ahead of what is needed may arrive.
        let (mut need, mut free, mut ahead) = (0i64, start.visible[i] as i64, 0i64);
        for step in steps {
            need += i64::from(step.need[i]);
            free += i64::from(step.free[i]);
            ahead = ahead.max(free - need).max(i64::from(step.need[i]));
        }
        most = most.max(depth + ahead as u64 + start.visible[i]);
    }
    unsigned(most)
}
