//! The output folder: whole or absent, and nobody else's folder is touched.

use std::fs;
use std::path::Path;

use nonresc_backends::out::{MARKER, OutFile, write};

use crate::program::names;

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
