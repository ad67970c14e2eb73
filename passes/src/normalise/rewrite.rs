//! Applying rules until none matches. No rule is known here.
//!
//! Nodes wait in a queue, at first in topological order. Where a rule matches, the nodes that it touched and
//! their readers wait again, so that the work is linear in the number of rewrites; a last walk over all nodes
//! proves that nothing matches any more. Same network, same order of rewrites.

use std::collections::{BTreeSet, VecDeque};

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Edit, EditError};

use super::Applied;

/// What a rule says of a node: whether it matched and changed the network.
pub(super) type Outcome = Result<bool, EditError>;

/// A small rewrite around one node.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    name: &'static str,
    apply: fn(&mut Edit<'_>, NodeId) -> Outcome,
}

impl Rule {
    pub(super) const fn new(name: &'static str, apply: fn(&mut Edit<'_>, NodeId) -> Outcome) -> Self {
        Rule { name, apply }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }
}

/// Rewrites that a network may take for each of its nodes before a rule is held to run in circles.
const MOST_FOR_A_NODE: usize = 200;

/// Applies `rules` until none of them matches anywhere.
///
/// # Errors
/// A cycle in the network, an edit that is refused, rules that never come to rest: faults of a rule.
pub(super) fn to_fixed_point(
    edit: &mut Edit<'_>,
    rules: &[Rule],
    applied: &mut Vec<Applied>,
) -> Result<(), Diagnostics> {
    let limit = applied.len() + MOST_FOR_A_NODE * (edit.len() + 1);
    loop {
        let before = applied.len();
        let order = edit.topological().ok_or_else(|| fault("the network", "it has a cycle".into()))?;
        let mut waiting: BTreeSet<NodeId> = order.iter().copied().collect();
        let mut queue = VecDeque::from(order);
        while let Some(node) = queue.pop_front() {
            waiting.remove(&node);
            if !visit(edit, node, rules, applied)? {
                continue;
            }
            if applied.len() > limit {
                let last = applied.last().map_or("a rule", |a| a.rule);
                return Err(fault(last, "it is applied again and again".into()));
            }
            for node in next(edit, node) {
                if waiting.insert(node) {
                    queue.push_back(node);
                }
            }
        }
        if applied.len() == before {
            return Ok(());
        }
    }
}

/// Tries all rules on a node, and says whether one matched.
fn visit(
    edit: &mut Edit<'_>,
    node: NodeId,
    rules: &[Rule],
    applied: &mut Vec<Applied>,
) -> Result<bool, Diagnostics> {
    for rule in rules {
        if !edit.contains(node) {
            break;
        }
        let names = edit.node(node).names.clone();
        let matched = (rule.apply)(edit, node).map_err(|e| fault(rule.name, format!("of {names}: {e}")))?;
        if matched {
            applied.push(Applied { rule: rule.name, names });
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes what nothing reads any more, and gives the nodes for which something may have changed: `node`, the
/// touched ones, who reads them.
fn next(edit: &mut Edit<'_>, node: NodeId) -> Vec<NodeId> {
    let mut touched: BTreeSet<NodeId> = BTreeSet::from([node]);
    loop {
        let more = edit.take_touched();
        if more.is_empty() {
            break;
        }
        for &node in &more {
            edit.remove_unread(node);
        }
        touched.extend(more);
    }
    touched.retain(|&n| edit.contains(n));
    let readers: Vec<NodeId> =
        touched.iter().flat_map(|&n| edit.users(n.into())).map(|(reader, _)| reader).collect();
    let near: BTreeSet<NodeId> = touched.into_iter().chain(readers).collect();
    near.into_iter().collect()
}

fn fault(what: &str, why: String) -> Diagnostics {
    Diagnostic::new("normalise/rule", what, why, "report this as a fault of nonresc").into()
}
