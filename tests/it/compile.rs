//! `nonresc MODEL` from end to end on `examples/resnet8.onnx`: report, files, dumps, refusals, the same bytes again.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nonresc_backends::schedule;
use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_ir::onnx::messages::{ModelProto, NodeProto};
use nonresc_passes::design::{Design, NetworkDesign, Options};
use nonresc_passes::device::Device;
use nonresc_passes::manager::{self, Checks};
use nonresc_passes::target::{Bits, Rate, Target};
use nonresc_tests::seed::Seed;
use prost::Message as _;

use crate::program::{example, home, names, nonresc_in};
use crate::run_eval::two_outputs;
use crate::snapshot;

/// The files of an output folder and what they hold, sorted by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    names(folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

#[test]
fn the_report_fits_100_columns() {
    let home = home();
    let text = nonresc_in(home.path(), &["resnet8.onnx", "--target", "fpga"]).done();
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    snapshot("compile", "report", &text);
    let removed =
        ["resnet8.onnx", "--skips", "1:remove", "--device", "xc7z020", "--fps", "3400", "--clock", "100"];
    let text = nonresc_in(home.path(), &removed).done();
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    snapshot("compile", "report_without_a_skip", &text);
}

#[test]
fn effort_decides_what_is_proven() {
    let home = home();
    let proofs = |flags: &[&str]| {
        let text = nonresc_in(home.path(), &[&["resnet8.onnx", "--format", "json"], flags].concat()).done();
        let schedule: serde_json::Value = serde_json::from_str(&text).unwrap();
        let channels = schedule["channels"].as_array().unwrap().clone();
        let words = channels.iter().map(|c| c["needed_words"].as_u64().unwrap()).sum::<u64>();
        (channels.iter().filter(|c| c["evidence"]["proven"] == true).count(), channels.len(), words)
    };
    let (by_default, full, fast) =
        (proofs(&[]), proofs(&["--effort", "full"]), proofs(&["--effort", "fast"]));
    assert_eq!(by_default, full);
    assert_eq!(full.0, full.1);
    assert_eq!((fast.0, fast.1), (0, full.1));
    assert!(fast.2 > full.2);
}

#[test]
fn the_schedule_is_whole_and_its_figures_add_up() {
    let home = home();
    let text = nonresc_in(home.path(), &["resnet8.onnx", "--format", "json"]).done();
    let schedule: serde_json::Value = serde_json::from_str(&text).unwrap();
    let number = |v: &serde_json::Value| v.as_u64().unwrap_or_else(|| panic!("{v} is no whole number"));
    let (actors, channels) =
        (schedule["actors"].as_array().unwrap(), schedule["channels"].as_array().unwrap());
    let slowest = actors.iter().map(|a| number(&a["phases"])).max().unwrap();
    assert_eq!(number(&schedule["timing"]["interval_clocks"]), slowest);
    let bits = |used: &str| -> u64 {
        let of = channels.iter().filter(|c| c["use"] == used);
        of.map(|c| number(&c["needed_words"]) * number(&c["lanes"]) * number(&c["bits"])).sum()
    };
    assert_eq!(number(&schedule["resources"]["fifo_bits"]), bits("fifo"));
    assert_eq!(number(&schedule["resources"]["line_buffer_bits"]), bits("line buffer"));
    let dsps: u64 = actors.iter().map(|a| number(&a["area"]["dsps"])).sum();
    assert_eq!(number(&schedule["resources"]["taken"]["dsps"]), dsps);
    for channel in channels {
        assert!(number(&channel["peak_words"]) <= number(&channel["needed_words"]), "{channel}");
        assert!(
            number(&channel["needed_words"]) <= number(&channel["memory"]["allocated_words"]),
            "{channel}"
        );
    }
    let last = actors.iter().filter(|a| a["kind"] == "sink").map(|a| number(&a["last_clock"])).max().unwrap();
    assert_eq!(number(&schedule["timing"]["last_output_clock"]), last);
    assert_eq!(schedule["skip_report"]["skips"].as_array().unwrap().len(), 3);
    // Kept under three baselines, removed under two, and three rewrites that keep the function.
    assert_eq!(schedule["skip_report"]["rows"].as_array().unwrap().len(), 8);
}

/// Each row is folded for the cycles that the design has, the fastest that there is.
#[test]
fn without_limits_every_row_of_the_skip_report_has_figures() {
    let home = home();
    let text = nonresc_in(home.path(), &["resnet8.onnx", "--device", "none", "--format", "json"]).done();
    let schedule: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = schedule["skip_report"]["rows"].as_array().unwrap();
    // A held window, which serves skips, is not the fastest form that there is.
    let plain = rows.iter().filter(|row| row["skips"] == "kept" || row["skips"] == "removed");
    let (with, without): (Vec<_>, Vec<_>) = plain.partition(|row| row["figures"].is_object());
    assert!(with.len() == 5 && without.is_empty(), "{rows:?}");
}

/// The way through the library that ARCHITECTURE.md names.
#[test]
fn the_library_makes_the_schedule_of_the_program() {
    let home = home();
    let imported = import_file(&example("resnet8.onnx"), &ImportOptions::default()).unwrap();
    let device = Device::find("xck26").unwrap();
    let bits = Bits { weights: 8, activations: 8 };
    let target = Target { clock_mhz: device.clock_mhz, device, rate: Rate::Fastest, bits, seed: 0 };
    let options = Options::of(target);
    let design = Design::Network(NetworkDesign::new(imported.network));
    let design = manager::compile(design, &options, &Checks::all()).unwrap().design;
    let made = schedule::schedule(design.stream().unwrap(), &options, None, &[]).unwrap();
    let mut schedules =
        [schedule::text(&made), nonresc_in(home.path(), &["resnet8.onnx", "--format", "json"]).done()]
            .map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap());
    // The program adds what the skips cost, and its remarks.
    assert!(schedules[1]["skip_report"].is_object());
    for schedule in &mut schedules {
        (schedule["skip_report"], schedule["notes"]) = Default::default();
    }
    assert_eq!(schedules[0], schedules[1]);
}

#[test]
fn several_outputs_are_compiled_once_they_are_named() {
    let home = tempfile::tempdir().unwrap();
    two_outputs(home.path());
    let compile = |named: &[&str]| {
        let flags = named.iter().flat_map(|name| ["--output", *name]);
        nonresc_in(
            home.path(),
            &["two.onnx", "--format", "json"].into_iter().chain(flags).collect::<Vec<_>>(),
        )
    };
    let refused = compile(&[]).refused(1);
    assert!(refused.contains("the graph has 2 outputs: \\\"a\\\", \\\"b\\\""), "{refused}");
    assert!(refused.contains("--output NAME"), "{refused}");
    for named in [&["a"][..], &["b"], &["a", "b"], &["b", "a"]] {
        let schedule: serde_json::Value = serde_json::from_str(&compile(named).done()).unwrap();
        let ports = schedule["outputs"].as_array().unwrap();
        let names: Vec<&str> = ports.iter().map(|port| port["name"].as_str().unwrap()).collect();
        assert_eq!(names, named);
    }
}

#[test]
fn the_same_bytes_on_every_run_and_for_any_order_of_nodes() {
    let home = home();
    let compile = |model: &str, out: &str| {
        let done = nonresc_in(home.path(), &[model, "--fps", "10000", "--out", out]).done();
        (done, files(&home.path().join(out)))
    };
    let (report, first) = compile("resnet8.onnx", "a");
    let written: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        ".nonresc",
        "design.dot",
        "float.onnx",
        "network.nir",
        "network.safetensors",
        "plan.json",
        "report.html",
        "schedule.json",
    ];
    assert_eq!(written, expected);
    assert_eq!(compile("resnet8.onnx", "b"), (report.clone(), first.clone()));

    let mut model = ModelProto::decode(&*fs::read(example("resnet8.onnx")).unwrap()).unwrap();
    let mut seed = Seed(11);
    let graph = model.graph.as_mut().unwrap();
    graph.node = in_another_order(&graph.node, &mut seed);
    seed.shuffle(&mut graph.initializer);
    fs::create_dir(home.path().join("shuffled")).unwrap();
    fs::write(home.path().join("shuffled/resnet8.onnx"), model.encode_to_vec()).unwrap();
    assert_eq!(compile("shuffled/resnet8.onnx", "c"), (report, first));
}

/// The nodes in a random order that keeps writers in front of readers.
fn in_another_order(nodes: &[NodeProto], seed: &mut Seed) -> Vec<NodeProto> {
    let mut left: Vec<NodeProto> = nodes.to_vec();
    let mut made = Vec::new();
    while !left.is_empty() {
        let ready = |node: &NodeProto| {
            node.input.iter().all(|name| left.iter().all(|other| !other.output.contains(name)))
        };
        let ready: Vec<usize> = (0..left.len()).filter(|&i| ready(&left[i])).collect();
        made.push(left.remove(*seed.pick(&ready)));
    }
    made
}

#[test]
fn a_plan_and_a_network_that_were_written_are_read_back() {
    let home = home();
    let in_home = |arguments: &[&str]| nonresc_in(home.path(), arguments);
    in_home(&["resnet8.onnx", "--fps", "10000", "--skips", "2:remove", "--out", "a"]).done();
    in_home(&["resnet8.onnx", "--fps", "10000", "--skips", "a/plan.json", "--out", "b"]).done();
    assert_eq!(files(&home.path().join("a")), files(&home.path().join("b")));
    // As text, the planned network has two skips left, and the same schedule but for the skips' report.
    let text = in_home(&["a/network.nir", "--fps", "10000", "--format", "json"]).done();
    let again: serde_json::Value = serde_json::from_str(&text).unwrap();
    let written = fs::read(home.path().join("a/schedule.json")).unwrap();
    let written: serde_json::Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(again["timing"], written["timing"]);
    assert_eq!(again["resources"], written["resources"]);
    // A plan is for one network.
    let other = in_home(&["a/network.nir", "--skips", "a/plan.json"]).refused(1);
    assert!(other.contains("error[plan/"), "{other}");
}

#[test]
fn dumps_show_what_was_asked_for() {
    let home = home();
    let dump = |arguments: &[&str]| {
        let all: Vec<&str> = ["resnet8.onnx"].iter().chain(arguments).copied().collect();
        nonresc_in(home.path(), &all).done()
    };
    let read = dump(&["--dump-ir"]);
    assert!(read.starts_with("nir 1\n") && read.contains("batch_norm"), "{read}");
    let normal = dump(&["--dump-ir=after:normalise"]);
    assert!(normal.starts_with("nir 1\n") && !normal.contains("batch_norm"), "{normal}");
    assert_eq!(dump(&["--stop-after", "normalise"]), normal);
    assert_eq!(dump(&["--dump-ir", "--stop-after", "normalise"]), normal);
    let stream = dump(&["--dump-ir=after:lower"]);
    assert!(stream.starts_with("@0 source"), "{stream}");
    let all = dump(&["--dump-ir=all"]);
    let headed: Vec<&str> = all.lines().filter(|line| line.starts_with("# ====")).collect();
    let passes = nonresc_passes::table::FPGA.iter().map(|pass| format!("# ==== after {}", pass.name));
    let expected: Vec<String> = std::iter::once("# ==== as read".to_string()).chain(passes).collect();
    assert_eq!(headed, expected);
    assert!(all.contains(&stream), "the dump of a pass is the same alone and among all");
    snapshot("compile", "passes", &nonresc_in(home.path(), &["--list-passes"]).done());
}

#[test]
fn what_makes_no_sense_is_refused_and_nothing_is_written() {
    let home = home();
    fs::write(home.path().join("broken.onnx"), b"\x08\x07no model").unwrap();
    fs::write(home.path().join("broken.nir"), "nir 1\n%0 = frobnicate\n").unwrap();
    fs::write(home.path().join("part.toml"), "name = 3\n").unwrap();
    let cases: [(&str, i32, &[&str]); 11] = [
        ("missing_model", 1, &["missing.onnx"]),
        ("broken_model", 1, &["broken.onnx"]),
        ("broken_text", 1, &["broken.nir"]),
        ("unknown_device", 2, &["resnet8.onnx", "--device", "xck27"]),
        ("broken_device", 1, &["resnet8.onnx", "--device", "part.toml"]),
        ("unknown_pass", 2, &["resnet8.onnx", "--stop-after", "fifos"]),
        ("dump_behind_the_end", 2, &["resnet8.onnx", "--stop-after", "plan", "--dump-ir=after:fold"]),
        ("skips_that_are_not_there", 1, &["resnet8.onnx", "--skips", "1:remove,7:remove,block9.add:keep"]),
        ("skips_in_no_form", 2, &["resnet8.onnx", "--skips", "1:shrink,2"]),
        ("rate_beyond_reach", 1, &["resnet8.onnx", "--fps", "1000000"]),
        ("preprocessing_of_other_channels", 2, &["resnet8.onnx", "--mean", "0.5,0.5"]),
    ];
    for (name, code, arguments) in cases {
        let all: Vec<&str> = arguments.iter().copied().chain(["--out", "out"]).collect();
        let said = nonresc_in(home.path(), &all).refused(code);
        snapshot("compile", &format!("refused_{name}"), &said);
        assert!(!home.path().join("out").exists(), "{name}");
    }
    let left: Vec<String> = names(home.path());
    assert_eq!(left, ["broken.nir", "broken.onnx", "part.toml", "resnet8.onnx"]);
}

#[test]
fn a_design_too_large_for_its_device_is_refused_item_by_item() {
    let home = home();
    let part = "name = \"tiny\"\nfamily = \"ultrascale-plus\"\nclock_mhz = 100\nluts = 9000\nmemory_luts = 4000\n\
                ffs = 20000\ndsps = 20\nbram18 = 4\nurams = 0\n";
    fs::write(home.path().join("tiny.toml"), part).unwrap();
    let said =
        nonresc_in(home.path(), &["resnet8.onnx", "--device", "tiny.toml", "--fps", "2000"]).refused(1);
    snapshot("compile", "too_large", &said);
}

/// Killed at any moment, a run leaves the output as it was or whole, and what else it leaves is removed by the next.
#[test]
fn killed_runs_leave_nothing_half_written() {
    let home = home();
    let arguments = ["resnet8.onnx", "--fps", "5000", "--skips", "remove", "--out", "out"];
    nonresc_in(home.path(), &arguments).done();
    let whole = files(&home.path().join("out"));
    nonresc_in(home.path(), &["resnet8.onnx", "--fps", "5000", "--out", "out"]).done();
    let old = files(&home.path().join("out"));
    assert_ne!(old, whole);
    let mut killed = 0;
    for milliseconds in (0..400).step_by(10) {
        let mut run = Command::new(env!("CARGO_BIN_EXE_nonresc-under-test"))
            .args(arguments)
            .current_dir(home.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        sleep(Duration::from_millis(milliseconds));
        run.kill().unwrap();
        killed += usize::from(!run.wait().unwrap().success());
        let now = files(&home.path().join("out"));
        assert!(now == old || now == whole, "after {milliseconds} ms");
        if now == whole {
            // Finished before it was killed: back to the beginning.
            nonresc_in(home.path(), &["resnet8.onnx", "--fps", "5000", "--out", "out"]).done();
        }
    }
    assert!(killed > 0, "no run was killed in time");
    nonresc_in(home.path(), &arguments).done();
    assert_eq!(files(&home.path().join("out")), whole);
    // A folder made in the moment of death, nothing in it yet, is found by a later run.
    let empty =
        |name: &String| name.starts_with(".out.unfinished-") && names(&home.path().join(name)).is_empty();
    let left: Vec<String> = names(home.path()).into_iter().filter(|name| !empty(name)).collect();
    assert_eq!(left, ["out", "resnet8.onnx"]);
}
