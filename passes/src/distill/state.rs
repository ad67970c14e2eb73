//! The numbers of a network under training: parameters and statistics by name, how they come out of a network in normal
//! form and how they go back into one.
//!
//! Batch norm is put back so that the function stays: with mean m and variance v of a convolution's result over some
//! images, its weights divided by k, scale k sqrt(v / k^2 + epsilon) and bias m. k, a power of two near the norm of the
//! channel's weights, gives every network the same weights' scale, whatever its pixels were scaled by: behind batch norm
//! a channel learns as fast as its rate over the square of that norm (van Laarhoven, 2017).

use std::collections::{BTreeMap, BTreeSet};

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Edit, EditError, Network, Op};
use nonresc_ir::tensor::Tensor;

use super::scales;
use super::student::{
    EPSILON, bare, divide_filters, is_quantised, layer_names, numbers, refused, trained_layers,
};
use super::ties::{Parts, Ties};
use crate::engine::{Engine, Frames, Given, showing};
use crate::random::Random;

/// Numbers that a run of the network may hold while it is observed.
const MOST_NUMBERS: usize = 1 << 25;

/// Parameters and statistics by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// What is trained.
    pub parameters: BTreeMap<String, Vec<f32>>,
    /// Means and variances of batch norms.
    pub statistics: BTreeMap<String, Vec<f32>>,
}

/// What a channel's numbers were.
#[derive(Clone, Debug, Default)]
struct Moments {
    count: f64,
    sum: Vec<f64>,
    squares: Vec<f64>,
}

impl State {
    /// Adds what the state lacks for the layers of `normal`, a network in normal form, from its own weights and from what
    /// `images` (N C H W, as the network reads them behind its preprocessing) do in it.
    ///
    /// # Errors
    /// Weights that are not known; images that do not fit.
    pub fn complete(&mut self, normal: &Network, images: &Tensor) -> Result<(), Diagnostics> {
        let missing: Vec<(NodeId, String)> = trained_layers(normal)
            .into_iter()
            .filter(|(_, name)| !self.parameters.contains_key(&format!("{name}.weight")))
            .collect();
        let convolutions: Vec<NodeId> = match is_quantised(normal) {
            true => Vec::new(),
            false => missing
                .iter()
                .map(|(node, _)| *node)
                .filter(|&n| matches!(normal.op(n), Op::Conv(_)))
                .collect(),
        };
        let mut moments: BTreeMap<NodeId, Moments> = match convolutions.is_empty() {
            true => BTreeMap::new(),
            false => convolutions.iter().copied().zip(observe(normal, &convolutions, images)?).collect(),
        };
        for (node, name) in missing {
            let (mut weight, bias) = known(normal, node)?;
            match moments.remove(&node) {
                Some(moments) => self.put_norm_back(&name, weight, &bias, &moments),
                None => {
                    if is_quantised(normal) {
                        let factors = divide_filters(&mut weight, bias.len());
                        self.statistics.insert(format!("{name}.factor"), factors);
                    }
                    self.parameters.insert(format!("{name}.weight"), weight);
                    self.parameters.insert(format!("{name}.bias"), bias);
                }
            }
        }
        Ok(())
    }

    /// Adds the scales of `normal` that can be learned and that the state lacks.
    pub fn take_scales(&mut self, normal: &Network) {
        for (name, numbers) in scales::scales(normal) {
            self.parameters.entry(name).or_insert(numbers);
        }
    }

    fn put_norm_back(&mut self, name: &str, mut weight: Vec<f32>, bias: &[f32], moments: &Moments) {
        let channels = bias.len();
        let [mut scale, mut shift, mut mean, mut variance] = [(); 4].map(|()| Vec::with_capacity(channels));
        for (c, k) in divide_filters(&mut weight, channels).into_iter().map(f64::from).enumerate() {
            let m = moments.sum[c] / moments.count;
            let v = (moments.squares[c] / moments.count - m * m).max(0.0);
            mean.push(((m - f64::from(bias[c])) / k) as f32);
            variance.push((v / (k * k)) as f32);
            scale.push((k * (v / (k * k) + EPSILON).sqrt()) as f32);
            shift.push(m as f32);
        }
        self.parameters.insert(format!("{name}.weight"), weight);
        self.parameters.insert(format!("{name}.scale"), scale);
        self.parameters.insert(format!("{name}.bias"), shift);
        self.statistics.insert(format!("{name}.mean"), mean);
        self.statistics.insert(format!("{name}.variance"), variance);
    }

    /// Draws all weights anew: normal with variance 2 over the inputs of a filter, in front of a rectifier (He et al., ICCV
    /// 2015); batch norm with scale 1 and bias 0.
    pub fn forget(&mut self, seed: u64) {
        let filters: BTreeMap<String, usize> = self
            .parameters
            .iter()
            .filter(|(name, _)| name.ends_with(".bias"))
            .map(|(n, v)| (n.clone(), v.len()))
            .collect();
        for (i, (name, numbers)) in self.parameters.iter_mut().enumerate() {
            match name.rsplit_once('.') {
                Some((layer, "weight")) => {
                    let count = filters.get(&format!("{layer}.bias")).copied().unwrap_or(1);
                    let deviation = (2.0 * count as f64 / numbers.len() as f64).sqrt() as f32;
                    let mut random = Random::of(&[seed, 3, i as u64]);
                    numbers.iter_mut().for_each(|w| *w = deviation * random.near_normal());
                }
                Some((_, "scale")) => numbers.fill(1.0),
                Some((_, "step")) => {}
                _ => numbers.fill(0.0),
            }
        }
    }

    /// Drops what no layer of `normal` has.
    pub fn keep_only(&mut self, normal: &Network) {
        let names = names(normal);
        self.retain(|name| names.contains(name));
    }

    /// What it knows of layers that `normal` has not.
    #[must_use]
    pub fn beyond(&self, normal: &Network) -> State {
        let names = names(normal);
        let mut own = self.clone();
        own.retain(|name| !names.contains(name));
        own
    }

    /// Keeps what belongs to the layers and roundings for whose name `keep` holds.
    fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let keeps = |key: &String| key.rsplit_once('.').is_some_and(|(layer, _)| keep(layer));
        self.parameters.retain(|key, _| keeps(key));
        self.statistics.retain(|key, _| keeps(key));
    }

    /// Weights and bias of a layer with its batch norm folded into them; nothing where the state does not know it.
    pub fn folded(&self, layer: &str) -> Option<(Vec<f32>, Vec<f32>)> {
        let of = |map: &BTreeMap<String, Vec<f32>>, what: &str| map.get(&format!("{layer}.{what}")).cloned();
        let (mut weight, mut bias) = (of(&self.parameters, "weight")?, of(&self.parameters, "bias")?);
        let filters = bias.len();
        let fan = (weight.len() / filters.max(1)).max(1);
        if let Some(factors) = of(&self.statistics, "factor") {
            for (filter, factor) in weight.chunks_exact_mut(fan).zip(factors) {
                filter.iter_mut().for_each(|w| *w *= factor);
            }
        }
        let Some(scale) = of(&self.parameters, "scale") else { return Some((weight, bias)) };
        let (mean, variance) = (of(&self.statistics, "mean")?, of(&self.statistics, "variance")?);
        for (c, filter) in weight.chunks_exact_mut(fan).enumerate() {
            let factor = f64::from(scale[c]) / (f64::from(variance[c]) + EPSILON).sqrt();
            filter.iter_mut().for_each(|w| *w = (f64::from(*w) * factor) as f32);
            bias[c] = (f64::from(bias[c]) - f64::from(mean[c]) * factor) as f32;
        }
        Some((weight, bias))
    }

    /// Puts the state into the layers of a network in normal form, float or quantised; layers that it does not know stay.
    ///
    /// # Errors
    /// Numbers of other shapes than the network's.
    pub fn apply(&self, normal: &mut Network) -> Result<(), Diagnostics> {
        let layers = layer_names(normal);
        let nodes: Vec<NodeId> = layers.iter().map(|(node, _)| *node).collect();
        let ties = Ties::of(normal, &nodes);
        let powers = scales::are_powers(normal);
        let mut edit = Edit::new(normal);
        let fault = |what: String, why: String| {
            Diagnostics::from(Diagnostic::new(
                "distill/apply",
                what,
                why,
                "give the model that was retrained",
            ))
        };
        let of_scales = |e: EditError| fault("the scales".into(), e.to_string());
        scales::put(&mut edit, &|name| Some(scales::used(self.parameters.get(name)?, powers)))
            .map_err(of_scales)?;
        let parts: Vec<Option<Parts>> = nodes.iter().map(|&node| ties.parts(&edit, node)).collect();
        for ((node, name), parts) in layers.into_iter().zip(parts) {
            let Some((weight, bias)) = self.folded(&name) else { continue };
            super::codes::put(&mut edit, node, weight, bias, parts)
                .map_err(|why| fault(format!("layer \"{name}\""), why))?;
        }
        ties.put(&mut edit).map_err(of_scales)?;
        edit.remove_dead();
        Ok(())
    }
}

/// The names of all that a state knows something of.
fn names(normal: &Network) -> BTreeSet<String> {
    let scales = scales::scales(normal).into_iter();
    let scales = scales.filter_map(|(name, _)| Some(name.strip_suffix(scales::STEP)?.to_string()));
    layer_names(normal).into_iter().map(|(_, name)| name).chain(scales).collect()
}

/// Weights and bias of a layer, zeros where it has none.
fn known(network: &Network, node: NodeId) -> Result<(Vec<f32>, Vec<f32>), Diagnostics> {
    let operands = network.operands(node);
    let fault = |why: &str| refused(network, node, why);
    let weight = numbers(network, operands[1]).map_err(fault)?;
    let bias = match operands.get(2) {
        Some(&bias) => numbers(network, bias).map_err(fault)?.to_f32(),
        None => vec![0.0; weight.shape().0[0]],
    };
    Ok((weight.to_f32(), bias))
}

/// The moments of the results of convolutions over images.
fn observe(network: &Network, nodes: &[NodeId], images: &Tensor) -> Result<Vec<Moments>, Diagnostics> {
    let mut shown = showing(network, nodes.iter().map(|&node| Value::from(node)));
    bare(&mut Edit::new(&mut shown));
    let frames = Frames::new(&shown, Engine::Native)?;
    let numbers: usize =
        nodes.iter().map(|&n| network.ty(n.into()).shape.0.iter().skip(1).product::<usize>()).sum();
    let at_a_time = (MOST_NUMBERS / numbers.max(1)).clamp(1, 256);
    let mut moments = vec![Moments::default(); nodes.len()];
    let total = images.shape().0[0];
    for start in (0..total).step_by(at_a_time) {
        let part = frames_of(images, start..total.min(start + at_a_time));
        for (moments, (_, values)) in
            moments.iter_mut().zip(frames.run(&Given::from([("input".to_string(), part)]))?)
        {
            moments.add(&values);
        }
    }
    Ok(moments)
}

impl Moments {
    fn add(&mut self, values: &Tensor) {
        let (shape, numbers) = (values.shape(), values.to_f32());
        let plane: usize = shape.0[2..].iter().product();
        self.sum.resize(shape.0[1], 0.0);
        self.squares.resize(shape.0[1], 0.0);
        self.count += (shape.0[0] * plane) as f64;
        for (i, plane) in numbers.chunks_exact(plane.max(1)).enumerate() {
            let c = i % shape.0[1];
            self.sum[c] += plane.iter().map(|&x| f64::from(x)).sum::<f64>();
            self.squares[c] += plane.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        }
    }
}

/// Some of the images of a tensor N C H W of f32.
pub(super) fn frames_of(images: &Tensor, range: std::ops::Range<usize>) -> Tensor {
    let mut shape = images.shape().clone();
    let frame: usize = shape.0.iter().skip(1).product();
    shape.0[0] = range.len();
    let numbers = match images.data() {
        nonresc_ir::tensor::Data::F32(numbers) => numbers[range.start * frame..range.end * frame].to_vec(),
        _ => images.to_f32()[range.start * frame..range.end * frame].to_vec(),
    };
    Tensor::f32(shape, numbers).expect("whole frames")
}
