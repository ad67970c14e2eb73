//! Both manifests of model files, driven whole: what is accepted computes the golden output, what is refused
//! names what it must.

use std::collections::BTreeMap;

use nonresc_ir::network::Network;
use nonresc_ir::onnx::import::{ImportOptions, Level};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::engine::{Engine, Frames};
use nonresc_tests::corpus::{Entry, NEAR, array, distance};

/// What an error must name.
fn must_name(entry: &Entry) -> Vec<String> {
    let names = entry.json["error_must_name"].as_array().into_iter().flatten();
    names
        .map(|n| match n.as_str().unwrap() {
            "(the file)" => entry.file.display().to_string(),
            name => name.to_string(),
        })
        .collect()
}

/// How far the network's first output is from the golden one, relative to the largest value.
fn from_golden(entry: &Entry, network: &Network) -> Result<f64, String> {
    let golden = entry.golden.as_ref().ok_or("the entry has no golden output")?;
    let output = run(network, &array(golden, "input"), Engine::Plain)?;
    Ok(distance(&output, &array(golden, "output")))
}

fn manifest_limit(entry: &Entry) -> f64 {
    entry.json["tolerance"]["rtol"].as_f64().unwrap()
}

fn run(network: &Network, input: &Tensor, engine: Engine) -> Result<Tensor, String> {
    let name = network.inputs()[0].name.clone();
    let frames = Frames::new(network, engine).map_err(|d| d.to_string())?;
    let given = BTreeMap::from([(name, input.clone())]);
    Ok(frames.run(&given).map_err(|d| d.to_string())?.remove(0).1)
}

/// Fails with all faults at once.
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn accepted_files_compute_the_golden_output() {
    let mut faults = Vec::new();
    let mut count = 0;
    for entry in Entry::all().into_iter().filter(|e| e.expect() == "accept" && !e.quantised()) {
        count += 1;
        let outcome = entry
            .import(&ImportOptions::default())
            .and_then(|imported| from_golden(&entry, &imported.network));
        match outcome {
            Ok(far) if far <= entry.limit() => {}
            Ok(far) => faults.push(format!("{}: {far:.2e} from the golden output", entry.name())),
            Err(why) => faults.push(format!("{}: {why}", entry.name())),
        }
    }
    println!("{count} files accepted, {} faults", faults.len());
    none(faults);
}

#[test]
fn alike_files_compute_alike() {
    let all = Entry::all();
    let mut faults = Vec::new();
    let mut count = 0;
    for entry in &all {
        let Some(other) = entry.json["same_output_as"].as_str() else { continue };
        let other = all.iter().find(|e| e.file.ends_with(other)).expect("the manifest names a file it has");
        let golden = entry.golden.as_ref().unwrap();
        let input = array(golden, "input");
        let imported = match entry.import(&entry.options()) {
            Ok(imported) => imported,
            Err(_) if entry.expect() == "accept_or_refuse" => continue,
            Err(why) => {
                faults.push(format!("{}: {why}", entry.name()));
                continue;
            }
        };
        count += 1;
        let reference = other.import(&ImportOptions::default()).unwrap().network;
        let reference_input = array(other.golden.as_ref().unwrap(), "input");
        let outcome = run(&reference, &reference_input, Engine::Plain)
            .and_then(|r| Ok((r, run(&imported.network, &input, Engine::Plain)?)));
        match outcome {
            Ok((reference, output)) if same_frames(&reference, &output, manifest_limit(entry)) => {}
            Ok(_) => faults.push(format!("{} differs from {}", entry.name(), other.name())),
            Err(why) => faults.push(format!("{}: {why}", entry.name())),
        }
    }
    println!("{count} files held against another, {} faults", faults.len());
    none(faults);
}

/// Whether the frames that both have are near; files of another batch have more or fewer.
fn same_frames(a: &Tensor, b: &Tensor, limit: f64) -> bool {
    let (x, y) = (a.to_f64(), b.to_f64());
    let largest = x.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    a.shape().0[1..] == b.shape().0[1..]
        && !x.is_empty()
        && x.iter().zip(&y).all(|(x, y)| (x - y).abs() <= limit * largest)
}

#[test]
fn refused_files_name_what_they_must() {
    let mut faults = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in Entry::all() {
        let name = entry.name();
        match (entry.expect(), entry.import(&ImportOptions::default())) {
            ("accept", _) => continue,
            ("accept_or_refuse", Ok(imported)) => {
                *counts.entry("accepted where either would do").or_default() += 1;
                match entry.golden.as_ref().map(|_| from_golden(&entry, &imported.network)) {
                    Some(Ok(far)) if far > NEAR && !entry.quantised() => {
                        faults.push(format!("{name}: accepted, and {far:.2e} from the golden output"));
                    }
                    Some(Err(why)) => faults.push(format!("{name}: {why}")),
                    _ => {}
                }
            }
            (expect, Ok(_)) => faults.push(format!("{name}: accepted, not {expect}")),
            (expect, Err(text)) => {
                let counted = if expect == "refuse" {
                    "refused"
                } else {
                    "refused where either would do, or without a flag"
                };
                *counts.entry(counted).or_default() += 1;
                let mut missing: Vec<String> =
                    must_name(&entry).into_iter().filter(|n| !text.contains(n.as_str())).collect();
                if expect == "accept_with_shape_flag" && !text.contains("--input-shape") {
                    missing.push("--input-shape".into());
                }
                if expect == "refuse_without_flag" && !text.contains("--output") {
                    missing.push("--output".into());
                }
                if !missing.is_empty() {
                    faults.push(format!("{name}: the error names no {missing:?}\n{text}"));
                }
            }
        }
    }
    println!("{counts:?}, {} faults", faults.len());
    none(faults);
}

#[test]
fn flags_give_what_files_leave_open() {
    let mut faults = Vec::new();
    for entry in Entry::all() {
        if !matches!(entry.expect(), "accept_with_shape_flag" | "refuse_without_flag") {
            continue;
        }
        match entry.import(&entry.options()).and_then(|i| from_golden(&entry, &i.network)) {
            Ok(far) if far <= NEAR => {}
            Ok(far) => faults.push(format!("{}: {far:.2e} from the golden output", entry.name())),
            Err(why) => faults.push(format!("{}: {why}", entry.name())),
        }
    }
    none(faults);
}

/// Read as floats between roundings, which come near; the exact integers are `corpus_integers`' affair.
#[test]
fn quantised_files_are_read_and_say_so() {
    let mut faults = Vec::new();
    for entry in Entry::all().into_iter().filter(|e| e.expect() == "accept" && e.quantised()) {
        match entry.import(&ImportOptions::default()) {
            Ok(imported) => {
                if !imported.notes.iter().any(|n| n.contains("the file is quantised")) {
                    faults.push(format!("{}: no note says that it is quantised", entry.name()));
                }
                let far = from_golden(&entry, &imported.network);
                println!("{}: {far:?} of the largest value from the golden output", entry.name());
            }
            Err(why) => faults.push(format!("{}: {why}", entry.name())),
        }
    }
    none(faults);
}

/// No graph of the corpora may change its meaning with the level that is asked for.
#[test]
fn operator_level_reads_fixed_batches_alike() {
    let entry = Entry::all().into_iter().find(|e| e.name() == "e_batch4.onnx").unwrap();
    let options = ImportOptions { level: Level::Operator, ..ImportOptions::default() };
    let network = entry.import(&options).unwrap().network;
    let far = from_golden(&entry, &network).unwrap();
    assert!(far <= NEAR, "{far:.2e} from the golden output");
}
