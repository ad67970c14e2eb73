//! `nonresc run`, `eval` and `devices` from end to end, on `examples/resnet8.onnx` and files that are made here.

use std::fs;
use std::path::Path;

use nonresc::exit::Failure;
use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::eval::evaluate;
use nonresc_ir::network::{Batch, Edit, GlobalAvgPool, Network, Relu, Reshape};
use nonresc_ir::onnx::export::export;
use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_ir::tensor::{Data, Tensor};
use nonresc_passes::data::arrays;
use nonresc_tests::corpus::{array, distance};
use nonresc_tests::model;
use nonresc_tests::seed::Seed;

use crate::program::{example, names, nonresc_in};

/// Frames of 3 x 32 x 32 pixels from a seed, as bytes.
fn pixels(frames: usize) -> Vec<u8> {
    let mut seed = Seed(7);
    (0..frames * 3072).map(|_| seed.below(256) as u8).collect()
}

fn tensor(pixels: &[u8]) -> Tensor {
    let numbers = pixels.iter().map(|&p| f32::from(p)).collect();
    Tensor::f32([pixels.len() / 3072, 3, 32, 32], numbers).unwrap()
}

/// What the plain evaluator makes of canonical frames in the example network.
fn plain(frames: &Tensor) -> Tensor {
    let mut network = import_file(&example("resnet8.onnx"), &ImportOptions::default()).unwrap().network;
    Edit::new(&mut network).set_batch(frames.shape().0[0]).unwrap();
    evaluate::<f32>(&network, std::slice::from_ref(frames)).unwrap().remove(0)
}

/// A folder with the example network and four frames in it as `x.npz` and `x.npy`.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::copy(example("resnet8.onnx"), home.path().join("resnet8.onnx")).unwrap();
    let x = tensor(&pixels(4));
    fs::write(home.path().join("x.npy"), arrays::npy_bytes(&x).unwrap()).unwrap();
    write_npz(home.path(), "x.npz", &[("image", x)]);
    home
}

fn write_npz(home: &Path, name: &str, given: &[(&str, Tensor)]) {
    let given: Vec<(String, Tensor)> = given.iter().map(|(n, t)| (n.to_string(), t.clone())).collect();
    fs::write(home.join(name), arrays::npz_bytes(&given).unwrap()).unwrap();
}

/// A network of two outputs, `a` of shape N x 3 and `b` of shape N x 3 x 2 x 2.
pub(crate) fn two_outputs(home: &Path) {
    let (mut network, x) = Network::with_input("x", [1, 3, 2, 2]);
    let mut edit = Edit::new(&mut network);
    let b = edit.add(Relu {}, &[x]).unwrap();
    let mean = edit.add(GlobalAvgPool {}, &[b]).unwrap();
    let a = edit.add(Reshape { keep_batch: true, dims: vec![3] }, &[mean]).unwrap();
    edit.output("a", a, Batch::Dynamic(None));
    edit.output("b", b, Batch::Dynamic(None));
    fs::write(home.join("two.onnx"), export(&network).unwrap()).unwrap();
}

#[test]
fn run_gives_what_the_plain_evaluator_gives() {
    let home = home();
    let run = |more: &[&str]| nonresc_in(home.path(), &[&["run", "resnet8.onnx"], more].concat());
    let golden = plain(&tensor(&pixels(4)));
    assert_eq!(run(&["--input", "x.npz", "--output", "y.npz"]).done(), "y.npz: \"logits\" f32 4x10\n");
    let native = array(&home.path().join("y.npz"), "logits");
    assert!(distance(&native, &golden) < 1e-4);
    // The output is replaced, and the same run gives the same bytes.
    let bytes = fs::read(home.path().join("y.npz")).unwrap();
    run(&["--input", "x.npy", "--output", "y.npz"]).done();
    assert!(fs::read(home.path().join("y.npz")).unwrap() == bytes);
    run(&["--input", "x.npz", "--output", "plain.npy", "--engine", "plain"]).done();
    let found = arrays::read(&home.path().join("plain.npy")).unwrap();
    assert_eq!(found[arrays::ALONE], golden);
    assert_eq!(names(home.path()), ["plain.npy", "resnet8.onnx", "x.npy", "x.npz", "y.npz"]);
}

#[test]
fn preprocessing_is_done_to_the_input() {
    let home = home();
    let raw = pixels(4);
    let numbers = raw.iter().enumerate().map(|(i, &p)| {
        let channel = i / 1024 % 3;
        ((f64::from(p) / 255.0 - [0.5, 0.25, 0.0][channel]) / 0.5) as f32
    });
    let golden = plain(&Tensor::f32([4, 3, 32, 32], numbers.collect()).unwrap());
    let flags = ["--scale", "1/255", "--mean", "0.5,0.25,0", "--std", "0.5"];
    let arguments = ["run", "resnet8.onnx", "--input", "x.npz", "--output", "y.npz"];
    nonresc_in(home.path(), &[&arguments[..], &flags].concat()).done();
    assert!(distance(&array(&home.path().join("y.npz"), "logits"), &golden) < 1e-4);
    let refused = nonresc_in(home.path(), &[&arguments[..], &["--mean", "1,2"]].concat()).refused(2);
    assert_eq!(
        refused,
        "error[usage/preprocess]: --mean with 2 numbers\n  why: the model's input has 3 channels\n  \
         do:  give one number, or 3\n"
    );
}

#[test]
fn all_outputs_go_to_the_file_under_their_names() {
    let home = tempfile::tempdir().unwrap();
    two_outputs(home.path());
    let x = Tensor::f32([2, 3, 2, 2], (0..24).map(|i| i as f32 - 6.0).collect()).unwrap();
    write_npz(home.path(), "x.npz", &[("x", x), ("output", Tensor::i64s(vec![1]))]);
    let run = |to: &str| nonresc_in(home.path(), &["run", "two.onnx", "--input", "x.npz", "--output", to]);
    assert_eq!(run("y.npz").done(), "y.npz: \"a\" f32 2x3\ny.npz: \"b\" f32 2x3x2x2\n");
    let b = array(&home.path().join("y.npz"), "b");
    assert_eq!(*b.data(), Data::F32((0..24).map(|i| (i as f32 - 6.0).max(0.0)).collect()));
    let refused = run("y.npy").refused(2);
    assert!(refused.contains("a .npy file holds one array, and the network has 2 outputs"), "{refused}");
}

#[test]
fn what_the_file_leaves_open_is_said_by_a_flag() {
    let home = tempfile::tempdir().unwrap();
    let mut open = model::residual();
    let graph = open.graph.as_mut().unwrap();
    let name = graph.input[0].name().to_string();
    let extent = model::Extent::Open;
    graph.input[0] = model::info(&name, &[extent("N"), extent("C"), extent("H"), extent("W")]);
    fs::write(home.path().join("open.onnx"), model::bytes(&open)).unwrap();
    let arguments = ["run", "open.onnx", "--input", "x.npy", "--output", "y.npz"];
    let refused = nonresc_in(home.path(), &arguments).refused(1);
    assert!(refused.contains(&format!("\"{name}\"")) && refused.contains("--input-shape"), "{refused}");

    let fixed =
        import_file(&write_model(home.path(), &model::residual()), &ImportOptions::default()).unwrap();
    let mut shape = fixed.network.ty(fixed.network.inputs()[0].node.into()).shape.clone();
    let flag = format!("{}x{}x{}", shape.0[1], shape.0[2], shape.0[3]);
    shape.0[0] = 2;
    let x = Tensor::f32(shape.clone(), vec![0.5; shape.len()]).unwrap();
    fs::write(home.path().join("x.npy"), arrays::npy_bytes(&x).unwrap()).unwrap();
    nonresc_in(home.path(), &[&arguments[..], &["--input-shape", &flag]].concat()).done();
    assert!(home.path().join("y.npz").is_file());
}

fn write_model(home: &Path, model: &nonresc_ir::onnx::messages::ModelProto) -> std::path::PathBuf {
    let path = home.join("model.onnx");
    fs::write(&path, model::bytes(model)).unwrap();
    path
}

#[test]
fn refused_runs_say_why_and_write_nothing() {
    let home = home();
    let x = tensor(&pixels(1));
    write_npz(home.path(), "other.npz", &[("a", x.clone()), ("b", x.clone())]);
    write_npz(home.path(), "small.npz", &[("image", x.reshaped([4, 3, 16, 16]).unwrap())]);
    write_npz(home.path(), "none.npz", &[("image", Tensor::f32([0, 3, 32, 32], vec![]).unwrap())]);
    fs::write(home.path().join("broken.npz"), b"PK\x03\x04").unwrap();
    let before = names(home.path());
    let cases = [
        ("other.npz", "y.npz", 1, "input \"image\" is not given\n  why: the arrays found are \"a\", \"b\""),
        ("small.npz", "y.npz", 1, "expects Nx3x32x32, N being any number of frames"),
        ("none.npz", "y.npz", 1, "the batch of the inputs is 0"),
        ("broken.npz", "y.npz", 1, "broken.npz cannot be read"),
        ("missing.npz", "y.npz", 1, "missing.npz cannot be read\n  why: No such file"),
        ("x.npz", "y.txt", 2, "--output y.txt\n  why: outputs are written as .npz or .npy"),
        ("x.npz", "no/y.npz", 1, "no/y.npz cannot be written\n  why: no is no folder"),
        ("x.npz", ".npz/..", 2, "--output .npz/.."),
    ];
    for (input, output, code, says) in cases {
        let arguments = ["run", "resnet8.onnx", "--input", input, "--output", output];
        let refused = nonresc_in(home.path(), &arguments).refused(code);
        assert!(refused.contains(says), "{input} {output}: {refused}");
        assert!(refused.contains("\n  do:  "), "{refused}");
        assert_eq!(names(home.path()), before, "{input} {output}");
    }
    let arguments = ["run", "missing.onnx", "--input", "x.npz", "--output", "y.npz"];
    let refused = nonresc_in(home.path(), &arguments).refused(1);
    assert!(
        refused.starts_with("error[import/file]: missing.onnx cannot be read\n  why: No such file"),
        "{refused}"
    );
    fs::create_dir(home.path().join("folder.npz")).unwrap();
    let arguments = ["run", "resnet8.onnx", "--input", "x.npz", "--output", "folder.npz"];
    assert!(nonresc_in(home.path(), &arguments).refused(1).contains("it is a folder"));
}

#[test]
fn wrong_flags_are_usage_errors() {
    let home = home();
    for (arguments, says) in [
        (&["run", "resnet8.onnx"][..], "--input <FILE>"),
        (
            &["run", "resnet8.onnx", "--input", "x.npz", "--output", "y.npz", "--engine", "fast"],
            "native, plain, tract, ort",
        ),
        (
            &["run", "resnet8.onnx", "--input", "x.npz", "--output", "y.npz", "--onnxruntime", "lib.so"],
            "give `--engine ort` too",
        ),
        (&["run", "--input", "x.npz", "--output", "y.npz"], "<MODEL>"),
        (&["eval", "resnet8.onnx"], "--data <DATA>"),
        (&["eval", "resnet8.onnx", "--data", "x", "--limit", "0"], "--limit"),
        (&["eval", "resnet8.onnx", "--data", "x", "--crop", "3x4x5"], "height x width"),
        (&["eval", "resnet8.onnx", "--data", "x", "--resize", "0"], "height x width"),
        (&["eval", "resnet8.onnx", "--data", "x", "--formt", "json"], "--format"),
        (&["devices", "--all"], "--all"),
    ] {
        let refused = nonresc_in(home.path(), arguments).refused(2);
        assert!(refused.contains(says), "{arguments:?}: {refused}");
    }
}

#[cfg(any(feature = "engine", feature = "ort"))]
fn says_the_same(engine: &str) {
    let home = home();
    let run = ["run", "resnet8.onnx", "--input", "x.npz", "--output", "y.npz", "--engine", engine];
    assert_eq!(nonresc_in(home.path(), &run).done(), "y.npz: \"logits\" f32 4x10\n");
    let found = array(&home.path().join("y.npz"), "logits");
    assert!(distance(&found, &plain(&tensor(&pixels(4)))) < 1e-4);

    fs::write(home.path().join("test.bin"), labelled(9, 5).0).unwrap();
    let eval = |engine: &str| {
        let arguments =
            ["eval", "resnet8.onnx", "--data", "test.bin", "--format", "json", "--engine", engine];
        nonresc_in(home.path(), &arguments).done()
    };
    assert_eq!(eval(engine), eval("plain").replace("plain", engine));
}

#[test]
#[cfg(feature = "engine")]
fn the_engine_tract_says_the_same() {
    says_the_same("tract");
}

#[test]
#[cfg(feature = "ort")]
fn the_engine_ort_says_the_same() {
    says_the_same("ort");
}

#[test]
fn a_missing_engine_is_a_missing_tool() {
    let fault = Diagnostic::new("engine/absent", "an engine", "it is not there", "use another");
    assert_eq!(Failure::from(fault).code(), 3);
}

#[cfg(not(all(feature = "engine", feature = "ort")))]
fn is_not_built_in(engine: &str, feature: &str) {
    let home = home();
    let arguments = ["run", "resnet8.onnx", "--input", "x.npz", "--output", "y.npz", "--engine", engine];
    assert_eq!(
        nonresc_in(home.path(), &arguments).refused(3),
        format!(
            "error[engine/absent]: engine {engine}\n  why: this build of nonresc does not contain it\n  \
             do:  build with `--features {feature}`, or use `--engine native`\n"
        )
    );
}

#[test]
#[cfg(not(feature = "engine"))]
fn tract_that_is_not_built_in_is_a_missing_tool() {
    is_not_built_in("tract", "engine");
}

#[test]
#[cfg(not(feature = "ort"))]
fn ort_that_is_not_built_in_is_a_missing_tool() {
    is_not_built_in("ort", "ort");
}

/// CIFAR records of seeded pixels: the network is right about the first `right` of them, and about no other.
fn labelled(frames: usize, right: usize) -> (Vec<u8>, Vec<usize>) {
    let pixels = pixels(frames);
    let scores = plain(&tensor(&pixels)).to_f32();
    let (mut bytes, mut labels) = (Vec::new(), Vec::new());
    for (i, (scores, pixels)) in scores.chunks_exact(10).zip(pixels.chunks_exact(3072)).enumerate() {
        let mut order: Vec<usize> = (0..10).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let label = if i < right { order[0] } else { order[4 + i % 2] };
        bytes.push(label as u8);
        bytes.extend(pixels);
        labels.push(label);
    }
    (bytes, labels)
}

#[test]
fn eval_counts_first_and_first_five_places() {
    let home = home();
    let (bytes, labels) = labelled(9, 5);
    fs::write(home.path().join("test_batch.bin"), bytes).unwrap();
    let eval = |more: &[&str]| nonresc_in(home.path(), &[&["eval", "resnet8.onnx", "--data"], more].concat());
    let text = eval(&["."]).done();
    let head = "resnet8.onnx on 9 images of ./test_batch.bin, float as given\n\
                top-1  55.56 %  5 of 9\ntop-5  77.78 %  7 of 9\n\nclass ";
    assert!(text.starts_with(head), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100));

    let json = eval(&["test_batch.bin", "--format", "json"]).done();
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&found["images"], &found["top1"], &found["top5"]), (&9.into(), &5.into(), &7.into()));
    assert_eq!((found["version"].as_u64(), found["engine"].as_str()), (Some(1), Some("native")));
    assert!(found.get("images_per_second").is_none(), "time is said only where it is asked for");
    for (label, class) in found["classes"].as_array().unwrap().iter().enumerate() {
        assert_eq!(
            class["images"].as_u64().unwrap() as usize,
            labels.iter().filter(|l| **l == label).count()
        );
    }
    assert_eq!(found["classes"][3]["name"], "cat");
    let plain = eval(&["test_batch.bin", "--format", "json", "--engine", "plain"]).done();
    assert_eq!(plain, json.replace("native", "plain"));

    let part = eval(&["test_batch.bin", "--limit", "6", "--timings", "--format", "json"]).done();
    let part: serde_json::Value = serde_json::from_str(&part).unwrap();
    assert_eq!((&part["images"], &part["top1"]), (&6.into(), &5.into()));
    assert!(part["images_per_second"].as_f64().unwrap() > 0.0);
    let timed = eval(&["test_batch.bin", "--timings"]);
    assert!(timed.stderr.ends_with(" images a second\n"), "{}", timed.stderr);
}

#[test]
fn eval_reads_arrays_and_folders_of_images() {
    let home = home();
    let (bytes, labels) = labelled(4, 3);
    let x: Vec<u8> = bytes.chunks_exact(3073).flat_map(|record| record[1..].to_vec()).collect();
    let y = Tensor::i64s(labels.iter().map(|&label| label as i64).collect());
    write_npz(home.path(), "set.npz", &[("x", tensor(&x)), ("y", y)]);
    for (i, (frame, label)) in x.chunks_exact(3072).zip(&labels).enumerate() {
        let picture = image::RgbImage::from_fn(32, 32, |column, row| {
            let at = (row * 32 + column) as usize;
            image::Rgb([frame[at], frame[1024 + at], frame[2048 + at]])
        });
        for class in 0..10 {
            fs::create_dir_all(home.path().join(format!("set/{class}"))).unwrap();
        }
        picture.save(home.path().join(format!("set/{label}/{i}.png"))).unwrap();
    }
    for data in ["set.npz", "set"] {
        let text = nonresc_in(home.path(), &["eval", "resnet8.onnx", "--data", data]).done();
        assert!(text.contains("top-1  75.00 %  3 of 4\n"), "{data}: {text}");
    }
}

#[test]
fn eval_refuses_what_does_not_belong_together() {
    let home = home();
    two_outputs(home.path());
    let (mut bytes, _) = labelled(1, 0);
    bytes[0] = 0;
    fs::write(home.path().join("one.bin"), &bytes).unwrap();
    bytes[0] = 10;
    fs::write(home.path().join("ten.bin"), &bytes).unwrap();
    let eval = |arguments: &[&str]| nonresc_in(home.path(), &[&["eval"], arguments].concat());
    assert_eq!(
        eval(&["resnet8.onnx", "--data", "ten.bin"]).refused(1),
        "error[eval/label]: label 10 of image 0 of ten.bin\n  why: the network has 10 classes\n  \
         do:  evaluate on the data that the network was trained for\n"
    );
    let refused = eval(&["two.onnx", "--data", "one.bin", "--output", "a"]).refused(1);
    assert!(refused.contains("32 x 32 pixels, and the network reads 2 x 2"), "{refused}");
    assert!(refused.contains("--resize"), "{refused}");
    let refused = eval(&["two.onnx", "--data", "one.bin"]).refused(1);
    assert!(refused.contains("2 outputs: \"a\", \"b\"") && refused.contains("--output NAME"), "{refused}");
    let refused = eval(&["two.onnx", "--data", "one.bin", "--output", "b"]).refused(1);
    assert!(refused.contains("is not one score a class"), "{refused}");
    let refused = eval(&["resnet8.onnx", "--data", "x.npz", "--format", "json"]).refused(1);
    let fault: serde_json::Value = serde_json::from_str(&refused).unwrap();
    assert_eq!(fault["errors"][0]["code"], "data/array");
    assert_eq!(fault["errors"][0]["what"], "data x.npz");
}

#[test]
fn a_network_that_guesses_is_doubted() {
    let home = home();
    let (bytes, _) = labelled(10, 1);
    fs::write(home.path().join("test.bin"), bytes).unwrap();
    let eval = |more: &[&str]| {
        let ended =
            nonresc_in(home.path(), &[&["eval", "resnet8.onnx", "--data", "test.bin"], more].concat());
        assert_eq!(ended.code, 0);
        ended.stderr
    };
    assert!(
        eval(&[])
            .contains("note: less than twice what guessing gives: the network sees pixels from 0 to 255")
    );
    assert!(eval(&["--limit", "1"]).is_empty(), "one right of one is no guess");
}

#[test]
fn devices_are_listed() {
    let home = tempfile::tempdir().unwrap();
    let text = nonresc_in(home.path(), &["devices"]).done();
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let json = nonresc_in(home.path(), &["devices", "--format", "json"]).done();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rows = json["devices"].as_array().unwrap();
    for name in ["xc7z020", "xc7a100t", "xczu3eg", "xck26", "xczu7ev", "xcu250", "LFE5U-85F", "none"] {
        assert!(text.lines().any(|line| line.split(' ').next() == Some(name)), "{name}: {text}");
        let row = rows.iter().find(|row| row["name"] == name).expect(name);
        assert!(!row["source"].as_str().unwrap().is_empty());
        assert_eq!(row["luts"].is_null(), name == "none");
    }
    let kria = text.lines().find(|line| line.starts_with("xck26")).unwrap();
    assert!(kria.contains("117,120") && kria.contains("1,248") && kria.contains("288"), "{kria}");
}

#[test]
fn completions_and_help_know_every_flag() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let text = nonresc_in(home.path(), &["completions", shell]).done();
        for word in ["run", "eval", "devices", "labels", "resize", "crop", "limit", "input-shape", "engine"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
    for (command, flags) in [
        ("run", &["--input", "--output", "--input-shape", "--scale", "--mean", "--std", "--engine"][..]),
        (
            "eval",
            &["--data", "--labels", "--resize", "--crop", "--limit", "--output", "--format", "--timings"],
        ),
        ("devices", &["--format"]),
    ] {
        let text = nonresc_in(home.path(), &[command, "--help"]).done();
        assert!(flags.iter().all(|flag| text.contains(flag)), "{command}: {text}");
        assert!(text.contains("Example") || command == "devices", "{command}: {text}");
    }
}
