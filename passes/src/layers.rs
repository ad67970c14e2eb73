//! Where integers leave floats: each quantised value of a network against the same network without its quantisers.
//!
//! Weights stay as they are quantised; what is compared is the rounding of activations, as it adds up from layer to
//! layer. A quantiser without codes for numbers below 0 stays as the rectifier that it is. Errors are measured on
//! images; no remedy is chosen here.

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::names::Names;
use nonresc_ir::network::{Edit, EditError, Network, Op, Relu};
use nonresc_ir::tensor::Tensor;

use crate::accuracy::users_layout;
use crate::data::Dataset;
use crate::engine::{Engine, Frames, Given, showing};
use crate::integers::{Rule, integers};

/// Images that are held in memory at a time.
const IMAGES_AT_A_TIME: usize = 16;

/// Decibels of signal over error below which a layer has left the floats.
pub const LEFT: f64 = 10.0;

/// A quantised value and how far it is off.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The names of its quantiser, and of the operator whose result that rounds.
    pub names: (Names, Names),
    /// Root of the mean square of the float value.
    pub signal: f64,
    /// Root of the mean square of the difference.
    pub error: f64,
    /// Share of the float values beyond the quantiser's codes.
    pub clipped: f64,
}

impl Layer {
    /// Signal over error in decibels; infinite where there is none.
    pub fn decibels(&self) -> f64 {
        20.0 * (self.signal / self.error).log10()
    }

    /// Whether little is left of the float value.
    pub fn has_left(&self) -> bool {
        self.decibels() < LEFT
    }
}

/// A quantiser: its scale, zero point and range as numbers.
struct Site {
    quantiser: NodeId,
    codes: Value,
    scale: Vec<f64>,
    zero: f64,
    range: (f64, f64),
}

/// Every quantised value in the order of the network, on the first `most` images of `data`.
///
/// # Errors
/// Networks that are not quantised or that integers cannot compute; images that cannot be read.
pub fn layers(network: &Network, rule: Rule, data: &Dataset, most: usize) -> Result<Vec<Layer>, Diagnostics> {
    let made = integers(network, rule)?;
    let sites: Vec<Site> =
        made.quantisers.iter().filter_map(|&(node, codes)| site(network, node, codes)).collect();
    let whole = showing(&made.network, sites.iter().map(|site| site.codes));
    let float = without_quantisers(network, &sites)?;
    let (whole, float) = (Frames::new(&whole, Engine::Native)?, Frames::new(&float, Engine::Native)?);
    let mut sums = vec![Sums::default(); sites.len()];
    let images = data.len().min(most);
    for start in (0..images).step_by(IMAGES_AT_A_TIME) {
        let frames = data.frames(start..images.min(start + IMAGES_AT_A_TIME))?;
        let given = Given::from([("input".to_string(), users_layout(network, frames))]);
        let (codes, numbers) = (whole.run(&given)?, float.run(&given)?);
        for (((sums, site), (_, codes)), (_, numbers)) in sums.iter_mut().zip(&sites).zip(codes).zip(numbers)
        {
            sums.add(site, &codes, &numbers);
        }
    }
    Ok(sites.iter().zip(sums).map(|(site, sums)| sums.layer(network, site)).collect())
}

fn site(network: &Network, quantiser: NodeId, codes: Value) -> Option<Site> {
    let Op::Quantise(a) = network.op(quantiser) else { return None };
    let operands = network.operands(quantiser);
    let scale = network.constant(operands[1])?.to_f64();
    let zero = network.constant(operands[2])?.to_f64()[0];
    let [least, most] = a.limits().map(|code| code as f64);
    let step = scale[0];
    let low = if least == zero { f64::NEG_INFINITY } else { (least - zero - 0.5) * step };
    let range = (low, (most + 0.5 - zero) * step);
    Some(Site { quantiser, codes, scale, zero, range })
}

/// The network in floats from end to end, with what each quantiser reads as outputs.
fn without_quantisers(network: &Network, sites: &[Site]) -> Result<Network, Diagnostic> {
    let mut float = network.clone();
    let mut edit = Edit::new(&mut float);
    let fault = |e: EditError| {
        Diagnostic::new("layers/float", "the network", e.to_string(), "report this as a fault of nonresc")
    };
    let rectifies = |node| sites.iter().any(|site| site.quantiser == node && site.range.0.is_infinite());
    let mut reads: BTreeMap<NodeId, Value> = BTreeMap::new();
    let order = network.topological().unwrap_or_default();
    for node in order.into_iter().filter(|&n| matches!(network.op(n), Op::Quantise(_))) {
        let mut value = edit.operands(node)[0];
        if rectifies(node) {
            value = edit.add(Relu {}, &[value]).map_err(fault)?;
        }
        reads.insert(node, value);
        for (reader, _) in edit.users(node.into()) {
            if matches!(edit.op(reader), Op::Dequantise(_)) {
                edit.redirect(reader.into(), value).map_err(fault)?;
            }
        }
    }
    let values = sites.iter().filter_map(|site| reads.get(&site.quantiser).copied());
    Ok(showing(&float, values))
}

/// What is known of one value so far.
#[derive(Clone, Default)]
struct Sums {
    count: f64,
    signal: f64,
    error: f64,
    clipped: f64,
}

impl Sums {
    fn add(&mut self, site: &Site, codes: &Tensor, numbers: &Tensor) {
        let shape = &numbers.shape().0;
        let places: usize = shape.iter().skip(2).product();
        let channels = shape.get(1).copied().unwrap_or(1).max(1);
        for (i, (code, number)) in codes.to_f64().iter().zip(numbers.to_f64()).enumerate() {
            let scale = if site.scale.len() == 1 { site.scale[0] } else { site.scale[i / places % channels] };
            let limited = number.clamp(site.range.0, site.range.1);
            self.count += 1.0;
            self.signal += number * number;
            self.error += ((code - site.zero) * scale - number).powi(2);
            self.clipped += f64::from(u8::from(limited != number));
        }
    }

    fn layer(&self, network: &Network, site: &Site) -> Layer {
        let read = network.operands(site.quantiser)[0].node;
        let names = (network.node(site.quantiser).names.clone(), network.node(read).names.clone());
        let mean = |sum: f64| sum / self.count.max(1.0);
        Layer {
            names,
            signal: mean(self.signal).sqrt(),
            error: mean(self.error).sqrt(),
            clipped: mean(self.clipped),
        }
    }
}
