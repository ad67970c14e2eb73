//! Convolutions and dense layers alike: weights `[outputs, inputs of a group, taps]` and a bias.
//!
//! Weights that a file gives as integer codes stay so, as long as what is done to them can be done to their
//! scales, one an output; else they become plain numbers.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Conv, Dequantise, Edit, EditError, Network, Op, Sides};

use super::affine::{Affine, numbers};
use crate::known;

/// A layer with weights known at compile time.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    op: Op,
    x: Value,
    shape: Vec<usize>,
    weights: Vec<f64>,
    bias: Option<Vec<f64>>,
    given: Given,
}

/// What of the graph can stand for the weights of a layer.
#[derive(Clone, Debug)]
enum Given {
    /// Nothing: the numbers are new.
    Nothing,
    /// The value that a layer reads.
    Value(Value),
    /// Codes and their zero points, with one new scale an output.
    Codes { codes: Value, zero: Value, scales: Vec<f64> },
}

impl Linear {
    /// The layer that a node is.
    pub(super) fn of(network: &Network, node: NodeId) -> Option<Linear> {
        let op = network.op(node);
        if !matches!(op, Op::Conv(_) | Op::Dense(_)) {
            return None;
        }
        let operands = network.operands(node);
        let weights = known::numbers(network, operands[1])?;
        let bias = match operands.get(2) {
            Some(&bias) => Some(known::numbers(network, bias)?.to_f64()),
            None => None,
        };
        Some(Linear {
            op: op.clone(),
            x: operands[0],
            shape: weights.shape().0.clone(),
            weights: weights.to_f64(),
            bias,
            given: Given::Value(operands[1]),
        })
    }

    /// A convolution of one pixel that maps each channel by itself.
    pub(super) fn by_channel(map: &Affine, x: Value) -> Linear {
        let channels = map.scale.len();
        Linear {
            op: Conv { groups: channels, ..Conv::default() }.into(),
            x,
            shape: vec![channels, 1, 1, 1],
            weights: map.scale.clone(),
            bias: (!map.keeps_zero()).then(|| map.shift.clone()),
            given: Given::Nothing,
        }
    }

    /// Whether zeros stand around the map.
    pub(super) fn is_padded(&self) -> bool {
        matches!(&self.op, Op::Conv(Conv { pad, .. }) if *pad != Sides::ZERO)
    }

    fn groups(&self) -> usize {
        if let Op::Conv(conv) = &self.op { conv.groups } else { 1 }
    }

    /// This layer and then an affine map of its channels.
    pub(super) fn then(&self, network: &Network, map: &Affine) -> Linear {
        let row = self.weights.len() / self.shape[0];
        let weights = self.weights.iter().enumerate().map(|(i, w)| w * map.scale[i / row]).collect();
        let zero = vec![0.0; self.shape[0]];
        let bias = self.bias.as_ref().unwrap_or(&zero);
        let bias: Vec<f64> =
            bias.iter().zip(map.scale.iter().zip(&map.shift)).map(|(b, (s, t))| b * s + t).collect();
        let needed = self.bias.is_some() || bias.iter().any(|&b| b != 0.0);
        let given = match &self.given {
            Given::Value(_) if map.scale.iter().all(|&s| s == 1.0) => self.given.clone(),
            Given::Value(value) => scaled_codes(network, *value, &map.scale).unwrap_or(Given::Nothing),
            Given::Nothing | Given::Codes { .. } => Given::Nothing,
        };
        Linear { weights, bias: needed.then_some(bias), given, ..self.clone() }
    }

    /// An affine map of the channels and then this layer, which reads `x`; exact where no zeros stand around
    /// the map, or the map keeps them.
    pub(super) fn after(&self, map: &Affine, x: Value) -> Linear {
        let (outputs, inputs) = (self.shape[0], self.shape[1]);
        let taps: usize = self.shape[2..].iter().product();
        let outputs_a_group = outputs / self.groups();
        let channel = |o: usize, i: usize| o / outputs_a_group * inputs + i;
        let mut weights = self.weights.clone();
        let mut bias = self.bias.clone().unwrap_or_else(|| vec![0.0; outputs]);
        for (block, taps) in weights.chunks_exact_mut(taps).enumerate() {
            let (o, c) = (block / inputs, channel(block / inputs, block % inputs));
            bias[o] += taps.iter().sum::<f64>() * map.shift[c];
            taps.iter_mut().for_each(|w| *w *= map.scale[c]);
        }
        let needed = self.bias.is_some() || bias.iter().any(|&b| b != 0.0);
        let kept = map.scale.iter().all(|&s| s == 1.0);
        let given = if kept { self.given.clone() } else { Given::Nothing };
        Linear { weights, bias: needed.then_some(bias), x, given, ..self.clone() }
    }

    /// A dense layer whose feature `i` reads what feature `from[i]` was.
    pub(super) fn with_features(&self, from: &[usize], x: Value) -> Linear {
        let rows = self.weights.chunks_exact(self.shape[1]);
        let weights = rows.flat_map(|row| from.iter().map(|&f| row[f])).collect();
        Linear { weights, x, given: Given::Nothing, ..self.clone() }
    }

    /// The layer as a node; nothing where its element type cannot hold the numbers.
    pub(super) fn add_to(&self, edit: &mut Edit<'_>) -> Result<Option<Value>, EditError> {
        let element = edit.ty(self.x).element;
        let bias = match &self.bias {
            Some(bias) => match numbers(element, &[bias.len()], bias) {
                Some(bias) => Some(bias),
                None => return Ok(None),
            },
            None => None,
        };
        let weights = match &self.given {
            Given::Value(value) => *value,
            Given::Codes { codes, zero, scales } => {
                let Some(scales) = numbers(element, &[scales.len()], scales) else { return Ok(None) };
                let scales = edit.constant(scales);
                edit.add(Dequantise { axis: 0 }, &[*codes, scales, *zero])?
            }
            Given::Nothing => match numbers(element, &self.shape, &self.weights) {
                Some(weights) => edit.constant(weights),
                None => return Ok(None),
            },
        };
        let mut operands = vec![self.x, weights];
        if let Some(bias) = bias {
            operands.push(edit.constant(bias));
        }
        edit.add(self.op.clone(), &operands).map(Some)
    }
}

/// The codes behind `value` with each output's scale times a factor: where a code has one scale an output, and
/// scales stay above zero.
fn scaled_codes(network: &Network, value: Value, factors: &[f64]) -> Option<Given> {
    let Op::Dequantise(Dequantise { axis }) = network.op(value.node) else { return None };
    let operands = network.operands(value.node);
    let (scales, zeros) = (network.constant(operands[1])?.to_f64(), network.ty(operands[2]).shape.len());
    if (scales.len().max(zeros) > 1 && *axis != 0) || factors.iter().any(|&f| f <= 0.0) {
        return None;
    }
    let scale = |i: usize| if scales.len() == 1 { scales[0] } else { scales[i] };
    let scales = factors.iter().enumerate().map(|(i, f)| scale(i) * f).collect();
    Some(Given::Codes { codes: operands[0], zero: operands[2], scales })
}
