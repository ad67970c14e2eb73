//! Folding of constants while a file is read, with a bound on what it may allocate.

use std::sync::Arc;

use crate::network::{Element, Op, Shape, ValueType, broadcast, infer_any};
use crate::tensor::{Data, Tensor};

/// Bytes that folding may still allocate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget(usize);

impl Budget {
    /// Some times the file's size, and enough for the shape arithmetic of a small one.
    pub(super) fn for_file(bytes: usize) -> Self {
        Budget(bytes.saturating_mul(16).saturating_add(16 << 20))
    }

    /// Takes what `shape` of `element`s will need, or says that it is too much.
    pub(super) fn take(&mut self, element: Element, shape: &Shape) -> Result<(), String> {
        let width = match element {
            Element::F64 | Element::Int { bits: 33.., .. } => 8,
            Element::F32 | Element::Int { bits: 17.., .. } => 4,
            Element::F16 | Element::Int { bits: 9.., .. } => 2,
            _ => 1,
        };
        let left = shape.checked_len().and_then(|n| n.checked_mul(width)).and_then(|n| self.0.checked_sub(n));
        match left {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => Err(format!(
                "folding it would allocate a constant of {shape} ({element}), far beyond the size of the file"
            )),
        }
    }
}

/// The result of an operator on constants.
pub(super) fn fold(op: &Op, operands: &[&Arc<Tensor>], budget: &mut Budget) -> Result<Tensor, String> {
    let types: Vec<ValueType> =
        operands.iter().map(|t| ValueType::new(t.element(), t.shape().clone())).collect();
    let result = infer_any(op, &types.iter().collect::<Vec<_>>())?.remove(0);
    let (element, shape) = (result.element, result.shape);
    budget.take(element, &shape)?;
    let x = operands.first().ok_or("it has no operand")?;
    match op {
        Op::Reshape(_) => x.reshaped(shape).ok_or_else(|| "its elements do not fit its shape".into()),
        Op::Transpose(a) => {
            let from = Places::of(x.shape());
            let strides: Vec<i64> = a.perm.iter().map(|&p| from.strides[p]).collect();
            moved(x, &shape, 0, &strides)
        }
        Op::Slice(a) => {
            let from = Places::of(x.shape());
            let first = a.start.iter().zip(&from.strides).map(|(&s, st)| s as i64 * st).sum();
            let strides: Vec<i64> = a.step.iter().zip(&from.strides).map(|(step, st)| step * st).collect();
            moved(x, &shape, first, &strides)
        }
        Op::Concat(a) => joined(operands, a.axis, element, shape, budget),
        Op::Pad(a) => {
            budget.take(Element::F64, &shape)?;
            let numbers = x.to_f64();
            let inner = x.shape().clone();
            let at = |i: usize| {
                let (mut left, mut place, mut stride) = (i, 0, 1);
                for axis in (0..shape.rank()).rev() {
                    let here = (left % shape.0[axis]).checked_sub(a.before[axis])?;
                    left /= shape.0[axis];
                    if here >= inner.0[axis] {
                        return None;
                    }
                    place += here * stride;
                    stride *= inner.0[axis];
                }
                Some(numbers[place])
            };
            let padded: Vec<f64> = (0..shape.len()).map(|i| at(i).unwrap_or(a.value)).collect();
            from_numbers(element, shape, &padded)
        }
        Op::Cast(_) => {
            budget.take(Element::F64, &shape)?;
            let whole = matches!(element, Element::Int { .. });
            let numbers: Vec<f64> =
                x.to_f64().into_iter().map(|v| if whole { v.trunc() } else { v }).collect();
            from_numbers(element, shape, &numbers)
        }
        Op::Add(_) => binary(operands, element, shape, budget, |a, b| a + b, i64::checked_add),
        Op::Sub(_) => binary(operands, element, shape, budget, |a, b| a - b, i64::checked_sub),
        Op::Mul(_) => binary(operands, element, shape, budget, |a, b| a * b, i64::checked_mul),
        Op::Div(_) => binary(operands, element, shape, budget, |a, b| a / b, i64::checked_div),
        Op::Relu(_) => unary(x, element, shape, budget, |v| v.max(0.0)),
        Op::Clip(a) => unary(x, element, shape, budget, |v| v.max(a.min).min(a.max)),
        _ => Err(format!("it computes {} of constants alone, which is not folded", op.name())),
    }
}

fn from_numbers(element: Element, shape: Shape, numbers: &[f64]) -> Result<Tensor, String> {
    Tensor::from_f64(element, shape, numbers).ok_or_else(|| format!("a result does not fit {element}"))
}

fn unary(
    x: &Tensor,
    element: Element,
    shape: Shape,
    budget: &mut Budget,
    f: impl Fn(f64) -> f64,
) -> Result<Tensor, String> {
    budget.take(Element::F64, &shape)?;
    let numbers: Vec<f64> = x.to_f64().into_iter().map(f).collect();
    from_numbers(element, shape, &numbers)
}

fn binary(
    operands: &[&Arc<Tensor>],
    element: Element,
    shape: Shape,
    budget: &mut Budget,
    real: fn(f64, f64) -> f64,
    whole: fn(i64, i64) -> Option<i64>,
) -> Result<Tensor, String> {
    budget.take(Element::F64, &shape)?;
    let (a, b) = (operands[0], operands[1]);
    let places: Vec<(usize, usize)> =
        (0..shape.len()).map(|i| (repeated(&shape, a.shape(), i), repeated(&shape, b.shape(), i))).collect();
    if let (Some(x), Some(y)) = (a.to_i64(), b.to_i64()) {
        let results: Option<Vec<i64>> = places.iter().map(|&(i, j)| whole(x[i], y[j])).collect();
        let results = results.ok_or("a whole number overflows, or is divided by zero")?;
        let wide = Tensor::new(Element::I64, shape.clone(), Data::I64(results));
        let wide = wide.ok_or("its elements do not fit its shape")?;
        return if element == Element::I64 { Ok(wide) } else { from_numbers(element, shape, &wide.to_f64()) };
    }
    let (x, y) = (a.to_f64(), b.to_f64());
    let results: Vec<f64> = places.iter().map(|&(i, j)| real(x[i], y[j])).collect();
    from_numbers(element, shape, &results)
}

/// Where place `i` of `result` comes from in a tensor of `shape` that repeats along axes of extent 1.
pub(super) fn repeated(result: &Shape, shape: &Shape, i: usize) -> usize {
    let (mut left, mut at, mut stride) = (i, 0, 1);
    for axis in (0..result.rank()).rev() {
        let place = left % result.0[axis];
        left /= result.0[axis];
        if let Some(own) = (axis + shape.rank()).checked_sub(result.rank()) {
            if shape.0[own] > 1 {
                at += place * stride;
            }
            stride *= shape.0[own];
        }
    }
    at
}

/// The shape that two have together by numpy's rule.
pub(super) fn together(a: &Shape, b: &Shape) -> Result<Shape, String> {
    broadcast(a, b)
}

/// Distances between neighbours along each axis.
struct Places {
    strides: Vec<i64>,
}

impl Places {
    fn of(shape: &Shape) -> Self {
        let mut strides = vec![1i64; shape.rank()];
        for axis in (1..shape.rank()).rev() {
            strides[axis - 1] = strides[axis] * shape.0[axis] as i64;
        }
        Places { strides }
    }
}

/// The elements that stand `strides` apart from place `first` on.
fn moved(x: &Tensor, shape: &Shape, first: i64, strides: &[i64]) -> Result<Tensor, String> {
    picked(x, shape.clone(), |i| {
        let (mut left, mut at) = (i, first);
        for axis in (0..shape.rank()).rev() {
            at += (left % shape.0[axis]) as i64 * strides[axis];
            left /= shape.0[axis];
        }
        at as usize
    })
}

fn joined(
    operands: &[&Arc<Tensor>],
    axis: usize,
    element: Element,
    shape: Shape,
    budget: &mut Budget,
) -> Result<Tensor, String> {
    // Whole numbers of 64 bits go through f64, which holds every extent that a tensor can have.
    budget.take(Element::F64, &shape)?;
    budget.take(Element::F64, &shape)?;
    let outer: usize = shape.0[..axis].iter().product();
    let parts: Vec<Vec<f64>> = operands.iter().map(|t| t.to_f64()).collect();
    let mut numbers = Vec::new();
    for block in 0..outer {
        for part in &parts {
            let run = part.len() / outer;
            numbers.extend_from_slice(&part[block * run..(block + 1) * run]);
        }
    }
    from_numbers(element, shape, &numbers)
}

/// A tensor of `shape` whose place `i` holds place `from(i)` of `tensor`; the caller has paid for it.
pub(super) fn picked(tensor: &Tensor, shape: Shape, from: impl Fn(usize) -> usize) -> Result<Tensor, String> {
    macro_rules! pick {
        ($($variant:ident),*) => {
            match tensor.data() {
                $( Data::$variant(v) => Data::$variant((0..shape.len()).map(|i| v[from(i)]).collect()), )*
            }
        };
    }
    let data = pick!(F16, F32, F64, I8, U8, I16, U16, I32, U32, I64, U64, Bool);
    Tensor::new(tensor.element(), shape, data).ok_or_else(|| "its numbers do not fit its shape".into())
}
