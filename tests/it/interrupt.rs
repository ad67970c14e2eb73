//! Ctrl-C in a training: the state is kept between two steps, and what is resumed ends in the bytes of an unbroken run.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use crate::program::{digits_home, nonresc_in, program};

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

#[cfg(unix)]
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
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let rest: Vec<String> = told.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("--resume")), "{rest:?}");
    assert!(!cut.path().join("build").exists());
    nonresc_in(cut.path(), &[&flags[..], &["--resume"]].concat()).done();
    assert!(made(whole.path()) == made(cut.path()));
}
