//! What the user asks for, and the plan that this is for one network.

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::network::{Network, digest};

use super::{Entry, Misfit, Plan, Rewrite, Site, Wanted, fits_beside, json};
use crate::nearest::nearest;
use crate::residual::{Skip, Skips};
use crate::target::Bits;

/// What the user asks for, before the network is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The same for every skip. Where it does not fit, the skip is kept.
    All(Wanted),
    /// Some skips by label (`5a`), sum (`5`), range (`1-3`) or ONNX name of the sum; the others are kept.
    List(Vec<Wish>),
    /// A plan that was written earlier, for the network with this digest in normal form.
    Plan {
        /// The digest.
        network: String,
        /// What is wanted of every skip.
        wishes: Vec<Wish>,
        /// Bits of layers by name.
        bits: BTreeMap<String, Bits>,
    },
}

/// Every skip is kept.
impl Default for Request {
    fn default() -> Self {
        Request::KEEP
    }
}

impl From<Plan> for Request {
    fn from(plan: Plan) -> Self {
        let wish = |entry: Entry| Wish { skip: entry.skip, wanted: Wanted::This(entry.rewrite) };
        Request::Plan {
            network: plan.network,
            wishes: plan.skips.into_iter().map(wish).collect(),
            bits: plan.bits,
        }
    }
}

/// What is wanted of one skip, or of several under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Label, sum, range of sums, or ONNX name of the sum.
    pub skip: String,
    /// What is wanted.
    pub wanted: Wanted,
}

/// What is wanted of a skip, and whether something else will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// What is wanted.
    pub wanted: Wanted,
    /// Whether a skip that it does not fit is a fault; else it is kept.
    pub firm: bool,
}

impl Request {
    /// One skip gets a rewrite, all others are kept.
    pub fn only(skip: &Skip, rewrite: Rewrite) -> Request {
        Request::List(vec![Wish { skip: skip.label.clone(), wanted: Wanted::This(rewrite) }])
    }

    /// Keep every skip.
    pub const KEEP: Request = Request::All(Wanted::This(Rewrite::Keep));
    /// Remove every skip.
    pub const REMOVE: Request = Request::All(Wanted::This(Rewrite::Remove));

    /// Reads one word for all, or `1-3:remove,4:keep,5a:tap,NAME:reuse`. A name may hold colons, and no comma.
    ///
    /// # Errors
    /// Where the text is none of these; all faults in one message.
    pub fn parse(text: &str) -> Result<Request, Diagnostic> {
        if let Some(wanted) = Wanted::parse(text.trim()) {
            return Ok(Request::All(wanted));
        }
        let mut wishes = Vec::new();
        let mut faults = Vec::new();
        for item in text.split(',').map(str::trim) {
            match wish(item, text.contains(',')) {
                Ok(wish) => wishes.push(wish),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() {
            return Ok(Request::List(wishes));
        }
        Err(Diagnostic::new(
            "plan/syntax",
            format!("--skips {text}"),
            faults.join("; "),
            format!(
                "write one of {}, a list such as 1-3:remove,4:keep,NAME:tap, or the name of a plan.json",
                Wanted::WORDS.join(", ")
            ),
        ))
    }

    /// Reads the text of a `plan.json`.
    ///
    /// # Errors
    /// Where it is none, or of another version, or asks for what there is not.
    pub fn from_json(text: &str) -> Result<Request, Diagnostic> {
        json::read(text)
    }

    /// Whether some skip may get one of several rewrites.
    pub fn leaves_a_choice(&self) -> bool {
        let several = |wanted: &Wanted| wanted.candidates().len() > 1;
        match self {
            Request::All(wanted) => several(wanted),
            Request::List(wishes) | Request::Plan { wishes, .. } => wishes.iter().any(|w| several(&w.wanted)),
        }
    }

    /// The same of a network whose numbers have changed since.
    #[must_use]
    pub fn for_network(&self, changed: &Network) -> Request {
        match self {
            Request::All(_) | Request::List(_) => self.clone(),
            Request::Plan { wishes, bits, .. } => {
                Request::Plan { network: digest(changed), wishes: wishes.clone(), bits: bits.clone() }
            }
        }
    }

    /// Bits of layers by name, where a plan says some.
    pub fn bits(&self) -> BTreeMap<String, Bits> {
        match self {
            Request::All(_) | Request::List(_) => BTreeMap::new(),
            Request::Plan { bits, .. } => bits.clone(),
        }
    }

    /// What is wanted of each skip, in the order of `skips`.
    ///
    /// # Errors
    /// As [`Request::resolve`], but for what does not fit.
    pub fn wants(&self, network: &Network, skips: &Skips) -> Result<Vec<Want>, Diagnostics> {
        self.wants_of(&digest(network), skips)
    }

    /// The same for the network with this digest.
    fn wants_of(&self, network: &str, skips: &Skips) -> Result<Vec<Want>, Diagnostics> {
        let (by_number, other) = match self {
            Request::All(wanted) => (BTreeMap::new(), Want { wanted: *wanted, firm: false }),
            Request::List(wishes) => (listed(wishes, skips)?, Want::KEEP),
            Request::Plan { network: of, wishes, .. } => (written(of, wishes, network, skips)?, Want::KEEP),
        };
        let want = |skip: &Skip| match by_number.get(&skip.number) {
            Some(&wanted) => Want { wanted, firm: true },
            None => other,
        };
        Ok(skips.iter().map(want).collect())
    }

    /// The plan for `network` with `skips`. Where there is a choice, the first rewrite that fits is taken.
    ///
    /// # Errors
    /// Skips that the network does not have, with the nearest that it has; skips that are named twice; rewrites that
    /// do not fit a skip that they are wanted of by name; a plan made for another network. All faults at once.
    pub fn resolve(&self, network: &Network, skips: &Skips) -> Result<Plan, Diagnostics> {
        let digest = digest(network);
        let wants = self.wants_of(&digest, skips)?;
        let mut faults = Diagnostics::default();
        let mut plan = Plan { network: digest, skips: Vec::new(), bits: self.bits(), misfits: Vec::new() };
        let mut sites: Vec<Site> = Vec::new();
        for (skip, want) in skips.iter().zip(wants) {
            let mut whys = Vec::new();
            let fitting = want.wanted.candidates().iter().copied().find(|&rewrite| {
                let fit = fits_beside(network, skip, rewrite, &sites);
                let fit = fit.map_err(|why| whys.push(Misfit::new(skip, rewrite, why)));
                fit.map(|site| sites.extend(site)).is_ok()
            });
            if fitting.is_none() {
                if want.firm {
                    whys.iter().for_each(|misfit| faults.push(misfit.diagnostic()));
                }
                plan.misfits.extend(whys);
            }
            plan.skips.push(Entry::new(skip, fitting.unwrap_or(Rewrite::Keep)));
        }
        faults.or(plan)
    }
}

impl Want {
    const KEEP: Want = Want { wanted: Wanted::This(Rewrite::Keep), firm: true };
}

/// `SKIP:REWRITE`.
fn wish(item: &str, in_list: bool) -> Result<Wish, String> {
    match item.rsplit_once(':') {
        _ if item.is_empty() && in_list => Err("an item of the list is empty".into()),
        Some((skip, word)) if !skip.trim().is_empty() => {
            Ok(Wish { skip: skip.trim().to_string(), wanted: wanted(word.trim())? })
        }
        _ => Err(format!("\"{item}\" does not say which skip and what to do with it, as in 1:remove")),
    }
}

/// What `word` asks for, or what is wrong with it.
pub(super) fn wanted(word: &str) -> Result<Wanted, String> {
    Wanted::parse(word).ok_or_else(|| {
        let nearest = nearest(word, Wanted::WORDS).unwrap_or("keep");
        format!("there is no rewrite \"{word}\"; did you mean \"{nearest}\"?")
    })
}

/// What is wanted of each skip that `wishes` name, by number.
fn listed(wishes: &[Wish], skips: &Skips) -> Result<BTreeMap<usize, Wanted>, Diagnostics> {
    let mut wanted = BTreeMap::new();
    let mut faults = Diagnostics::default();
    for wish in wishes {
        let named = match named(&wish.skip, skips) {
            Ok(named) => named,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        for skip in named {
            match wanted.insert(skip.number, wish.wanted) {
                Some(earlier) if earlier != wish.wanted => faults.push(Diagnostic::new(
                    "plan/twice",
                    format!("skip {} is named twice", skip.label),
                    format!("once to {earlier} and once to {} it", wish.wanted),
                    "name it once; skips that are not named are kept",
                )),
                _ => {}
            }
        }
    }
    faults.or(wanted)
}

/// What a plan that was made for the network `of` wants of each skip of the network whose digest is `network`.
fn written(
    of: &str,
    wishes: &[Wish],
    network: &str,
    skips: &Skips,
) -> Result<BTreeMap<usize, Wanted>, Diagnostics> {
    if of != network {
        return Err(Diagnostic::new(
            "plan/network",
            "the plan was made for another network",
            format!("it is for the network {of}, and this one is {network}"),
            "make a plan for this network, or give its skips as a list",
        )
        .into());
    }
    let mut faults = Diagnostics::default();
    for skip in skips.iter().filter(|skip| wishes.iter().all(|wish| wish.skip != skip.label)) {
        faults.push(Diagnostic::new(
            "plan/missing",
            format!("the plan says nothing of skip {}", skip.label),
            "a plan has an entry for every skip of its network",
            format!("add one for \"{}\", such as keep", skip.label),
        ));
    }
    match listed(wishes, skips) {
        Ok(wanted) => faults.or(wanted),
        Err(others) => {
            faults.extend(others);
            Err(faults)
        }
    }
}

/// The skips that `text` names: a label, all skips of a sum, a range of sums, or the ONNX name of a sum. A
/// label goes before a name that reads the same.
///
/// # Errors
/// Where it names none, with the nearest that there is.
pub fn named<'a>(text: &str, skips: &'a Skips) -> Result<Vec<&'a Skip>, Diagnostic> {
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
        Some(_) if text.parse::<usize>().is_ok() && last > 1 => {
            format!("write a number from 1 to {last}, or the ONNX name of a sum")
        }
        Some(nearest) => format!("did you mean \"{nearest}\"?"),
        None => "use --skips keep".into(),
    };
    Diagnostic::new("plan/unknown", format!("there is no skip \"{text}\""), why, remedy)
}
