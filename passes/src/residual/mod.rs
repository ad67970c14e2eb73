//! Skips: which sums join a path that left another path earlier, and what each looks like.
//!
//! A **merge** is a sum of two or more different values that depend on the inputs; a chain of adds whose inner
//! results are read by no one else is one merge. Its main operand is the one with most convolutions between it
//! and the place that dominates all operands. Each other operand with fewer convolutions than the main one,
//! counted from the place that dominates both, is a **skip**. Dense layers count as convolutions, and the
//! longest path counts where there are several.
//!
//! A path whose convolutions all see one pixel (a projection) is a skip also beside a path of as many
//! convolutions of which one sees more: so are the projections of a ShortResNet, whose blocks hold one
//! convolution each. Sums with a constant, of a value with itself, and of values without a common source
//! (two inputs) are no skips.
//!
//! Read-only: what a skip costs and what becomes of it are not decided here.

mod flow;
mod merge;
mod step;

use std::collections::BTreeSet;
use std::fmt;

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::names::Names;
use nonresc_ir::network::Network;

use crate::design::{NetworkDesign, Options};
use crate::pass::{Function, Pass, Property};

use flow::{Flow, Length, Place, ROOT, Reach};
use merge::{Leaf, Merge, merges};
use step::Step;

/// The pass, for the table.
pub(crate) const PASS: Pass = Pass::on_network("residual", "every skip, its source, join and shape", run)
    .needs(&[Property::NormalForm])
    .gives(&[Property::SkipsKnown])
    .function(Function::ReadOnly);

fn run(design: &mut NetworkDesign, _options: &Options) -> Result<(), Diagnostics> {
    design.skips = skips(&design.network);
    Ok(())
}

/// What lies on the skip's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SkipShape {
    /// Nothing.
    Identity,
    /// Nothing, and the other path begins with its activation: the carried value is a raw sum.
    PreActivation,
    /// A 1x1 convolution, maybe behind a pool.
    Projection {
        /// Whether a pool comes before the convolution.
        pooled: bool,
    },
    /// Pools.
    Pool,
    /// Subsampling and zero channels, without a weight.
    Padded,
    /// Anything else.
    General,
}

impl fmt::Display for SkipShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SkipShape::Identity => "identity",
            SkipShape::PreActivation => "pre-activation",
            SkipShape::Projection { pooled: false } => "projection",
            SkipShape::Projection { pooled: true } => "pool + projection",
            SkipShape::Pool => "pool",
            SkipShape::Padded => "padded",
            SkipShape::General => "general",
        })
    }
}

/// One skip connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Skip {
    /// Its place in the table of all skips, from 1; also `Channel::skip`.
    pub number: usize,
    /// As users name it: the number of its sum, with a letter where the sum joins several skips: `5`, `5a`.
    pub label: String,
    /// The sum that it ends in.
    pub join: NodeId,
    /// Which operand of `join` it is.
    pub operand: u16,
    /// Where it leaves the other path.
    pub source: Value,
    /// What lies on it.
    pub shape: SkipShape,
    /// Convolutions on it, on the path that has most.
    pub skip_convolutions: usize,
    /// Convolutions on the path beside it, on the path that has most.
    pub convolutions: usize,
    /// The nodes between source and join that serve this skip alone, operands first.
    pub branch: Vec<NodeId>,
    /// Numbers of the skips that lie within the path beside it.
    pub encloses: Vec<usize>,
    /// The ONNX names of the sum.
    pub names: Names,
}

/// All skips of a network, in canonical order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Skips(pub Vec<Skip>);

impl Skips {
    /// All skips.
    pub fn iter(&self) -> impl Iterator<Item = &Skip> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The skip with this place in the table.
    pub fn number(&self, number: usize) -> Option<&Skip> {
        self.0.iter().find(|skip| skip.number == number)
    }

    /// The skip that ends in operand `operand` of `join`.
    pub fn at(&self, join: NodeId, operand: u16) -> Option<&Skip> {
        self.0.iter().find(|skip| skip.join == join && skip.operand == operand)
    }
}

/// The skips of `network`; none where it has a cycle.
pub fn skips(network: &Network) -> Skips {
    let Some(flow) = Flow::of(network) else { return Skips::default() };
    let mut skips: Vec<Skip> = Vec::new();
    let mut spans: Vec<Span> = Vec::new();
    let mut n_merges = 0;
    for merge in merges(&flow) {
        let found = found_at(&flow, &merge);
        n_merges += usize::from(!found.is_empty());
        let several = found.len() > 1;
        let n_before = spans.len();
        spans.extend(found.iter().map(|one| one.span));
        for (i, one) in found.iter().enumerate() {
            let letter = if several { letters(i) } else { String::new() };
            let inside = spans.iter().enumerate().filter(|(other, span)| match other.checked_sub(n_before) {
                None => one.encloses(span),
                Some(_) => one.begins_before(span),
            });
            let encloses = inside.map(|(other, _)| other + 1).collect();
            skips.push(describe(&flow, one, n_before + i + 1, format!("{n_merges}{letter}"), encloses));
        }
    }
    Skips(skips)
}

/// From where to where a skip goes.
#[derive(Clone, Copy)]
struct Span {
    source: Place,
    join: Place,
}

/// A skip among the places of the flow.
struct Found {
    leaf: Leaf,
    main: Place,
    span: Span,
    /// The longest paths from the source.
    longest: Reach<Length>,
    /// What the main operand depends on from the source on.
    beside: Reach<()>,
}

impl Found {
    /// Whether a skip of an earlier merge lies within the path beside this one.
    fn encloses(&self, earlier: &Span) -> bool {
        self.beside.has(earlier.join) && self.longest.has(earlier.source)
    }

    /// Whether another skip of the same merge leaves the path beside this one, and so ends no later than it does.
    fn begins_before(&self, other: &Span) -> bool {
        self.span.source != other.source && self.beside.has(other.source)
    }
}

/// The skips of one merge, in the order of its operands.
fn found_at(flow: &Flow<'_>, merge: &Merge) -> Vec<Found> {
    let places = merge.leaves.iter().map(|leaf| leaf.value);
    let Some(common) = places.reduce(|a, b| flow.common_dominator(a, b)) else { return Vec::new() };
    let longest = flow.longest(common, merge.root);
    // The first of those that are longest: max_by_key takes the last.
    let Some(main) = merge.leaves.iter().rev().max_by_key(|leaf| longest.get(leaf.value)) else {
        return Vec::new();
    };
    let others = merge.leaves.iter().filter(|&leaf| leaf != main);
    others.filter_map(|&leaf| found(flow, leaf, main.value)).collect()
}

fn found(flow: &Flow<'_>, leaf: Leaf, main: Place) -> Option<Found> {
    let above = flow.common_dominator(leaf.value, main);
    let seen_from = |source: Place| {
        let longest = flow.longest(source, leaf.join);
        is_shorter(flow, &longest, source, leaf.value, main).then(|| Found {
            leaf,
            main,
            span: Span { source, join: leaf.join },
            longest,
            beside: flow.before(main, source),
        })
    };
    if above == ROOT {
        return None;
    }
    let found = seen_from(above)?;
    // Where skips cross, the path leaves the other one behind the place that dominates both.
    let leaves_at = leaves_at(flow, leaf.value, main, above);
    if leaves_at == above { Some(found) } else { seen_from(leaves_at).or(Some(found)) }
}

/// Whether the paths from `source` to `skip` are shorter than those to `main`, as the module doc says.
fn is_shorter(flow: &Flow<'_>, longest: &Reach<Length>, source: Place, skip: Place, main: Place) -> bool {
    let (Some(short), Some(long)) = (longest.get(skip), longest.get(main)) else { return false };
    let narrow = || flow.before(skip, source).descending().all(|p| p == source || flow.length(p).wide == 0);
    short.convolutions < long.convolutions
        || (short.convolutions == long.convolutions && short.wide < long.wide && narrow())
}

/// The last place on the way to `skip` that `main` depends on too, as long as that way is a chain; else `above`,
/// which dominates both.
fn leaves_at(flow: &Flow<'_>, skip: Place, main: Place, above: Place) -> Place {
    let beside = flow.before(main, above);
    let mut place = skip;
    while !beside.has(place) {
        match *flow.operands(place) {
            [operand] => place = operand,
            _ => return above,
        }
    }
    place
}

fn describe(flow: &Flow<'_>, one: &Found, number: usize, label: String, encloses: Vec<usize>) -> Skip {
    let join = flow.node(one.leaf.join);
    let convolutions = |place| one.longest.get(place).unwrap_or_default().convolutions;
    Skip {
        number,
        label,
        join,
        operand: one.leaf.operand,
        source: flow.value(one.span.source),
        shape: shape_of(flow, one),
        skip_convolutions: convolutions(one.leaf.value),
        convolutions: convolutions(one.main),
        branch: branch(flow, one),
        encloses,
        names: flow.network().node(join).names.clone(),
    }
}

fn shape_of(flow: &Flow<'_>, one: &Found) -> SkipShape {
    let mut steps = Vec::new();
    let mut place = one.leaf.value;
    while place != one.span.source {
        steps.push(Step::of(flow.network(), flow.node(place)));
        match *flow.operands(place) {
            [operand] => place = operand,
            _ => return SkipShape::General,
        }
    }
    steps.reverse();
    step::shape(&steps, is_raw(flow, one))
}

/// Whether the source is no activation's result and every path that leaves it beside the skip meets an activation,
/// or the normalisation in front of one, first.
fn is_raw(flow: &Flow<'_>, one: &Found) -> bool {
    let step = |place| Step::of(flow.network(), flow.node(place));
    let mut made = one.span.source;
    while let (Step::Writing, &[operand]) = (step(made), flow.operands(made)) {
        made = operand;
    }
    let mut pending = vec![one.span.source];
    while let Some(place) = pending.pop() {
        for &reader in flow.readers(place).iter().filter(|&&reader| one.beside.has(reader)) {
            match step(reader) {
                Step::Activation | Step::Affine => {}
                Step::Writing => pending.push(reader),
                _ => return false,
            }
        }
    }
    step(made) != Step::Activation
}

/// The nodes behind the source that no one needs but the skip.
fn branch(flow: &Flow<'_>, one: &Found) -> Vec<NodeId> {
    let mut kept: BTreeSet<Place> = BTreeSet::new();
    for place in flow.before(one.leaf.value, one.span.source).descending() {
        let alone =
            |&reader: &Place| kept.contains(&reader) || (place == one.leaf.value && reader == one.leaf.join);
        let passed = place != one.span.source && !one.beside.has(place);
        if passed && !flow.network().is_output(flow.value(place)) && flow.readers(place).iter().all(alone) {
            kept.insert(place);
        }
    }
    kept.into_iter().map(|place| flow.node(place)).collect()
}

/// `a` to `z`, then `aa`.
fn letters(i: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = i + 1;
    while rest > 0 {
        letters.push(char::from(b'a' + ((rest - 1) % 26) as u8));
        rest = (rest - 1) / 26;
    }
    letters.into_iter().rev().collect()
}
