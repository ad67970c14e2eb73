//! Import of models made by hand: what is read, what is refused, how much memory either takes.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use nonresc_ir::network::{Batch, Op};
use nonresc_ir::onnx::import::{ImportOptions, Imported, import_bytes, import_file};
use nonresc_ir::onnx::messages::tensor_proto::DataLocation;
use nonresc_ir::onnx::messages::{
    FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
};
use nonresc_tests::allocation::{Counting, most_held};
use nonresc_tests::model::{Extent, bytes, float, info, int, ints, model, node, residual, weights, whole};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn read(model: &ModelProto) -> Result<Imported, String> {
    import_bytes(bytes(model), "model.onnx", &ImportOptions::default()).map_err(|d| d.to_string())
}

/// Operators in topological order.
fn operators(imported: &Imported) -> Vec<&'static str> {
    let network = &imported.network;
    let order = network.topological().unwrap();
    order.iter().map(|&n| network.op(n).name()).filter(|n| *n != "const").collect()
}

/// Fails unless the error has every word of `names`, and as many faults as `count`.
fn refused(model: &ModelProto, count: usize, names: &[&str]) {
    let error = read(model).expect_err("the model is refused");
    assert_eq!(error.matches("error[").count(), count, "{error}");
    for name in names {
        assert!(error.contains(name), "no {name} in\n{error}");
    }
}

#[test]
fn a_residual_network_is_read_as_it_is_written() {
    let imported = read(&residual()).unwrap();
    let expected = [
        "input",
        "conv",
        "relu",
        "conv",
        "batch_norm",
        "relu",
        "conv",
        "add",
        "relu",
        "global_avg_pool",
        "reshape",
        "dense",
    ];
    assert_eq!(operators(&imported), expected);
    let network = &imported.network;
    assert_eq!(network.inputs()[0].batch, Batch::Dynamic(Some("N".into())));
    let add = network.node_ids().find(|&n| matches!(network.op(n), Op::Add(_))).unwrap();
    assert_eq!(network.node(add).names.first(), Some("n_a"));
    assert!(imported.notes.is_empty());
}

#[test]
fn a_file_of_another_kind_is_called_by_its_name() {
    let files: [(&[u8], &str); 3] = [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"PK\x03\x04\x14\x00", "ZIP archive"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
    ];
    for (bytes, kind) in files {
        let fault = import_bytes(bytes.to_vec(), "model.onnx", &ImportOptions::default()).unwrap_err();
        assert!(fault.to_string().contains(kind), "{fault}");
    }
}

#[test]
fn a_rectifier_has_many_spellings() {
    let zero = TensorProto { dims: vec![], ..weights("zero", &[1]) };
    let zero = TensorProto { float_data: vec![0.0], ..zero };
    for spelled in [
        node("Relu", &["x"], "y", vec![]),
        node("Clip", &["x", "zero"], "y", vec![]),
        node("Max", &["x", "zero"], "y", vec![]),
        node("Max", &["zero", "x"], "y", vec![]),
    ] {
        let imported = read(&model(vec![spelled.clone()], vec![zero.clone()], "y"));
        assert_eq!(operators(&imported.unwrap()), ["input", "relu"], "{spelled:?}");
    }
    let mut old = model(vec![node("Clip", &["x"], "y", vec![float("min", 0.0)])], vec![], "y");
    old.opset_import[0].version = Some(10);
    assert_eq!(operators(&read(&old).unwrap()), ["input", "relu"]);
}

#[test]
fn every_fault_is_named_once_and_its_readers_stay_silent() {
    let nodes = vec![
        node("Warp", &["x"], "a", vec![]),
        node("Relu", &["a"], "b", vec![]),
        node("Conv", &["b", "w"], "c", vec![ints("strides", &[0, 1])]),
        node("Conv", &["x", "w"], "d", vec![ints("strides", &[0, 1])]),
        node("Add", &["c", "d"], "y", vec![]),
    ];
    let model = model(nodes, vec![weights("w", &[3, 3, 1, 1])], "y");
    refused(&model, 2, &["Warp \"n_a\"", "Conv \"n_d\"", "strides", "opset 13"]);
}

#[test]
fn attributes_are_the_operators_own_once_and_of_their_type() {
    let relu = |attributes| model(vec![node("Relu", &["x"], "y", attributes)], vec![], "y");
    refused(&relu(vec![float("slope", 0.1)]), 1, &["\"slope\"", "has not"]);
    let conv = |attributes| {
        model(vec![node("Conv", &["x", "w"], "y", attributes)], vec![weights("w", &[2, 3, 1, 1])], "y")
    };
    assert!(read(&conv(vec![int("group", 1)])).is_ok());
    refused(&conv(vec![float("group", 1.0)]), 1, &["\"group\"", "FLOAT", "INT"]);
    refused(&conv(vec![int("group", 1), int("group", 1)]), 1, &["\"group\"", "twice"]);
}

#[test]
fn a_name_without_a_node_is_its_first_result() {
    let mut nameless = node("Warp", &["x"], "y", vec![]);
    nameless.name = None;
    refused(&model(vec![nameless], vec![], "y"), 1, &["Warp with output \"y\""]);
}

#[test]
fn long_chains_of_nothing_are_no_recursion() {
    let name = |i: usize| if i == 0 { "x".to_string() } else { format!("t{i}") };
    let mut nodes: Vec<NodeProto> =
        (0..50_000).map(|i| node("Identity", &[&name(i)], &name(i + 1), vec![])).collect();
    nodes.push(node("Relu", &["t50000"], "y", vec![]));
    nodes.reverse();
    assert_eq!(operators(&read(&model(nodes, vec![], "y")).unwrap()), ["input", "relu"]);
}

#[test]
fn cycles_name_their_nodes_alone() {
    let nodes = vec![
        node("Relu", &["x"], "a", vec![]),
        node("Add", &["a", "c"], "b", vec![]),
        node("Relu", &["b"], "c", vec![]),
        node("Relu", &["c"], "y", vec![]),
    ];
    let error = read(&model(nodes, vec![], "y")).err().unwrap();
    assert!(error.contains("\"n_b\"") && error.contains("\"n_c\""), "{error}");
    assert!(!error.contains("\"n_a\"") && !error.contains("\"n_y\""), "{error}");
}

#[test]
fn the_batch_stays_on_axis_0() {
    let pooled = || node("GlobalAveragePool", &["x"], "p", vec![]);
    let fine = vec![pooled(), node("Reshape", &["p", "s"], "y", vec![])];
    assert!(read(&model(fine.clone(), vec![whole("s", &[-1, 3])], "y")).is_ok());
    refused(&model(fine, vec![whole("s", &[3])], "y"), 1, &["\"n_y\"", "batch"]);
    let turned = vec![node("Transpose", &["x"], "y", vec![ints("perm", &[1, 0, 2, 3])])];
    refused(&model(turned, vec![], "y"), 1, &["\"n_y\"", "moves the batch"]);
    let joined = vec![node("Concat", &["x", "x"], "y", vec![int("axis", 0)])];
    refused(&model(joined, vec![], "y"), 1, &["\"n_y\"", "joins along the batch"]);
}

/// A fixed batch is remembered at the ports; the network itself holds one frame.
#[test]
fn a_fixed_batch_becomes_one_frame() {
    let mut fixed = residual();
    let extents = [Extent::Known(4), Extent::Known(3), Extent::Known(8), Extent::Known(8)];
    fixed.graph.as_mut().unwrap().input = vec![info("x", &extents)];
    let network = read(&fixed).unwrap().network;
    assert_eq!(network.inputs()[0].batch, Batch::Fixed(4));
    assert_eq!(network.outputs()[0].batch, Batch::Fixed(4));
    assert_eq!(network.ty(network.outputs()[0].value).shape.0, [1, 5]);
}

fn function(name: &str, nodes: Vec<NodeProto>) -> FunctionProto {
    FunctionProto {
        name: Some(name.into()),
        domain: Some("local".into()),
        input: vec!["i".into()],
        output: vec!["o".into()],
        node: nodes,
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(13) }],
        ..FunctionProto::default()
    }
}

fn call(function: &str, input: &str, output: &str) -> NodeProto {
    NodeProto { domain: Some("local".into()), ..node(function, &[input], output, vec![]) }
}

#[test]
fn functions_are_written_out_and_never_without_end() {
    let with = |functions: Vec<FunctionProto>| {
        let mut model = model(vec![call("f", "x", "t"), call("f", "t", "y")], vec![], "y");
        model.opset_import.push(OperatorSetIdProto { domain: Some("local".into()), version: Some(1) });
        model.functions = functions;
        model
    };
    let twice = function("f", vec![node("Relu", &["i"], "m", vec![]), node("Add", &["m", "i"], "o", vec![])]);
    let imported = read(&with(vec![twice])).unwrap();
    assert_eq!(operators(&imported), ["input", "relu", "add", "relu", "add"]);
    let network = &imported.network;
    assert!(network.node_ids().any(|n| network.node(n).names.first() == Some("n_t/n_m")));

    let endless = function("f", vec![call("f", "i", "o")]);
    let error = read(&with(vec![endless])).err().unwrap();
    assert!(error.contains("nested"), "{error}");

    // Thirty functions, each calling the next one twice: a thousand million nodes if written out.
    let name = |i: usize| if i == 0 { "f".to_string() } else { format!("f{i}") };
    let doubling = (0..30)
        .map(|i| function(&name(i), vec![call(&name(i + 1), "i", "m"), call(&name(i + 1), "m", "o")]))
        .collect();
    let (outcome, most) = most_held(|| read(&with(doubling)));
    assert!(outcome.is_err_and(|e| e.contains("larger than the file")));
    assert!(most < 64 << 20, "{most} bytes held");
}

fn external(location: &str, offset: &str, length: &str) -> ModelProto {
    let entry =
        |key: &str, value: &str| StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) };
    let tensor = TensorProto {
        float_data: Vec::new(),
        data_location: Some(DataLocation::External as i32),
        external_data: vec![entry("location", location), entry("offset", offset), entry("length", length)],
        ..weights("w", &[2, 3, 1, 1])
    };
    model(vec![node("Conv", &["x", "w"], "y", vec![])], vec![tensor], "y")
}

#[test]
fn external_data_lies_below_the_models_folder() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("model");
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::write(home.path().join("outside.bin"), [0; 64]).unwrap();
    fs::write(folder.join("sub/side.bin"), [0; 40]).unwrap();
    std::os::unix::fs::symlink(home.path().join("outside.bin"), folder.join("link.bin")).unwrap();
    let outcome = |model: &ModelProto| {
        let path: &Path = &folder.join("m.onnx");
        fs::write(path, bytes(model)).unwrap();
        import_file(path, &ImportOptions::default()).map_err(|d| d.to_string())
    };
    assert!(outcome(&external("sub/side.bin", "16", "24")).is_ok());
    for (location, offset, length, word) in [
        ("link.bin", "0", "24", "link"),
        ("../outside.bin", "0", "24", "leaves"),
        ("sub", "0", "24", "regular file"),
        ("sub/side.bin", "17", "24", "40 bytes"),
        ("sub/side.bin", "16", "20", "24 bytes"),
        ("sub/side.bin", "18446744073709551615", "24", "no number"),
    ] {
        let error = outcome(&external(location, offset, length)).err().unwrap();
        assert!(error.contains("\"w\"") && error.contains(word), "{word}: {error}");
    }
    let error = read(&external("sub/side.bin", "16", "24")).err().unwrap();
    assert!(error.contains("not read from a file"), "{error}");
}

/// Numbers behind the first 4 GB of a side file, which holds nothing before them.
#[test]
fn external_data_may_be_larger_than_any_message() {
    let home = tempfile::tempdir().unwrap();
    let (far, numbers) = (5u64 << 30, [0.5f32, -1.0, 2.0, 4.0, -8.0, 0.25]);
    let mut side = fs::File::create(home.path().join("side.bin")).unwrap();
    side.seek(SeekFrom::Start(far)).unwrap();
    numbers.iter().for_each(|x| side.write_all(&x.to_le_bytes()).unwrap());
    let path = home.path().join("m.onnx");
    fs::write(&path, bytes(&external("side.bin", &far.to_string(), "24"))).unwrap();
    let network = import_file(&path, &ImportOptions::default()).unwrap().network;
    let found = network.node_ids().find_map(|node| network.constant(node.into())).unwrap();
    assert_eq!(found.to_f32(), numbers);
}

/// What a side file says is not held twice, once as bytes and once as numbers.
#[test]
fn external_data_is_read_piece_by_piece() {
    let home = tempfile::tempdir().unwrap();
    const NUMBERS: usize = 12 << 20;
    let side: Vec<u8> = (0..NUMBERS).flat_map(|i| (i as f32).to_le_bytes()).collect();
    fs::write(home.path().join("side.bin"), &side).unwrap();
    let mut model = external("side.bin", "0", &side.len().to_string());
    drop(side);
    model.graph.as_mut().unwrap().initializer[0].dims = vec![NUMBERS as i64 / 3, 3, 1, 1];
    let path = home.path().join("m.onnx");
    fs::write(&path, bytes(&model)).unwrap();
    let (read, most) = most_held(|| import_file(&path, &ImportOptions::default()));
    let network = read.unwrap().network;
    let found = network.node_ids().find_map(|node| network.constant(node.into())).unwrap();
    assert!(found.to_f32().into_iter().enumerate().all(|(i, x)| x == i as f32));
    // Four bytes a number, and as much again were the file's own held too.
    assert!(most < NUMBERS * 5, "{most} bytes held");
}

#[test]
fn a_file_cannot_claim_memory_that_it_does_not_have() {
    // A million empty nodes: two bytes each in the file, some hundred in memory.
    let graph = [0x0a, 0x00].repeat(1 << 20);
    let mut hollow = vec![0x08, 0x08, 0x3a];
    prost::encoding::encode_varint(graph.len() as u64, &mut hollow);
    hollow.extend(graph);
    let size = hollow.len();
    let (outcome, most) = most_held(|| import_bytes(hollow, "hollow.onnx", &ImportOptions::default()));
    let error = outcome.err().unwrap().to_string();
    assert!(error.contains("hollow.onnx") && error.contains("empty parts"), "{error}");
    assert!(most < 4 * size, "{most} bytes held for a file of {size}");

    for (op, inputs) in [("ConstantOfShape", vec!["s"]), ("Expand", vec!["w", "s"])] {
        let nodes = vec![node(op, &inputs, "c", vec![]), node("Add", &["x", "c"], "y", vec![])];
        let model = model(nodes, vec![whole("s", &[1 << 20, 1 << 20]), weights("w", &[1])], "y");
        let (outcome, most) = most_held(|| read(&model));
        assert!(outcome.is_err_and(|e| e.contains("n_c") && e.contains("beyond the size of the file")));
        assert!(most < 1 << 20, "{most} bytes held");
    }
}

/// A generator of numbers that are the same on every run (Marsaglia's xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

fn damaged(good: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..1 + numbers.below(4) {
        let at = numbers.below(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        match numbers.below(6) {
            _ if bytes.is_empty() => {}
            0 => bytes.truncate(at),
            1 => bytes[at] ^= 1 << numbers.below(8),
            2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][numbers.below(5)],
            3 => {
                bytes.remove(at);
            }
            4 => bytes.insert(at, numbers.below(256) as u8),
            _ => {
                let end = (at + 1 + numbers.below(40)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = numbers.below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
    bytes
}

/// Whatever is wrong with a file, reading it ends in a network or in an error, in bounded memory.
#[test]
fn damaged_files_are_read_or_refused_in_bounded_memory() {
    let graph = GraphProto { doc_string: Some("text".into()), ..residual().graph.unwrap() };
    let good = bytes(&ModelProto { graph: Some(graph), ..residual() });
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut read, mut refused, mut worst) = (0, 0, 0);
    for _ in 0..6_000 {
        let bad = damaged(&good, &mut numbers);
        let (outcome, most) = most_held(|| import_bytes(bad, "bad.onnx", &ImportOptions::default()));
        match outcome {
            Ok(_) => read += 1,
            Err(faults) => {
                assert!(!faults.is_empty());
                refused += 1;
            }
        }
        worst = worst.max(most);
    }
    println!("{read} read, {refused} refused, {worst} bytes held at most for a file of {}", good.len());
    assert!(read > 100 && refused > 1_000, "{read} read, {refused} refused");
    assert!(worst < 40 * good.len() + (20 << 20), "{worst} bytes held");
}
