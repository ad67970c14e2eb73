//! `nonresc explain` and `nonresc compare` as a user meets them.

use std::fs;

use crate::program::{home, nonresc_in};
use crate::snapshot;

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
    let schedule =
        |version: &str| format!("{{\"format\": \"nonresc schedule\", \"version\": \"{version}\"}}");
    for (file, text) in [
        ("old.json", schedule("0.1")),
        ("next.json", schedule("2.0")),
        ("odd.json", schedule("1.0")),
        // Fields that are new break no reader.
        ("newer.json", schedule("1.7")),
        ("plan.json", "{\"version\": 1}".into()),
    ] {
        fs::write(home.path().join(file), text).unwrap();
    }
    for (file, said) in [
        ("empty", "compare/file"),
        ("old.json", "version"),
        ("next.json", "version"),
        ("odd.json", "no number at"),
        ("newer.json", "no number at"),
        ("plan.json", "its format"),
    ] {
        let text = nonresc_in(home.path(), &["compare", file]).refused(1);
        assert!(text.contains(said), "{file}: {text}");
    }
}

/// Every rewrite of all skips beside the baselines, and of each skip alone, as far as it fits.
#[test]
fn a_full_report_has_every_rewrite_of_every_skip() {
    let home = home();
    let flags = ["resnet8.onnx", "--device", "none", "--fps", "9000", "--report", "full", "--format", "json"];
    let text = nonresc_in(home.path(), &flags).done();
    let schedule: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = schedule["skip_report"]["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["figures"].is_object()), "{rows:?}");
    let count = |skips: &str, only: Option<u64>| {
        rows.iter().filter(|row| row["skips"] == skips && row["only"].as_u64() == only).count()
    };
    for all in ["kept", "tapped", "shared", "shortened", "shortened behind"] {
        assert_eq!(count(all, None), 3, "{all}");
    }
    // Skips 2 and 3 are projections, skip 1 is an identity.
    // All that carrying fits is skip 1, so that it has the rows of all skips alone.
    assert_eq!((count("exact", None), count("exact", Some(1)), count("fused", None)), (3, 0, 3));
    for (skip, fits, does_not) in [(1, "removed", "fused"), (2, "fused", "exact"), (3, "fused", "exact")] {
        assert_eq!((count(fits, Some(skip)), count(does_not, Some(skip))), (1, 0), "skip {skip}");
        for any in ["tapped", "shared", "shortened", "removed"] {
            assert_eq!(count(any, Some(skip)), 1, "{any} {skip}");
        }
    }
    let proven = rows.iter().filter(|row| row["fifos"] == "exact").map(|row| &row["figures"]);
    let all = |f: &serde_json::Value| f["proven_channels"] == f["searched_channels"];
    assert!(proven.clone().count() > 20 && proven.clone().all(all), "a channel is not proven");
}
