//! Tidiness is a test: module docs, sizes, no file outside of the module tree, no word that does not belong.
//!
//! What the compiler and clippy can check is not repeated here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file from which its module doc must say why it is long ("Long because ..."), and the limit.
const LONG_FILE: usize = 500;
const LONGEST_FILE: usize = 800;
/// Lines of a function.
const LONGEST_FUNCTION: usize = 100;
/// Files that a program wrote.
const GENERATED: [&str; 3] = ["ir/src/onnx/messages.rs", "Cargo.lock", "fuzz/Cargo.lock"];
/// The crates' roots.
const ROOTS: [&str; 6] = [
    "ir/src/lib.rs",
    "passes/src/lib.rs",
    "backends/src/lib.rs",
    "compiler/src/lib.rs",
    "tests/src/lib.rs",
    "tests/it/main.rs",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in a folder of the repository")
}

/// All files of the repository below `dir`, sorted, build folders left out.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let skipped =
            ["target", ".git", "corpus", "artifacts", "node_modules", "book"].contains(&name.as_str());
        if path.is_dir() && !skipped {
            files(&path, found);
        } else if path.is_file() && name != ".git" {
            found.push(path);
        }
    }
}

/// `(path from the root, text)` of all text files.
fn texts() -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(root(), &mut found);
    let relative = |p: &Path| p.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
    found
        .iter()
        .map(|p| (relative(p), p))
        .filter(|(name, _)| !GENERATED.contains(&name.as_str()))
        .filter_map(|(name, p)| Some((name, fs::read_to_string(p).ok()?)))
        .collect()
}

fn sources() -> Vec<(String, String)> {
    texts().into_iter().filter(|(name, _)| name.ends_with(".rs")).collect()
}

/// Fails with all faults at once.
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

fn module_doc(text: &str) -> String {
    text.lines().take_while(|l| l.starts_with("//!") || l.starts_with("#![")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_file_says_what_it_is_for() {
    none(
        sources()
            .iter()
            .filter(|(_, text)| module_doc(text).len() < 20)
            .map(|(name, _)| format!("{name}: no module doc on the first line"))
            .collect(),
    );
}

#[test]
fn files_are_short() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            faults.push(format!("{name}: {lines} lines, at most {LONGEST_FILE}"));
        } else if lines > LONG_FILE && !module_doc(&text).contains("Long because") {
            faults
                .push(format!("{name}: {lines} lines, and the module doc does not say \"Long because ...\""));
        }
    }
    none(faults);
}

/// Functions by their layout, which rustfmt fixes: from a line that starts one to the closing brace below it.
#[test]
fn functions_are_short() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let words: Vec<&str> = line.split_whitespace().take_while(|w| !w.contains('(')).collect();
            let is_function = line.contains('(')
                && (line.trim_start().starts_with("fn ") || words.contains(&"fn"))
                && !line.trim_start().starts_with("//");
            if !is_function || line.ends_with('}') || line.ends_with(';') {
                continue;
            }
            let closing = format!("{}}}", " ".repeat(indent));
            let length = lines[start..].iter().position(|l| **l == closing).unwrap_or(0);
            if length > LONGEST_FUNCTION {
                faults.push(format!("{name}:{}: {length} lines: {}", start + 1, line.trim()));
            }
        }
    }
    none(faults);
}

/// Modules that a file declares, as the files they may lie in.
fn declared(file: &Path, text: &str) -> Vec<PathBuf> {
    let stem = file.file_stem().unwrap().to_string_lossy();
    let dir = file.parent().unwrap();
    let home = if ["lib", "main", "mod"].contains(&&*stem) { dir.to_path_buf() } else { dir.join(&*stem) };
    let mut found = Vec::new();
    let mut path_attribute = None;
    for line in text.lines().map(str::trim) {
        if let Some(path) = line.strip_prefix("#[path = \"").and_then(|l| l.strip_suffix("\"]")) {
            path_attribute = Some(dir.join(path));
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = match words[..] {
            [.., "mod", name] if !line.starts_with("//") => name.strip_suffix(';'),
            _ => None,
        };
        if let Some(name) = name {
            match path_attribute.take() {
                Some(path) => found.push(path),
                None => found.extend([home.join(format!("{name}.rs")), home.join(name).join("mod.rs")]),
            }
        }
    }
    found
}

#[test]
fn every_source_is_in_the_module_tree() {
    let mut todo: Vec<PathBuf> = ROOTS.iter().map(|r| root().join(r)).collect();
    todo.push(root().join("compiler/src/main.rs"));
    let mut reached = BTreeSet::new();
    while let Some(file) = todo.pop() {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        if reached.insert(file.canonicalize().unwrap()) {
            todo.extend(declared(&file, &text));
        }
    }
    let alone = ["examples/", "fuzz/", "tests/benches/", "ir/onnx-schema/"];
    none(
        sources()
            .iter()
            .filter(|(name, _)| !alone.iter().any(|a| name.starts_with(a)) && !name.ends_with("build.rs"))
            .filter(|(name, _)| !reached.contains(&root().join(name).canonicalize().unwrap()))
            .map(|(name, _)| format!("{name}: no module declares it"))
            .collect(),
    );
}

#[test]
fn no_module_is_a_drawer() {
    let drawers = ["util", "utils", "helper", "helpers", "common", "misc", "prelude"];
    none(
        sources()
            .iter()
            .filter(|(name, _)| {
                let path = Path::new(name).with_extension("");
                path.iter().any(|part| drawers.iter().any(|d| part == *d))
            })
            .map(|(name, _)| format!("{name}: name the room for what is in it"))
            .collect(),
    );
}

/// Test modules inside of a source file, which are indented, may take what they test.
#[test]
fn nothing_is_imported_wholesale() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        for (i, line) in text.lines().enumerate() {
            if line.starts_with("use super::*") || (line.starts_with("use crate::") && line.ends_with("::*;"))
            {
                faults.push(format!("{name}:{}: {line}", i + 1));
            }
        }
    }
    none(faults);
}

/// Words that a reader of the repository has no use for, split here so that this file does not hold them.
#[test]
fn the_repository_speaks_of_the_project_alone() {
    let forbidden = [
        ["/work", "/"].concat(),
        ["shared", "/docs"].concat(),
        ["crates", ".io"].concat(),
        ["pypi", ".org"].concat(),
        ["npmjs", ".com"].concat(),
        ["TO", "DO"].concat(),
        ["XX", "X"].concat(),
    ];
    let mut faults = Vec::new();
    for (name, text) in texts() {
        if name.starts_with("LICENSE") {
            continue;
        }
        for (i, line) in text.lines().enumerate() {
            for word in forbidden.iter().filter(|w| line.contains(*w)) {
                faults.push(format!("{name}:{}: {word}", i + 1));
            }
        }
    }
    none(faults);
}

/// A case starts with how it is run, and a snapshot belongs to a case or to a test that names it.
#[test]
fn cases_and_snapshots_belong_together() {
    let all = texts();
    let cases: BTreeSet<String> = all
        .iter()
        .filter_map(|(name, _)| name.strip_prefix("tests/cases/").map(|n| Path::new(n).with_extension("")))
        .map(|p| p.to_string_lossy().into_owned())
        .collect();
    let mut faults = Vec::new();
    for (name, text) in &all {
        if name.starts_with("tests/cases/") && name.ends_with(".nir") && !text.starts_with('#') {
            faults.push(format!("{name}: the first line does not say what it shows or how it is run"));
        }
        let Some(snapshot) = name.strip_prefix("tests/snapshots/") else { continue };
        let stem = snapshot.split('.').next().unwrap_or_default();
        let last = stem.rsplit('/').next().unwrap_or_default();
        // Whole, or with the parts that the test fills in behind the first word.
        let whole = format!("\"{last}\"");
        let filled = format!("\"{}_{{", last.split('_').next().unwrap_or_default());
        let named = all
            .iter()
            .any(|(n, t)| n.starts_with("tests/it/") && (t.contains(&whole) || t.contains(&filled)));
        if !cases.contains(stem) && !named {
            faults.push(format!("{name}: no case and no test is called so"));
        }
    }
    none(faults);
}
