//! Takes skips out: sums lose the operands that go, and what served these alone goes with them.

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, EditError, Network, Op};

use super::apply::Place;
use crate::residual::Skip;

/// Takes the skips `gone` out; says where operands of sums went that are now elsewhere.
pub(super) fn remove(network: &mut Network, gone: &[&Skip]) -> Result<BTreeMap<Place, Place>, Diagnostics> {
    let cycle =
        || Diagnostic::new("plan/remove", "the network", "it has a cycle", "give a network without one");
    let order = network.topological().ok_or_else(cycle)?;
    let mut without: BTreeMap<NodeId, BTreeMap<u16, &Skip>> = BTreeMap::new();
    for &skip in gone {
        without.entry(skip.join).or_default().insert(skip.operand, skip);
    }
    let mut moved: BTreeMap<Place, Place> = BTreeMap::new();
    let mut faults = Diagnostics::default();
    let mut edit = Edit::new(network);
    // Operands first: a sum that loses both its operands is an operand that its own reader loses.
    for join in order {
        let Some(operands) = without.remove(&join) else { continue };
        let users = edit.users(join.into());
        let stays = (0..2u16).find(|operand| !operands.contains_key(operand));
        let Some(stays) = stays else {
            let skip = operands.values().next().copied();
            for ((reader, operand), skip) in users.into_iter().zip(skip) {
                without.entry(reader).or_default().insert(operand, skip);
            }
            continue;
        };
        let value = edit.operands(join)[usize::from(stays)];
        if edit.ty(value) != edit.ty(join.into()) {
            operands.values().for_each(|skip| faults.push(cannot_stand_alone(&edit, skip, join, value)));
            continue;
        }
        if let [user] = users[..] {
            moved.values_mut().filter(|to| **to == (join, stays)).for_each(|to| *to = user);
            moved.insert((join, stays), user);
        }
        if let Err(fault) = take(&mut edit, join.into(), value) {
            faults.push(refused(&edit, join, &fault));
        }
    }
    edit.remove_dead();
    faults.or(moved)
}

/// Makes the readers of a sum read what stays of it. A rectifier behind a rectifier does nothing and goes too, and so
/// does a quantiser that rounded for the sum alone: what stays is rounded where the sum was.
fn take(edit: &mut Edit<'_>, sum: Value, stays: Value) -> Result<(), EditError> {
    let stays = unrounded(edit, sum, stays);
    edit.replace(sum, stays)?;
    if matches!(edit.op(stays.node), Op::Relu(_)) {
        for (user, _) in edit.users(stays) {
            if matches!(edit.op(user), Op::Relu(_)) {
                edit.replace(user.into(), stays)?;
            }
        }
    }
    Ok(())
}

/// What was rounded for a sum alone, where the sum itself is rounded behind.
fn unrounded(network: &Network, sum: Value, stays: Value) -> Value {
    let rounds = |&(user, _): &(NodeId, u16)| matches!(network.op(user), Op::Quantise(_) | Op::Relu(_));
    let behind = network.users(sum);
    let alone = |value: Value| network.users(value).len() == 1 && !network.is_output(value);
    let (Op::Dequantise(_), true) = (network.op(stays.node), alone(stays)) else { return stays };
    let codes = network.operands(stays.node)[0];
    match network.op(codes.node) {
        Op::Quantise(_) if alone(codes) && !behind.is_empty() && behind.iter().all(rounds) => {
            network.operands(codes.node)[0]
        }
        _ => stays,
    }
}

fn cannot_stand_alone(network: &Network, skip: &Skip, join: NodeId, stays: Value) -> Diagnostic {
    Diagnostic::new(
        "plan/remove",
        format!("skip {} of the sum \"{}\" cannot be removed", skip.label, skip.names),
        format!("the sum is {}, and what stays of it is {}", network.ty(join.into()), network.ty(stays)),
        format!("keep it: {}:keep", skip.label),
    )
}

fn refused(network: &Network, join: NodeId, fault: &EditError) -> Diagnostic {
    let sum = &network.node(join).names;
    Diagnostic::new(
        "plan/remove",
        format!("the sum \"{sum}\" cannot go"),
        fault.to_string(),
        "keep its skips",
    )
}
