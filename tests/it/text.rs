//! Networks as text: what is printed, that it reads back to the same network, and how wrong texts are refused.

use std::fs;
use std::path::{Path, PathBuf};

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::network::{Network, Op, digest};
use nonresc_ir::text;
use nonresc_tests::allocation::most_held;
use nonresc_tests::seed::Seed;

/// `(name, text)` of the cases in a folder.
fn cases(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let name = |p: &PathBuf| p.file_stem().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|p| (name(p), fs::read_to_string(p).unwrap())).collect()
}

/// The text of a network, after it was read back with its weights to the same network.
fn printed(network: &Network) -> String {
    let (text, weights) = (text::print(network), text::weights(network));
    let again = text::parse(&text, Some(&weights)).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
    assert_eq!(text::print(&again), text);
    assert_eq!(text::weights(&again), weights);
    assert_eq!(digest(&again), digest(network));
    assert_eq!(again.preprocess(), network.preprocess());
    text
}

#[test]
fn cases_print_and_read_back() {
    let cases = cases("text");
    assert!(cases.len() >= 6, "{} cases", cases.len());
    for (name, text) in cases {
        let network = text::parse(&text, None).unwrap_or_else(|faults| panic!("{name}\n{faults}"));
        crate::snapshot("text", &name, &printed(&network));
    }
}

/// The attributes of an operator, as a fault lists them.
fn attributes(name: &str) -> Vec<String> {
    let fault = Op::from_text(name, &[("no_such", "")]).unwrap_err();
    let (_, has) = fault.split_once("(it has ").unwrap_or_else(|| panic!("{fault}"));
    let keys = has.trim_end_matches(')').split(", ");
    keys.filter(|key| *key != "none").map(str::to_string).collect()
}

#[test]
fn every_operator_and_attribute_is_in_a_case() {
    let text: String = cases("text").into_iter().map(|(_, text)| text).collect();
    for name in Op::NAMES {
        assert!(text.contains(&format!("= {name} ")), "no case has a {name}");
        for key in attributes(name) {
            let stated =
                text.lines().any(|l| l.contains(&format!("= {name} ")) && l.contains(&format!(" {key}=")));
            assert!(stated, "no case has a {name} with {key}");
        }
    }
}

#[test]
fn the_manual_names_every_operator_and_attribute() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/nir.md");
    let manual = fs::read_to_string(manual).unwrap();
    for name in Op::NAMES {
        let row = manual.lines().find(|l| l.starts_with('|') && l.contains(&format!("`{name}`")));
        let row = row.unwrap_or_else(|| panic!("docs/nir.md does not name {name}"));
        let row = row.replace("as `max_pool`", "`kernel= `stride= `pad= `dilation=");
        for key in attributes(name) {
            assert!(row.contains(&format!("`{key}=")), "docs/nir.md does not name {key} of {name}");
        }
    }
}

#[test]
fn faults_have_a_place_a_reason_and_a_remedy() {
    for (name, text) in cases("text_faults") {
        let faults = text::parse(&text, None).expect_err(&name);
        crate::snapshot("text_faults", &name, &faults.to_string());
    }
}

fn residual() -> Network {
    let (_, text) = cases("text").into_iter().find(|(name, _)| name == "residual").unwrap();
    text::parse(&text, None).unwrap()
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let network = residual();
    let (text, weights) = (text::print(&network), text::weights(&network));
    let refused = |weights: Option<&[u8]>| -> Diagnostics {
        text::parse(&text, weights).expect_err("weights that do not fit")
    };
    let mut shown = format!("no weights\n{}\n\n", refused(None));
    for (what, cut) in [("no bytes", 0), ("half a header", 20), ("one byte less", weights.len() - 1)] {
        shown += &format!("{what}\n{}\n\n", refused(Some(&weights[..cut])));
    }
    let longer = [&weights[..], &[0]].concat();
    shown += &format!("one byte more\n{}\n\n", refused(Some(&longer)));
    let mut other = weights.clone();
    *other.last_mut().unwrap() ^= 1;
    shown += &format!("another number\n{}\n\n", refused(Some(&other)));
    let (_, numbers) = cases("text").into_iter().find(|(name, _)| name == "numbers").unwrap();
    let numbers = text::weights(&text::parse(&numbers, None).unwrap());
    shown += &format!("those of another network\n{}\n", refused(Some(&numbers)));
    crate::snapshot("text", "weights", &shown);

    let wider = text.replacen(": f32 4x3x3x3", ": f32 3x4x3x3", 1);
    let faults = text::parse(&wider, Some(&weights)).expect_err("another shape");
    assert!(faults.to_string().contains("under this digest"), "{faults}");
}

/// Texts that ask for much: time and memory stay in proportion to their length.
#[test]
fn texts_that_ask_for_much_are_bounded() {
    let lines = |n: usize, line: &dyn Fn(usize) -> String| -> String {
        (1..=n)
            .fold("nir 1\ninput \"x\" %0\noutput \"y\" %1\n%0 = input : f32 1x2x4x4\n".to_string(), |t, i| {
                t + &line(i) + "\n"
            })
    };
    let repeat = |part: &str| part.repeat(400_000 / part.len());
    let texts = [
        ("a chain", lines(40_000, &|i| format!("%{i} = relu %{}", i - 1))),
        ("a fan", lines(40_000, &|i| format!("%{i} = relu %0"))),
        ("sums of themselves", lines(40_000, &|i| format!("%{i} = add %{0}, %{0}", i - 1))),
        ("names", lines(10_000, &|i| format!("output \"{}\" %0", i / 2))),
        ("one name", lines(1, &|_| format!("%1 = relu %0 \"{}\"", repeat("ab")))),
        ("many names", lines(1, &|_| format!("%1 = relu %0 {}", repeat("\"ab\" ")))),
        (
            "different names",
            lines(1, &|_| (0..200_000).fold("%1 = relu %0".into(), |t, i| t + " \"" + &i.to_string() + "\"")),
        ),
        ("an open name", lines(1, &|_| format!("%1 = relu %0 \"{}", repeat("ab")))),
        ("operands", lines(1, &|_| format!("%1 = concat {}%0", repeat("%0, ")))),
        ("numbers", lines(1, &|_| format!("%1 = const [{}0] : i8 2", repeat("1,")))),
        ("brackets", lines(1, &|_| format!("%1 = const {} : i8 2", repeat("[")))),
        ("axes", lines(1, &|_| format!("%1 = transpose %0 perm=[{}0]", repeat("1,")))),
        ("extents", lines(1, &|_| format!("%1 = input : f32 {}1", repeat("1x")))),
        ("types", lines(1, &|_| format!("%1 = relu %0 : {}f32 1", repeat("f32 1, ")))),
        ("spaces", lines(1, &|_| format!("%1 = relu {}%0", repeat("  ")))),
        ("a map of 2^48", lines(1, &|_| "%1 = pad %0 before=[0,0,0,0] after=[0,0,16777000,1677700]".into())),
        ("made up", lines(5_000, &|i| format!("%{i} = const seed={i} : f32 1000x1000"))),
        ("faults", lines(40_000, &|i| format!("%{i} = cosh %0"))),
    ];
    for (what, text) in &texts {
        let started = std::time::Instant::now();
        let (read, most) = most_held(|| text::parse(text, None));
        assert!(most < 60 * text.len() + (20 << 20), "{what}: {most} bytes held to read {}", text.len());
        let (_, most) = most_held(|| read.is_ok_and(|network| !text::print(&network).is_empty()));
        assert!(most < 120 * text.len() + (20 << 20), "{what}: {most} bytes held to print {}", text.len());
        assert!(started.elapsed().as_secs() < 20, "{what}: {:?}", started.elapsed());
    }
}

fn damaged(good: &str, seed: &mut Seed) -> String {
    let mut bytes = good.as_bytes().to_vec();
    let lines: Vec<&str> = good.lines().collect();
    for _ in 0..seed.between(1, 4) {
        let at = seed.below(bytes.len());
        match seed.below(7) {
            0 => bytes.truncate(at + 1),
            1 => bytes[at] = *seed.pick(b"0129xf%[],.:=\"\\# -\n"),
            2 => {
                bytes.remove(at);
            }
            3 => bytes.insert(at, *seed.pick(b"0129xf%[],.:=\"\\# -\n")),
            4 => {
                let line = format!("\n{}\n", seed.pick(&lines));
                bytes.splice(at..at, line.into_bytes());
            }
            5 => {
                let number = *seed.pick(&["0", "4294967296", "18446744073709551615", "-1", "1e999", "NaN"]);
                let end = (at + 1).min(bytes.len());
                bytes.splice(at..end, number.bytes());
            }
            _ => {
                let end = seed.between(at + 1, (at + 40).min(bytes.len()));
                let piece = bytes[at..end].to_vec();
                let to = seed.below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
        if bytes.is_empty() {
            bytes.push(b'n');
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn damaged_texts_read_back_or_are_refused_in_bounded_memory() {
    let mut seed = Seed(1);
    let (mut read, mut refused, mut worst) = (0, 0, 0);
    let good: Vec<String> = cases("text").into_iter().map(|(_, text)| text).collect();
    for _ in 0..20_000 {
        let which = seed.pick(&good);
        let bad = damaged(which, &mut seed);
        let (outcome, most) = most_held(|| text::parse(&bad, None));
        worst = worst.max(most);
        match outcome {
            Ok(network) => {
                read += 1;
                printed(&network);
            }
            Err(faults) => {
                refused += 1;
                assert!(!faults.is_empty());
            }
        }
    }
    println!("{read} read, {refused} refused, {worst} bytes held at most");
    assert!(read > 500 && refused > 5_000, "{read} read, {refused} refused");
    assert!(worst < 20 << 20, "{worst} bytes held");
}
