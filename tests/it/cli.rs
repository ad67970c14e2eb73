//! The command line as a user meets it: usage errors, exit codes, help.

use clap::{CommandFactory as _, Parser as _};
use nonresc::args::{Cli, Dump, Emit};

use crate::program::{digits_home, example, home, nonresc_in, program};

fn refused(arguments: &[&str]) -> String {
    Cli::try_parse_from(arguments).expect_err("nonsense must be refused").to_string()
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn dump_ir_takes_no_word_that_is_not_its_own() {
    let dump = |arguments: &[&str]| Cli::try_parse_from(arguments).unwrap().compile;
    let compile = dump(&["nonresc", "--dump-ir", "model.onnx"]);
    assert_eq!(compile.dump_ir, Some(Dump::Read));
    assert_eq!(compile.model.unwrap().to_str(), Some("model.onnx"));
    assert_eq!(dump(&["nonresc", "m.onnx", "--dump-ir=all"]).dump_ir, Some(Dump::All));
    let after = Some(Dump::After("plan".into()));
    assert_eq!(dump(&["nonresc", "m.onnx", "--dump-ir=after:plan"]).dump_ir, after);
    refused(&["nonresc", "m.onnx", "--dump-ir=after:"]);
    refused(&["nonresc", "m.onnx", "--dump-ir=plan"]);
}

#[test]
fn numbers_outside_of_their_range_are_usage_errors() {
    for (flag, value) in [
        ("--clock", "0"),
        ("--clock", "-5"),
        ("--clock", "NaN"),
        ("--clock", "1e400"),
        ("--fps", "0"),
        ("--fps", "inf"),
        ("--bits", "w17a99"),
        ("--bits", "w0a8"),
        ("--bits", "8"),
        ("--seed", "-1"),
        ("--scale", "1/0"),
        ("--std", "0"),
        ("--mean", "a,b"),
        ("--input-shape", "3x0x32"),
        ("--input-shape", "99999999999999999999"),
    ] {
        let text = refused(&["nonresc", "m.onnx", &format!("{flag}={value}")]);
        assert!(text.contains(flag), "{flag} {value}: {text}");
    }
}

#[test]
fn the_nearest_flag_is_named() {
    assert!(refused(&["nonresc", "m.onnx", "--devise", "none"]).contains("--device"));
    assert!(refused(&["nonresc", "m.onnx", "--emit", "schedul", "--out", "o"]).contains("schedule"));
}

#[test]
fn the_nearest_command_is_named() {
    let home = home();
    let refused = nonresc_in(home.path(), &["evl", "resnet8.onnx"]).refused(2);
    assert!(refused.contains("'eval'"), "{refused}");
    let refused = nonresc_in(home.path(), &["eval", "resnet8.onnx", "images"]).refused(2);
    assert!(!refused.contains("Did you mean"), "{refused}");
    // A model of that name is a model.
    std::fs::write(home.path().join("evl"), "").unwrap();
    let refused = nonresc_in(home.path(), &["evl", "resnet8.onnx"]).refused(2);
    assert!(!refused.contains("'eval'"), "{refused}");
    assert!(nonresc_in(home.path(), &["quantize", "--help"]).done().contains("quantise"));
}

/// What prints, each by a way of its own.
#[cfg(unix)]
const PRINTING: [&[&str]; 13] = [
    &["--help"],
    &["--version"],
    &["eval", "--help"],
    &["help", "quantise"],
    &["completions", "bash"],
    &["man"],
    &["devices"],
    &["--list-passes"],
    &["resnet8.onnx", "--fps", "9000"],
    &["resnet8.onnx", "--fps", "9000", "--format", "json"],
    &["resnet8.onnx", "--dump-ir"],
    &["explain", "resnet8.onnx", "1", "--fps", "9000"],
    &["quantise", "resnet8.onnx", "--samples", "1", "-q"],
];

/// Exit code and standard error of a run whose standard output is this.
#[cfg(unix)]
fn printing_to(stdout: impl Into<std::process::Stdio>, arguments: &[&str]) -> (Option<i32>, String) {
    let home = home();
    let ended = program(home.path(), arguments).stdout(stdout).output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_a_fault() {
    for arguments in PRINTING {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let (code, told) = printing_to(full, arguments);
        assert_eq!(code, Some(1), "{arguments:?}: {told}");
        let said =
            ["standard output cannot be written", "No space left"].iter().all(|words| told.contains(words));
        assert!(said, "{arguments:?}: {told}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_left_ends_a_run_quietly() {
    for arguments in PRINTING {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(printing_to(writer, arguments), (Some(0), String::new()), "{arguments:?}");
    }
}

/// Where the exit code is to tell of a proof, a run that ends before it must not say that all is well. No tool is
/// needed: the report is printed ahead of the proof.
#[cfg(unix)]
#[test]
fn a_reader_that_has_left_before_the_proof_is_a_fault() {
    let home = home();
    let block = example("block.onnx");
    nonresc_in(home.path(), &["quantise", block.to_str().unwrap(), "--out", "q", "-q"]).done();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut run = program(home.path(), &["q/quantised.onnx", "--fps", "2000", "--verify", "--out", "build"]);
    let ended = run.stdout(writer).output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("standard output cannot be written") && told.contains("Broken pipe"), "{told}");
    // What was made before is there.
    assert!(home.path().join("build/rtl").is_dir());
}

/// Remarks that nobody can read are no reason to do less.
#[cfg(target_os = "linux")]
#[test]
fn what_is_told_beside_the_result_is_never_a_fault() {
    let home = home();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut run = program(home.path(), &["quantise", "resnet8.onnx", "--samples", "1", "--out", "q", "-v"]);
    assert_eq!(run.stderr(full).output().unwrap().status.code(), Some(0));
    assert!(home.path().join("q/quantised.onnx").exists());
}

/// Nor is a training's progress.
#[cfg(target_os = "linux")]
#[test]
fn a_training_that_cannot_tell_of_its_epochs_goes_on() {
    let home = digits_home();
    let flags = ["digits.onnx", "--skips", "remove", "--retrain", "--data", "digits_train.npz", "--epochs"];
    let more =
        ["1", "--qat-epochs", "1", "--batch", "64", "--warmup", "4", "--emit", "onnx", "--out", "build"];
    let flags = [&flags[..], &more].concat();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let (reader, left) = std::io::pipe().unwrap();
    drop(reader);
    for stderr in [std::process::Stdio::from(full), left.into()] {
        let ended = program(home.path(), &flags).stderr(stderr).output().unwrap();
        assert_eq!(ended.status.code(), Some(0));
        for file in ["history.json", "history-qat.json", "quantised.onnx"] {
            assert!(home.path().join("build").join(file).exists(), "{file}");
        }
        std::fs::remove_dir_all(home.path().join("build")).unwrap();
    }
}

#[test]
fn quiet_leaves_faults_alone_on_standard_error() {
    let home = home();
    let quantise = |more: &[&str]| nonresc_in(home.path(), &[&["quantise", "resnet8.onnx"], more].concat());
    // Without images there is a warning.
    let (told, quiet) = (quantise(&[]), quantise(&["--quiet"]));
    assert!(told.stderr.contains("note: "), "{}", told.stderr);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
    assert_eq!(told.stdout, quiet.stdout);
    assert!(nonresc_in(home.path(), &["-q", "absent.onnx"]).refused(1).contains("error["));
}

#[test]
fn verbose_tells_what_each_pass_did() {
    let home = home();
    let compile =
        |more: &[&str]| nonresc_in(home.path(), &[&["resnet8.onnx", "--fps", "9000"], more].concat());
    let (plain, verbose) = (compile(&[]), compile(&["-v", "--out", "build"]));
    assert_eq!((plain.stderr.as_str(), &plain.stdout), ("", &verbose.stdout));
    let steps: Vec<&str> = verbose.stderr.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let passes = nonresc_passes::table::FPGA.iter().map(|pass| pass.name);
    let wanted: Vec<&str> = ["read"].into_iter().chain(passes).chain(["skips", "write"]).collect();
    // Steps of the command stand between passes.
    let seen: Vec<&str> = steps.iter().copied().filter(|step| wanted.contains(step)).collect();
    assert_eq!(seen, wanted, "{}", verbose.stderr);
    assert!(verbose.stderr.contains("3 skips: 1 identity, 2 projection"), "{}", verbose.stderr);
    let explained = nonresc_in(home.path(), &["explain", "resnet8.onnx", "1", "--fps", "9000", "--verbose"]);
    assert!(explained.stderr.contains("normalise"), "{}", explained.stderr);
    assert!(refused(&["nonresc", "m.onnx", "-v", "-q"]).contains("cannot be used with"));
}

#[test]
fn emitting_needs_a_folder() {
    assert!(refused(&["nonresc", "m.onnx", "--emit", "schedule"]).contains("--out"));
    let named = Cli::try_parse_from(["nonresc", "m.onnx", "--emit", "rtl", "--out", "build"]).unwrap();
    assert_eq!(named.compile.emit, [Emit::Systemverilog]);
}
