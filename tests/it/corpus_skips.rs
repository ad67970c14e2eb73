//! The skips of every file of the corpora, as one golden list: files whose skips are alike stand together.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nonresc_ir::network::Network;
use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_passes::residual::{Skip, Skips, skips};
use nonresc_tests::corpus::{folder, json};

/// The files of both manifests that are read without a flag, by name.
fn networks() -> BTreeMap<String, Network> {
    let mut networks = BTreeMap::new();
    for (dir, list) in [("models", "models"), ("cases", "cases")] {
        let dir = folder().join(dir);
        for entry in json(&dir.join("manifest.json"))[list].as_array().unwrap() {
            let expect = entry["expect"].as_str().unwrap();
            let file: PathBuf = dir.join(entry["file"].as_str().unwrap());
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            match (expect, import_file(&file, &ImportOptions::default())) {
                ("accept" | "accept_or_refuse", Ok(imported)) => {
                    networks.insert(name, imported.network);
                }
                ("accept", Err(faults)) => panic!("{name}: {faults}"),
                _ => {}
            }
        }
    }
    networks
}

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
    for (name, network) in networks() {
        alike.entry(listing(&skips(&network))).or_default().push(name);
    }
    let mut groups: Vec<String> =
        alike.iter().map(|(skips, files)| format!("{}\n{skips}", files.join(" "))).collect();
    groups.sort();
    insta::with_settings!({snapshot_path => "../snapshots/residual", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("corpora", groups.concat());
    });
}
