//! The quantised network: weights as codes behind a `dequantise`, and quantisers at their sites.

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::names::Names;
use nonresc_ir::network::{
    Add, AvgPool, Dequantise, Edit, EditError, Element, Network, Op, Pair, Quantise, Rounding, canonicalise,
};
use nonresc_ir::tensor::Tensor;

use super::sites::{self, Kind, Site, Sites};
use super::weights::Layer;
use super::{Chosen, Scales};

/// The step of every value that holds codes.
pub(super) struct Steps<'a> {
    sites: &'a Sites,
    chosen: &'a [Chosen],
    /// Pixels that a mean is taken over, rounded up to a power of two, by node.
    windows: BTreeMap<NodeId, usize>,
    scales: Scales,
}

impl<'a> Steps<'a> {
    pub(super) fn new(network: &Network, sites: &'a Sites, chosen: &'a [Chosen], scales: Scales) -> Self {
        let means = sites.sites.iter().filter(|site| site.kind == Kind::Mean);
        let windows = means.map(|site| (site.root, window(network, site.root).next_power_of_two())).collect();
        Steps { sites, chosen, windows, scales }
    }

    fn chosen(&self, value: Value) -> &Chosen {
        &self.chosen[self.sites.codes[&value]]
    }

    /// The scale of a value that is read.
    pub(super) fn of(&self, value: Value) -> f64 {
        self.chosen(value).scale.into()
    }

    /// The least and the largest code of a value that is read.
    pub(super) fn limits(&self, value: Value) -> (f64, f64) {
        let codes = self.chosen(value).codes;
        (codes.least() as f64, codes.most() as f64)
    }

    /// The largest magnitude that the codes of a value stand for; 0 of what is made in an accumulator.
    pub(super) fn most(&self, value: Value) -> f64 {
        if !self.sites.codes.contains_key(&value) {
            return 0.0;
        }
        let (least, most) = self.limits(value);
        most.max(-least) * self.of(value)
    }

    /// What is added to a layer's sum of steps `step` so that it is no tie where it is rounded.
    pub(super) fn quarter(&self, layer: &sites::Layer, step: f64) -> f64 {
        let Some(site) = layer.site.filter(|_| self.scales == Scales::PowerOfTwo) else { return 0.0 };
        let added = layer.addend.map_or(f64::INFINITY, |value| self.of(value));
        step.min(added).min(self.chosen[site].scale.into()) / 4.0
    }

    /// The width of the codes of a value that is read.
    pub(super) fn bits(&self, value: Value) -> u32 {
        self.chosen(value).codes.bits
    }

    /// The largest step of what is added to a layer's sum and of what is made of it; 0 where there is neither.
    pub(super) fn coarsest(&self, layer: &sites::Layer) -> f64 {
        let result = layer.site.map(|site| f64::from(self.chosen[site].scale));
        let added = layer.addend.map(|value| self.of(value));
        result.into_iter().chain(added).fold(0.0, f64::max)
    }

    /// The finest step of what is rounded at a site that no layer's bias reaches, where ties are to be broken there.
    pub(super) fn finest(&self, network: &Network, site: &Site) -> Option<f64> {
        if site.layer.is_some() || site.kind == Kind::Input || self.scales == Scales::Free {
            return None;
        }
        let result = f64::from(self.chosen(site.at).scale);
        let operands = network.operands(site.root);
        let finest = operands.iter().fold(result, |finest, &operand| finest.min(self.of(operand)));
        Some(finest / self.windows.get(&site.root).map_or(1.0, |&pixels| pixels as f64))
    }
}

/// Pixels that a mean is taken over.
fn window(network: &Network, node: NodeId) -> usize {
    match network.op(node) {
        Op::AvgPool(AvgPool { kernel: Pair { h, w }, .. }) => h * w,
        _ => network.ty(network.operands(node)[0]).shape.chw().map_or(1, |(_, height, width)| height * width),
    }
}

/// Builds the quantised network.
///
/// # Errors
/// Where an edit is refused, which is a fault of this room.
pub(super) fn build(
    network: &Network,
    sites: &Sites,
    chosen: &[Chosen],
    layers: &[Layer],
    steps: &Steps<'_>,
) -> Result<Network, Diagnostics> {
    let mut quantised = network.clone();
    let mut edit = Edit::new(&mut quantised);
    let refused = |e: EditError| {
        Diagnostic::new("quantise/edit", "the network", e.to_string(), "report this as a fault of nonresc")
    };
    let mut moved = BTreeMap::new();
    for (layer, made) in sites.layers.iter().zip(layers) {
        let new = with_codes(&mut edit, layer.node, made).map_err(refused)?;
        moved.insert(Value::from(layer.node), new);
    }
    for (site, chosen) in sites.sites.iter().zip(chosen) {
        let at = moved.get(&site.at).copied().unwrap_or(site.at);
        let quarter = steps.finest(network, site).map(|finest| finest / 4.0);
        let title = super::name(network, site.root);
        round(&mut edit, at, chosen, quarter, &title).map_err(refused)?;
    }
    edit.remove_dead();
    Ok(canonicalise(&quantised))
}

fn scalar(element: Element, x: f64) -> Tensor {
    Tensor::from_f64(element, [], &[x]).expect("scales are floats, and zero is a code of every width")
}

/// The layer with codes for weights; gives its result.
fn with_codes(edit: &mut Edit<'_>, node: NodeId, made: &Layer) -> Result<Value, EditError> {
    let operands = edit.operands(node);
    let (op, names) = (edit.op(node).clone(), edit.node(node).names.clone());
    let (of_weights, shape) = (edit.node(operands[1].node).names.clone(), edit.ty(operands[1]).shape.clone());
    let element = made.codes.element();
    let codes: Vec<f64> = made.weights.iter().map(|&code| code as f64).collect();
    let codes = Tensor::from_f64(element, shape, &codes).expect("codes are those of their width");
    let codes = edit.named(of_weights).constant(codes);
    edit.named(Names::default());
    let [scale, zero] = match made.scales[..] {
        [scale] => [scalar(Element::F32, scale.into()), scalar(element, 0.0)],
        _ => {
            let count = made.scales.len();
            let scales = Tensor::f32([count], made.scales.clone());
            [scales, Tensor::from_f64(element, [count], &vec![0.0; count])].map(|t| t.expect("one a channel"))
        }
    };
    let (scale, zero) = (edit.constant(scale), edit.constant(zero));
    let weights = edit.add(Dequantise { axis: 0 }, &[codes, scale, zero])?;
    let mut read = vec![operands[0], weights];
    if let Some(bias) = &made.bias {
        let of_bias = operands.get(2).map(|b| edit.node(b.node).names.clone()).unwrap_or_default();
        let bias = Tensor::f32([bias.len()], bias.clone()).expect("one a channel");
        read.push(edit.named(of_bias).constant(bias));
    }
    let new = edit.named(names).add(op, &read)?;
    edit.replace(node.into(), new)?;
    edit.remove_unread(node);
    Ok(new)
}

/// Makes everything that reads `at` read it rounded.
fn round(
    edit: &mut Edit<'_>,
    at: Value,
    chosen: &Chosen,
    quarter: Option<f64>,
    title: &str,
) -> Result<(), EditError> {
    let readers = edit.users(at);
    let element = chosen.codes.element();
    edit.named(Names::default());
    let mut x = at;
    if let Some(quarter) = quarter {
        let quarter = edit.constant(scalar(Element::F32, quarter));
        x = edit.named(Names::one(format!("{title}_ties"))).add(Add {}, &[at, quarter])?;
        edit.named(Names::default());
    }
    let (scale, zero) =
        (edit.constant(scalar(Element::F32, chosen.scale.into())), edit.constant(scalar(element, 0.0)));
    let op = Quantise {
        bits: chosen.codes.bits as u8,
        signed: chosen.codes.signed,
        narrow: false,
        rounding: Rounding::HalfEven,
        axis: 1,
    };
    let codes = edit.named(Names::one(format!("{title}_codes"))).add(op, &[x, scale, zero])?;
    let rounded = edit
        .named(Names::one(format!("{title}_rounded")))
        .add(Dequantise::default(), &[codes, scale, zero])?;
    for (reader, port) in readers {
        edit.rewire(reader, port, rounded)?;
    }
    let outputs = edit.outputs().to_vec();
    for (i, mut port) in outputs.into_iter().enumerate().filter(|(_, port)| port.value == at) {
        port.value = rounded;
        edit.set_output(i, port);
    }
    Ok(())
}
