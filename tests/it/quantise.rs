//! Quantisation of float networks: where quantisers stand, what their numbers are, that the function stays near, and
//! that ties go upwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use nonresc_ir::eval::evaluate;
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{
    Concat, Edit, Element, LeakyRelu, Mul, Network, Op, Pair, Quantise, Rounding, canonicalise, verify,
    verify_live,
};
use nonresc_ir::onnx::export::{export, export_qonnx};
use nonresc_ir::onnx::import::{ImportOptions, import_bytes};
use nonresc_ir::tensor::Tensor;
use nonresc_ir::text;
use nonresc_passes::data::{Dataset, Request, arrays};
use nonresc_passes::lower::{Skipped, lower};
use nonresc_passes::normalise::normalise;
use nonresc_passes::quantise::{Granularity, Method, QuantiseOptions, Quantised, Quantity, Scales, quantise};
use nonresc_passes::target::{Bits, Rate};
use nonresc_tests::networks::{Maker, two_blocks};
use nonresc_tests::random;
use nonresc_tests::seed::Seed;
use nonresc_tests::target::unlimited;

use crate::program::{home, names, nonresc_in};
use crate::snapshot;

pub(crate) fn options(weights: u32, activations: u32) -> QuantiseOptions {
    QuantiseOptions { bits: Bits { weights, activations }, ..QuantiseOptions::default() }
}

pub(crate) fn normal(mut network: Network) -> Network {
    normalise(&mut network).unwrap();
    canonicalise(&network)
}

/// The network in so many bits, calibrated on made-up inputs.
pub(crate) fn quantised(network: Network, options: &QuantiseOptions) -> Quantised {
    quantise(&normal(network), None, options).unwrap()
}

/// Blocks with every kind of skip: an identity, a projection, a max pool, an average pool, option A.
pub(crate) fn skips() -> Network {
    let (mut maker, x) = Maker::new(3, 16);
    let x = maker.conv("stem", x, 4, 3, 1);
    let x = maker.relu("stem.relu", x);
    let x = maker.block("identity", x, 4, 1);
    let x = maker.block("projection", x, 8, 2);
    let y = maker.two("max", x, 8, 2);
    let skip = maker.pool("max.pool", x);
    let x = maker.add("max.add", y, skip);
    let y = maker.two("mean", x, 8, 2);
    let two = Pair::square(2);
    let pool = nonresc_ir::network::AvgPool { kernel: two, stride: two, ..Default::default() };
    let skip = maker.op("mean.pool", pool, &[x]);
    let x = maker.add("mean.add", y, skip);
    let x = maker.relu("mean.relu", x);
    let y = maker.two("padded", x, 16, 2);
    let y = maker.relu("padded.relu2", y);
    let skip = maker.padded("padded", x, 8);
    let x = maker.add("padded.add", y, skip);
    maker.classify(x, 5)
}

fn title(network: &Network, node: NodeId) -> String {
    network.node(node).names.first().unwrap_or("-").to_string()
}

/// One operator a line, constants left out.
fn structure(network: &Network) -> String {
    let mut text = String::new();
    for node in network.node_ids().filter(|&n| !matches!(network.op(n), Op::Const(_))) {
        let is_known = |v: &Value| network.constant(*v).is_some();
        let stored = |v: &Value| is_known(v) || network.operands(v.node).first().is_some_and(is_known);
        let operands = network.operands(node);
        if operands.first().is_some_and(is_known) {
            continue;
        }
        let read: Vec<String> =
            operands.iter().filter(|v| !stored(v)).map(|v| title(network, v.node)).collect();
        let element = match network.op(node) {
            Op::Quantise(_) => format!(" {}", network.ty(node.into()).element),
            _ => String::new(),
        };
        let line = format!("{:<25} {}{element}", title(network, node), network.op(node).name());
        text += &format!("{line:<39} {}\n", read.join(", "));
    }
    text
}

#[test]
fn quantisers_stand_where_an_integer_network_rounds() {
    snapshot("quantise", "skips", &structure(&quantised(skips(), &options(8, 8)).network));
}

/// The value that the codes of a value come from, over what only moves or compares numbers.
fn origin(network: &Network, mut value: Value) -> Value {
    while matches!(
        network.op(value.node),
        Op::Relu(_) | Op::MaxPool(_) | Op::GlobalMaxPool(_) | Op::Pad(_) | Op::Slice(_) | Op::Reshape(_)
    ) {
        value = network.operands(value.node)[0];
    }
    value
}

/// The scale of what a layer reads.
fn scale_of(network: &Network, value: Value) -> Result<f64, String> {
    let from = origin(network, value);
    if !matches!(network.op(from.node), Op::Dequantise(_)) {
        return Err(format!("{} is read and is not rounded", title(network, from.node)));
    }
    Ok(network.constant(network.operands(from.node)[1]).unwrap().to_f64()[0])
}

/// Holds the numbers of a quantised network against the rules.
fn sound(network: &Network, options: &QuantiseOptions) -> Result<(), String> {
    verify(network).and_then(|()| verify_live(network)).map_err(|faults| faults.to_string())?;
    let (weights, activations) = (options.bits.weights as u8, options.bits.activations as u8);
    for node in network.node_ids() {
        let operands = network.operands(node);
        let constant = |v: Value| network.constant(v).unwrap();
        match network.op(node) {
            Op::Quantise(Quantise { bits, signed, .. }) => {
                let wanted =
                    if title(network, node) == "input_codes" { activations.max(8) } else { activations };
                if *bits != if *signed { wanted.max(2) } else { wanted } {
                    return Err(format!("{} has {bits} bits", title(network, node)));
                }
            }
            Op::Dequantise(_) => {
                let scales = constant(operands[1]).to_f64();
                if options.scales == Scales::PowerOfTwo && scales.iter().any(|s| s.log2().fract() != 0.0) {
                    return Err(format!("scales are {scales:?}"));
                }
                if let Some(codes) = network.constant(operands[0]) {
                    let most = ((1i64 << (weights - 1)) - 1).max(1);
                    let fits = |c: &i64| (-most..=most).contains(c) && (weights > 1 || *c != 0);
                    let fits = codes.to_i64().unwrap().iter().all(fits);
                    let channels = codes.shape().0[0];
                    let many = options.weights == Granularity::Channel && channels > 1;
                    if codes.element() != (Element::Int { bits: weights.max(2), signed: true })
                        || !fits
                        || scales.len() != if many { channels } else { 1 }
                    {
                        return Err(format!("weights {codes:?} with scales {scales:?}"));
                    }
                }
            }
            Op::Conv(_) | Op::Dense(_) | Op::GlobalAvgPool(_) | Op::AvgPool(_) => {
                scale_of(network, operands[0])?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Random networks that have integers; the others are refused for what they hold.
fn with_integers(network: &Network) -> Result<Option<Network>, String> {
    let network = normal(network.clone());
    let refused = |n: NodeId| matches!(network.op(n), Op::LeakyRelu(_) | Op::Concat(_) | Op::BatchNorm(_));
    let expected = network.node_ids().filter(|&n| refused(n)).count();
    match quantise(&network, None, &options(8, 8)) {
        Ok(_) if expected == 0 => Ok(Some(network)),
        Err(faults) if expected > 0 && faults.iter().all(|f| f.code == "quantise/operator") => Ok(None),
        Ok(_) => Err("it is not refused".into()),
        Err(faults) => Err(faults.to_string()),
    }
}

#[test]
fn codes_and_scales_are_those_that_were_asked_for() {
    let mut free = options(4, 5);
    free.scales = Scales::Free;
    let mut tensor = options(6, 3);
    tensor.weights = Granularity::Tensor;
    let mut signs = options(1, 1);
    signs.scales = Scales::Free;
    let all = [options(8, 8), options(2, 1), options(1, 1), options(16, 16), free, tensor, signs];
    let taken = std::cell::Cell::new(0);
    random::for_each(0..40, |network| {
        let Some(network) = with_integers(network)? else { return Ok(()) };
        taken.set(taken.get() + 1);
        for options in &all {
            let made = quantise(&network, None, options).map_err(|faults| faults.to_string())?;
            sound(&made.network, options).map_err(|why| format!("{:?}: {why}", options.bits))?;
            let again = quantise(&network, None, options).map_err(|faults| faults.to_string())?;
            let bytes = |made: &Quantised| (text::print(&made.network), text::weights(&made.network));
            if bytes(&made) != bytes(&again) {
                return Err("the same network gives other bytes".into());
            }
        }
        Ok(())
    });
    assert!(taken.get() > 20, "{} networks have integers", taken.get());
}

/// Frames that a network of random numbers reads, as data to calibrate on.
pub(crate) fn data_of(network: &Network, home: &Path, frames: u64) -> Dataset {
    let numbers = (0..frames).flat_map(|seed| random::input(network, seed).remove(0).to_f32()).collect();
    let (c, h, w) = network.ty(network.inputs()[0].node.into()).shape.chw().unwrap();
    let x = Tensor::f32([frames as usize, c, h, w], numbers).unwrap();
    let all = [("x".to_string(), x), ("y".to_string(), Tensor::i64s(vec![0; frames as usize]))];
    let path = home.join("frames.npz");
    fs::write(&path, arrays::npz_bytes(&all).unwrap()).unwrap();
    Dataset::open(&Request { path, ..Request::default() }, [c, h, w]).unwrap()
}

#[test]
fn wide_codes_keep_the_function() {
    const FRAMES: u64 = 4;
    let home = tempfile::tempdir().unwrap();
    random::for_each(0..40, |network| {
        let Some(network) = with_integers(network)? else { return Ok(()) };
        let data = data_of(&network, home.path(), FRAMES);
        let run = |network: &Network| -> Result<Vec<f64>, String> {
            let mut all = Vec::new();
            for seed in 0..FRAMES {
                let outputs = evaluate::<f32>(network, &random::input(network, seed));
                all.extend(outputs.map_err(|fault| fault.to_string())?.iter().flat_map(Tensor::to_f64));
            }
            Ok(all)
        };
        let golden = run(&network)?;
        let range = golden.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        // The inputs are those of the calibration, so that nothing is clipped: a step of 16 bits is at most 2^-14
        // of the range of a value, and some tens of roundings, each of half a step, lie on the way.
        for scales in [Scales::PowerOfTwo, Scales::Free] {
            let options = QuantiseOptions { scales, method: Method::MinMax, ..options(16, 16) };
            let made = quantise(&network, Some(&data), &options).map_err(|faults| faults.to_string())?;
            let found = run(&made.network)?;
            let apart = found.iter().zip(&golden).map(|(f, g)| (f - g).abs()).fold(0.0, f64::max);
            if apart > 2e-3 * range {
                return Err(format!("{scales:?}: outputs are {apart} apart, of {range}"));
            }
        }
        Ok(())
    });
}

/// The network without quarter steps, with its quantisers rounding so.
fn without_quarters(network: &Network, rounding: Rounding) -> Network {
    let mut plain = network.clone();
    let mut edit = Edit::new(&mut plain);
    for node in network.node_ids() {
        let mut operands = edit.operands(node);
        match network.op(node) {
            // The host rounds the input, ties to even.
            Op::Quantise(op) if title(network, node) != "x_codes" => {
                if title(&edit, operands[0].node).ends_with("_ties") {
                    operands[0] = edit.operands(operands[0].node)[0];
                }
                let new = edit.add(Quantise { rounding, ..op.clone() }, &operands).unwrap();
                edit.replace(node.into(), new).unwrap();
            }
            Op::Conv(_) | Op::Dense(_) if operands.len() == 3 => {
                let input = scale_of(&edit, operands[0]).unwrap();
                let weights = edit.operands(operands[1].node)[1];
                let scales = network.constant(weights).unwrap().to_f64();
                let bias = network.constant(operands[2]).unwrap().to_f64();
                let steps = scales.iter().cycle().zip(&bias).map(|(s, b)| {
                    let step = s * input;
                    ((b / step).round() * step) as f32
                });
                let bias = Tensor::f32([bias.len()], steps.collect()).unwrap();
                operands[2] = edit.constant(bias);
                let new = edit.add(network.op(node).clone(), &operands).unwrap();
                edit.replace(node.into(), new).unwrap();
            }
            _ => {}
        }
    }
    edit.remove_dead();
    plain
}

#[test]
fn a_quarter_step_sends_every_tie_up() {
    let mut differences = 0;
    for (weights, activations) in [(3, 3), (4, 6), (2, 8)] {
        let network = quantised(skips(), &options(weights, activations)).network;
        let up = without_quarters(&network, Rounding::HalfUp);
        let even = without_quarters(&network, Rounding::HalfEven);
        for seed in 0..12 {
            let input = random::input(&network, seed);
            let run = |network: &Network| evaluate::<f32>(network, &input).unwrap();
            let found = run(&network);
            assert_eq!(found, run(&up), "w{weights}a{activations}, input {seed}");
            differences += usize::from(found != run(&even));
        }
    }
    assert!(differences > 10, "ties occur: {differences}");
}

#[test]
fn the_exported_file_computes_the_same() {
    for (weights, activations) in [(1, 1), (2, 1), (1, 8), (4, 4), (8, 8), (7, 12), (16, 16)] {
        let network = quantised(two_blocks(), &options(weights, activations)).network;
        for bytes in [export(&network), export_qonnx(&network)] {
            let read = import_bytes(bytes.unwrap(), "q.onnx", &ImportOptions::default()).unwrap().network;
            for seed in 0..4 {
                let input = random::input(&network, seed);
                let run = |network: &Network| evaluate::<f32>(network, &input).unwrap();
                assert_eq!(run(&network), run(&read), "w{weights}a{activations}, input {seed}");
            }
        }
    }
}

#[test]
fn a_layer_can_have_its_own_bits() {
    let layers = BTreeMap::from([("identity.conv1".to_string(), Bits { weights: 4, activations: 5 })]);
    let made = quantised(skips(), &QuantiseOptions { layers, ..options(8, 8) });
    let of = |layer: &str, tensor| {
        let row = made.rows.iter().find(|row| row.layer == layer && row.tensor == tensor).unwrap();
        (row.bits, row.signed)
    };
    assert_eq!(of("identity.conv1", Quantity::Weights), (4, true));
    assert_eq!(of("identity.conv1", Quantity::Result), (5, false));
    assert_eq!(of("identity.conv2", Quantity::Weights), (8, true));
    assert_eq!(of("stem", Quantity::Result), (8, false));
    let all: BTreeSet<u32> = made.rows.iter().map(|row| row.bits).collect();
    assert_eq!(all, BTreeSet::from([4, 5, 8]));
    let input = quantised(skips(), &options(4, 4)).rows.remove(0);
    assert_eq!((input.tensor, input.bits), (Quantity::Input, 8));
}

#[test]
fn what_cannot_be_had_is_refused_at_once() {
    let (mut maker, x) = Maker::new(3, 8);
    let a = maker.conv("a", x, 4, 3, 1);
    let b = maker.op("leaky", LeakyRelu::default(), &[a]);
    let c = maker.op("product", Mul {}, &[a, b]);
    let d = maker.op("joined", Concat::default(), &[b, c]);
    let network = normal(maker.classify(d, 5));
    let faults = quantise(&network, None, &options(8, 8)).unwrap_err();
    let made = quantised(two_blocks(), &options(8, 8)).network;
    let twice = quantise(&normal(made), None, &options(8, 8)).unwrap_err();
    let layers = BTreeMap::from([("stm".to_string(), Bits { weights: 0, activations: 8 })]);
    let widths = QuantiseOptions { layers, ..options(17, 17) };
    let wide = quantise(&normal(two_blocks()), None, &widths).unwrap_err();
    let already = twice.iter().filter(|f| f.why == "the network is quantised already").count();
    assert_eq!(already, twice.len(), "{twice}");
    snapshot("quantise", "refused", &format!("{faults}\n\n{wide}"));
}

/// Images as a `.npz` and what the file is called.
fn images(home: &Path, shape: [usize; 4], classes: usize) -> std::path::PathBuf {
    let mut seed = Seed(3);
    // Most are small, some are large: clipping pays.
    let mut number = || {
        let small = seed.number();
        if seed.chance(2) { 3.0 * small } else { small }
    };
    let numbers = (0..shape.iter().product()).map(|_| number()).collect();
    let labels = (0..shape[0]).map(|i| (i % classes) as i64).collect();
    let all =
        [("x".to_string(), Tensor::f32(shape, numbers).unwrap()), ("y".to_string(), Tensor::i64s(labels))];
    let path = home.join("images.npz");
    fs::write(&path, arrays::npz_bytes(&all).unwrap()).unwrap();
    path
}

#[test]
fn calibration_decides_what_is_clipped() {
    let home = tempfile::tempdir().unwrap();
    let path = images(home.path(), [24, 3, 16, 16], 5);
    let data = Dataset::open(&Request { path, ..Request::default() }, [3, 16, 16]).unwrap();
    let network = normal(skips());
    let of = |method, scales| {
        let options = QuantiseOptions { method, scales, ..options(4, 4) };
        let rows = quantise(&network, Some(&data), &options).unwrap().rows;
        rows.into_iter().filter(|row| row.tensor != Quantity::Weights).collect::<Vec<_>>()
    };
    for scales in [Scales::PowerOfTwo, Scales::Free] {
        let whole = of(Method::MinMax, scales);
        assert!(whole.iter().all(|row| row.clipped == 0.0), "{whole:?}");
        let best = of(Method::Mse, scales);
        assert!(best.iter().zip(&whole).all(|(b, w)| b.scales.0 <= w.scales.0 && b.range == w.range));
        assert!(best.iter().any(|row| row.clipped > 0.0), "{best:?}");
        let most = of(Method::Percentile(100.0), scales);
        assert!(most.iter().zip(&whole).all(|(m, w)| m.scales.0 <= w.scales.0 * 1.001), "{most:?}");
        let half = of(Method::Percentile(90.0), scales);
        assert!(half.iter().zip(&whole).any(|(h, w)| h.scales.0 < w.scales.0), "{half:?}");
        assert!(half.iter().all(|row| row.clipped <= 0.101), "{half:?}");
    }
}

#[test]
fn biases_make_up_for_rounded_weights() {
    let home = tempfile::tempdir().unwrap();
    let path = images(home.path(), [16, 3, 16, 16], 5);
    let data = Dataset::open(&Request { path, ..Request::default() }, [3, 16, 16]).unwrap();
    let network = normal(skips());
    let frames = data.frames(0..16).unwrap().to_f32();
    let mean = |network: &Network| {
        let mut scores = [0.0; 5];
        for frame in frames.chunks_exact(3 * 256) {
            let frame = Tensor::f32([1, 3, 16, 16], frame.to_vec()).unwrap();
            let found = evaluate::<f64>(network, &[frame]).unwrap().remove(0).to_f64();
            scores.iter_mut().zip(found).for_each(|(sum, x)| *sum += x / 16.0);
        }
        scores
    };
    let golden = mean(&network);
    let apart = |bias_correction| {
        let options = QuantiseOptions { bias_correction, ..options(3, 8) };
        let found = mean(&quantise(&network, Some(&data), &options).unwrap().network);
        found.iter().zip(&golden).map(|(f, g)| (f - g).powi(2)).sum::<f64>()
    };
    assert!(apart(true) < 0.5 * apart(false), "{} and {}", apart(true), apart(false));
}

#[test]
fn the_program_quantises_and_its_file_can_be_evaluated() {
    let home = home();
    images(home.path(), [12, 3, 32, 32], 10);
    let flags = ["quantise", "resnet8.onnx", "--data", "images.npz", "--samples", "8", "--bits", "w6a7"];
    let run = |threads: &str, to: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_nonresc-under-test"))
            .args(flags)
            .args(["--out", to])
            .env("RAYON_NUM_THREADS", threads)
            .current_dir(home.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let printed = run("1", "q");
    assert_eq!(
        names(&home.path().join("q")),
        [".nonresc", "network.nir", "network.safetensors", "quantised.onnx", "quantised.qonnx.onnx"]
    );
    assert!(
        printed.starts_with("resnet8.onnx quantised, calibrated on 8 images of images.npz\n"),
        "{printed}"
    );
    assert!(printed.contains(" i6 ") && printed.contains(" u7 "), "{printed}");
    run("3", "again");
    for name in ["network.nir", "network.safetensors", "quantised.onnx", "quantised.qonnx.onnx"] {
        let bytes = |folder: &str| fs::read(home.path().join(folder).join(name)).unwrap();
        assert_eq!(bytes("q"), bytes("again"), "{name}");
    }
    let count = |model: &str| {
        let ended = nonresc_in(home.path(), &["eval", model, "--data", "images.npz", "--format", "json"]);
        let found: serde_json::Value = serde_json::from_str(&ended.done()).unwrap();
        (found["images"].as_u64(), found["top1"].as_u64(), found["top5"].as_u64())
    };
    let text = count("q/network.nir");
    assert_eq!((count("q/quantised.onnx"), text.0), (text, Some(12)));

    let made_up = nonresc_in(home.path(), &["quantise", "resnet8.onnx"]);
    assert!(made_up.stderr.contains("no images were given"), "{}", made_up.stderr);
    assert!(made_up.done().contains("calibrated on inputs that were made up"));
    for wrong in
        [["--bits", "w8"], ["--layer-bits", "w4a4"], ["--calibration", "percentile=10"], ["--samples", "0"]]
    {
        nonresc_in(home.path(), &[&["quantise", "resnet8.onnx"], &wrong[..]].concat()).refused(2);
    }
}

#[test]
fn training_images_are_taken_out_of_a_folder() {
    let home = home();
    for (name, records) in [("data_batch_1.bin", 3), ("test_batch.bin", 5)] {
        let bytes: Vec<u8> =
            (0..records * 3073).map(|i| if i % 3073 == 0 { 1 } else { (i % 251) as u8 }).collect();
        fs::write(home.path().join(name), bytes).unwrap();
    }
    let printed = nonresc_in(home.path(), &["quantise", "resnet8.onnx", "--data", "."]).done();
    assert!(printed.contains("calibrated on 3 images of ./data_batch_1.bin"), "{printed}");
}

/// What breaks ties is a constant of its quantiser in hardware, and no layer.
#[test]
fn constants_that_break_ties_are_no_actors() {
    let mut network = quantised(skips(), &options(8, 8)).network;
    let is_tie = |network: &Network, n: NodeId| title(network, n).ends_with("_ties");
    assert!(network.node_ids().any(|n| is_tie(&network, n)));
    normalise(&mut network).unwrap();
    let found = nonresc_passes::residual::skips(&network);
    let stream = lower(&network, &Skipped::kept(&found), &unlimited(Rate::Fastest)).unwrap();
    let actors: Vec<String> = stream.actors().map(|a| stream.actor(a).names.to_string()).collect();
    assert!(!actors.iter().any(|names| names.contains("_ties")), "{actors:?}");
    assert!(actors.iter().any(|names| names.contains("mean.pool")), "{actors:?}");
}
