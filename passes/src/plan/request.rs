//! What the user asks for, and the plan that this is for one network.

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::network::{Network, digest};

use super::{Entry, Plan, Rewrite, json};
use crate::residual::{Skip, Skips};

/// Rewrites that are planned and not built.
const NOT_BUILT: [&str; 5] = ["reuse", "fuse", "exact", "shorten", "auto"];

/// What the user asks for, before the network is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Request {
    /// Keep every skip.
    #[default]
    Keep,
    /// Remove every skip.
    Remove,
    /// Some skips by label (`5a`), sum (`5`), range (`1-3`) or ONNX name of the sum; the others are kept.
    List(Vec<Entry>),
    /// A plan that was written earlier.
    Plan(Plan),
}

impl Request {
    /// Reads `keep`, `remove` or `1-3:remove,4:keep,5a:remove,NAME:remove`. A name may hold colons, and no comma.
    ///
    /// # Errors
    /// Where the text is none of these; all faults in one message.
    pub fn parse(text: &str) -> Result<Request, Diagnostic> {
        match text.trim() {
            "keep" => return Ok(Request::Keep),
            "remove" => return Ok(Request::Remove),
            _ => {}
        }
        let mut entries = Vec::new();
        let mut faults = Vec::new();
        for item in text.split(',').map(str::trim) {
            match entry(item, text.contains(',')) {
                Ok(entry) => entries.push(entry),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() {
            return Ok(Request::List(entries));
        }
        Err(Diagnostic::new(
            "plan/syntax",
            format!("--skips {text}"),
            faults.join("; "),
            "write keep, remove, a list such as 1-3:remove,4:keep,NAME:remove, or the name of a plan.json",
        ))
    }

    /// Reads the text of a `plan.json`.
    ///
    /// # Errors
    /// Where it is none, or of another version, or asks for what there is not.
    pub fn from_json(text: &str) -> Result<Request, Diagnostic> {
        json::read(text).map(Request::Plan)
    }

    /// The plan for `network` with `skips`.
    ///
    /// # Errors
    /// Skips that the network does not have, with the nearest that it has; skips that are named twice; a plan
    /// made for another network. All faults at once.
    pub fn resolve(&self, network: &Network, skips: &Skips) -> Result<Plan, Diagnostics> {
        let network = digest(network);
        let rewrites = match self {
            Request::Keep => BTreeMap::new(),
            Request::Remove => skips.iter().map(|skip| (skip.number, Rewrite::Remove)).collect(),
            Request::List(entries) => listed(entries, skips)?,
            Request::Plan(plan) => written(plan, &network, skips)?,
        };
        let entries = skips.iter().map(|skip| Entry {
            skip: skip.label.clone(),
            name: skip.names.first().unwrap_or_default().to_string(),
            rewrite: rewrites.get(&skip.number).copied().unwrap_or(Rewrite::Keep),
        });
        Ok(Plan { network, skips: entries.collect() })
    }
}

/// `SKIP:REWRITE`.
fn entry(item: &str, in_list: bool) -> Result<Entry, String> {
    match item.rsplit_once(':') {
        _ if item.is_empty() && in_list => Err("an item of the list is empty".into()),
        Some((skip, word)) if !skip.trim().is_empty() => {
            Ok(Entry { skip: skip.trim().to_string(), name: String::new(), rewrite: rewrite(word.trim())? })
        }
        None if !in_list && NOT_BUILT.contains(&item) => rewrite(item).map(|_| unreachable!("it is refused")),
        _ => Err(format!("\"{item}\" does not say which skip and what to do with it, as in 1:remove")),
    }
}

/// The rewrite called `word`.
pub(super) fn rewrite(word: &str) -> Result<Rewrite, String> {
    match word {
        "keep" => Ok(Rewrite::Keep),
        "remove" => Ok(Rewrite::Remove),
        _ if NOT_BUILT.contains(&word) => {
            Err(format!("\"{word}\" is not built yet: this version has keep and remove"))
        }
        _ => {
            let known = ["keep", "remove"];
            let nearest = nearest(word, known.into_iter()).unwrap_or("keep");
            Err(format!("there is no rewrite \"{word}\"; did you mean \"{nearest}\"?"))
        }
    }
}

/// The rewrite of each skip that `entries` name, by number.
fn listed(entries: &[Entry], skips: &Skips) -> Result<BTreeMap<usize, Rewrite>, Diagnostics> {
    let mut rewrites = BTreeMap::new();
    let mut faults = Diagnostics::default();
    for entry in entries {
        let named = match named(&entry.skip, skips) {
            Ok(named) => named,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        for skip in named {
            match rewrites.insert(skip.number, entry.rewrite) {
                Some(earlier) if earlier != entry.rewrite => faults.push(Diagnostic::new(
                    "plan/twice",
                    format!("skip {} is named twice", skip.label),
                    format!("once to {earlier} and once to {} it", entry.rewrite),
                    "name it once; skips that are not named are kept",
                )),
                _ => {}
            }
        }
    }
    faults.or(rewrites)
}

/// The rewrite of each skip of a plan that was made for the network whose digest is `network`.
fn written(plan: &Plan, network: &str, skips: &Skips) -> Result<BTreeMap<usize, Rewrite>, Diagnostics> {
    if plan.network != network {
        return Err(Diagnostic::new(
            "plan/network",
            "the plan was made for another network",
            format!("it is for the network {}, and this one is {network}", plan.network),
            "make a plan for this network, or give its skips as a list",
        )
        .into());
    }
    let mut faults = Diagnostics::default();
    for skip in skips.iter().filter(|skip| plan.skips.iter().all(|entry| entry.skip != skip.label)) {
        faults.push(Diagnostic::new(
            "plan/missing",
            format!("the plan says nothing of skip {}", skip.label),
            "a plan has an entry for every skip of its network",
            format!("add one for \"{}\" with keep or remove", skip.label),
        ));
    }
    match listed(&plan.skips, skips) {
        Ok(rewrites) => faults.or(rewrites),
        Err(others) => {
            faults.extend(others);
            Err(faults)
        }
    }
}

/// The skips that `text` names: a label, all skips of a sum, a range of sums, or the ONNX name of a sum. A
/// label goes before a name that reads the same.
fn named<'a>(text: &str, skips: &'a Skips) -> Result<Vec<&'a Skip>, Diagnostic> {
    let with =
        |found: &dyn Fn(&Skip) -> bool| -> Vec<&'a Skip> { skips.iter().filter(|s| found(s)).collect() };
    let by_label = with(&|skip| skip.label == text || sum(&skip.label).to_string() == text);
    if !by_label.is_empty() {
        return Ok(by_label);
    }
    let by_name = with(&|skip| skip.names.iter().any(|name| name == text));
    if !by_name.is_empty() {
        return Ok(by_name);
    }
    let range = text.split_once('-').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    let last = skips.iter().map(|skip| sum(&skip.label)).max().unwrap_or(0);
    match range {
        Some((first, end)) if 1 <= first && first <= end && end <= last => {
            Ok(with(&|skip| (first..=end).contains(&sum(&skip.label))))
        }
        _ => Err(unknown(text, skips, last)),
    }
}

/// The number of the sum in a label: 5 of `5a`.
fn sum(label: &str) -> usize {
    label.trim_end_matches(|c: char| c.is_ascii_lowercase()).parse().unwrap_or(0)
}

fn unknown(text: &str, skips: &Skips, last: usize) -> Diagnostic {
    let why = match last {
        0 => "the network has no skip".to_string(),
        1 => "the network has one skip, 1".to_string(),
        _ => format!("the network has skips 1 to {last}"),
    };
    let labels = skips.iter().map(|skip| skip.label.as_str());
    let names = skips.iter().flat_map(|skip| skip.names.iter());
    let is_range = text.contains('-') && text.chars().all(|c| c.is_ascii_digit() || c == '-');
    let remedy = match nearest(text, labels.chain(names)) {
        Some(_) if is_range => format!("write a range from the lower to the higher number, as in 1-{last}"),
        Some(nearest) => format!("did you mean \"{nearest}\"?"),
        None => "use --skips keep".into(),
    };
    Diagnostic::new("plan/unknown", format!("there is no skip \"{text}\""), why, remedy)
}

/// The word of `known` that is most like `text`; the first of several.
fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(f64, &str)> = None;
    for word in known {
        let alike = strsim::jaro_winkler(text, word);
        if best.is_none_or(|(most, _)| alike > most) {
            best = Some((alike, word));
        }
    }
    best.map(|(_, word)| word)
}
