//! Signals: a training keeps its state between two steps, and what is resumed ends in the bytes of an unbroken run;
//! everything else ends at once, with its tools, and leaves nothing behind.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::program::{digits_home, example, home, names, nonresc_in, path_with_tools, program, tool};

const FLAGS: [&str; 19] = [
    "digits.onnx",
    "--skips",
    "remove",
    "--retrain",
    "--data",
    "digits_train.npz",
    "--no-flip",
    "--epochs",
    "4",
    "--batch",
    "32",
    "--warmup",
    "4",
    "--qat-epochs",
    "0",
    "--out",
    "build",
    "--emit",
    "onnx",
];

fn made(home: &Path) -> Vec<Vec<u8>> {
    ["float.onnx", "history.json"].map(|file| fs::read(home.join("build").join(file)).unwrap()).into()
}

#[test]
fn an_interrupted_training_goes_on_to_the_same_bytes() {
    let (whole, cut) = (digits_home(), digits_home());
    nonresc_in(whole.path(), &FLAGS).done();
    let flags = [&FLAGS[..], &["--checkpoint", "state"]].concat();
    let mut command = program(cut.path(), &flags);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    // In its second epoch or later, at no certain step.
    assert!(told.by_ref().map(Result::unwrap).any(|line| line.contains("epoch 1/4")));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let rest: Vec<String> = told.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("--resume")), "{rest:?}");
    assert!(!cut.path().join("build").exists());
    nonresc_in(cut.path(), &[&flags[..], &["--resume"]].concat()).done();
    assert!(made(whole.path()) == made(cut.path()));
}

/// Waits until `done` gives something.
fn awaited<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = done() {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A tool that starts another one, says so in the file `started`, and comes to no end.
fn endless_tool(home: &Path, name: &str) {
    let started = home.join("started");
    let script = format!(
        "sleep 1000 &\necho half > \"$TMPDIR/half\"\necho $! > {0}.half\nmv {0}.half {0}\nwait\n",
        started.display()
    );
    tool(home, name, &script);
}

/// The process that the tool started, once it has.
fn started(home: &Path) -> Pid {
    let read = || fs::read_to_string(home.join("started")).ok()?.trim().parse().ok();
    Pid::from_raw(awaited("the tool starts", read)).unwrap()
}

fn with_tools(mut command: Command, home: &Path) -> Child {
    command.env("PATH", path_with_tools(home));
    command.env("TMPDIR", home.join("temporary")).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

#[test]
fn a_signal_ends_the_tools_of_a_run_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::create_dir(home.join("temporary")).unwrap();
    for tool in ["verilator", "yosys"] {
        endless_tool(home, tool);
    }
    let block = example("block.onnx");
    nonresc_in(home, &["quantise", block.to_str().unwrap(), "--out", "q", "-q"]).done();
    let model = ["q/quantised.onnx", "--fps", "2000", "-q"];
    for (flags, signal, code) in
        [(&["--verify"][..], Signal::TERM, 143), (&["--synth", "yosys"][..], Signal::INT, 130)]
    {
        let mut child = with_tools(program(home, &[&model[..], flags].concat()), home);
        let of_tool = started(home);
        assert_eq!(names(&home.join("temporary")).len(), 1);
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{flags:?}");
        assert_eq!(names(&home.join("temporary")), [""; 0], "{flags:?}");
        awaited("what the tool started ends", || test_kill_process(of_tool).is_err().then_some(()));
        fs::remove_file(home.join("started")).unwrap();
    }
}

/// From the first moment to the last, a run that is asked to end does so, the folder is there whole or not at all, and
/// nothing else is left.
#[test]
fn a_signal_at_any_stage_leaves_a_whole_folder_or_none() {
    let home = home();
    let flags = ["resnet8.onnx", "--fps", "5000", "--out", "build"];
    let begin = Instant::now();
    nonresc_in(home.path(), &flags).done();
    let took = begin.elapsed();
    let build = home.path().join("build");
    let whole = names(&build);
    let mut ends = BTreeSet::new();
    const STAGES: u32 = 24;
    for stage in 1..=STAGES + 4 {
        let _ = fs::remove_dir_all(&build);
        let mut run = program(home.path(), &flags).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(took * stage / STAGES);
        // Where it has ended already there is nobody to ask.
        let _ = kill_process(Pid::from_child(&run), Signal::INT);
        let code = run.wait().unwrap().code();
        // One that has not come to watch for signals yet is ended by the system.
        assert!([Some(0), Some(130), None].contains(&code), "{code:?} at stage {stage}");
        if build.exists() {
            assert_eq!(names(&build), whole, "stage {stage}");
        } else {
            assert_ne!(code, Some(0), "stage {stage}");
        }
        let left =
            names(home.path()).into_iter().filter(|name| !["build", "resnet8.onnx"].contains(&name.as_str()));
        assert_eq!(left.collect::<Vec<_>>(), [""; 0], "stage {stage}, {code:?}");
        ends.insert(code);
    }
    assert!(ends.contains(&Some(130)), "{ends:?}");
}

/// As under `nohup`, where the terminal goes and the run stays.
#[test]
fn a_signal_that_was_ignored_stays_so() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::create_dir(home.join("temporary")).unwrap();
    endless_tool(home, "verilator");
    let block = example("block.onnx");
    nonresc_in(home, &["quantise", block.to_str().unwrap(), "--out", "q", "-q"]).done();
    let run = program(home, &["q/quantised.onnx", "--fps", "2000", "--verify"]);
    let mut ignoring = Command::new("sh");
    ignoring.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(run.get_program()).args(run.get_args());
    ignoring.current_dir(home);
    let mut child = with_tools(ignoring, home);
    started(home);
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::HUP).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none());
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
}
