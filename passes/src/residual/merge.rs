//! Sums of several values: chains of two-operand adds read as one.

use super::flow::{Flow, Place};
use nonresc_ir::network::Op;

/// One operand of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// What is added.
    pub(super) value: Place,
    /// The add that reads it.
    pub(super) join: Place,
    /// As which operand.
    pub(super) operand: u16,
}

/// A sum: the adds that are read by no one but the next one, and the last of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Merge {
    /// The last add, whose result is the sum.
    pub(super) root: Place,
    /// What is added, as written from left to right.
    pub(super) leaves: Vec<Leaf>,
}

/// All merges, in order of their last adds.
pub(super) fn merges(flow: &Flow<'_>) -> Vec<Merge> {
    let roots = flow.all().filter(|&p| is_sum(flow, p) && !is_inner(flow, p));
    roots.map(|root| Merge { root, leaves: leaves(flow, root) }).collect()
}

/// Whether two different values that depend on the inputs are added here.
fn is_sum(flow: &Flow<'_>, place: Place) -> bool {
    matches!(flow.network().op(flow.node(place)), Op::Add(_)) && flow.operands(place).len() == 2
}

/// Whether a sum is but an operand of the next one.
fn is_inner(flow: &Flow<'_>, place: Place) -> bool {
    match *flow.readers(place) {
        [reader] => is_sum(flow, reader) && !flow.network().is_output(flow.value(place)),
        _ => false,
    }
}

fn leaves(flow: &Flow<'_>, root: Place) -> Vec<Leaf> {
    let operands = |join: Place| {
        let values = flow.network().operands(flow.node(join)).into_iter().enumerate();
        values.filter_map(move |(operand, v)| {
            Some(Leaf { value: flow.place(v.node)?, join, operand: operand as u16 })
        })
    };
    let mut leaves = Vec::new();
    let mut pending: Vec<Leaf> = operands(root).collect();
    pending.reverse();
    while let Some(leaf) = pending.pop() {
        if is_sum(flow, leaf.value) && is_inner(flow, leaf.value) {
            let first = pending.len();
            pending.extend(operands(leaf.value));
            pending[first..].reverse();
        } else {
            leaves.push(leaf);
        }
    }
    leaves
}
