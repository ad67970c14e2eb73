//! Carries a plan out: sums lose the operands that go, and what served these alone goes with them.
//!
//! The skips that stay are analysed anew and keep their numbers. They are all found again: a sum never loses its
//! main operand, so the longest path to every main operand stays, and paths that go can only shorten a skip.

use std::collections::{BTreeMap, BTreeSet};

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, EditError, Network, Op};

use super::{Plan, Planned, Rewrite};
use crate::residual::{Skip, Skips, skips as analyse};

/// An operand of a sum.
type Place = (NodeId, u16);

/// Carries `plan` out on `network`, whose skips are `skips`. Types of values stay as they are.
///
/// # Errors
/// Sums that cannot lose a skip because what stays has another type, by name; all of them. The network is then
/// as it was.
pub fn apply(network: &mut Network, skips: &Skips, plan: Plan) -> Result<Planned, Diagnostics> {
    let gone: Vec<&Skip> = skips
        .iter()
        .zip(&plan.skips)
        .filter(|(_, entry)| entry.rewrite == Rewrite::Remove)
        .map(|(skip, _)| skip)
        .collect();
    if gone.is_empty() {
        return Ok(Planned { plan, skips: skips.clone(), removed: Vec::new() });
    }
    let mut changed = network.clone();
    let moved = remove(&mut changed, &gone)?;
    let numbers: BTreeSet<usize> = gone.iter().map(|skip| skip.number).collect();
    let kept: BTreeMap<Place, &Skip> = skips
        .iter()
        .filter(|skip| !numbers.contains(&skip.number))
        .map(|skip| {
            let place = (skip.join, skip.operand);
            (moved.get(&place).copied().unwrap_or(place), skip)
        })
        .collect();
    let left = relabelled(&analyse(&changed), &kept);
    let removed = skips.iter().filter(|skip| left.number(skip.number).is_none()).cloned().collect();
    *network = changed;
    Ok(Planned { plan, skips: left, removed })
}

/// The skips of `found` that are known at their places, under the numbers, labels and names by which they are known.
fn relabelled(found: &Skips, kept: &BTreeMap<Place, &Skip>) -> Skips {
    let old = |skip: &Skip| kept.get(&(skip.join, skip.operand)).copied();
    let number = |new: &usize| found.number(*new).and_then(old).map(|skip| skip.number);
    let known = found.iter().filter_map(|skip| Some((skip, old(skip)?)));
    let skips = known.map(|(skip, old)| Skip {
        number: old.number,
        label: old.label.clone(),
        names: old.names.clone(),
        encloses: skip.encloses.iter().filter_map(number).collect(),
        ..skip.clone()
    });
    let mut skips: Vec<Skip> = skips.collect();
    skips.sort_by_key(|skip| skip.number);
    Skips(skips)
}

/// Takes the skips `gone` out; says where operands of sums went that are now elsewhere.
fn remove(network: &mut Network, gone: &[&Skip]) -> Result<BTreeMap<Place, Place>, Diagnostics> {
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

/// Makes the readers of a sum read what stays of it. A rectifier behind a rectifier does nothing and goes too.
fn take(edit: &mut Edit<'_>, sum: Value, stays: Value) -> Result<(), EditError> {
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
