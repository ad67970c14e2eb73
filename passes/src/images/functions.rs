//! Constant memories as functions of their address: which bits differ, and how many LUTs they take.

use std::collections::BTreeSet;

use super::word::Word;

/// Inputs of the largest function that wide multiplexers make of LUTs of six inputs.
const WIDE: usize = 8;

/// For each bit of the words, whether it is neither the same in all words nor a copy of one before it.
pub fn functions(words: &[Word]) -> Vec<bool> {
    let mut seen = BTreeSet::new();
    columns(words).into_iter().map(|column| !is_constant(&column) && seen.insert(column)).collect()
}

/// LUTs of six inputs that make all bits of the words out of their address.
pub fn luts(words: &[Word]) -> u64 {
    let mut seen = BTreeSet::new();
    columns(words).into_iter().map(|column| made(&whole(&column), &mut seen)).sum()
}

fn columns(words: &[Word]) -> Vec<Vec<bool>> {
    let width = words.first().map_or(0, |word| word.bits().len());
    (0..width).map(|bit| words.iter().map(|word| word.bits()[bit]).collect()).collect()
}

fn is_constant(table: &[bool]) -> bool {
    table.iter().all(|&bit| bit == table[0])
}

/// The table with a power of two as length: where there is no word it is as half the table before.
fn whole(table: &[bool]) -> Vec<bool> {
    let length = table.len().next_power_of_two();
    if length == table.len() {
        return table.to_vec();
    }
    let (low, high) = table.split_at(length / 2);
    let mut high = whole(high);
    while high.len() < length / 2 {
        high.extend_from_within(..);
    }
    [low, &high].concat()
}

/// The table without the address bits that it does not hang on.
fn reduced(table: &[bool]) -> Vec<bool> {
    let mut table = table.to_vec();
    let mut step = table.len() / 2;
    while step > 0 {
        let low = |i: &usize| i & step == 0;
        let places = || (0..table.len()).filter(low);
        if places().all(|i| table[i] == table[i + step]) {
            table = places().map(|i| table[i]).collect();
        }
        step /= 2;
    }
    table
}

/// LUTs of a table beside those that are `seen`: one of its own, several behind wide multiplexers, or two halves and a
/// LUT that chooses.
fn made(table: &[bool], seen: &mut BTreeSet<Vec<bool>>) -> u64 {
    let mut table = reduced(table);
    if table[0] {
        table.iter_mut().for_each(|bit| *bit = !*bit);
    }
    let inputs = table.len().ilog2() as usize;
    if inputs <= 1 || !seen.insert(table.clone()) {
        return 0;
    }
    if inputs <= 6 {
        return 1;
    }
    let (low, high) = table.split_at(table.len() / 2);
    match inputs > WIDE || is_constant(low) || is_constant(high) {
        true => made(low, seen) + made(high, seen) + 1,
        false => 1 << (inputs - 6),
    }
}
