//! The skips of every file of the corpora: as one golden list in which files with like skips stand together, against
//! what the manifests say of single files, and against the sums that another reader of ONNX counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use nonresc_ir::network::Network;
use nonresc_passes::residual::{Skip, SkipShape, Skips, skips};
use nonresc_tests::corpus::{normal_networks, readable, stem};
use onnx_protobuf::{Message, ModelProto};

/// What a skip is, without its number.
fn kind(skip: &Skip) -> String {
    let Skip { shape, skip_convolutions, convolutions, .. } = skip;
    format!("{shape} {skip_convolutions} of {convolutions}")
}

/// One line for consecutive skips that are alike: labels, shape, convolutions on and beside each, what it encloses.
fn listing(skips: &Skips) -> String {
    let mut lines: Vec<(String, String, String)> = Vec::new();
    for skip in skips.iter() {
        let encloses: Vec<String> = skip.encloses.iter().map(ToString::to_string).collect();
        let encloses = match &encloses[..] {
            [] => String::new(),
            [one] => format!(", encloses {one}"),
            [first, .., last] => format!(", encloses {} from {first} to {last}", encloses.len()),
        };
        let kind = kind(skip) + &encloses;
        match lines.last_mut() {
            Some((_, last, alike)) if *alike == kind => last.clone_from(&skip.label),
            _ => lines.push((skip.label.clone(), skip.label.clone(), kind)),
        }
    }
    let line = |(first, last, kind): &(String, String, String)| {
        let labels = if first == last { first.clone() } else { format!("{first}-{last}") };
        format!("    {labels}: {kind}\n")
    };
    if lines.is_empty() { "    none\n".into() } else { lines.iter().map(line).collect() }
}

#[test]
fn every_file_has_the_skips_of_the_golden_list() {
    let mut alike: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, network) in normal_networks() {
        alike.entry(listing(&skips(&network))).or_default().push(name);
    }
    let mut groups: Vec<String> =
        alike.iter().map(|(skips, files)| format!("{}\n{skips}", files.join(" "))).collect();
    groups.sort();
    crate::snapshot("residual", "corpora", &groups.concat());
}

/// Whether the skips of a file are as its manifest says.
type Holds = fn(&[Skip]) -> bool;

fn count(skips: &[Skip], shape: SkipShape) -> usize {
    skips.iter().filter(|skip| skip.shape == shape).count()
}

fn sources(skips: &[Skip]) -> BTreeSet<String> {
    skips.iter().map(|skip| skip.source.to_string()).collect()
}

const PROJECTION: SkipShape = SkipShape::Projection { pooled: false };
const POOLED: SkipShape = SkipShape::Projection { pooled: true };

/// Files, words of their manifest, and what these words mean for the skips.
const CLAIMS: &[(&str, &str, Holds)] = &[
    ("resnet20_ts11_bn", "option A", |s| s.len() == 9 && count(s, SkipShape::Padded) == 2),
    ("resnet20_dy18_nofold", "option A", |s| s.len() == 9 && count(s, SkipShape::Padded) == 2),
    ("resnet56_ts11_bn", "27 skips", |s| s.len() == 27 && count(s, SkipShape::Padded) == 2),
    ("s_resnet18_slim", "1x1 stride 2 projections", |s| s.len() == 8 && count(s, PROJECTION) == 3),
    ("s_resnet34_slim", "16 skips", |s| s.len() == 16 && count(s, PROJECTION) == 3),
    ("s_resnet50_slim", "16 skips over 3 convs, 4 projections", |s| {
        s.len() == 16 && s.iter().all(|skip| skip.convolutions == 3) && count(s, PROJECTION) == 4
    }),
    ("s_preact_v2", "Add output used raw (no Relu) by next skip", |s| {
        s.len() == 6 && count(s, SkipShape::PreActivation) == 4 && count(s, PROJECTION) == 2
    }),
    ("s_resnext_slim", "grouped 3x3", |s| s.len() == 6 && s.iter().all(|skip| skip.convolutions == 3)),
    ("s_mobilenetv2_slim", "linear residual adds", |s| s.len() == 3 && count(s, SkipShape::Identity) == 3),
    ("s_short_resnet", "each skip spans one conv only", |s| {
        s.len() == 6 && s.iter().all(|skip| skip.convolutions == 1)
    }),
    ("s_nested_shared", "nested and crossing skips; one tensor feeds four consumers (three adds)", |s| {
        s.len() == 4 && sources(s).len() == 2 && s.iter().any(|skip| !skip.encloses.is_empty())
    }),
    ("s_resnet_d", "AveragePool 2x2 s2", |s| s.len() == 6 && count(s, POOLED) == 2),
    ("s_proj_nobn", "projection by 1x1 stride-2 conv", |s| s.len() == 6 && count(s, PROJECTION) == 2),
    ("s_maxpool_skip", "MaxPool 3x3 s2 on the skip path", |s| s.len() == count(s, SkipShape::Pool)),
    ("s_maxpool1_proj", "MaxPool kernel 1 stride 2 as a subsampler before the projection", |s| {
        count(s, PROJECTION) + count(s, POOLED) == 1
    }),
    ("s_three_way_add", "residual add of three tensors: chain of Adds", |s| {
        s.len() == 2 && count(s, SkipShape::Identity) == 2
    }),
    ("s_add_same_tensor", "Add(y, y)", |s| s.len() == 1),
    ("s_long_skip", "one skip over 12 convolutions", |s| s.len() == 1 && s[0].convolutions == 12),
    ("s_basic_no_skip", "no skip at all", <[Skip]>::is_empty),
    ("x_blocks_150", "150 residual blocks", |s| s.len() == 150),
    ("x_one_source_60_adds", "one tensor is the skip source of 60 adds", |s| {
        s.len() == 60 && sources(s).len() == 1
    }),
    ("x_nested_depth_4", "skips nested five deep: 16 convs in the nest, 31 adds", |s| {
        let outermost = &s[s.len() - 1];
        s.len() == 31 && outermost.convolutions == 16 && outermost.encloses.len() == 30
    }),
    ("shortcut_subsample_and_zero_channels", "zero channels added in front and behind", |s| {
        s.len() == 1 && count(s, SkipShape::Padded) == 1
    }),
    ("nested_skips", "a long skip that spans a shorter one", |s| s.len() == 2 && s[1].encloses == [1]),
];

#[test]
fn skips_are_as_the_manifests_say() {
    let networks = normal_networks();
    let said: BTreeMap<String, String> = readable()
        .iter()
        .map(|(file, entry)| (stem(file), entry["exercises"].to_string() + &entry["shows"].to_string()))
        .collect();
    for (name, words, holds) in CLAIMS {
        assert!(said[*name].contains(words), "{name}: the manifest says {}", said[*name]);
        let found = skips(&networks[*name]);
        assert!(holds(&found.0), "{name}: {words}, but found\n{}", listing(&found));
    }
}

fn model(file: &Path) -> ModelProto {
    ModelProto::parse_from_bytes(&fs::read(file).unwrap()).unwrap()
}

/// A file without one of its skips that the manifest names as `TENSOR -> NODE`.
fn is_missing(network: &Network, model: &ModelProto, tensor: &str, join: &str) -> bool {
    let maker = model.graph.node.iter().find(|node| node.output.iter().any(|o| o == tensor));
    let maker = &maker.expect("the manifest names a tensor of the file").name;
    let passes = |skip: &Skip| {
        let mut on_path = skip.branch.iter().copied().chain([skip.source.node]);
        skip.names.iter().any(|name| name == join)
            && on_path.any(|node| network.node(node).names.iter().any(|name| name == maker))
    };
    !skips(network).iter().any(passes)
}

/// The cases name their skips by a tensor on the path and the sum.
#[test]
fn named_skips_are_found() {
    let networks = normal_networks();
    let mut named = 0;
    for (file, entry) in readable() {
        let Some(list) = entry["skip_min_pixels"].as_object() else { continue };
        for skip in list.keys() {
            named += 1;
            let (tensor, join) = skip.split_once(" -> ").unwrap();
            let name = stem(&file);
            assert!(!is_missing(&networks[&name], &model(&file), tensor, join), "{name}: {skip}");
        }
    }
    println!("{named} skips are named");
    assert!(named >= 11, "{named}");
}

/// Additions and subtractions of two different tensors that both depend on what the user gives.
fn sums(model: &ModelProto) -> usize {
    let graph = &model.graph;
    let constants: BTreeSet<&str> = graph.initializer.iter().map(|i| i.name.as_str()).collect();
    let mut data: BTreeSet<&str> =
        graph.input.iter().map(|i| i.name.as_str()).filter(|name| !constants.contains(name)).collect();
    // Node lists may be out of order.
    loop {
        let known = data.len();
        for node in &graph.node {
            let is_shape = ["Shape", "Size", "ConstantOfShape"].contains(&node.op_type.as_str());
            if !is_shape && node.input.iter().any(|i| data.contains(i.as_str())) {
                data.extend(node.output.iter().map(String::as_str));
            }
        }
        if data.len() == known {
            break;
        }
    }
    let added = |node: &onnx_protobuf::NodeProto| -> usize {
        let adds = ["Add", "Sum", "Sub", "QLinearAdd"].contains(&node.op_type.as_str());
        let operands: BTreeSet<&str> =
            node.input.iter().map(String::as_str).filter(|i| data.contains(i)).collect();
        if adds { operands.len().saturating_sub(1) } else { 0 }
    };
    graph.node.iter().map(added).sum()
}

/// Files whose sums are not all skips, and why: their sums and their skips.
const NOT_SKIPS: &[(&str, &str, usize, usize)] = &[
    ("pad_belongs_to_consumer", "the summands of one have a convolution each", 2, 1),
    ("pads_begin_then_end", "both summands have a convolution", 1, 0),
    ("s_three_way_add", "two of three summands have a convolution each", 4, 2),
];

#[test]
fn every_sum_is_a_skip() {
    let (mut files, mut total) = (0, 0);
    let mut wrong = Vec::new();
    let networks = normal_networks();
    for (file, _) in readable() {
        let name = stem(&file);
        let Some(network) = networks.get(&name) else { continue };
        let (n_sums, n_skips) = (sums(&model(&file)), skips(network).len());
        files += 1;
        total += n_skips;
        let known = NOT_SKIPS.iter().find(|known| known.0 == name);
        let expected = known.map_or((n_sums, n_sums), |known| (known.2, known.3));
        if (n_sums, n_skips) != expected {
            wrong.push(format!("{name}: {n_sums} sums, {n_skips} skips"));
        }
    }
    println!("{files} files, {total} skips");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
