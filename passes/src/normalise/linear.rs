//! Convolutions and dense layers alike: weights `[outputs, inputs of a group, taps]` and a bias.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Conv, Dense, Edit, EditError, Network, Op, Sides};
use nonresc_ir::tensor::Tensor;

use super::affine::{Affine, numbers};

/// A layer with constant weights.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    pub(super) op: Op,
    pub(super) x: Value,
    shape: Vec<usize>,
    weights: Vec<f64>,
    bias: Option<Vec<f64>>,
}

impl Linear {
    /// The layer that a node is.
    pub(super) fn of(network: &Network, node: NodeId) -> Option<Linear> {
        let op = network.op(node);
        if !matches!(op, Op::Conv(_) | Op::Dense(_)) {
            return None;
        }
        let operands = network.operands(node);
        let weights = network.constant(operands[1])?;
        let bias = match operands.get(2) {
            Some(&bias) => Some(network.constant(bias)?.to_f64()),
            None => None,
        };
        Some(Linear {
            op: op.clone(),
            x: operands[0],
            shape: weights.shape().0.clone(),
            weights: weights.to_f64(),
            bias,
        })
    }

    /// Whether zeros stand around the map.
    pub(super) fn is_padded(&self) -> bool {
        matches!(&self.op, Op::Conv(Conv { pad, .. }) if *pad != Sides::ZERO)
    }

    fn groups(&self) -> usize {
        if let Op::Conv(conv) = &self.op { conv.groups } else { 1 }
    }

    /// This layer and then an affine map of its channels.
    pub(super) fn then(&self, map: &Affine) -> Linear {
        let row = self.weights.len() / self.shape[0];
        let weights = self.weights.iter().enumerate().map(|(i, w)| w * map.scale[i / row]).collect();
        let zero = vec![0.0; self.shape[0]];
        let bias = self.bias.as_ref().unwrap_or(&zero);
        let bias: Vec<f64> =
            bias.iter().zip(map.scale.iter().zip(&map.shift)).map(|(b, (s, t))| b * s + t).collect();
        let needed = self.bias.is_some() || bias.iter().any(|&b| b != 0.0);
        Linear { weights, bias: needed.then_some(bias), ..self.clone() }
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
        Linear { weights, bias: needed.then_some(bias), x, ..self.clone() }
    }

    /// A dense layer whose feature `i` reads what feature `from[i]` was.
    pub(super) fn with_features(&self, from: &[usize], x: Value) -> Linear {
        let rows = self.weights.chunks_exact(self.shape[1]);
        let weights = rows.flat_map(|row| from.iter().map(|&f| row[f])).collect();
        Linear { weights, x, ..self.clone() }
    }

    /// The layer as a node; nothing where its element type cannot hold the numbers.
    pub(super) fn add_to(&self, edit: &mut Edit<'_>) -> Result<Option<Value>, EditError> {
        let element = edit.ty(self.x).element;
        let weights = Tensor::from_f64(element, &self.shape[..], &self.weights)
            .filter(|t| t.to_f64().iter().all(|w| w.is_finite()));
        let bias = match &self.bias {
            Some(bias) => match numbers(element, [bias.len()], bias) {
                Some(bias) => Some(bias),
                None => return Ok(None),
            },
            None => None,
        };
        let Some(weights) = weights else { return Ok(None) };
        let mut operands = vec![self.x, edit.constant(weights)];
        if let Some(bias) = bias {
            operands.push(edit.constant(bias));
        }
        edit.add(self.op.clone(), &operands).map(Some)
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
        }
    }

    /// A dense layer of weights `[features, outputs]`.
    pub(super) fn product(weights: &Tensor, x: Value) -> Option<Linear> {
        let &[features, outputs] = &weights.shape().0[..] else { return None };
        let numbers = weights.to_f64();
        let weights = (0..outputs)
            .flat_map(|o| (0..features).map(move |f| (f, o)))
            .map(|(f, o)| numbers[f * outputs + o]);
        Some(Linear {
            op: Dense {}.into(),
            x,
            shape: vec![outputs, features],
            weights: weights.collect(),
            bias: None,
        })
    }
}
