//! Phases as the words of a control: nested loops over what each phase needs, frees and gives, and its micro word.

use std::ops::Range;

use super::loops::{Entry, LEVELS, Loops};
use super::steps::{Start, Step, Steps, ahead};
use super::unsigned;

/// The words and sizes of a control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The words in order.
    pub words: Vec<Entry<Step>>,
    /// What follows words, each kind once, in the order of the words: for each level, where a pass ends, how many follow
    /// the first.
    pub kinds: Vec<[Option<u64>; LEVELS]>,
    /// What each input and then each link begins with, beyond the first phase.
    pub starts: Vec<i64>,
    /// Inputs.
    pub inputs: usize,
    /// Outputs.
    pub outputs: usize,
    /// Bits of a micro word.
    pub micro: usize,
    /// Bits of a count of passes.
    pub repeat: usize,
    /// Bits of a count of repetitions.
    pub run: usize,
    /// Bits of a need or free.
    pub take: usize,
    /// Bits of a counter.
    pub slack: usize,
}

impl Program {
    /// The program of a frame of `steps`, with `micro` bits of micro word and `outputs` outputs.
    pub(super) fn new(steps: &Steps, micro: usize, outputs: usize, start: &Start) -> Program {
        let inputs = start.visible.len();
        let first = steps.runs().next().map(|(_, first)| first).unwrap_or_default();
        let of_kind =
            |word: Entry<u32>| Entry { phase: steps.kind(word.phase), run: word.run, ends: word.ends };
        let words: Vec<Entry<Step>> = Loops::new(steps.kinds()).words.into_iter().map(of_kind).collect();
        let takes = words.iter().flat_map(|w| w.phase.need[..inputs].iter().chain(&w.phase.free[..inputs]));
        let take = unsigned(takes.copied().max().unwrap_or(0).into());
        let run = unsigned(words.iter().map(|w| w.run).max().unwrap_or(0));
        let repeat = unsigned(words.iter().flat_map(|w| w.ends).flatten().max().unwrap_or(0));
        let slack = slack_bits(steps, start) + 1;
        let begin = (0..inputs).map(|i| start.visible[i] as i64 - i64::from(first.need[i]));
        let links = start.places.iter().enumerate().map(|(i, &places)| {
            let output = u32::from(i >= start.first);
            places as i64 - i64::from(first.gives >> output & 1)
        });
        let starts = begin.chain(links).collect();
        let mut kinds = Vec::new();
        for word in &words {
            if !kinds.contains(&word.ends) {
                kinds.push(word.ends);
            }
        }
        Program { words, kinds, starts, inputs, outputs, micro, repeat, run, take, slack }
    }

    /// Bits of a word: needs, frees, gives, micro word, repetitions.
    pub fn word_bits(&self) -> usize {
        2 * self.inputs * self.take + self.outputs + self.micro + self.run
    }

    /// Bits of a word's flow: which kind it is.
    pub fn flow_bits(&self) -> usize {
        unsigned(self.kinds.len().saturating_sub(1) as u64)
    }

    /// Bits of all that counters begin with.
    pub fn start_bits(&self) -> usize {
        self.starts.len() * self.slack
    }
}

/// Bits of the largest number that a counter holds, and of the largest that is taken off it.
fn slack_bits(steps: &Steps, start: &Start) -> usize {
    let mut most = start.places.iter().chain(&start.visible).copied().max().unwrap_or(0).max(start.most);
    for (i, &depth) in start.depth.iter().enumerate() {
        // What is released ahead of what is needed may arrive.
        let takes = || {
            let of = |(phases, step): (Range<u64>, Step)| {
                (step.need[i].into(), step.free[i].into(), phases.end - phases.start)
            };
            steps.runs().map(of)
        };
        let released = ahead(start.visible[i], takes());
        let needed = takes().map(|(need, ..)| need).max().unwrap_or(0);
        most = most.max(depth + released.max(needed) + start.visible[i]);
    }
    unsigned(most)
}
