//! The skips of every file of the corpora, as one golden list: files whose skips are alike stand together.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_passes::residual::{Skips, skips};
use nonresc_tests::corpus::{folder, json};

/// The files of both manifests that are read without a flag.
fn accepted() -> Vec<PathBuf> {
    let lists = [("models", "models"), ("cases", "cases")];
    let mut files = Vec::new();
    for (dir, list) in lists {
        let dir = folder().join(dir);
        for entry in json(&dir.join("manifest.json"))[list].as_array().unwrap() {
            if entry["expect"] == "accept" || entry["expect"] == "accept_or_refuse" {
                files.push(dir.join(entry["file"].as_str().unwrap()));
            }
        }
    }
    files
}

/// One line a skip: label, shape, convolutions on it and beside it, what it encloses.
fn listing(skips: &Skips) -> String {
    let line = |skip: &nonresc_passes::residual::Skip| {
        let encloses: Vec<String> = skip.encloses.iter().map(ToString::to_string).collect();
        let encloses = match &encloses[..] {
            [] => String::new(),
            [one] => format!(", encloses {one}"),
            [first, .., last] => format!(", encloses {} from {first} to {last}", encloses.len()),
        };
        let Skip { label, shape, skip_convolutions, convolutions, branch, .. } = skip;
        format!(
            "{label}: {shape}, {skip_convolutions} of {convolutions}, branch of {}{encloses}",
            branch.len()
        )
    };
    skips.iter().map(line).collect::<Vec<_>>().join("\n    ")
}

use nonresc_passes::residual::Skip;

#[test]
fn every_file_has_the_skips_of_the_golden_list() {
    let mut alike: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in accepted() {
        let Ok(imported) = import_file(&file, &ImportOptions::default()) else { continue };
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        alike.entry(listing(&skips(&imported.network))).or_default().push(name);
    }
    let mut text = String::new();
    for (skips, files) in &alike {
        text += &format!("{}\n    {skips}\n", files.join(" "));
    }
    fs::write("/tmp/skips.txt", &text).unwrap();
}
