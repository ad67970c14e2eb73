//! From a frame's phases, one by one, to a program of nested loops: equal neighbours once with a count, then runs of
//! equal blocks, level by level.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash};

use super::steps::Mixed;

/// Levels of loops around the repetition of a word.
pub const LEVELS: usize = 3;

/// Longest body that is looked for in one level.
const LONGEST: usize = 512;

/// A program over phases of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loops<T> {
    /// The words in order.
    pub(super) words: Vec<Entry<T>>,
}

/// A word of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<T> {
    /// The phase.
    pub phase: T,
    /// How often it is repeated behind the first time.
    pub run: u64,
    /// For each level, where a pass of its loop ends here, how many passes follow the first.
    pub ends: [Option<u64>; LEVELS],
}

impl<T: Clone + Eq + Hash> Loops<T> {
    /// The program of a list of phases, which is not empty: each with how many of it stand in a row, neighbours
    /// differing.
    pub(super) fn new(runs: impl IntoIterator<Item = (T, u64)>) -> Self {
        let (mut items, distinct) = interned(runs);
        let mut bodies: Vec<Vec<(Vec<u32>, u64)>> = Vec::new();
        for _ in 0..LEVELS {
            let (next, found) = interned(blocks(&items));
            items = next;
            bodies.push(found);
        }
        let mut words = Vec::new();
        for &item in &items {
            unroll(LEVELS, item, &distinct, &bodies, &mut words);
        }
        Loops { words }
    }
}

fn interned<K: Clone + Eq + Hash>(items: impl IntoIterator<Item = K>) -> (Vec<u32>, Vec<K>) {
    let (mut known, mut all) = (HashMap::<K, u32, BuildHasherDefault<Mixed>>::default(), Vec::new());
    let ids = items
        .into_iter()
        .map(|item| {
            *known.entry(item).or_insert_with_key(|item| {
                all.push(item.clone());
                all.len() as u32 - 1
            })
        })
        .collect();
    (ids, all)
}

/// For each place of a list, the shortest body that is repeated at once behind it, and how many items its repetitions
/// are; zeros where there is none.
fn repeats(items: &[u32]) -> Vec<(usize, usize)> {
    let mut all = vec![(0, 0); items.len()];
    let longest = LONGEST.min(items.len() / 2);
    let next = next_equal(items);
    // A body ends where the item of its place comes again. For each length, the places that have come to it.
    let mut open = vec![Vec::new(); longest + 1];
    let come = |open: &mut [Vec<usize>], at: usize, from: usize| {
        let length = next[from].map(|equal| equal - at).filter(|&length| length <= longest);
        length.into_iter().for_each(|length| open[length].push(at));
    };
    (0..items.len()).for_each(|at| come(&mut open, at, at));
    for length in 1..=longest {
        let mut places = std::mem::take(&mut open[length]);
        places.sort_unstable();
        // How many items from the place that was looked at last are those `length` further on.
        let (mut last, mut equal) = (items.len() - length, 0);
        for at in places.into_iter().rev() {
            let same = (at..last).take_while(|&k| items[k] == items[k + length]).count();
            equal = if at + same == last { same + equal } else { same };
            last = at;
            if equal >= length {
                all[at] = (length, equal / length * length);
            } else {
                come(&mut open, at, at + length);
            }
        }
    }
    all
}

/// For each place, the next one of an equal item.
fn next_equal(items: &[u32]) -> Vec<Option<usize>> {
    let kinds = items.iter().max().map_or(0, |&largest| largest as usize + 1);
    let (mut next, mut seen) = (vec![None; items.len()], vec![None; kinds]);
    for (at, &item) in items.iter().enumerate().rev() {
        next[at] = seen[item as usize].replace(at);
    }
    next
}

/// Cuts a list into blocks, each a body and how many passes follow the first. Bodies hold no repetition themselves: what
/// is repeated around them is found in the next level.
fn blocks(items: &[u32]) -> Vec<(Vec<u32>, u64)> {
    let repeats = repeats(items);
    let mut all = Vec::new();
    let (mut at, mut plain) = (0, 0);
    while at < items.len() {
        let (length, more) = repeats[at];
        let end = at + length;
        let inner = |k: usize| repeats[k].0 > 0 && k + 2 * repeats[k].0 <= end;
        if length == 0 || (at + 1..end).any(inner) {
            at += 1;
            continue;
        }
        if plain < at {
            all.push((items[plain..at].to_vec(), 0));
        }
        all.push((items[at..end].to_vec(), (more / length) as u64));
        at = end + more;
        plain = at;
    }
    if plain < items.len() {
        all.push((items[plain..].to_vec(), 0));
    }
    all
}

fn unroll<T: Clone>(
    level: usize,
    item: u32,
    distinct: &[(T, u64)],
    bodies: &[Vec<(Vec<u32>, u64)>],
    words: &mut Vec<Entry<T>>,
) {
    let Some(inner) = level.checked_sub(1) else {
        let (phase, count) = distinct[item as usize].clone();
        words.push(Entry { phase, run: count - 1, ends: [None; LEVELS] });
        return;
    };
    let (body, more) = &bodies[inner][item as usize];
    for &part in body {
        unroll(inner, part, distinct, bodies, words);
    }
    if let Some(last) = words.last_mut() {
        last.ends[inner] = Some(*more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The phases that a program runs through, by the rules of its words alone.
    fn run(program: &Loops<u8>) -> Vec<u8> {
        let (mut at, mut passes, mut begins) = (0, [0u64; LEVELS], [0usize; LEVELS]);
        let mut out = Vec::new();
        while at < program.words.len() {
            let word = &program.words[at];
            out.extend(std::iter::repeat_n(word.phase, word.run as usize + 1));
            let mut next = at + 1;
            let mut ended = Vec::new();
            for level in 0..LEVELS {
                let Some(more) = word.ends[level] else { break };
                if passes[level] < more {
                    passes[level] += 1;
                    next = begins[level];
                    break;
                }
                passes[level] = 0;
                ended.push(level);
            }
            for level in ended {
                begins[level] = next;
            }
            at = next;
        }
        out
    }

    /// Equal neighbours at once.
    fn runs(phases: &[u8]) -> Vec<(u8, u64)> {
        phases.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u64)).collect()
    }

    /// Numbers below what is asked for, all in their seed.
    fn draws(mut seed: u64) -> impl FnMut(u64) -> u64 {
        move |n| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % n
        }
    }

    #[test]
    fn programs_run_through_their_phases() {
        let mut draw = draws(7);
        for _ in 0..300 {
            let mut phases = vec![draw(3) as u8];
            while phases.len() < 400 {
                let from = phases.len().saturating_sub(1 + draw(9) as usize);
                let piece = phases[from..].to_vec();
                (0..1 + draw(6)).for_each(|_| phases.extend(&piece));
                phases.push(draw(3) as u8);
            }
            let program = Loops::new(runs(&phases));
            assert_eq!(run(&program), phases);
            assert!(program.words.len() <= phases.len());
        }
    }

    /// What [`repeats`] gives, place by place.
    fn repeats_by_search(items: &[u32]) -> Vec<(usize, usize)> {
        let behind = |at: usize, length: usize| {
            let body = &items[at..at + length];
            let repetitions = items[at + length..].chunks_exact(length).take_while(|next| *next == body);
            length * repetitions.count()
        };
        let shortest = |at: usize| {
            let most = LONGEST.min((items.len() - at) / 2);
            (1..=most).map(|length| (length, behind(at, length))).find(|found| found.1 > 0)
        };
        (0..items.len()).map(|at| shortest(at).unwrap_or_default()).collect()
    }

    #[test]
    fn the_shortest_body_is_found_at_each_place() {
        let mut draw = draws(3);
        for _ in 0..200 {
            let letters = 1 + draw(4);
            let mut items = vec![0; 1 + draw(3) as usize];
            while items.len() < 200 {
                let from = items.len() - 1 - draw(items.len().min(30) as u64) as usize;
                let piece = items[from..].to_vec();
                (0..draw(4)).for_each(|_| items.extend(&piece));
                items.push(draw(letters) as u32);
            }
            assert_eq!(repeats(&items), repeats_by_search(&items), "{items:?}");
        }
    }

    #[test]
    fn rows_of_pixels_are_stored_once() {
        let row = |first: u8| {
            let mut row = vec![first, 9, 9, 9];
            (0..30).for_each(|_| row.extend([1, 2, 2, 2, 3]));
            row.extend([4, 5]);
            row
        };
        let frame: Vec<u8> = row(0).into_iter().chain((0..40).flat_map(|_| row(6))).chain(row(7)).collect();
        let program = Loops::new(runs(&frame));
        assert_eq!(run(&program), frame);
        assert_eq!(program.words.len(), 3 * (2 + 3 + 2));
    }
}
