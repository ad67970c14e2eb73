//! Any bytes as a plan, by word, by list or as `plan.json`, for networks with skips of every shape: a network that
//! keeps its invariants and a plan that reads back as itself, or an error; never a panic or a hang.
//!
//! The first byte says which network, and whether what follows is a list or JSON, in which `NETWORK` stands for the
//! network's digest.
#![no_main]

mod networks;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use networks::{blocks, crossed};
use nonresc_ir::network::{Network, digest, verify};
use nonresc_passes::plan::{Request, apply};
use nonresc_passes::residual::{Skips, skips};

static NETWORKS: LazyLock<[(Network, Skips); 2]> = LazyLock::new(|| [blocks(), crossed()]);

fuzz_target!(|bytes: &[u8]| {
    let Some((&form, rest)) = bytes.split_first() else { return };
    let (network, found) = &NETWORKS[usize::from(form & 1)];
    let text = String::from_utf8_lossy(rest);
    let request = if form & 2 == 0 {
        Request::parse(&text)
    } else {
        Request::from_json(&text.replace("NETWORK", &digest(network)))
    };
    let request = match request {
        Ok(request) => request,
        Err(fault) => return assert!(!fault.to_string().is_empty()),
    };
    let plan = match request.resolve(network, found) {
        Ok(plan) => plan,
        Err(faults) => return assert!(!faults.is_empty()),
    };
    let again = Request::from_json(&plan.to_json()).expect("what is written reads back");
    assert_eq!(again.resolve(network, found).expect("and is for the same network").skips, plan.skips);
    let mut changed = network.clone();
    match apply(&mut changed, found, plan) {
        Ok(planned) => {
            verify(&changed).expect("the invariants hold");
            assert_eq!(skips(&changed).len(), planned.skips.len());
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            assert_eq!(digest(&changed), digest(network), "a refused plan changes nothing");
        }
    }
});
