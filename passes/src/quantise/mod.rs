//! Quantisation of a trained network: from floats to codes with scales, by calibration, without training.
//!
//! What: a float network in normal form becomes one with `quantise` and `dequantise` exactly where an integer network
//! rounds: on the input, and behind each layer, sum and mean, once its activation is done. What only moves or compares
//! numbers (max pools, slices, pads, reshapes) has none. A convolution whose result is read by one sum alone has none
//! either: that sum is made in its accumulator; of two such the later one. What leads to an output alone stays as the
//! accumulator gives it. Weights are codes behind a `dequantise`.
//!
//! `x = scale * (code - 0)`: weights are signed with as many codes above as below zero, and those of one bit are -1 and 1;
//! activations are unsigned where their numbers are known not to be negative, else signed. With scales that are powers of
//! two every layer has a quarter of a step in its bias, so that no sum lies half way between two codes: what rounds ties
//! to even then gives what rounding them up gives, which is free in hardware.
//!
//! - [`floats`]: from a quantised network back to floats, to be quantised anew.
//! - [`sites`]: where is rounded; [`calibrate`]: what numbers there are; [`scale`]: the choice of scales;
//!   [`weights`]: weights and biases; [`build`]: the new network.
//!
//! No lowering and no integer arithmetic here: the result is a network like any other, exported as standard ONNX.

mod build;
mod calibrate;
mod floats;
mod scale;
mod sites;
mod weights;

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Network, canonicalise};

use crate::data::Dataset;
use crate::nearest::nearest;
use crate::target::Bits;
use calibrate::{Observed, Source};
pub use floats::floats;
use scale::Codes;
use sites::{Kind, Site, Sites};

/// Fewest bits of the network's input, whatever is asked for activations.
const LEAST_INPUT_BITS: u32 = 8;

/// Which scales are allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scales {
    /// Powers of two: an integer network then shifts.
    #[default]
    PowerOfTwo,
    /// Any numbers: an integer network then multiplies.
    Free,
}

/// What has a scale of its own in the weights of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Granularity {
    /// Each output channel.
    #[default]
    Channel,
    /// The whole tensor.
    Tensor,
}

/// How the scale of an activation is chosen from the numbers that were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Method {
    /// The least mean squared error of rounding and clipping.
    #[default]
    Mse,
    /// No number is clipped.
    MinMax,
    /// So many percent of the numbers, by magnitude, are not clipped.
    Percentile(f64),
}

/// How a network is quantised.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantiseOptions {
    /// Bits of weights and activations. The input has 8 at least, and a signed activation 2.
    pub bits: Bits,
    /// Other bits for the layers of these names: of their weights and of their results.
    pub layers: BTreeMap<String, Bits>,
    /// Which scales are allowed.
    pub scales: Scales,
    /// What has a scale of its own in the weights of a layer.
    pub weights: Granularity,
    /// How scales of activations are chosen.
    pub method: Method,
    /// Images to calibrate with, from the beginning of the data.
    pub samples: usize,
    /// Whether what the rounding of weights does to the mean of a channel is taken off its bias; with data alone.
    pub bias_correction: bool,
    /// Seed of the inputs that are made up where there is no data.
    pub seed: u64,
}

impl Default for QuantiseOptions {
    fn default() -> Self {
        QuantiseOptions {
            bits: Bits { weights: 8, activations: 8 },
            layers: BTreeMap::new(),
            scales: Scales::default(),
            weights: Granularity::default(),
            method: Method::default(),
            samples: 256,
            bias_correction: true,
            seed: 0,
        }
    }
}

/// A tensor that was given scales.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The layer whose result or weights it is, by name.
    pub layer: String,
    /// What it is of the layer.
    pub tensor: Quantity,
    /// The least and the largest scale.
    pub scales: (f64, f64),
    /// Width of a code.
    pub bits: u32,
    /// Whether codes are signed.
    pub signed: bool,
    /// The least and the largest number before quantisation.
    pub range: (f64, f64),
    /// The share of the numbers that are beyond the codes.
    pub clipped: f64,
}

/// Which tensor of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The network's input.
    Input,
    /// The weights of a layer.
    Weights,
    /// What the layer gives, its activation done.
    Result,
}

/// A quantised network and what was chosen.
#[derive(Clone, Debug)]
pub struct Quantised {
    /// The network, in canonical order.
    pub network: Network,
    /// Every tensor that was given scales: the input, then layer by layer.
    pub rows: Vec<Row>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// Quantises a float network in normal form, calibrated on the first images of `data`; without data on made-up inputs.
///
/// # Errors
/// Every operator that has no integers, by name; names of layers that are not there and widths that cannot be had; data
/// that does not fit the network.
pub fn quantise(
    network: &Network,
    data: Option<&Dataset>,
    options: &QuantiseOptions,
) -> Result<Quantised, Diagnostics> {
    let network = canonicalise(network);
    let sites = sites::find(&network)?;
    let widths = Widths::new(&network, &sites, options)?;
    let source = Source::new(&network, data, options)?;
    let observed = calibrate::observe(&network, &sites.values(&network), &source)?;
    let mut notes = source.notes();
    let chosen: Vec<Chosen> =
        sites.sites.iter().map(|site| Chosen::new(&sites, site, &observed, &widths, options)).collect();
    let steps = build::Steps::new(&network, &sites, &chosen, options.scales);
    let correct = options.bias_correction && data.is_some();
    let layers: Vec<weights::Layer> = sites
        .layers
        .iter()
        .map(|layer| {
            let means = correct.then(|| observed[&network.operands(layer.node)[0]].means());
            weights::quantise(&network, layer, &steps, widths.weights(layer.node), means.as_deref(), options)
        })
        .collect();
    if options.scales == Scales::PowerOfTwo {
        notes.extend(weights::inexact(&network, &sites, &steps, &layers));
    }
    let rows = rows(&network, &sites, &chosen, &layers, &observed);
    let network = build::build(&network, &sites, &chosen, &layers, &steps)?;
    Ok(Quantised { network, rows, notes })
}

/// What an activation is quantised to.
#[derive(Clone, Debug)]
struct Chosen {
    scale: f32,
    codes: Codes,
}

impl Chosen {
    fn new(
        sites: &Sites,
        site: &Site,
        observed: &BTreeMap<Value, Observed>,
        widths: &Widths,
        options: &QuantiseOptions,
    ) -> Self {
        let seen = &observed[&site.at];
        let known = match site.kind {
            // What is below zero later is clipped to it.
            Kind::Input => seen.least >= 0.0,
            Kind::Layer | Kind::Sum | Kind::Mean | Kind::Limit => sites.nonnegative.contains(&site.at.node),
        };
        let bits = widths.activations(site);
        let codes = Codes::new(if known { bits } else { bits.max(2) }, !known, false);
        Chosen { scale: scale::of_activations(seen, codes, options.method, options.scales), codes }
    }
}

/// How wide each layer's weights and results are.
struct Widths {
    default: Bits,
    of: BTreeMap<NodeId, Bits>,
}

impl Widths {
    fn new(network: &Network, sites: &Sites, options: &QuantiseOptions) -> Result<Self, Diagnostics> {
        let mut faults = Diagnostics::default();
        let given = options.layers.iter().map(|(name, bits)| (Some(name), bits));
        for (name, bits) in given.chain([(None, &options.bits)]) {
            faults.extend(faults_of(name.map(String::as_str), *bits));
        }
        let mut of = BTreeMap::new();
        let roots = sites.sites.iter().map(|site| site.root);
        let nodes: Vec<NodeId> = roots.chain(sites.layers.iter().map(|layer| layer.node)).collect();
        for (name, &bits) in &options.layers {
            let named: Vec<NodeId> = nodes
                .iter()
                .copied()
                .filter(|&n| network.node(n).names.iter().any(|own| own == name))
                .collect();
            if named.is_empty() {
                let known: Vec<&str> = nodes.iter().filter_map(|&n| network.node(n).names.first()).collect();
                faults.push(unknown_layer(name, &known));
            }
            for node in named {
                if of.insert(node, bits).is_some_and(|other| other != bits) {
                    faults.push(Diagnostic::new(
                        "quantise/layer",
                        format!("bits for layer \"{name}\""),
                        "the same layer is given others under another of its names",
                        "name each layer once",
                    ));
                }
            }
        }
        faults.or(Widths { default: options.bits, of })
    }

    fn weights(&self, layer: NodeId) -> u32 {
        self.of.get(&layer).unwrap_or(&self.default).weights
    }

    fn activations(&self, site: &Site) -> u32 {
        match (self.of.get(&site.root), site.kind) {
            (None, Kind::Input) => self.default.activations.max(LEAST_INPUT_BITS),
            (given, _) => given.unwrap_or(&self.default).activations,
        }
    }
}

fn faults_of(layer: Option<&str>, bits: Bits) -> Diagnostics {
    let mut faults = Diagnostics::default();
    let of = layer.map_or(String::new(), |name| format!(" of layer \"{name}\""));
    for (what, width, example) in
        [("weights", bits.weights, "w2a4"), ("activations", bits.activations, "w8a8")]
    {
        if !Bits::RANGE.contains(&width) {
            faults.push(Diagnostic::new(
                "quantise/bits",
                format!("{what} of {width} bits{of}"),
                "a code has 1 to 16 bits",
                format!("give {what} 1 to 16 bits, such as {example}"),
            ));
        }
    }
    faults
}

fn unknown_layer(name: &str, known: &[&str]) -> Diagnostic {
    let remedy = match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("name a layer, such as \"{nearest}\""),
        None => "name a layer".to_string(),
    };
    Diagnostic::new(
        "quantise/layer",
        format!("bits for layer \"{name}\""),
        "nothing that is quantised has this name",
        remedy,
    )
}

/// What users call a node.
fn name(network: &Network, node: NodeId) -> String {
    let of = network.node(node);
    of.names.first().map_or_else(|| format!("{} {node}", of.op.name()), str::to_string)
}

fn rows(
    network: &Network,
    sites: &Sites,
    chosen: &[Chosen],
    layers: &[weights::Layer],
    observed: &BTreeMap<Value, Observed>,
) -> Vec<Row> {
    let mut rows: Vec<(NodeId, Row)> = Vec::new();
    for (layer, made) in sites.layers.iter().zip(layers) {
        rows.push((layer.node, made.row(name(network, layer.node))));
    }
    for (site, chosen) in sites.sites.iter().zip(chosen) {
        let seen = &observed[&site.at];
        let row = Row {
            layer: name(network, site.root),
            tensor: if site.kind == Kind::Input { Quantity::Input } else { Quantity::Result },
            scales: (chosen.scale.into(), chosen.scale.into()),
            bits: chosen.codes.bits,
            signed: chosen.codes.signed,
            range: (seen.least, seen.most),
            clipped: seen.clipped(chosen.codes, chosen.scale.into()),
        };
        rows.push((site.root, row));
    }
    // Ids are in canonical order; weights were pushed before what is made with them.
    rows.sort_by_key(|(node, _)| *node);
    let (inputs, others): (Vec<Row>, Vec<Row>) =
        rows.into_iter().map(|(_, row)| row).partition(|row| row.tensor == Quantity::Input);
    inputs.into_iter().chain(others).collect()
}
