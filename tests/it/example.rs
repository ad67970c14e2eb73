//! The networks under `examples/` are what their maker makes, byte for byte, and its script runs.

#[path = "../../examples/make_resnet8.rs"]
#[allow(dead_code, reason = "the maker's own entry is not called here")]
mod make_resnet8;

use std::process::Command;

use crate::program::{example, home, nonresc_in};

#[test]
fn examples_are_what_their_maker_makes() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    let made = [("resnet8", make_resnet8::resnet8()), ("block", make_resnet8::block())];
    for (name, network) in made {
        let made = nonresc_ir::onnx::export::export(&network.unwrap()).unwrap();
        let file = std::fs::read(format!("{examples}/{name}.onnx")).unwrap();
        assert!(file == made, "run the command in examples/README.md again: {name}");
    }
}

/// What the script prints is what the schedule says; it is the reader that a user starts from.
#[test]
fn the_reader_of_schedules_says_what_they_say() {
    let home = home();
    nonresc_in(home.path(), &["resnet8.onnx", "--fps", "5000", "--out", "build", "--emit", "schedule"])
        .done();
    let path = home.path().join("build/schedule.json");
    let output = Command::new("python3").arg(example("read_schedule.py")).arg(&path).output();
    let output = output.expect("install python3: the script is in Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let schedule: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let fps = schedule["timing"]["frames_per_second"].as_f64().unwrap();
    assert!(text.starts_with(&format!("{fps:.0} frames/s, bound by ")), "{text}");
    let bits = |channel: &serde_json::Value| {
        ["lanes", "bits", "needed_words"]
            .map(|field| channel[field].as_u64().unwrap())
            .iter()
            .product::<u64>()
    };
    let most = schedule["channels"].as_array().unwrap().iter().map(bits).max().unwrap();
    let first = text.lines().nth(1).unwrap().trim_start().replace(',', "");
    assert!(first.starts_with(&format!("{most} bits")), "{most}: {text}");
    assert_eq!(text.lines().count(), 6);
}
