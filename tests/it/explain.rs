//! `nonresc explain` and `nonresc compare` as a user meets them.

use std::fs;

use crate::program::{example, nonresc_in};
use crate::snapshot;

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::copy(example("resnet8.onnx"), home.path().join("resnet8.onnx")).unwrap();
    home
}

#[test]
fn a_skip_is_explained() {
    let home = home();
    let by_number = nonresc_in(home.path(), &["explain", "resnet8.onnx", "1"]).done();
    snapshot("explain", "identity", &by_number);
    let by_name = nonresc_in(home.path(), &["explain", "resnet8.onnx", "block1.add"]).done();
    assert_eq!(by_name, by_number);
    let projection =
        nonresc_in(home.path(), &["explain", "resnet8.onnx", "2", "--device", "none", "--fps", "9000"]);
    snapshot("explain", "projection", &projection.done());
}

#[test]
fn what_cannot_be_explained_is_refused() {
    let home = home();
    let unknown = nonresc_in(home.path(), &["explain", "resnet8.onnx", "blok2.add"]).refused(1);
    assert!(unknown.contains("did you mean \"block2.add\"?"), "{unknown}");
    let several = nonresc_in(home.path(), &["explain", "resnet8.onnx", "1-2"]).refused(2);
    assert!(several.contains("name one of 1, 2"), "{several}");
}

#[test]
fn designs_are_compared() {
    let home = home();
    let flags = ["--device", "none", "--fps", "9000"];
    let plans = ["--skips", "keep", "--skips", "tap", "--skips", "remove"];
    let text =
        nonresc_in(home.path(), &[&["compare", "resnet8.onnx"], &flags[..], &plans[..]].concat()).done();
    snapshot("explain", "compare", &text);
    nonresc_in(home.path(), &[&["resnet8.onnx", "--out", "kept"], &flags[..]].concat()).done();
    let both = ["compare", "kept", "resnet8.onnx", "--format", "json"];
    let both = nonresc_in(home.path(), &[&both[..], &flags[..]].concat()).done();
    let both: serde_json::Value = serde_json::from_str(&both).unwrap();
    let (written, made) = (&both[0], &both[1]);
    assert_eq!((written["design"].as_str(), made["skips"].as_str()), (Some("kept"), Some("keep")));
    for figure in ["interval_clocks", "last_output_clock", "fifo_bits", "line_buffer_bits", "luts", "dsps"] {
        assert!(written[figure] == made[figure] && written[figure].is_number(), "{figure}: {both}");
    }
}

#[test]
fn files_that_are_no_schedules_are_refused() {
    let home = home();
    fs::create_dir(home.path().join("empty")).unwrap();
    fs::write(home.path().join("old.json"), "{\"version\": \"0.1\"}").unwrap();
    fs::write(home.path().join("odd.json"), "{\"version\": \"1.0\"}").unwrap();
    for (file, said) in [("empty", "compare/file"), ("old.json", "version"), ("odd.json", "no number at")] {
        let text = nonresc_in(home.path(), &["compare", file]).refused(1);
        assert!(text.contains(said), "{file}: {text}");
    }
}
