//! The documents say what the program has: every flag, pass, field, invariant and device has its place in them,
//! links lead somewhere, and the output that is shown is the one that is printed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _, Parser as _};
use nonresc::args::Cli;
use nonresc_backends::schedule;
use nonresc_passes::device::Device;
use nonresc_passes::distill::recipe::Recipe;
use nonresc_passes::distill::removals::Policy;
use nonresc_passes::distill::schedule::Decay;
use nonresc_passes::pass::Property;
use nonresc_passes::{normalise, table};
use serde_json::Value;

use crate::program::{Ended, digits_home, example, nonresc_in};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in a folder of the repository")
}

fn page(name: &str) -> String {
    let path = root().join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Fails with all faults at once.
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

/// The documents that people read: those at the top and the book.
fn documents() -> Vec<PathBuf> {
    let markdown = |dir: PathBuf| {
        let entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
        entries.filter(|p| p.extension().is_some_and(|e| e == "md")).collect::<Vec<_>>()
    };
    let mut all = markdown(root().to_path_buf());
    all.extend(markdown(root().join("docs")));
    all.sort();
    all
}

#[test]
fn every_flag_and_each_of_its_words_is_explained() {
    let page = page("docs/command-line.md");
    let mut faults = Vec::new();
    let mut command = Cli::command();
    command.build();
    let mut ask = |command: &Command| {
        for arg in command.get_arguments() {
            let Some(flag) = arg.get_long().filter(|flag| !["help", "version"].contains(flag)) else {
                continue;
            };
            if !["`", " "].iter().any(|end| page.contains(&format!("`--{flag}{end}"))) {
                faults.push(format!("--{flag} of {}", command.get_name()));
            }
            let takes_a_value = arg.get_action().takes_values();
            for word in arg.get_possible_values().iter().filter(|_| takes_a_value) {
                if !page.contains(&format!("`{}`", word.get_name())) {
                    faults.push(format!("word {} of --{flag}", word.get_name()));
                }
            }
        }
    };
    ask(&command);
    let commands = command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help");
    commands.for_each(&mut ask);
    none(faults);
}

#[test]
fn every_pass_has_its_section_under_five_headings() {
    let page = page("docs/passes.md");
    let sections: Vec<&str> = page.split("\n## ").skip(1).collect();
    assert_eq!(sections.len(), table::FPGA.len(), "a section a pass");
    let mut faults = Vec::new();
    for (pass, section) in table::FPGA.iter().zip(sections) {
        let name = pass.name;
        let heads: Vec<&str> = section.lines().filter_map(|l| l.strip_prefix("### ")).collect();
        if section.lines().next() != Some(name)
            || heads != ["What", "Needs", "Gives", "Function", "Before and after"]
        {
            faults.push(format!("{name}: its section, or the headings in it"));
        }
        let list = |all: &[Property]| all.iter().map(Property::to_string).collect::<Vec<_>>().join(", ");
        let row = format!(
            "| [{name}](#{name}) | {} | {} | {} | {} |",
            pass.level(),
            list(pass.needs),
            list(pass.gives),
            pass.function
        );
        if !page.contains(&row.replace("|  |", "| |")) {
            faults.push(format!("the table lacks {row}"));
        }
    }
    faults.extend(normalise::rules().filter(|rule| !page.contains(&format!("`{rule}`"))).map(str::to_string));
    none(faults);
}

/// Those of networks are compared where the verifier is tested.
#[test]
fn every_invariant_of_streams_is_listed() {
    let (source, text) = (page("ir/src/stream/verify.rs"), page("docs/stream.md"));
    let numbers: Vec<&str> =
        source.lines().filter_map(|l| l.strip_prefix("//! - **S")).map(|l| &l[..2]).collect();
    assert!(numbers.len() >= 12, "{numbers:?}");
    none(numbers.iter().filter(|n| !text.contains(&format!("| S{n} |"))).map(|n| format!("S{n}")).collect());
}

#[test]
fn every_onnx_operator_that_is_read_is_listed() {
    let page = page("docs/limits.md");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(root().join("ir/src/onnx/import")).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        let entries = source.split("Operator::new(").skip(1);
        let quoted = entries.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"'));
        names.extend(quoted.map(|(name, _)| name.to_string()));
    }
    assert!(names.len() > 50, "{names:?}");
    none(names.into_iter().filter(|name| !page.contains(&format!("`{name}`"))).collect());
}

#[test]
fn every_device_is_in_the_table_with_its_counts() {
    let page = page("docs/devices.md").replace(',', "");
    let mut faults = Vec::new();
    for device in Device::all() {
        let Some(l) = device.limits else { continue };
        let row = format!(
            "| `{}` | `{}` | {} | {} | {} | {} | {} | {} | {} |",
            device.name,
            device.family.name(),
            l.luts,
            l.memory_luts,
            l.ffs,
            l.dsps,
            l.bram18,
            l.urams,
            device.clock_mhz
        );
        if !page.contains(&row) {
            faults.push(row);
        }
    }
    none(faults);
}

/// The targets of the links of a page that are files of the repository.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let files = targets.map(|t| t.split('#').next().unwrap_or_default());
    files.filter(|t| !t.is_empty() && !t.contains("://") && !t.contains(' ')).map(str::to_string).collect()
}

#[test]
fn links_lead_somewhere_and_every_page_is_in_the_book() {
    let mut faults = Vec::new();
    for path in documents() {
        for link in links(&fs::read_to_string(&path).unwrap()) {
            if !path.parent().unwrap().join(&link).exists() {
                faults.push(format!("{}: {link}", path.display()));
            }
        }
    }
    let listed: BTreeSet<String> = links(&page("docs/SUMMARY.md")).into_iter().collect();
    let pages = documents().into_iter().filter(|p| p.starts_with(root().join("docs")));
    let names = pages.map(|p| p.file_name().unwrap().to_string_lossy().into_owned());
    faults.extend(
        names.filter(|n| n != "SUMMARY.md" && !listed.contains(n)).map(|n| format!("SUMMARY.md: no {n}")),
    );
    none(faults);
}

/// The map of the tree, and the paths that ARCHITECTURE.md names in its text.
#[test]
fn the_map_is_that_of_the_tree() {
    let text = page("ARCHITECTURE.md");
    let map =
        text.split("## Map").nth(1).and_then(|rest| rest.split("```").nth(1)).expect("a map in a fence");
    let on_map = map.lines().skip(1).filter_map(|l| l.split_whitespace().next());
    let rooms = ["ir/", "passes/", "backends/", "compiler/", "tests/", "docs/"];
    let quoted = text.split('`').skip(1).step_by(2).filter(|w| rooms.iter().any(|room| w.starts_with(room)));
    let real = quoted.filter(|w| !w.contains(|c: char| c.is_ascii_uppercase() || c.is_whitespace()));
    let paths: BTreeSet<&str> = on_map.chain(real).collect();
    assert!(paths.len() > 50, "{paths:?}");
    let mut faults: Vec<String> =
        paths.iter().filter(|p| !root().join(p).exists()).map(|p| format!("there is no {p}")).collect();
    for crate_ in ["ir", "passes", "backends", "compiler"] {
        let folders = fs::read_dir(root().join(crate_).join("src")).unwrap().map(|e| e.unwrap());
        for folder in folders.filter(|f| f.path().is_dir()) {
            let path = format!("{crate_}/src/{}/", folder.file_name().to_string_lossy());
            if !map.lines().any(|l| l.starts_with(&path)) {
                faults.push(format!("the map lacks {path}"));
            }
        }
    }
    none(faults);
}

/// What the program prints of the example network.
fn printed(arguments: &[&str]) -> String {
    let model = example("resnet8.onnx");
    let all = [&[model.to_str().expect("the path is text")], arguments].concat();
    nonresc_in(root(), &all).done()
}

/// All keys of objects in a document.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                found.insert(key.clone());
                keys(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

#[test]
fn every_field_of_the_schedule_is_explained() {
    let schedule: Value = serde_json::from_str(&printed(&["--format", "json"])).unwrap();
    let mut found = BTreeSet::new();
    keys(&schedule, &mut found);
    assert!(found.len() > 60, "{found:?}");
    let page = page("docs/schedule.md");
    none(found.into_iter().filter(|key| !page.contains(&format!("`{key}`"))).collect());
    assert!(page.contains(&format!("## schedule.json, version {}", schedule::VERSION)));
}

/// Whether `line` is `shown`, in which ` ... ` stands for anything.
fn reads(line: &str, shown: &str) -> bool {
    let parts: Vec<&str> = shown.split("...").collect();
    let ends = (parts.len() > 1 || line == shown) && line.starts_with(parts[0]);
    let in_order =
        parts.iter().try_fold(line, |rest, part| rest.split_once(part.trim()).map(|(_, rest)| rest));
    ends && in_order.is_some()
}

#[test]
fn passes_do_what_their_sections_show() {
    let real = printed(&["--dump-ir=all"]) + &printed(&["--dump-ir=all", "--skips", "1:remove"]);
    let page = page("docs/passes.md");
    let sections = page.split("### Before and after").skip(1);
    let fences =
        sections.flat_map(|s| s.split("\n## ").next().unwrap_or_default().split("```text\n").skip(1));
    let shown: Vec<&str> = fences.flat_map(|f| f.split("```").next().unwrap_or_default().lines()).collect();
    assert!(shown.len() > 20, "{shown:?}");
    let absent = shown.iter().filter(|shown| !real.lines().any(|line| reads(line, shown)));
    none(absent.map(|line| line.to_string()).collect());
}

/// The page shows the report of the example as its snapshot has it, a fence a section. With UPDATE_DOCS set it is
/// brought up to date instead.
#[test]
fn the_first_design_is_what_the_program_prints() {
    let snapshot = page("tests/snapshots/compile/report.snap");
    let report = snapshot.splitn(3, "---\n").nth(2).expect("a snapshot has a head");
    let sections: Vec<&str> = report.trim_end().split("\n\n").collect();
    let name = "docs/first-design.md";
    let text = page(name);
    let mut parts: Vec<String> = text.split("```text\n").map(str::to_string).collect();
    assert_eq!(parts.len(), sections.len() + 1, "a fence for each section of the report:\n{report}");
    for (part, section) in parts.iter_mut().skip(1).zip(&sections) {
        let (_, rest) = part.split_once("```").expect("a fence ends");
        *part = format!("{}\n```{rest}", section.trim_end());
    }
    let current = parts.join("```text\n");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join(name), current).unwrap();
    } else {
        assert!(
            text == current,
            "{name} is not current: run this test with UPDATE_DOCS=1, and read the difference"
        );
    }
}

/// The flags that the page of retraining gives for the setting of a paper (Weng et al., ACM TRETS 2023): 0.65 of the cross
/// entropy and 0.35 of the squared difference of logits, batches of 32, a rate of 0.1 that falls to a tenth every 30 epochs.
#[test]
fn the_published_setting_of_tailor_is_what_its_flags_make() {
    let page = page("docs/retraining.md");
    let flags = page.lines().find_map(|line| line.strip_prefix("    --policy tailor ")).expect("its flags");
    let model = ["nonresc", "m.onnx", "--retrain", "--data", "d", "--policy", "tailor"];
    let cli = Cli::try_parse_from(model.into_iter().chain(flags.split_whitespace())).unwrap();
    let wanted = Recipe {
        batch: 32,
        rate: 0.1,
        decay: Decay::Step { every_epochs: 30, factor: 0.1 },
        losses: "hard=0.65,logits=0.35".parse().unwrap(),
        policy: Policy::Tailor,
        teacher: true,
        ..Recipe::default()
    };
    assert_eq!(cli.compile.retrain.recipe(0, true, false), wanted);
}

/// The page of versions says of each file what stands in it.
#[test]
fn the_versions_of_files_are_those_that_are_written() {
    let home = digits_home();
    let flags =
        ["digits.onnx", "--skips", "remove", "--retrain", "--data", "digits_train.npz", "--epochs", "1"];
    let more = ["--qat-epochs", "0", "--batch", "64", "--checkpoint", "state", "--out", "build", "-q"];
    nonresc_in(home.path(), &[&flags[..], &more].concat()).done();
    let bytes = |file: &str| fs::read(home.path().join(file)).unwrap();
    let json = |file: &str| serde_json::from_slice::<Value>(&bytes(file)).unwrap();
    let version = |value: Value| match &value["version"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let nir = String::from_utf8(bytes("build/network.nir")).unwrap();
    // A safetensors file: the length of its header in 8 bytes, then that as JSON.
    let state = bytes("state");
    let length = u64::from_le_bytes(state[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&state[8..8 + length]).unwrap();
    let entry = header["__metadata__"]["nonresc-checkpoint"].as_str().unwrap();
    let printed = |flags: &[&str]| serde_json::from_str(&nonresc_in(home.path(), flags).done()).unwrap();
    let eval = ["eval", "digits.onnx", "--data", "digits_test.npz", "--format", "json"];
    let (eval, devices) = (version(printed(&eval)), version(printed(&["devices", "--format", "json"])));
    assert_eq!(eval, devices);
    let found = [
        ("`.nir`", nir.lines().next().unwrap().replace("nir ", "")),
        ("`plan.json`", version(json("build/plan.json"))),
        ("`schedule.json`", version(json("build/schedule.json"))),
        ("state of `--checkpoint`", version(serde_json::from_str(entry).unwrap())),
        ("`history.json`", version(json("build/history.json"))),
        ("JSON of `eval`, `devices`", eval),
    ];
    let page = page("docs/versions.md");
    let faults = found.iter().filter(|(file, version)| !page.contains(&format!("| {file} | {version} |")));
    none(faults.map(|(file, version)| format!("docs/versions.md does not say {file}, {version}")).collect());
}

/// The commands of the guide run as they stand, in a folder that holds the examples, and a part as the page of devices
/// shows one; what a page shows behind them is what they print.
#[test]
fn the_commands_of_the_guide_run() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("examples")).unwrap();
    for file in ["resnet8.onnx", "block.onnx", "digits.onnx", "digits_train.npz", "digits_test.npz"] {
        fs::copy(example(file), home.path().join("examples").join(file)).unwrap();
    }
    let devices = page("docs/devices.md");
    let part = devices.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    fs::write(home.path().join("part.toml"), part).unwrap();
    let mut count = 0;
    let mut faults = Vec::new();
    for name in ["docs/choosing.md", "docs/boards.md", "docs/tasks.md"] {
        let page = page(name);
        let mut printed = String::new();
        for (word, text) in fences(&page) {
            if word == "sh" || word == "sh,refused" {
                let ended: Vec<Ended> = text.lines().map(|line| of_guide(home.path(), line, word)).collect();
                count += ended.len();
                printed = ended.into_iter().map(|ended| ended.stdout + &ended.stderr).collect();
            } else if word == "text" && !printed.is_empty() {
                let absent = text.lines().filter(|shown| !printed.lines().any(|line| reads(line, shown)));
                faults.extend(absent.map(|shown| format!("{name}: {shown}\nin\n{printed}")));
            }
        }
    }
    none(faults);
    assert!(count >= 20, "{count} commands");
}

/// The fences of a page: the word behind their quotes, and what is in them.
fn fences(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split("```").skip(1).step_by(2).filter_map(|fence| fence.split_once('\n'))
}

/// A command of the guide, carried out, or refused where the word of its fence says so.
fn of_guide(home: &Path, line: &str, word: &str) -> Ended {
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[0], "nonresc", "{line}");
    let ended = nonresc_in(home, &words[1..]);
    let as_said = (ended.code == 0) == (word == "sh") && ended.stdout.is_empty() == (ended.code != 0);
    assert!(as_said, "{line}: {}: {}", ended.code, ended.stderr);
    ended
}
