//! The images of a control: words, what follows each of them, and what counters begin with.

use super::word::Word;
use crate::control::Program;

/// The images of words, flow and start.
pub fn control(program: &Program) -> [Vec<Word>; 3] {
    let Program { inputs, outputs, micro, repeat, run, take, slack, .. } = *program;
    let words = program.words.iter().map(|entry| {
        let mut word = Word::default();
        let step = &entry.phase;
        step.need[..inputs].iter().for_each(|&n| word.push(n.into(), take));
        step.free[..inputs].iter().for_each(|&n| word.push(n.into(), take));
        word.push(step.gives.into(), outputs);
        word.push(step.micro as i128, micro);
        word.push(entry.run.into(), run);
        word
    });
    let flows = program.words.iter().map(|entry| {
        let mut word = Word::default();
        for end in entry.ends {
            word.push(end.is_some().into(), 1);
            word.push(end.unwrap_or(0).into(), repeat);
        }
        word
    });
    let starts = program.starts.iter().map(|&value| {
        let mut word = Word::default();
        word.push(value.into(), slack);
        word
    });
    [words.collect(), flows.collect(), starts.collect()]
}
