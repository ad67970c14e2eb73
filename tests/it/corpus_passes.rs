//! Every accepted file of the corpora through the passes: the function stays, one form comes out whatever the
//! order of the file's nodes, and hardware can be made of it.

use std::collections::BTreeMap;
use std::fs;

use nonresc_ir::network::{Network, Op, digest, verify, verify_live};
use nonresc_ir::onnx::import::import_bytes;
use nonresc_ir::onnx::messages::ModelProto;
use nonresc_passes::engine::{Engine, Frames};
use nonresc_passes::lower::{Skipped, lower};
use nonresc_passes::normalise::normalise;
use nonresc_passes::residual::skips;
use nonresc_passes::target::Rate;
use nonresc_tests::corpus::{Entry, array, distance};
use nonresc_tests::double::in_double;
use nonresc_tests::ported::{random_inputs, run};
use nonresc_tests::seed::Seed;
use nonresc_tests::shuffle::shuffle_nodes;
use nonresc_tests::target::unlimited;
use prost::Message;

/// Largest change of an output that a pass may make in double precision, relative to its largest value.
const SAME: f64 = 1e-9;

/// The files that import may accept.
fn entries() -> impl Iterator<Item = Entry> {
    Entry::all().into_iter().filter(|entry| entry.expect() != "refuse")
}

/// The network, where import accepts the file.
fn network(entry: &Entry) -> Option<Network> {
    match entry.import(&entry.options()) {
        Ok(imported) => Some(imported.network),
        Err(_) if entry.expect() == "accept_or_refuse" => None,
        Err(why) => panic!("{}: {why}", entry.name()),
    }
}

/// The networks of all files that import accepts.
pub(crate) fn networks() -> impl Iterator<Item = (Entry, Network)> {
    entries().filter_map(|entry| network(&entry).map(|network| (entry, network)))
}

/// Fails with all faults at once.
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_normal_form_computes_the_same() {
    let mut faults = Vec::new();
    let mut count = 0;
    for (entry, network) in networks() {
        let name = entry.name();
        let before = in_double(&network);
        let mut after = before.clone();
        if let Err(why) = normalise(&mut after) {
            faults.push(format!("{name}: {why}"));
            continue;
        }
        let inputs = random_inputs(&before, &mut Seed(7));
        count += 1;
        match (run(&before, &inputs), run(&after, &inputs)) {
            (Ok(golden), Ok(given)) => {
                for (golden, given) in golden.iter().zip(&given) {
                    let far = distance(given, golden);
                    if far > SAME {
                        faults.push(format!("{name}: {far:.2e} apart"));
                    }
                }
            }
            (Err(why), _) => faults.push(format!("{name}: before: {why}")),
            (_, Err(why)) => faults.push(format!("{name}: after: {why}")),
        }
    }
    println!("{count} files, {} faults", faults.len());
    none(faults);
}

/// In single precision, on the fast engine.
#[test]
fn normal_forms_compute_the_golden_output() {
    let mut faults = Vec::new();
    let mut count = 0;
    for (entry, mut network) in networks() {
        let (Some(golden), false) = (&entry.golden, entry.quantised()) else { continue };
        normalise(&mut network).unwrap();
        let name = network.inputs()[0].name.clone();
        let given = BTreeMap::from([(name, array(golden, "input"))]);
        let outputs = Frames::new(&network, Engine::Native).and_then(|frames| frames.run(&given)).unwrap();
        let far = distance(&outputs[0].1, &array(golden, "output"));
        count += 1;
        if far > entry.limit() {
            faults.push(format!("{}: {far:.2e} apart, {:.0e} allowed", entry.name(), entry.limit()));
        }
    }
    println!("{count} files on the native engine, {} faults", faults.len());
    none(faults);
}

/// Dialects that say something else, which computes the same.
const OTHER_FORMS: &[(&str, &str)] = &[
    ("e_head_avg_2x.onnx", "its mean is taken in two windows"),
    ("e_fc_conv.onnx", "its last layer is a convolution"),
    ("e_relu_clipattr.onnx", "its rectifiers have an upper limit that a float can reach"),
    ("e_relu_clipminmax.onnx", "its rectifiers have an upper limit that a float can reach"),
    ("e_autopad.onnx", "it does not pad where no window looks"),
    ("e_autopad_lower.onnx", "it does not pad where no window looks"),
];

/// One small network in many dialects: what comes out has the same operators, whoever wrote the file.
#[test]
fn dialects_come_to_one_form() {
    let forms: BTreeMap<String, (Entry, Vec<String>)> = networks()
        .map(|(entry, mut network)| {
            normalise(&mut network).unwrap();
            let mut list: Vec<String> = network
                .node_ids()
                .filter(|&n| !matches!(network.op(n), Op::Const(_)))
                .map(|n| {
                    let shape = &network.ty(n.into()).shape.0;
                    format!("{} {:?} {:?}", network.op(n).name(), network.op(n).attributes(), &shape[1..])
                })
                .collect();
            list.sort();
            (entry.name(), (entry, list))
        })
        .collect();
    let base = &forms["e_base.onnx"].1;
    let mut faults = Vec::new();
    let mut count = 0;
    for (name, (_, form)) in
        forms.iter().filter(|(_, (entry, _))| entry.json["same_output_as"] == "e_base.onnx")
    {
        count += 1;
        let other = OTHER_FORMS.iter().find(|(file, _)| file == name);
        if form == base && other.is_some() {
            faults.push(format!("{name}: has the base's form, and is listed with another"));
        } else if form != base && other.is_none() {
            let more: Vec<&String> = form.iter().filter(|line| !base.contains(line)).collect();
            let less: Vec<&String> = base.iter().filter(|line| !form.contains(line)).collect();
            let (here, there) = (form.len(), base.len());
            faults.push(format!("{name}: {here} operators for {there}, with {more:?} for {less:?}"));
        }
    }
    println!("{count} dialects, {} with another form", faults.len());
    none(faults);
}

#[test]
fn a_normal_form_is_sound_and_its_own() {
    let mut faults = Vec::new();
    for (entry, mut network) in networks() {
        let name = entry.name();
        let outcome = normalise(&mut network)
            .and_then(|_| verify(&network))
            .and_then(|()| verify_live(&network))
            .and_then(|()| normalise(&mut network));
        match outcome {
            Ok(applied) if applied.is_empty() => {}
            Ok(applied) => faults.push(format!("{name}: the second time {applied:?}")),
            Err(why) => faults.push(format!("{name}: {why}")),
        }
    }
    none(faults);
}

#[test]
fn the_order_of_a_files_nodes_does_not_matter() {
    let mut faults = Vec::new();
    let mut count = 0;
    for entry in entries() {
        let (name, options) = (entry.name(), entry.options());
        let Ok(mut model) = ModelProto::decode(&*fs::read(&entry.file).unwrap()) else { continue };
        // Files with external data are read from their folder alone.
        let Ok(imported) = import_bytes(model.encode_to_vec(), &name, &options) else { continue };
        let mut network = imported.network;
        shuffle_nodes(model.graph.as_mut().unwrap(), &mut Seed(count));
        let mut other = match import_bytes(model.encode_to_vec(), &name, &options) {
            Ok(imported) => imported.network,
            Err(why) => {
                faults.push(format!("{name}: {why}"));
                continue;
            }
        };
        count += 1;
        match normalise(&mut network).and_then(|_| normalise(&mut other)) {
            Ok(_) if digest(&network) == digest(&other) => {}
            Ok(_) => faults.push(format!("{name}: another network comes out")),
            Err(why) => faults.push(format!("{name}: {why}")),
        }
    }
    println!("{count} files with their nodes in another order, {} faults", faults.len());
    assert!(count > 150, "{count} files");
    none(faults);
}

/// Files whose normal form hardware cannot take, with what their refusal must say.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    ("s_concat.onnx", "streams are added, not joined"),
    ("e_pad_value.onnx", "no convolution or pool behind it could take it in"),
    ("refuse/s_add_broadcast_hw.onnx", "streams of equal maps are added"),
    ("refuse/s_add_broadcast_c.onnx", "streams of equal maps are added"),
    ("refuse/s_add_const_map.onnx", "it adds a constant map"),
];

#[test]
fn normal_forms_lower() {
    let mut faults = Vec::new();
    let (mut lowered, mut refused) = (0, 0);
    for (entry, mut network) in networks() {
        let name = entry.name();
        if let Err(why) = normalise(&mut network) {
            faults.push(format!("{name}: {why}"));
            continue;
        }
        let known = REFUSED.iter().find(|(file, _)| entry.file.ends_with(file));
        let found = skips(&network);
        let stream = lower(&network, &Skipped::kept(&found), &unlimited(Rate::Fastest));
        match (stream.map_err(|e| e.to_string()), known) {
            (Ok(_), None) => lowered += 1,
            (Err(why), Some((_, reason))) if why.contains(reason) => refused += 1,
            (Ok(_), Some(_)) => faults.push(format!("{name}: is lowered, and is listed as refused")),
            (Err(why), _) => faults.push(format!("{name}: {why}")),
        }
    }
    println!("{lowered} files lowered, {refused} refused as listed, {} faults", faults.len());
    if refused != REFUSED.len() {
        faults.push(format!("{} files are listed as refused", REFUSED.len()));
    }
    none(faults);
}
