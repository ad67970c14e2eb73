//! Both manifests of model files, driven whole: what is accepted computes the golden output, what is refused
//! names what it must.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nonresc_ir::network::Network;
use nonresc_ir::onnx::import::{ImportOptions, Imported, Level, import_file};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::engine::{Engine, Frames};
use nonresc_tests::corpus::{array, distance, folder, json};
use serde_json::Value;

/// Largest distance to the golden output, relative to its largest value.
const NEAR: f64 = 1e-4;

/// One entry of a manifest.
struct Entry {
    file: PathBuf,
    golden: Option<PathBuf>,
    json: Value,
}

impl Entry {
    fn all() -> Vec<Entry> {
        let models = folder().join("models");
        let cases = folder().join("cases");
        let of = |dir: &Path, list: &Value, beside: bool| -> Vec<Entry> {
            let entries = list.as_array().expect("a manifest lists its files");
            entries
                .iter()
                .map(|json| {
                    let file = dir.join(json["file"].as_str().unwrap());
                    let golden = json["golden"]
                        .as_str()
                        .map(|name| if beside { file.with_extension("npz") } else { dir.join(name) });
                    Entry { file, golden, json: json.clone() }
                })
                .collect()
        };
        let mut all = of(&models, &json(&models.join("manifest.json"))["models"], false);
        all.extend(of(&cases, &json(&cases.join("manifest.json"))["cases"], true));
        all
    }

    fn expect(&self) -> &str {
        self.json["expect"].as_str().unwrap()
    }

    fn name(&self) -> String {
        self.file.file_name().unwrap().to_string_lossy().into_owned()
    }

    /// Whether the file computes with integers, or with floats between roundings.
    fn quantised(&self) -> bool {
        let name = self.name();
        self.json["group"] == "quantised"
            || self.json["tolerance"].as_str().is_some_and(|t| t.contains("exact"))
            || name.starts_with("q_")
    }

    fn import(&self, options: &ImportOptions) -> Result<Imported, String> {
        import_file(&self.file, options).map_err(|d| d.to_string())
    }

    /// What an error must name.
    fn must_name(&self) -> Vec<String> {
        let names = self.json["error_must_name"].as_array().into_iter().flatten();
        names
            .map(|n| match n.as_str().unwrap() {
                "(the file)" => self.file.display().to_string(),
                name => name.to_string(),
            })
            .collect()
    }

    /// How far the network's first output is from the golden one, relative to the largest value.
    fn distance(&self, network: &Network, engine: Engine) -> Result<f64, String> {
        let golden = self.golden.as_ref().ok_or("the entry has no golden output")?;
        let output = run(network, &array(golden, "input"), engine)?;
        Ok(distance(&output, &array(golden, "output")))
    }

    fn manifest_limit(&self) -> f64 {
        self.json["tolerance"]["rtol"].as_f64().unwrap()
    }

    fn limit(&self) -> f64 {
        match self.json["input_dtype"].as_str() {
            Some("float16") => self.manifest_limit(),
            _ => NEAR,
        }
    }
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
            .and_then(|imported| entry.distance(&imported.network, Engine::Plain));
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
        let options = ImportOptions {
            input_shape: (entry.expect() == "accept_with_shape_flag").then(|| input.shape().0[1..].to_vec()),
            ..ImportOptions::default()
        };
        let imported = match entry.import(&options) {
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
            Ok((reference, output)) if same_frames(&reference, &output, entry.manifest_limit()) => {}
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
                match entry.golden.as_ref().map(|_| entry.distance(&imported.network, Engine::Plain)) {
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
                    entry.must_name().into_iter().filter(|n| !text.contains(n.as_str())).collect();
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
        let mut options = ImportOptions::default();
        let Some(golden) = entry.golden.as_ref() else { continue };
        match entry.expect() {
            "accept_with_shape_flag" => {
                options.input_shape = Some(array(golden, "input").shape().0[1..].to_vec());
            }
            "refuse_without_flag" => options.outputs = vec!["logits".into()],
            _ => continue,
        }
        match entry.import(&options).and_then(|i| entry.distance(&i.network, Engine::Plain)) {
            Ok(far) if far <= NEAR => {}
            Ok(far) => faults.push(format!("{}: {far:.2e} from the golden output", entry.name())),
            Err(why) => faults.push(format!("{}: {why}", entry.name())),
        }
    }
    none(faults);
}

/// Their integers are not used yet, so that all that holds is that they are read, say so, and come near.
#[test]
fn quantised_files_are_read_and_say_what_is_missing() {
    let mut faults = Vec::new();
    for entry in Entry::all().into_iter().filter(|e| e.expect() == "accept" && e.quantised()) {
        match entry.import(&ImportOptions::default()) {
            Ok(imported) => {
                if !imported.notes.iter().any(|n| n.contains("integers are not used yet")) {
                    faults.push(format!("{}: no note says that its integers are not used", entry.name()));
                }
                let far = entry.distance(&imported.network, Engine::Plain);
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
    let far = entry.distance(&network, Engine::Plain).unwrap();
    assert!(far <= NEAR, "{far:.2e} from the golden output");
}
