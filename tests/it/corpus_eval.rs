//! Trained networks of the corpora on the first CIFAR-10 test images: scores and top-1 are those of the runtime
//! that made the corpus.

use std::path::Path;

use nonresc_ir::network::{Edit, Network, Preprocess};
use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::accuracy::{self, Count};
use nonresc_passes::data::{Dataset, Request};
use nonresc_passes::engine::{Engine, Frames, Given};
use nonresc_passes::normalise::normalise;
use nonresc_tests::corpus::{array, distance, folder};

use crate::program::nonresc_in;

/// Networks, whether they read what torchvision's do (else 0 to 255), and how many images are looked at.
const NETWORKS: &[(&str, bool, usize)] = &[
    ("resnet8_ts13_bn", false, 512),
    ("resnet8_ts13_fold", false, 512),
    ("resnet8_tf2onnx13_nhwc", false, 512),
    ("resnet20_ts11_bn", true, 512),
    ("resnet20_ts13_fold", true, 512),
    ("resnet20_dy18_nofold", true, 512),
    ("resnet56_ts11_bn", true, 64),
];

const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const STD: [f64; 3] = [0.229, 0.224, 0.225];

fn network(models: &Path, name: &str, torchvision: bool) -> Network {
    let path = models.join(format!("{name}.onnx"));
    let mut network = import_file(&path, &ImportOptions::default()).unwrap().network;
    if torchvision {
        let preprocess = Preprocess { scale: 1.0 / 255.0, mean: MEAN.to_vec(), std: STD.to_vec() };
        Edit::new(&mut network).set_preprocess(Some(preprocess));
    }
    normalise(&mut network).unwrap();
    network
}

/// The first `n` rows of scores.
fn first(scores: &Tensor, n: usize) -> Tensor {
    Tensor::f32([n, 10], scores.to_f32()[..n * 10].to_vec()).unwrap()
}

/// How many rows have their first best score at the label.
fn right(scores: &Tensor, labels: &[u32]) -> usize {
    let best = |row: &[f32]| (0..10).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
    scores.to_f32().chunks_exact(10).zip(labels).filter(|(row, label)| best(row) == **label as usize).count()
}

#[test]
fn scores_and_top_1_of_trained_networks() {
    let shared = folder();
    let (models, images) = (shared.join("models"), shared.join("data/cifar10/test_512.bin"));
    for &(name, torchvision, n) in NETWORKS {
        let network = network(&models, name, torchvision);
        let request = Request { path: images.clone(), limit: Some(n), ..Request::default() };
        let data = Dataset::open(&request, accuracy::frame(&network).unwrap()).unwrap();
        let golden = first(&array(&models.join(format!("{name}.logits5000.npz")), "logits"), n);

        let frames = data.frames(0..n).unwrap();
        let given = Given::from([("input".to_string(), accuracy::users_layout(&network, frames))]);
        let scores = Frames::new(&network, Engine::Native).unwrap().run(&given).unwrap().remove(0).1;
        let apart = distance(&scores, &golden);
        let found: Count = accuracy::measure(&network, &data, Engine::Native).unwrap().all;
        let expected = right(&golden, data.labels());
        println!("{name}: top-1 {} of {n}, scores {apart:.1e} apart", found.top1);
        assert!(apart < 1e-4, "{name}: {apart}");
        assert_eq!((found.images, found.top1), (n, expected), "{name}");
    }
}

#[test]
fn the_program_says_the_same() {
    let shared = folder();
    let data = shared.join("data/cifar10/test_512.bin");
    let model = shared.join("models/resnet20_ts11_bn.onnx");
    let numbers = |all: [f64; 3]| all.map(|x| x.to_string()).join(",");
    let (mean, std) = (numbers(MEAN), numbers(STD));
    let arguments = ["eval", model.to_str().unwrap(), "--data", data.to_str().unwrap(), "--format", "json"];
    let flags = ["--scale", "1/255", "--mean", &mean, "--std", &std, "--limit", "128"];
    let text = nonresc_in(&shared, &[&arguments[..], &flags].concat()).done();
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let golden = first(&array(&shared.join("models/resnet20_ts11_bn.logits5000.npz"), "logits"), 128);
    let labels: Vec<u32> =
        std::fs::read(&data).unwrap().chunks_exact(3073).take(128).map(|record| record[0].into()).collect();
    assert_eq!(found["top1"].as_u64().unwrap() as usize, right(&golden, &labels));
}
