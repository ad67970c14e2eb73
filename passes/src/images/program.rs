//! The images of a control: words, what follows each of them, and what counters begin with.

use super::word::Word;
use crate::control::Program;

/// The images of words, flow and start.
pub fn control(program: &Program) -> [Vec<Word>; 3] {
    let Program { inputs, outputs, micro, run, take, slack, .. } = *program;
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
    let bits = program.flow_bits();
    let flows = program.words.iter().map(|entry| {
        let kind = program.kinds.iter().position(|kind| *kind == entry.ends).unwrap_or(0);
        let mut word = Word::default();
        word.push(kind as i128, bits);
        word
    });
    let starts = program.starts.iter().map(|&value| {
        let mut word = Word::default();
        word.push(value.into(), slack);
        word
    });
    [words.collect(), flows.collect(), starts.collect()]
}

/// The kinds of a program's flows, a word each: as in [`loops`].
pub fn kinds(program: &Program) -> Vec<Word> {
    let kinds = program.kinds.iter().map(|kind| {
        let mut word = Word::default();
        for end in kind {
            word.push(end.is_some().into(), 1);
            word.push(end.unwrap_or(0).into(), program.repeat);
        }
        word
    });
    kinds.collect()
}

/// The kinds of a program's flows, one behind the other: for each level whether a pass ends, and how many follow the
/// first.
pub fn loops(program: &Program) -> Word {
    let mut word = Word::default();
    kinds(program).iter().for_each(|kind| word.append(kind));
    word
}
