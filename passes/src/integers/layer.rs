//! Layers: sums of products of codes, and sums of the codes in a window.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{AvgPool, Conv, Element, IntConv, IntDense, IntSumPool, Op, Pair, Shape};
use nonresc_ir::tensor::Tensor;

use crate::known;

use super::form::{Codes, Form, Limits, Origin, Range, Sum, Term, at};
use super::ratio::Ratio;
use super::{Making, Outcome, ROUND_FIRST, Refusal};

/// Weights as codes less their zero points, and their scales: one, or one an output.
struct Weights {
    shape: Shape,
    codes: Vec<i64>,
    scale: Vec<Ratio>,
}

/// A bias as whole steps of the products' scale, and what is left of it.
struct Bias {
    steps: Vec<i64>,
    rest: Vec<f64>,
}

/// A number times a scale, both rounded to f32: half a unit in the last place for each.
const ROUNDED: f64 = 1.5 * f32::EPSILON as f64;

/// Scales that differ by less are the same, rounded to f32.
const NEAR: f64 = 4.0 * f32::EPSILON as f64;

/// Widest sums.
const MAX_BITS: u32 = 48;

impl Making<'_, '_> {
    pub(super) fn conv(&mut self, node: NodeId, a: &Conv, x: &Form) -> Outcome {
        if let Some((factors, summands)) = self.affine(node, a) {
            return self.scaled(x, &factors, &summands);
        }
        let depthwise = a.groups > 1 && self.from.ty(self.from.operands(node)[0]).shape.0[1] == a.groups;
        let x = self.input(x, depthwise)?;
        let zero = x.zero[0];
        let outputs = self.from.ty(node.into()).shape.0[1];
        let layer = self.layer(node, &x, outputs)?;
        let op = IntConv {
            stride: a.stride,
            pad: a.pad,
            dilation: a.dilation,
            groups: a.groups,
            zero,
            bits: layer.bits,
        };
        self.finish(op.into(), &x, layer)
    }

    pub(super) fn dense(&mut self, node: NodeId, x: &Form) -> Outcome {
        let x = self.input(x, false)?;
        let zero = x.zero[0];
        let outputs = self.from.ty(node.into()).shape.0[1];
        let layer = self.layer(node, &x, outputs)?;
        let op = IntDense { zero, bits: layer.bits };
        self.finish(op.into(), &x, layer)
    }

    /// The codes that a layer or pool reads: with one scale and zero point, or one scale a channel where each is alone.
    fn input(&mut self, x: &Form, apart: bool) -> Result<Codes, Refusal> {
        let codes = match x {
            Form::Codes(codes) => self.within_limits(codes)?,
            Form::Sum(_) | Form::Behind(..) => {
                return Err(Refusal::new("what it reads is not rounded to codes", ROUND_FIRST));
            }
            Form::Host(_) | Form::Whole(..) | Form::Broken => {
                return Err(Refusal::new("what it reads is not quantised", "put a quantiser in front of it"));
            }
        };
        let one_zero = codes.zero.iter().all(|z| *z == codes.zero[0]);
        if codes.scalar().is_some() || (apart && one_zero) {
            return Ok(Codes { zero: vec![codes.zero[0]], ..codes });
        }
        Err(Refusal::new(
            "what it reads has another scale or zero point in each channel",
            "quantise it with one scale for all channels",
        ))
    }

    fn weights(&self, value: Value) -> Result<Weights, Refusal> {
        let refusal =
            || Refusal::new("its weights are not quantised", "quantise them, one scale an output or for all");
        let Op::Dequantise(a) = self.from.op(value.node) else { return Err(refusal()) };
        let operands = self.from.operands(value.node);
        let constant = |i: usize| self.from.constant(operands[i]).ok_or_else(refusal);
        let (codes, scale, zero) =
            (constant(0)?, constant(1)?.to_f64(), constant(2)?.to_i64().ok_or_else(refusal)?);
        if scale.len().max(zero.len()) > 1 && a.axis != 0 {
            return Err(Refusal::new(
                "its weights have scales along another axis than its outputs",
                "quantise them with one scale an output or for all",
            ));
        }
        let scale: Option<Vec<Ratio>> = scale.into_iter().map(Ratio::of).collect();
        let outputs = codes.shape().0[0].max(1);
        let each = (codes.len() / outputs).max(1);
        let codes_of = codes.to_i64().ok_or_else(refusal)?;
        let codes_of = codes_of.iter().enumerate().map(|(i, code)| code - at(&zero, i / each)).collect();
        Ok(Weights { shape: codes.shape().clone(), codes: codes_of, scale: scale.ok_or_else(refusal)? })
    }

    fn layer(&mut self, node: NodeId, x: &Codes, outputs: usize) -> Result<Layer, Refusal> {
        let operands = self.from.operands(node);
        let weights = self.weights(operands[1])?;
        let far = || Refusal::new("its scales are too far apart", "export it with other scales");
        let count = x.scale.len().max(weights.scale.len());
        let factor: Option<Vec<Ratio>> =
            (0..count).map(|i| at(&x.scale, i).times(at(&weights.scale, i))).collect();
        let factor = factor.ok_or_else(far)?;
        let bias = match operands.get(2) {
            Some(&bias) => self.bias(bias, &factor)?,
            None => Bias { steps: vec![0; outputs], rest: vec![0.0] },
        };
        let code = (x.range.0 - x.zero[0], x.range.1 - x.zero[0]);
        // Padding and what is not summed yet count as 0.
        let code = (code.0.min(0), code.1.max(0));
        let each = (weights.codes.len() / outputs).max(1);
        let mut range: Vec<Range> = Vec::with_capacity(outputs);
        let mut widest = (0, 0);
        for (row, &bias) in weights.codes.chunks(each).zip(&bias.steps) {
            let products =
                row.iter().map(|&w| if w < 0 { (w * code.1, w * code.0) } else { (w * code.0, w * code.1) });
            let (low, high) = products.fold((0, 0), |(low, high), (l, h)| (low + l, high + h));
            range.push((low + bias, high + bias));
            widest =
                (widest.0.min(low + bias).min(low).min(bias), widest.1.max(high + bias).max(high).max(bias));
        }
        let bits = width(widest);
        if bits > MAX_BITS {
            return Err(Refusal::new(
                format!("its sums need {bits} bits; {MAX_BITS} are the most"),
                "use fewer bits for weights or activations",
            ));
        }
        Ok(Layer { weights, factor, bias, range, bits: bits as u8 })
    }

    /// The codes of a bias whose scale is the products', as near as f32 can say it.
    fn steps(&self, value: Value, factor: &[Ratio]) -> Option<Vec<i64>> {
        let Op::Dequantise(_) = self.from.op(value.node) else { return None };
        let operands = self.from.operands(value.node);
        let constant = |i: usize| self.from.constant(operands[i]);
        let (codes, scale, zero) = (constant(0)?.to_i64()?, constant(1)?.to_f64(), constant(2)?.to_i64()?);
        let near = |i: usize| (at(&scale, i) / at(factor, i).value() - 1.0).abs() < NEAR;
        (0..codes.len()).all(near).then(|| codes.iter().enumerate().map(|(i, b)| b - at(&zero, i)).collect())
    }

    /// A bias in steps of the products.
    fn bias(&self, value: Value, factor: &[Ratio]) -> Result<Bias, Refusal> {
        if let Some(steps) = self.steps(value, factor) {
            return Ok(Bias { steps, rest: vec![0.0] });
        }
        let numbers = known::numbers(self.from, value)
            .ok_or_else(|| Refusal::new("its bias is computed", "make it a constant"))?
            .to_f64();
        let (mut steps, mut rest) = (Vec::new(), Vec::new());
        for (i, number) in numbers.iter().enumerate() {
            let factor = at(factor, i).value();
            let exact = number / factor;
            let near = exact.round();
            // What f32 can hardly tell from a whole number of steps was one before it was multiplied by its scale.
            let is_whole = (near * factor - number).abs() <= number.abs() * ROUNDED;
            let whole = if is_whole { near } else { exact.floor() };
            if whole.abs() > 2f64.powi(46) {
                return Err(Refusal::new(
                    "its bias is beyond 46 bits of its products",
                    "export it with other scales",
                ));
            }
            steps.push(whole as i64);
            rest.push(if is_whole { 0.0 } else { (exact - whole) * factor });
        }
        Ok(Bias { steps, rest })
    }

    fn finish(&mut self, op: Op, x: &Codes, layer: Layer) -> Outcome {
        let Layer { weights, factor, bias, range, .. } = layer;
        let origin = if matches!(op, Op::IntDense(_)) { Origin::Dense } else { Origin::Products };
        let codes = signed(weights.shape.clone(), &weights.codes);
        let codes = self.edit.constant(codes);
        let mut operands = vec![x.value, codes];
        if bias.steps.iter().any(|&b| b != 0) {
            operands.push(self.edit.constant(signed(Shape(vec![bias.steps.len()]), &bias.steps)));
        }
        let value = self.edit.add(op, &operands)?;
        let term = Term { value, factor, zero: vec![0], range, origin };
        let rest = if bias.rest.iter().all(|&r| r == 0.0) { vec![0.0] } else { bias.rest };
        Ok(Form::Sum(Sum { terms: vec![term], offset: rest, limits: Limits::NONE }))
    }

    pub(super) fn window_mean(&mut self, a: &AvgPool, x: &Form) -> Outcome {
        let padded = a.pad != Default::default() && !a.include_pad;
        if padded || a.overhang != Pair::ZERO {
            return Err(Refusal::new(
                "its windows hold different numbers of places",
                "count the padding (count_include_pad), or use windows that fit the map",
            ));
        }
        let op = IntSumPool {
            kernel: a.kernel,
            stride: a.stride,
            pad: a.pad,
            dilation: a.dilation,
            ..IntSumPool::default()
        };
        self.mean(op, x)
    }

    pub(super) fn whole_mean(&mut self, node: NodeId, x: &Form) -> Outcome {
        let map = &self.from.ty(self.from.operands(node)[0]).shape.0;
        let kernel = Pair { h: map[2], w: map[3] };
        self.mean(IntSumPool { kernel, ..IntSumPool::default() }, x)
    }

    fn mean(&mut self, op: IntSumPool, x: &Form) -> Outcome {
        let x = self.input(x, true)?;
        let zero = x.zero[0];
        let places = op.kernel.h * op.kernel.w;
        let count = Ratio::of(places as f64);
        let factor: Option<Vec<Ratio>> = x.scale.iter().map(|s| s.over(count?)).collect();
        let factor = factor.ok_or_else(|| Refusal::new("its window is too large", "use a smaller window"))?;
        let code = ((x.range.0 - zero).min(0), (x.range.1 - zero).max(0));
        let sums = |n: i64| n.checked_mul(places as i64);
        let range = sums(code.0).zip(sums(code.1)).filter(|&range| width(range) <= MAX_BITS);
        let range = range.ok_or_else(|| Refusal::new("its sums are too wide", "use a smaller window"))?;
        let op = IntSumPool { zero, bits: width(range) as u8, ..op };
        let value = self.edit.add(op, &[x.value])?;
        let term = Term { value, factor, zero: vec![0], range: vec![range], origin: Origin::Mean };
        Ok(Form::Sum(Sum { terms: vec![term], offset: vec![0.0], limits: Limits::NONE }))
    }
}

/// A layer's numbers.
struct Layer {
    weights: Weights,
    factor: Vec<Ratio>,
    bias: Bias,
    range: Vec<Range>,
    bits: u8,
}

/// Bits of a signed number that holds both ends of a range.
fn width((low, high): Range) -> u32 {
    let bits = |n: i64| i64::BITS - (if n < 0 { !n } else { n }).leading_zeros() + 1;
    bits(low).max(bits(high))
}

/// Whole numbers in the narrowest signed type that holds them.
fn signed(shape: Shape, numbers: &[i64]) -> Tensor {
    let range = numbers.iter().fold((0, 0), |(low, high), &n| (n.min(low), n.max(high)));
    let element = Element::Int { bits: width(range).max(2) as u8, signed: true };
    let floats: Vec<f64> = numbers.iter().map(|&n| n as f64).collect();
    Tensor::from_f64(element, shape, &floats).expect("the type was chosen to hold them")
}
