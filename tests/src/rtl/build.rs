//! Verilator: a design as a program of its own. Programs are kept under the hash of all that they are made of, so
//! that only what has changed is built again.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

const VERILATOR: [&str; 10] = [
    "--cc",
    "--top-module",
    "top",
    "--prefix",
    "Vtop",
    "-O3",
    "--x-initial",
    "unique",
    "--x-assign",
    "unique",
];

/// Every warning is a fault but two: parameters leave some signals without a use, instances some ports open.
const LINTS: [&str; 3] = ["-Wall", "-Wno-UNUSEDSIGNAL", "-Wno-PINCONNECTEMPTY"];

/// Those of the product's modules, whose forms leave parameters without a use too.
const PRODUCT_LINTS: [&str; 4] = ["-Wall", "-Wno-UNUSEDSIGNAL", "-Wno-UNUSEDPARAM", "-Wno-PINCONNECTEMPTY"];

/// Modules with a planted mistake may look wrong.
const NO_LINTS: [&str; 3] = ["-Wno-lint", "-Wno-style", "-Wno-fatal"];

const COMPILER: [&str; 6] = ["-std=gnu++17", "-O1", "-w", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0"];

/// A change of the modules' text, which a test plants: file, what stands there once, and what shall stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch(pub &'static str, pub &'static str, pub &'static str);

/// The tool, its run-time library, and the modules' texts.
#[derive(Debug)]
pub struct Tool {
    kept: PathBuf,
    include: PathBuf,
    lints: &'static [&'static str],
    version: String,
    sources: BTreeMap<String, String>,
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| {
        panic!("{command:?}: {e}: install the packages verilator and g++ of your system")
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn hash(of: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Makes a file in a folder of its own, then moves it to its place: tests run side by side.
fn make(place: &Path, maker: impl FnOnce(&Path, &Path)) {
    if place.exists() {
        return;
    }
    let parent = place.parent().expect("a place inside of a folder");
    std::fs::create_dir_all(parent).expect("a folder of the build");
    let folder = tempfile::tempdir_in(parent).expect("a temporary folder");
    let made = folder.path().join("result");
    maker(folder.path(), &made);
    std::fs::rename(&made, place).expect("a file that was made");
}

impl Tool {
    /// Looks for Verilator and reads the modules; what is built is kept below `folder`.
    pub fn new(folder: &str) -> Self {
        Tool::of(folder, &["rtl"], &LINTS)
    }

    /// The same for the modules that the product writes, and the cases that hold each alone.
    pub fn product(folder: &str) -> Self {
        Tool::of(folder, &["../backends/rtl", "rtl/vectors"], &PRODUCT_LINTS)
    }

    fn of(folder: &str, modules: &[&str], lints: &'static [&'static str]) -> Self {
        let version = run(Command::new("verilator").arg("--version"));
        let root = run(Command::new("verilator").args(["--getenv", "VERILATOR_ROOT"]));
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = BTreeMap::new();
        let entries =
            modules.iter().flat_map(|m| std::fs::read_dir(home.join(m)).expect("the modules' folder"));
        for entry in entries {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            if name.ends_with(".sv") || name.ends_with(".cpp") {
                sources.insert(name, std::fs::read_to_string(path).expect("a module's text"));
            }
        }
        let include = PathBuf::from(root.trim()).join("include");
        Tool { kept: Path::new(folder).join("rtl"), include, lints, version, sources }
    }

    fn compiler(&self) -> Command {
        let mut command = Command::new("g++");
        command.args(COMPILER).arg("-I").arg(&self.include).arg("-I").arg(self.include.join("vltstd"));
        command
    }

    /// A part of Verilator's library, compiled.
    fn library(&self, part: &str) -> PathBuf {
        let place = self.kept.join(hash((&self.version, COMPILER, part)) + ".o");
        make(&place, |_, made| {
            let source = self.include.join(format!("{part}.cpp"));
            run(self.compiler().arg("-c").arg("-o").arg(made).arg(source));
        });
        place
    }

    /// The program that simulates `top`, which instantiates the modules of `tests/rtl`, patched.
    pub(super) fn build(&self, top: &str, patch: Option<Patch>) -> PathBuf {
        let mut sources = self.sources.clone();
        if let Some(Patch(file, from, to)) = patch {
            let text = sources.get_mut(file).unwrap_or_else(|| panic!("no module {file}"));
            assert_eq!(text.matches(from).count(), 1, "{file}: {from}");
            *text = text.replace(from, to);
        }
        sources.insert("top.sv".to_owned(), top.to_owned());
        let lints = if patch.is_none() { self.lints } else { &NO_LINTS };
        let name = hash((&self.version, VERILATOR, lints, COMPILER, &sources));
        if patch.is_none() {
            // For readers, and for `tests/rtl/check`.
            make(&self.kept.join(format!("{name}.sv")), |_, made| {
                std::fs::write(made, top).expect("a file in a temporary folder");
            });
        }
        let program = self.kept.join(name);
        make(&program, |folder, made| self.make_program(folder, made, &sources, lints));
        program
    }

    fn make_program(
        &self,
        folder: &Path,
        program: &Path,
        sources: &BTreeMap<String, String>,
        lints: &[&str],
    ) {
        for (name, text) in sources {
            std::fs::write(folder.join(name), text).expect("a file in a temporary folder");
        }
        let made = folder.join("made");
        run(Command::new("verilator")
            .args(VERILATOR)
            .args(lints)
            .arg("-y")
            .arg(folder)
            .arg("--Mdir")
            .arg(&made)
            .arg(folder.join("top.sv")));
        let mut parts: Vec<PathBuf> = std::fs::read_dir(&made)
            .expect("verilator's folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|e| e == "cpp"))
            .collect();
        parts.push(folder.join("main.cpp"));
        parts.sort();
        let all: String = parts.iter().map(|part| format!("#include \"{}\"\n", part.display())).collect();
        let whole = folder.join("all.cpp");
        std::fs::write(&whole, all).expect("a file in a temporary folder");
        run(self
            .compiler()
            .arg("-I")
            .arg(&made)
            .arg("-o")
            .arg(program)
            .arg(&whole)
            .arg(self.library("verilated"))
            .arg(self.library("verilated_threads"))
            .args(["-lpthread", "-latomic"]));
    }
}
