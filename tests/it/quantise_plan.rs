//! Bits by layer in a plan: what the program writes, a user adds widths to, and quantises with.

use std::fs;
use std::path::Path;

use nonresc_ir::text;
use nonresc_passes::plan::Request;
use nonresc_passes::target::Bits;
use serde_json::{Value, json};

use crate::program::{home, nonresc_in};
use crate::quantise::{normal, skips};

/// A plan that the program has written, with widths that a user adds.
fn with_bits(home: &Path, bits: &Value) {
    let path = home.join("a/plan.json");
    let mut plan: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(plan.get("bits"), None);
    plan["bits"] = bits.clone();
    fs::write(home.join("plan.json"), plan.to_string()).unwrap();
}

/// Codes of the weights and of the result of a layer, as they are printed.
fn codes(printed: &str, layer: &str) -> (String, String) {
    let of = |tensor: &str| {
        let line = printed.lines().find(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(layer) && words.next() == Some(tensor)
        });
        line.unwrap_or_else(|| panic!("{layer} in {printed}")).split_whitespace().nth(2).unwrap().to_string()
    };
    (of("weights"), of("result"))
}

#[test]
fn a_plan_gives_layers_their_bits() {
    let home = home();
    let in_home = |arguments: &[&str]| nonresc_in(home.path(), arguments);
    let before = in_home(&["resnet8.onnx", "--stop-after", "plan", "--skips", "2:remove", "--out", "a"]);
    assert!(!before.stderr.contains("bits"), "{}", before.stderr);
    before.done();
    let plain = in_home(&["quantise", "resnet8.onnx"]).done();
    let layers: Vec<&str> = plain
        .lines()
        .filter_map(|line| line.split_once(" weights ").map(|(layer, _)| layer.trim()))
        .collect();
    let (first, second) = (layers[0], layers[1]);
    with_bits(
        home.path(),
        &json!([
            { "layer": second, "weights": 3, "activations": 2 },
            { "layer": first, "weights": 5, "activations": 6 },
        ]),
    );
    let also = format!("{second}=w7a4");
    let flags = ["quantise", "resnet8.onnx", "--skips", "plan.json", "--layer-bits", &also, "--out", "q"];
    let ended = in_home(&flags);
    assert!(ended.stderr.contains("skip 2 was removed"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("plan's bits"), "{}", ended.stderr);
    let printed = ended.done();
    let pair = |weights: &str, result: &str| (weights.to_string(), result.to_string());
    assert_eq!(codes(&printed, first), pair("i5", "u6"));
    assert_eq!(codes(&printed, second), pair("i7", "u4"), "the flag goes before the plan");
    assert_eq!(codes(&plain, first), pair("i8", "u8"));
    // The skip is no longer in the network.
    let sums = |file: &str| {
        let text = fs::read_to_string(home.path().join(file)).unwrap();
        text.lines().filter(|line| line.contains(" = add ") && !line.contains("_ties")).count()
    };
    in_home(&["quantise", "resnet8.onnx", "--out", "kept"]).done();
    assert_eq!(sums("q/network.nir") + 1, sums("kept/network.nir"));

    // Compiling carries the widths along and says for what they are.
    let compiled = in_home(&["resnet8.onnx", "--stop-after", "plan", "--skips", "plan.json", "--out", "b"]);
    compiled.done();
    let read =
        |file: &str| -> Value { serde_json::from_slice(&fs::read(home.path().join(file)).unwrap()).unwrap() };
    assert_eq!(read("b/plan.json"), read("plan.json"));

    with_bits(home.path(), &json!([{ "layer": "nowhere", "weights": 5, "activations": 6 }]));
    let unknown = in_home(&["quantise", "resnet8.onnx", "--skips", "plan.json"]).refused(1);
    assert!(unknown.contains("error[quantise/layer]: bits for layer \"nowhere\""), "{unknown}");
    let choice = in_home(&["quantise", "resnet8.onnx", "--skips", "auto"]).refused(2);
    assert!(choice.contains("error[usage/skips]"), "{choice}");
}

/// A design does not have the widths of a plan, and says so.
#[test]
fn widths_are_kept_and_told() {
    let mut network = normal(skips());
    let found = nonresc_passes::residual::skips(&network);
    let mut plan = Request::KEEP.resolve(&network, &found).unwrap();
    plan.bits.insert("stem".into(), Bits { weights: 1, activations: 16 });
    let written = plan.to_json();
    let read = Request::from_json(&written).unwrap();
    assert_eq!(read, Request::from(plan.clone()));
    let again = read.resolve(&network, &found).unwrap();
    assert_eq!((again.to_json(), again.bits.clone()), (written.clone(), plan.bits.clone()));
    let before = text::print(&network);
    let notes = nonresc_passes::plan::apply(&mut network, &found, again).unwrap().notes();
    assert_eq!(text::print(&network), before);
    let codes: Vec<&str> = notes.iter().map(|note| note.code).collect();
    assert_eq!(codes, ["plan/bits"]);

    for (from, to, why) in [
        ("\"weights\": 1", "\"weights\": 0", "weights of 0 bits"),
        ("\"activations\": 16", "\"activations\": 17", "activations of 17 bits"),
        ("\"layer\"", "\"node\"", "unknown field `node`"),
    ] {
        let fault = Request::from_json(&written.replace(from, to)).unwrap_err().to_string();
        assert!(fault.contains("error[plan/json]") && fault.contains(why), "{fault}");
    }
    let mut twice: Value = serde_json::from_str(&written).unwrap();
    let one = twice["bits"][0].clone();
    twice["bits"].as_array_mut().unwrap().push(one);
    let fault = Request::from_json(&twice.to_string()).unwrap_err().to_string();
    assert!(fault.contains("\"stem\" has bits twice"), "{fault}");
}
