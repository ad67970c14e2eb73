//! The output folder: whole or absent, and nobody else's folder is touched.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nonresc_backends::out::{MARKER, OutFile, check, write};
use nonresc_passes::distill::checkpoint::Checkpoint;
use nonresc_passes::distill::claim::Claim;

use crate::program::{digits_home, example, home, names, nonresc_in, program};

fn file(text: &str) -> [OutFile; 1] {
    [OutFile { name: "schedule.json".into(), bytes: text.into() }]
}

#[test]
fn a_new_folder_is_made_with_its_parents() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("a/b");
    write(&out, &file("one")).unwrap();
    assert_eq!(names(&out), [MARKER, "schedule.json"]);
    assert_eq!(names(&home.path().join("a")), ["b"]);
}

#[test]
fn a_folder_of_ours_is_replaced_as_a_whole() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("build");
    write(&out, &file("one")).unwrap();
    fs::write(out.join("old"), "left by the run before").unwrap();
    write(&out, &file("two")).unwrap();
    assert_eq!(fs::read_to_string(out.join("schedule.json")).unwrap(), "two");
    assert_eq!(names(&out), [MARKER, "schedule.json"]);
    assert_eq!(names(home.path()), ["build"]);
}

#[test]
fn an_empty_folder_is_taken() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("build");
    fs::create_dir(&out).unwrap();
    write(&out, &file("one")).unwrap();
    assert_eq!(names(&out), [MARKER, "schedule.json"]);
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("thesis");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("chapter"), "words").unwrap();
    assert_eq!(write(&folder, &file("one")).unwrap_err().code, "out/not-ours");
    assert_eq!(names(&folder), ["chapter"]);
    assert_eq!(write(&folder.join("chapter"), &file("one")).unwrap_err().code, "out/not-a-folder");
    assert_eq!(write(Path::new(".."), &file("one")).unwrap_err().code, "out/name");
    assert_eq!(names(home.path()), ["thesis"]);
}

/// A folder whose writer was killed is locked by nobody; one whose writer lives is left to it.
#[test]
fn what_killed_runs_left_is_removed() {
    let home = tempfile::tempdir().unwrap();
    let (dead, alive) =
        (home.path().join(".build.unfinished-dead"), home.path().join(".build.unfinished-alive"));
    for folder in [&dead, &alive] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("schedule.json"), "").unwrap();
    }
    let lock = fs::File::open(&alive).unwrap();
    lock.lock().unwrap();
    write(&home.path().join("build"), &file("one")).unwrap();
    assert!(!dead.exists() && alive.exists());
}

#[cfg(unix)]
#[test]
fn behind_a_link_its_folder_is_replaced() {
    use std::os::unix::fs::symlink;
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::create_dir(at("real")).unwrap();
    symlink("real", at("link")).unwrap();
    for (name, text) in [("link", "one"), ("link/", "two")] {
        write(&at(name), &file(text)).unwrap();
        assert_eq!(fs::read_to_string(at("real/schedule.json")).unwrap(), text);
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
    }
    symlink("nowhere", at("dangling")).unwrap();
    for name in ["dangling", "dangling/"] {
        assert_eq!(write(&at(name), &file("one")).unwrap_err().code, "out/not-a-folder");
    }
    assert_eq!(names(home.path()), ["dangling", "link", "real"]);
}

/// The folder of an earlier run is replaced, but not with the model of this one in it.
#[test]
fn what_a_run_reads_is_not_replaced_by_what_it_writes() {
    let home = tempfile::tempdir().unwrap();
    let block = example("block.onnx");
    let block = block.to_str().unwrap();
    nonresc_in(home.path(), &["quantise", block, "--out", "q"]).done();
    let before = names(&home.path().join("q"));
    let again = ["q/quantised.onnx", "--fps", "2000", "--out", "q"];
    for flags in [&again[..], &["quantise", "q/quantised.onnx", "--requantise", "--out", "./q/"]] {
        let text = nonresc_in(home.path(), flags).refused(1);
        assert!(text.contains("error[out/input]") && text.contains("q/quantised.onnx"), "{text}");
        assert_eq!(names(&home.path().join("q")), before);
    }
    assert!(check(&home.path().join("q"), &[Path::new(block)]).is_ok());
}

/// What cannot be written is refused before the work begins.
#[cfg(target_os = "linux")]
#[test]
fn a_place_that_cannot_be_written_is_refused_at_once() {
    // In a folder of the kernel's not even root can make one.
    let refused = check(Path::new("/proc/self/a/build"), &[]).unwrap_err();
    assert_eq!(refused.code, "out/io");
    let home = tempfile::tempdir().unwrap();
    check(&home.path().join("a/b/build"), &[]).unwrap();
    assert!(names(home.path()).is_empty());
    let block = example("block.onnx");
    let block = block.to_str().unwrap();
    for flags in [&[block, "--fps", "2000"][..], &["quantise", block], &[block, "--stop-after", "plan"]] {
        let said =
            nonresc_in(home.path(), &[flags, &["--out", "/proc/self/a/build", "-v"]].concat()).refused(1);
        // Not even the model was read.
        assert!(said.starts_with("error[out/io]: cannot make a folder in /proc/self"), "{said}");
    }
}

/// A disk that is full halfway through the files is said to be one; the old folder stays, and nothing beside it.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_halfway_leaves_the_old_folder() {
    let home = home();
    let flags = ["resnet8.onnx", "--fps", "5000", "--skips", "remove", "--out", "build"];
    nonresc_in(home.path(), &["resnet8.onnx", "--fps", "5000", "--out", "build"]).done();
    let before = fs::read(home.path().join("build/schedule.json")).unwrap();
    // No file may be larger than this many half kilobytes, and who tries is not killed for it.
    let run = program(home.path(), &flags);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 20; exec \"$@\"", "sh"])
        .arg(run.get_program())
        .args(run.get_args());
    let ended = limited.current_dir(home.path()).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), ended.stdout.len()), (Some(1), 0), "{said}");
    assert!(said.contains("error[out/io]") && said.contains("File too large"), "{said}");
    assert_eq!(names(home.path()), ["build", "resnet8.onnx"]);
    assert!(fs::read(home.path().join("build/schedule.json")).unwrap() == before);
}

/// Which of them comes last is left open; that it is one of them, whole, is not.
#[test]
fn of_two_runs_into_one_folder_one_is_there_whole() {
    let home = home();
    let flags = |skips: &'static str| ["resnet8.onnx", "--fps", "5000", "--skips", skips, "--out", "build"];
    let build = home.path().join("build");
    let made =
        || names(&build).into_iter().map(|name| (fs::read(build.join(&name)).ok(), name)).collect::<Vec<_>>();
    let alone = ["keep", "remove"].map(|skips| {
        nonresc_in(home.path(), &flags(skips)).done();
        made()
    });
    for there_before in [true, false, true, false] {
        if !there_before {
            fs::remove_dir_all(&build).unwrap();
        }
        let runs = ["keep", "remove", "keep", "remove"]
            .map(|skips| program(home.path(), &flags(skips)).stdout(Stdio::null()).spawn().unwrap());
        runs.into_iter().for_each(|mut run| assert!(run.wait().unwrap().success()));
        assert!(alone.contains(&made()));
        assert_eq!(names(home.path()), ["build", "resnet8.onnx"]);
    }
}

/// The state of a training: what cannot be written is refused before the first epoch, and leaves nothing.
#[test]
fn a_checkpoint_that_cannot_be_written_is_refused_at_once() {
    let home = tempfile::tempdir().unwrap();
    let taken = home.path().join("taken");
    fs::create_dir(&taken).unwrap();
    for path in [&taken, &home.path().join("nowhere/state")] {
        let (asked, written) = (Checkpoint::check(path), Checkpoint::default().write(path));
        assert_eq!(
            (asked.unwrap_err().code, written.unwrap_err().code),
            ("distill/checkpoint", "distill/checkpoint")
        );
    }
    Checkpoint::check(&home.path().join("state")).unwrap();
    assert_eq!(names(home.path()), ["taken"]);
}

/// Two trainings would write over each other, so the second is refused before its first epoch.
#[test]
fn a_checkpoint_that_another_training_writes_is_refused_at_once() {
    let home = digits_home();
    let before = names(home.path());
    let flags = ["digits.onnx", "--retrain", "--data", "digits_train.npz", "--checkpoint", "state"];
    for file in ["state", "state.qat"] {
        let running = Claim::new(&home.path().join(file)).unwrap();
        let text = nonresc_in(home.path(), &flags).refused(1);
        assert!(text.contains("another training") && text.contains(file), "{text}");
        Checkpoint::check(&home.path().join("other")).unwrap();
        drop(running);
        assert_eq!(names(home.path()), before);
    }
    // What a killed one left is taken over.
    fs::write(home.path().join(".state.lock"), "").unwrap();
    Checkpoint::check(&home.path().join("state")).unwrap();
    assert_eq!(names(home.path()), before);
}
