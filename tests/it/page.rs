//! `report.html` in a real browser: every figure of a view is that of `schedule.json`, names are text, keys and clicks
//! do what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::Command;

use nonresc_ir::onnx::messages::ModelProto;
use nonresc_tests::dom::{Dom, Element};
use prost::Message as _;
use serde_json::Value;

use crate::program::{digits_home, example, home, nonresc_in};

/// Makes the design of a model in `folder`, and returns its schedule.
fn designed(folder: &Path, arguments: &[&str]) -> Value {
    nonresc_in(folder, &[arguments, &["--emit", "schedule,html", "--out", "build"]].concat()).done();
    serde_json::from_slice(&fs::read(folder.join("build/schedule.json")).unwrap()).unwrap()
}

fn written(folder: &Path) -> String {
    fs::read_to_string(folder.join("build/report.html")).unwrap()
}

/// The page of `folder` as Chromium has it once its scripts have run, `after` behind them; faults of a script fail.
fn opened(folder: &Path, after: &str) -> Dom {
    let page = folder.join("opened.html");
    let script = format!("<script>{after}</script></body>");
    fs::write(&page, written(folder).replace("</body>", &script)).unwrap();
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args([
            "--window-size=1200,900",
            "--virtual-time-budget=2000",
            "--enable-logging=stderr",
            "--dump-dom",
        ])
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap_or_else(|e| panic!("chromium cannot be run, install the package chromium: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("CONSOLE"), "{said}");
    let dom = Dom::parse(&String::from_utf8(output.stdout).unwrap());
    let root = dom.0.first().unwrap_or_else(|| panic!("no page: {said}"));
    assert!(root.has("data-ready") && !root.has("data-fault"), "{:?}", root.attributes);
    dom
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("{key} is no list"))
}

fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no whole number"))
}

/// Elements by a number that they carry.
fn by<'a>(elements: &[&'a Element], attribute: &str) -> BTreeMap<u64, &'a Element> {
    elements.iter().map(|element| (element.number(attribute), *element)).collect()
}

/// Holds every view of the page against the schedule.
fn is_that_of(dom: &Dom, schedule: &Value) {
    let (actors, channels) = (list(schedule, "actors"), list(schedule, "channels"));
    summary(dom, schedule);

    let in_graph = by(&dom.with("graph-picture", "data-actor"), "data-actor");
    let in_time = by(&dom.with("timeline-picture", "data-first"), "data-actor");
    assert_eq!((in_graph.len(), in_time.len()), (actors.len(), actors.len()));
    for actor in actors {
        let id = whole(&actor["id"]);
        let slowest = actor["id"] == schedule["timing"]["bottleneck"];
        let (box_, run) = (in_graph[&id], in_time[&id]);
        assert_eq!(box_.number("data-phases"), whole(&actor["phases"]));
        assert_eq!((box_.is("slow"), run.is("slow")), (slowest, slowest));
        if let Some(fold) = actor["fold"].as_object() {
            let drawn = (box_.number("data-pe"), box_.number("data-simd"));
            assert_eq!(drawn, (whole(&fold["pe"]), whole(&fold["simd"])));
        }
        let drawn = (run.number("data-first"), run.number("data-last"));
        assert_eq!(drawn, (whole(&actor["first_clock"]), whole(&actor["last_clock"])));
    }

    let bars = by(&dom.with("fifos-picture", "data-depth"), "data-channel");
    assert_eq!(bars.len(), channels.len());
    for channel in channels {
        let bar = bars[&whole(&channel["id"])];
        let drawn = ["data-depth", "data-peak", "data-held"].map(|name| bar.number(name));
        let words = [&channel["needed_words"], &channel["peak_words"], &channel["memory"]["allocated_words"]];
        assert_eq!(drawn, words.map(whole));
    }

    let taken = schedule["resources"]["taken"].as_object().unwrap();
    for bar in dom.with("memories-picture", "data-taken") {
        let resource = bar.get("data-resource");
        assert_eq!(bar.number("data-taken"), whole(&taken[resource]), "{resource}");
        let uses = dom.table("uses-table");
        let sum: u64 = uses.iter().map(|row| row[resource].parse::<u64>().unwrap()).sum();
        assert_eq!(sum, whole(&taken[resource]), "{resource} by use");
    }
    let drawn: u64 =
        dom.with("memories-picture", "data-amount").iter().map(|e| e.number("data-amount")).sum();
    let shown: u64 = dom
        .table("uses-table")
        .iter()
        .flat_map(|row| row.values().filter_map(|v| v.parse::<u64>().ok()))
        .sum();
    assert_eq!(drawn, shown);

    rewrites(dom, schedule);
}

fn summary(dom: &Dom, schedule: &Value) {
    let facts: BTreeMap<&str, &str> = dom
        .with("summary", "data-field")
        .iter()
        .filter(|e| e.tag == "dd")
        .map(|e| (e.get("data-field"), e.get("data-v")))
        .collect();
    let timing = &schedule["timing"];
    for field in ["interval_clocks", "bottleneck", "first_output_clock", "last_output_clock"] {
        assert_eq!(facts[field], timing[field].to_string(), "{field}");
    }
    assert_eq!(
        facts["frames_per_second"].parse::<f64>().unwrap(),
        timing["frames_per_second"].as_f64().unwrap()
    );
    assert_eq!(facts["device"], schedule["target"]["device"].as_str().unwrap());
    for row in dom.table("resources-table") {
        let name = row["resource"].split(' ').next().unwrap();
        let field = match (name, row["resource"].as_str()) {
            (_, "LUT as memory") => "memory_luts",
            ("LUT", _) => "luts",
            ("FF", _) => "ffs",
            ("DSP", _) => "dsps",
            ("URAM288", _) => "urams",
            _ => "bram18",
        };
        assert_eq!(row["taken"], schedule["resources"]["taken"][field].to_string(), "{field}");
        let available = &schedule["resources"]["available"];
        let said = if available.is_null() { String::new() } else { available[field].to_string() };
        assert_eq!(row["available"], said, "{field}");
    }
}

fn rewrites(dom: &Dom, schedule: &Value) {
    let rows = list(&schedule["skip_report"], "rows");
    let shown = dom.table("rewrites-table");
    assert_eq!(shown.len(), rows.len());
    for (shown, row) in shown.iter().zip(rows) {
        assert_eq!(shown["fifos"], row["fifos"].as_str().unwrap());
        assert!(shown["skips"].ends_with(row["skips"].as_str().unwrap()), "{shown:?}");
        let accuracy = shown.get("accuracy").and_then(|share| share.parse::<f64>().ok());
        assert_eq!(accuracy, row["accuracy"].as_f64());
        let Some(figures) = row["figures"].as_object() else {
            assert_eq!(shown["remark"], row["refused"].as_str().unwrap());
            continue;
        };
        for field in [
            "fifo_bits",
            "skip_bits",
            "line_buffer_bits",
            "allocated_bits",
            "register_bits",
            "latency_clocks",
        ] {
            assert_eq!(shown[field], figures[field].to_string(), "{field}");
        }
        for field in ["bram18", "memory_luts", "luts", "dsps"] {
            assert_eq!(shown[field], figures["taken"][field].to_string(), "{field}");
        }
        let cycles: f64 = shown["interval_clocks"].parse().unwrap();
        assert_eq!(cycles, figures["interval_clocks"].as_f64().unwrap());
    }
}

/// Bits of the FIFOs that carry the skip of this number.
fn bits(schedule: &Value, number: u64) -> u64 {
    let of_skip = list(schedule, "channels").iter().filter(|c| c["skip"].as_u64() == Some(number));
    of_skip.map(|c| ["needed_words", "lanes", "bits"].map(|f| whole(&c[f])).iter().product::<u64>()).sum()
}

#[test]
fn every_view_shows_the_figures_of_the_schedule() {
    let home = home();
    let schedule = designed(home.path(), &["resnet8.onnx"]);
    let dom = opened(home.path(), "");
    is_that_of(&dom, &schedule);
    for figure in [
        "/timing/first_output_clock",
        "/timing/bottleneck",
        "/resources/taken/luts",
        "/actors/1/fold/pe",
        "/actors/2/phases",
        "/actors/3/last_clock",
        "/channels/4/peak_words",
        "/channels/5/memory/allocated_words",
        "/skip_report/rows/2/figures/fifo_bits",
    ] {
        let mut other = schedule.clone();
        let at = other.pointer_mut(figure).unwrap();
        *at = Value::from(whole(at) + 1);
        assert!(catch_unwind(|| is_that_of(&dom, &other)).is_err(), "{figure} is not looked at");
    }
    let arcs = dom.with("graph-picture", "data-skip");
    let drawn: Vec<(&str, u64)> =
        arcs.iter().map(|arc| (arc.get("data-plan"), arc.number("data-bits"))).collect();
    assert_eq!(drawn, [1, 2, 3].map(|number| ("keep", bits(&schedule, number))));

    // The channel of which the page tells at first is the one with most bits, with its circle of waiting.
    let size = |c: &Value| ["needed_words", "lanes", "bits"].map(|f| whole(&c[f])).iter().product::<u64>();
    let largest =
        list(&schedule, "channels").iter().max_by_key(|&c| (size(c), std::cmp::Reverse(whole(&c["id"]))));
    let cycle = list(&largest.unwrap()["evidence"], "cycle");
    let steps: BTreeSet<String> = cycle.iter().map(Value::to_string).collect();
    let told: Vec<&Element> = dom.within(dom.by_id("fifos-detail")).filter(|e| e.tag == "li").collect();
    assert!(!told.is_empty() && told.len() == steps.len(), "{told:?}");
    let mut times = 0;
    for step in told {
        let (_, count) = step.text.rsplit_once('(').unwrap_or(("", "1 times)"));
        times += count.trim_end_matches(" times)").parse::<usize>().unwrap();
    }
    assert_eq!(times, cycle.len());
    let charts = dom.with("fifos-detail", "data-words");
    let words: Vec<u64> = charts[0].get("data-words").split(',').map(|n| n.parse().unwrap()).collect();
    assert_eq!(words.iter().max().copied(), largest.unwrap()["peak_words"].as_u64());
    assert!(words.contains(&0), "it is empty before the first beat");
}

/// One skip of each fate: in colour by its class, and in text.
#[test]
fn what_becomes_of_each_skip_is_drawn_and_said() {
    let home = home();
    let flags = ["resnet8.onnx", "--skips", "1:remove,3:tap", "--fifos", "whole-frame"];
    let schedule = designed(home.path(), &flags);
    let peak_below = |c: &Value| whole(&c["peak_words"]) < whole(&c["needed_words"]);
    assert!(list(&schedule, "channels").iter().any(peak_below));
    let dom = opened(home.path(), "");
    is_that_of(&dom, &schedule);
    let arcs = dom.with("graph-picture", "data-skip");
    let drawn: Vec<_> =
        arcs.iter().map(|arc| (arc.get("data-skip"), arc.get("data-plan"), arc.get("class"))).collect();
    assert_eq!(drawn, [("1", "remove", "changed"), ("2", "keep", "kept"), ("3", "tap", "served")]);
    let words = ["skip 1 removed", "skip 2 kept", "skip 3 tapped"];
    for (arc, words) in arcs.iter().zip(words) {
        assert!(arc.text.starts_with(words) && arc.get("aria-label").starts_with(words), "{arc:?}");
    }
    assert_eq!(arcs[0].number("data-bits"), 0);
    let fates: Vec<String> = dom.table("skips-table").into_iter().map(|row| row["plan"].clone()).collect();
    assert_eq!(fates, ["removed", "kept", "tapped"]);
}

/// Without JavaScript: what is written, before any script has run.
#[test]
fn the_tables_are_there_without_scripts_and_nothing_is_loaded() {
    let home = home();
    let schedule = designed(home.path(), &["resnet8.onnx"]);
    let text = written(home.path());
    let dom = Dom::parse(&text);
    summary(&dom, &schedule);
    rewrites(&dom, &schedule);
    assert_eq!(dom.table("actors-table").len(), list(&schedule, "actors").len());
    for (row, channel) in dom.table("channels-table").iter().zip(list(&schedule, "channels")) {
        assert_eq!(row["needed_words"], channel["needed_words"].to_string());
        assert_eq!(row["peak_words"], channel["peak_words"].to_string());
    }
    let memories = list(&schedule, "memories").len() + list(&schedule, "channels").len();
    assert_eq!(dom.table("memories-table").len(), memories);
    let mut addresses = text.split("http").skip(1).filter(|rest| !rest.starts_with("-equiv=\""));
    assert!(addresses.all(|rest| rest.starts_with("://www.w3.org/2000/svg\"")), "an address is in the page");
    let loads =
        |e: &&Element| e.has("src") || e.tag == "link" || (e.has("href") && !e.get("href").starts_with('#'));
    assert_eq!(dom.0.iter().filter(loads).count(), 0);

    // The schedule in the page is the one beside it, but for the cycles, which are told by their steps.
    let mut beside = schedule.clone();
    for channel in beside["channels"].as_array_mut().unwrap() {
        channel["evidence"]["cycle"] = Value::Array(Vec::new());
    }
    let inside: Value = serde_json::from_str(&dom.0[dom.by_id("schedule")].text).unwrap();
    assert_eq!(inside, beside);
}

#[test]
fn hostile_names_are_text() {
    let home = home();
    let mut model = ModelProto::decode(&*fs::read(example("resnet8.onnx")).unwrap()).unwrap();
    let evil = |name: &str| format!("</script><b id=\"b\">{name}\"' & <!-- ]]> \u{2028}</b>");
    for node in &mut model.graph.as_mut().unwrap().node {
        node.name = node.name.as_deref().map(evil);
    }
    fs::write(home.path().join("a<i>.onnx"), model.encode_to_vec()).unwrap();
    let schedule = designed(home.path(), &["a<i>.onnx"]);
    let dom = opened(home.path(), "document.querySelector('#graph-picture [data-actor=\"1\"]').focus()");
    is_that_of(&dom, &schedule);
    assert!(dom.0.iter().all(|element| element.tag != "b"), "a name became an element");
    let name = schedule["actors"][1]["names"][0].as_str().unwrap();
    assert!(name.starts_with("</script><b id="), "{name}");
    for place in ["actors-table", "graph-detail", "timeline-detail"] {
        assert!(dom.0[dom.by_id(place)].text.contains(name), "{place}");
    }
    assert!(dom.0.iter().any(|e| e.tag == "h1" && e.text == "a<i>.onnx"));
}

/// What a reader does, by a script: sorts the table of skips up and down, zooms by key and button, walks by arrows.
const READER: &str = "
const press = (element, key) =>
  element.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
const out = document.body.dataset;
const button = document.querySelector('#rewrites-table th[data-field=fifo_bits] button');
const column = () => [...document.querySelectorAll('#rewrites-table tbody tr')].map((r) => r.cells[2].dataset.v).join();
button.click(); out.up = column(); out.upSaid = button.parentElement.getAttribute('aria-sort');
button.click(); out.down = column(); out.downSaid = button.parentElement.getAttribute('aria-sort');
const first = document.querySelector('#graph-picture [tabindex=\"0\"]');
first.focus(); press(first, 'ArrowDown');
out.walked = document.activeElement.dataset.actor;
out.stops = document.querySelectorAll('#graph-picture [tabindex=\"0\"]').length;
out.told = document.querySelector('#graph-detail h3').textContent;
const time = document.querySelector('#timeline-picture svg');
out.whole = time.dataset.to;
press(time, '+'); out.zoomed = time.dataset.to - time.dataset.from;
press(time, '0'); out.back = time.dataset.to - time.dataset.from;
document.querySelector('#timeline-tools [aria-label=\"Zoom in\"]').click();
out.clicked = time.dataset.to - time.dataset.from;
";

#[test]
fn keys_and_clicks_do_what_they_say() {
    let home = home();
    let schedule = designed(home.path(), &["resnet8.onnx"]);
    let dom = opened(home.path(), READER);
    let body = dom.0.iter().find(|e| e.tag == "body").unwrap();
    let rows = list(&schedule["skip_report"], "rows");
    let mut sorted: Vec<u64> = rows.iter().map(|row| whole(&row["figures"]["fifo_bits"])).collect();
    sorted.sort_unstable();
    let shown = |sorted: &[u64]| sorted.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    assert_eq!((body.get("data-up"), body.get("data-up-said")), (shown(&sorted).as_str(), "ascending"));
    sorted.reverse();
    assert_eq!((body.get("data-down"), body.get("data-down-said")), (shown(&sorted).as_str(), "descending"));

    assert_eq!((body.get("data-walked"), body.get("data-stops")), ("1", "1"));
    assert_eq!(body.get("data-told"), schedule["actors"][1]["names"][0].as_str().unwrap());
    let all = body.number("data-whole");
    assert_eq!(all, whole(&schedule["timing"]["last_output_clock"]) + 1);
    let spans =
        ["data-zoomed", "data-back", "data-clicked"].map(|name| body.get(name).parse::<f64>().unwrap());
    assert_eq!(spans, [all as f64 / 2.0, all as f64, all as f64 / 2.0]);
}

#[test]
fn a_training_is_shown_as_its_history_says() {
    let home = digits_home();
    let data =
        ["digits.onnx", "--retrain", "--data", "digits_train.npz", "--test", "digits_test.npz", "--no-flip"];
    let recipe = ["--skips", "remove", "--shift", "1", "--epochs", "2", "--batch", "64", "--warmup", "8"];
    let schedule = designed(home.path(), &[&data[..], &recipe, &["--qat-epochs", "1"]].concat());
    let dom = opened(home.path(), "");
    is_that_of(&dom, &schedule);
    for name in ["history", "history-qat"] {
        let text = fs::read_to_string(home.path().join(format!("build/{name}.json"))).unwrap();
        let history: Value = serde_json::from_str(&text).unwrap();
        let (epochs, rows) = (list(&history, "epochs"), dom.table(&format!("{name}-table")));
        assert_eq!(rows.len(), epochs.len());
        for (row, epoch) in rows.iter().zip(epochs) {
            for field in ["epoch", "loss", "training", "validation"] {
                assert_eq!(row[field].parse::<f64>().unwrap(), epoch[field].as_f64().unwrap(), "{field}");
            }
            let removed: Vec<&str> =
                list(epoch, "removed").iter().map(|label| label.as_str().unwrap()).collect();
            assert_eq!(row["removed"], removed.join(", "));
        }
        assert_eq!(dom.0[dom.by_id(&format!("{name}-title"))].text, "Accuracy over the epochs of training");
    }
    assert!(dom.table("rewrites-table").iter().all(|row| !row["accuracy"].is_empty()));
    // What became of the skips is said of the network that was given, not of the one that is left.
    let fates: BTreeSet<String> =
        dom.table("skips-table").into_iter().map(|row| row["plan"].clone()).collect();
    assert_eq!(fates, BTreeSet::from(["removed".to_string()]));
    let accuracy =
        dom.with("summary", "data-field").into_iter().find(|e| e.get("data-field") == "accuracy").unwrap();
    assert!(accuracy.text.contains("top-1 on 359 test images"), "{}", accuracy.text);
}

mod corpus {
    use nonresc_tests::corpus::folder;

    use super::{designed, fs, is_that_of, opened};

    #[test]
    fn the_page_of_a_resnet50_is_small_and_whole() {
        let home = tempfile::tempdir().unwrap();
        let model = folder().join("models/s_resnet50_slim.onnx");
        let flags = [model.to_str().unwrap(), "--device", "none", "--effort", "fast"];
        let schedule = designed(home.path(), &flags);
        let bytes = fs::metadata(home.path().join("build/report.html")).unwrap().len();
        assert!(bytes < 2_000_000, "{bytes} bytes");
        let dom = opened(home.path(), "");
        is_that_of(&dom, &schedule);
        assert_eq!(dom.with("graph-picture", "data-skip").len(), 16);
    }
}
