//! A trained network of the corpora, calibrated on its training images and measured on others.

use nonresc_ir::network::{Network, canonicalise};
use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_passes::data::{Dataset, Request};
use nonresc_passes::engine::{Engine, Frames, Given};
use nonresc_passes::integers::{Rule, integers};
use nonresc_passes::normalise::normalise;
use nonresc_passes::quantise::{QuantiseOptions, Scales, floats, quantise};
use nonresc_passes::target::Bits;
use nonresc_tests::corpus::folder;

fn open(name: &str) -> Dataset {
    let path = folder().join("data/cifar10").join(name);
    Dataset::open(&Request { path, ..Request::default() }, [3, 32, 32]).unwrap()
}

fn model(name: &str) -> Network {
    let path = folder().join(format!("models/{name}.onnx"));
    let mut network = import_file(&path, &ImportOptions::default()).unwrap().network;
    normalise(&mut network).unwrap();
    canonicalise(&network)
}

/// The class of each image.
fn classes(network: &Network, images: &Dataset) -> Vec<usize> {
    let frames = images.frames(0..images.len()).unwrap();
    let given = Given::from([(network.inputs()[0].name.clone(), frames)]);
    let scores = Frames::new(network, Engine::Native).unwrap().run(&given).unwrap().remove(0).1.to_f32();
    let best = |row: &[f32]| (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
    scores.chunks_exact(10).map(best).collect()
}

#[test]
fn resnet8_keeps_its_accuracy() {
    let network = model("resnet8_ts13_fold");
    let (images, test) = (open("calibration_256.bin"), open("test_512.bin"));
    let classes = |network: &Network| classes(network, &test);
    let right = |classes: &[usize]| {
        classes.iter().zip(test.labels()).filter(|(class, label)| **class == **label as usize).count()
    };
    let float = classes(&network);
    // Of 512 images so many may get another class than with floats. Where chance decides which of two classes that are
    // close is the right one, the difference in what is right is of the order of the root of that.
    for (bits, scales, others) in
        [((8, 8), Scales::PowerOfTwo, 12), ((8, 8), Scales::Free, 10), ((6, 6), Scales::PowerOfTwo, 30)]
    {
        let bits = Bits { weights: bits.0, activations: bits.1 };
        let options = QuantiseOptions { bits, scales, ..QuantiseOptions::default() };
        let found = classes(&quantise(&network, Some(&images), &options).unwrap().network);
        let differ = found.iter().zip(&float).filter(|(a, b)| a != b).count();
        let (found, float) = (right(&found), right(&float));
        println!("{bits:?} {scales:?}: {differ} classes differ, {found} right, {float} as floats");
        assert!(differ <= others, "{bits:?} {scales:?}: {differ} of {} classes differ", test.len());
        assert!(
            (found as f64) > float as f64 - 2.0 * (others as f64).sqrt(),
            "{bits:?} {scales:?}: {found} of {float}"
        );
    }
}

/// Files of other quantisers, their quantisers dropped and chosen anew, also where each reader had one of its own.
#[test]
fn quantised_files_are_quantised_anew() {
    let (images, test) = (open("calibration_256.bin"), open("test_512.bin"));
    for name in ["resnet8_qdq_u8s8_tensor", "resnet8_qdq_dedicated", "resnet8_qop_u8s8_tensor"] {
        let given = model(name);
        assert!(quantise(&given, Some(&images), &QuantiseOptions::default()).is_err(), "{name}");
        let mut back = floats(&given).unwrap();
        normalise(&mut back).unwrap();
        let made = quantise(&back, Some(&images), &QuantiseOptions::default()).unwrap().network;
        let whole = integers(&made, Rule::AsGiven).unwrap().network;
        let (found, golden) = (classes(&whole, &test), classes(&given, &test));
        let differ = found.iter().zip(&golden).filter(|(a, b)| a != b).count();
        println!("{name}: {differ} classes differ");
        // Two roundings one behind the other, each of which may change the class of some twelve images.
        assert!(differ <= 24, "{name}: {differ} of {} classes differ", test.len());
    }
}
