//! The program as its user runs it: arguments in, exit code and both streams out.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The standard output of a run that did what was asked.
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout
    }

    /// The standard error of a run that ended with `code` and printed nothing else.
    pub(crate) fn refused(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{}", self.stderr);
        self.stderr
    }
}

/// The program, to be run in `folder`.
pub(crate) fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nonresc-under-test"));
    command.args(arguments.iter().map(OsStr::new)).current_dir(folder);
    command
}

/// Runs the program in `folder`.
pub(crate) fn nonresc_in(folder: &Path, arguments: &[&str]) -> Ended {
    let output = program(folder, arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what is printed is text");
    Ended {
        code: output.status.code().expect("no signal ends it"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A file of `examples/`.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)
}

/// A folder with the example network in it.
pub(crate) fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::copy(example("resnet8.onnx"), home.path().join("resnet8.onnx")).unwrap();
    home
}

/// A folder with the digits network and its images in it.
pub(crate) fn digits_home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for file in ["digits.onnx", "digits_train.npz", "digits_test.npz"] {
        std::fs::copy(example(file), home.path().join(file)).unwrap();
    }
    home
}

/// Names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// A tool of this name in the folder `tools`, a script of the shell.
#[cfg(unix)]
pub(crate) fn tool(home: &Path, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let tools = home.join("tools");
    std::fs::create_dir_all(&tools).unwrap();
    std::fs::write(tools.join(name), format!("#!/bin/sh\n{script}")).unwrap();
    std::fs::set_permissions(tools.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Where tools are found: those of [`tool`] first.
#[cfg(unix)]
pub(crate) fn path_with_tools(home: &Path) -> String {
    format!("{}:{}", home.join("tools").display(), std::env::var("PATH").unwrap())
}
