//! Affine maps by channel: `scale * x + shift`, in the graph as a batch normalisation.
//!
//! Batch normalisation is the one form in which they wait for weights to go into: by channel, of any rank. One
//! that was made here has mean 0, variance 1 and no epsilon.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{BatchNorm, Edit, EditError, Element, Network, Op};
use nonresc_ir::tensor::Tensor;

/// `scale * x + shift`, one number each a channel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Affine {
    pub(super) scale: Vec<f64>,
    pub(super) shift: Vec<f64>,
}

impl Affine {
    /// What a batch normalisation with constant parameters computes; nothing where a number is not finite.
    pub(super) fn of(network: &Network, node: NodeId) -> Option<Affine> {
        let Op::BatchNorm(BatchNorm { epsilon }) = network.op(node) else { return None };
        let parameter = |i: usize| network.constant(network.operands(node)[i]).map(|t| t.to_f64());
        let (gamma, beta, mean, variance) = (parameter(1)?, parameter(2)?, parameter(3)?, parameter(4)?);
        let scale: Vec<f64> = gamma.iter().zip(&variance).map(|(g, v)| g / (v + epsilon).sqrt()).collect();
        let shift: Vec<f64> = beta.iter().zip(mean.iter().zip(&scale)).map(|(b, (m, s))| b - m * s).collect();
        let finite = scale.iter().chain(&shift).all(|x| x.is_finite());
        finite.then_some(Affine { scale, shift })
    }

    /// This map and then `next`.
    pub(super) fn then(&self, next: &Affine) -> Affine {
        let scale = self.scale.iter().zip(&next.scale).map(|(s, n)| s * n).collect();
        let shift =
            (self.shift.iter().zip(&next.scale)).zip(&next.shift).map(|((b, n), m)| b * n + m).collect();
        Affine { scale, shift }
    }

    /// Whether zeros, such as those of padding, stay zeros.
    pub(super) fn keeps_zero(&self) -> bool {
        self.shift.iter().all(|&b| b == 0.0)
    }

    /// Whether nothing changes.
    pub(super) fn is_idle(&self) -> bool {
        self.keeps_zero() && self.scale.iter().all(|&s| s == 1.0)
    }

    /// The map of `x`; nothing where its element type cannot hold the numbers.
    pub(super) fn of_value(&self, edit: &mut Edit<'_>, x: Value) -> Result<Option<Value>, EditError> {
        let element = edit.ty(x).element;
        let n = self.scale.len();
        let (Some(scale), Some(shift), Some(mean), Some(variance)) = (
            numbers(element, &[n], &self.scale),
            numbers(element, &[n], &self.shift),
            numbers(element, &[n], &vec![0.0; n]),
            numbers(element, &[n], &vec![1.0; n]),
        ) else {
            return Ok(None);
        };
        let parameters = [scale, shift, mean, variance].map(|t| edit.constant(t));
        let operands = [&[x], &parameters[..]].concat();
        edit.add(BatchNorm { epsilon: 0.0 }, &operands).map(Some)
    }
}

/// Numbers as a tensor; nothing where one of them is beyond the element's range.
pub(super) fn numbers(element: Element, shape: &[usize], values: &[f64]) -> Option<Tensor> {
    let tensor = Tensor::from_f64(element, shape, values)?;
    let fits = tensor.all(f64::is_finite);
    (fits && element.is_float()).then_some(tensor)
}
