//! The engine ort, and what it refuses.

use std::fs;
use std::path::Path;
use std::process::Command;

use nonresc_ir::network::Network;
use nonresc_ir::text::parse;
use nonresc_passes::engine::{Engine, Library};
use nonresc_tests::seed::Seed;

use crate::exported::{self, inputs, onnxruntime, resnet8};
use crate::program::{home, program};

#[test]
fn random_networks_in_batches_of_one_and_three() {
    exported::random_networks_in_batches_of_one_and_three(onnxruntime());
}

#[test]
fn ports_are_the_users() {
    exported::ports_are_the_users(onnxruntime());
}

#[test]
fn preprocessing_is_part_of_what_runs() {
    exported::preprocessing_is_part_of_what_runs(onnxruntime());
}

#[test]
fn any_number_of_frames() {
    exported::any_number_of_frames(onnxruntime());
}

#[test]
fn runs_side_by_side_give_the_same_bits() {
    let network = resnet8();
    let session = onnxruntime().load(&network).unwrap();
    let given = inputs(&network, &mut Seed(2));
    let alone = session.run(&given).unwrap();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| session.run(&given).unwrap())).collect();
        runs.into_iter().for_each(|run| assert_eq!(run.join().unwrap(), alone));
    });
}

#[test]
fn what_cannot_run_is_refused() {
    let fault_of = |network: &Network| onnxruntime().load(network).err().expect("it is refused");
    // Integers of 4 bits that are no codes: no ONNX of the operator sets that are written.
    let narrow = "nir 1\ninput \"x\" %0\noutput \"y\" %2\n\n%0 = input : f32 1x2\n%1 = cast %0 to=i4\n\
                  %2 = cast %1 to=f32\n";
    let fault = fault_of(&parse(narrow, None).unwrap());
    assert_eq!((fault.code, fault.remedy.as_str()), ("engine/ort", "use `--engine native`"));
    assert_eq!(fault.what, "engine ort, which reads the network as ONNX");

    // onnxruntime has no convolution of 64-bit floats.
    let double = "nir 1\ninput \"x\" %0\noutput \"y\" %2\n\n%0 = input : f64 1x2x4x4\n\
                  %1 = const seed=1 : f64 3x2x1x1\n%2 = conv %0, %1 \"stem\"\n";
    let fault = fault_of(&parse(double, None).unwrap());
    assert_eq!((fault.code, fault.remedy.as_str()), ("engine/ort", "use `--engine native`"));
    assert_eq!(fault.what, "engine ort, which cannot run the network");
    assert!(fault.why.contains("Conv") && fault.why.contains("stem"), "{fault}");
    assert!(!fault.why.contains('\n'), "{fault}");
}

#[test]
fn a_process_has_one_library() {
    let Engine::Ort(library) = onnxruntime() else { panic!("it is another engine") };
    let home = tempfile::tempdir().unwrap();
    let other = home.path().join("other.so");
    fs::write(&other, "").unwrap();
    let fault = Library::load(Some(&other)).unwrap_err();
    assert_eq!(fault.code, "engine/library");
    assert!(fault.what.contains("other.so") && fault.why.contains("onnxruntime"), "{fault}");
    let again = std::env::var_os("ORT_DYLIB_PATH").unwrap();
    assert_eq!(Library::load(Some(Path::new(&again))), Ok(library));
}

/// What the program says of a library that it cannot use.
fn refused(home: &Path, flags: &[&str], variable: &str) -> String {
    let run = [&["run", "resnet8.onnx", "--input", "x.npz", "--output", "y.npz"], flags].concat();
    let ended = program(home, &run).env("ORT_DYLIB_PATH", variable).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.code() == Some(3) && said.contains("pip install onnxruntime"), "{said}");
    said
}

#[test]
fn a_missing_library_is_a_missing_tool() {
    let home = home();
    let said = refused(home.path(), &["--engine", "ort", "--onnxruntime", "none/lib.so"], "other.so");
    assert!(said.contains("engine ort with the library none/lib.so"), "{said}");
    assert!(said.contains("No such file"), "{said}");

    fs::write(home.path().join("text.so"), "no library").unwrap();
    let said = refused(home.path(), &["--engine", "ort"], "text.so");
    assert!(said.contains("text.so") && said.contains("file too short"), "{said}");
}

/// A shared library of a C program.
fn library(home: &Path, name: &str, program: &str) {
    let source = home.join(name).with_extension("c");
    fs::write(&source, program).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(home.join(name)).arg(source).status();
    assert!(built.unwrap().success());
}

#[test]
fn another_library_or_an_old_one_is_a_missing_tool() {
    let home = home();
    library(home.path(), "another.so", "int number = 1;");
    let said = refused(home.path(), &["--engine", "ort", "--onnxruntime", "another.so"], "");
    assert!(said.contains("another.so does not export `OrtGetApiBase`"), "{said}");

    let old = "static const char *version(void) { return \"1.9.0\"; }\n\
               static struct { void *api; const char *(*version)(void); } base = { 0, version };\n\
               const void *OrtGetApiBase(void) { return &base; }\n";
    library(home.path(), "old.so", old);
    let said = refused(home.path(), &["--engine", "ort", "--onnxruntime", "old.so"], "");
    assert!(said.contains("1.9.0") && said.contains("install onnxruntime 1.17 or newer"), "{said}");
}
