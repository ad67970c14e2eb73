//! census
use std::collections::BTreeMap;
use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_tests::corpus::{folder, json};
#[test]
fn census() {
    for (dir, key) in [("models", "models"), ("cases", "cases")] {
        let dir = folder().join(dir);
        for e in json(&dir.join("manifest.json"))[key].as_array().unwrap() {
            if e["expect"] != "accept" && e["expect"] != "accept_or_refuse" { continue; }
            let name = e["file"].as_str().unwrap();
            let Ok(i) = import_file(&dir.join(name), &ImportOptions::default()) else { continue };
            let mut c: BTreeMap<String, usize> = BTreeMap::new();
            for n in i.network.node_ids() {
                let op = i.network.op(n).name();
                if op == "const" { continue; }
                let consts = i.network.operands(n).iter().filter(|v| i.network.constant(**v).is_some()).count();
                let extra = if matches!(op, "add"|"mul"|"sub"|"div"|"matmul"|"concat"|"dequantise"|"quantise") { format!("/{consts}") } else { String::new() };
                let t = if matches!(op, "transpose"|"reshape"|"cast"|"matmul"|"reduce_mean"|"slice"|"pad") { format!("{:?} {}", i.network.op(n).attributes(), i.network.ty(i.network.operands(n)[0])) } else { String::new() };
                *c.entry(format!("{op}{extra}{t}")).or_default() += 1;
            }
            println!("{name} in={} {:?}", i.network.ty(i.network.inputs()[0].node.into()), c);
        }
    }
}
