//! Plans on every file of the corpora: what removal leaves is a network with outputs of the same types, and a plan
//! that was written reads back as itself.

use nonresc_ir::network::{Network, ValueType, verify};
use nonresc_passes::plan::{Plan, Request, Rewrite, apply};
use nonresc_passes::residual::{Skips, skips};
use nonresc_tests::corpus::normal_networks;

/// Files with more skips than these lose them all at once and not one by one as well.
const ONE_BY_ONE: usize = 40;

fn outputs(network: &Network) -> Vec<(String, ValueType)> {
    network.outputs().iter().map(|o| (o.name.clone(), network.ty(o.value).clone())).collect()
}

/// What is wrong with `network` after `plan`.
fn faults(network: &Network, found: &Skips, plan: &Plan) -> Result<(), String> {
    let mut changed = network.clone();
    let planned = apply(&mut changed, found, plan.clone()).map_err(|e| e.to_string())?;
    verify(&changed).map_err(|e| e.to_string())?;
    if outputs(&changed) != outputs(network) {
        return Err("outputs are of other types".into());
    }
    let left = skips(&changed);
    if left.len() != planned.skips.len() {
        return Err(format!("{} skips are left, and {} are found", planned.skips.len(), left.len()));
    }
    let gone: Vec<&str> = plan.changing().map(|e| &*e.skip).collect();
    match planned.skips.iter().find(|skip| gone.contains(&&*skip.label)) {
        Some(skip) => Err(format!("skip {} is still there", skip.label)),
        None => Ok(()),
    }
}

/// Sums of a map and one number a channel: what is left without the map is no map.
const GATES: [&str; 2] = ["s_add_broadcast_c", "s_add_broadcast_hw"];

#[test]
fn every_skip_can_be_removed() {
    let mut wrong = Vec::new();
    let (mut files, mut plans) = (0, 0);
    for (name, network) in normal_networks() {
        let found = skips(&network);
        files += 1;
        let all = Request::REMOVE.resolve(&network, &found).unwrap();
        let mut tried = vec![(String::from("all"), all.clone())];
        if found.len() <= ONE_BY_ONE {
            for skip in found.iter() {
                let one = format!("{}:remove", skip.label);
                let plan = Request::parse(&one).unwrap().resolve(&network, &found).unwrap();
                assert_eq!(plan.changing().count(), 1, "{name} {one}");
                tried.push((one, plan));
            }
        }
        plans += tried.len();
        for (what, plan) in tried {
            match faults(&network, &found, &plan) {
                Err(why) if GATES.contains(&&*name) => {
                    assert!(why.contains("error[plan/remove]"), "{name} {what}: {why}");
                }
                Err(why) => wrong.push(format!("{name} {what}: {why}")),
                Ok(()) => {}
            }
        }
        let text = all.to_json();
        let read = Request::from_json(&text).unwrap().resolve(&network, &found).unwrap();
        assert_eq!(read, all, "{name}");
        assert!(read.skips.iter().all(|entry| entry.rewrite == Rewrite::Remove));
    }
    println!("{files} files, {plans} plans, {} faults", wrong.len());
    assert!(wrong.is_empty(), "{} faults\n{}", wrong.len(), wrong.join("\n"));
}
