//! Every file of the corpora that is accepted reads back from its text and weights to the same network.

use nonresc_ir::network::digest;
use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_ir::text;
use nonresc_tests::corpus::{folder, json};

#[test]
fn accepted_files_read_back_from_their_text() {
    let (mut count, mut lines, mut faults) = (0, 0, Vec::new());
    for (room, list) in [("models", "models"), ("cases", "cases")] {
        let room = folder().join(room);
        for entry in json(&room.join("manifest.json"))[list].as_array().expect("a manifest lists its files") {
            if entry["expect"] != "accept" {
                continue;
            }
            let file = room.join(entry["file"].as_str().unwrap());
            let network = match import_file(&file, &ImportOptions::default()) {
                Ok(imported) => imported.network,
                Err(why) => panic!("{}: {why}", file.display()),
            };
            let (text, weights) = (text::print(&network), text::weights(&network));
            match text::parse(&text, Some(&weights)) {
                Err(why) => faults.push(format!("{}: {why}", file.display())),
                Ok(again) => {
                    let same = text::print(&again) == text
                        && text::weights(&again) == weights
                        && digest(&again) == digest(&network);
                    if !same {
                        faults.push(format!("{}: it reads back to another network", file.display()));
                    }
                }
            }
            count += 1;
            lines += text.lines().count();
        }
    }
    println!("{count} files, {lines} lines of text, {} faults", faults.len());
    assert!(count > 100, "{count} files");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
