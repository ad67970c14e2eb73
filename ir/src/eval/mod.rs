//! The plain float evaluator: what a network computes, operator by operator, as obviously right as can be.
//!
//! It is the reference that every engine, pass and export is held against, so it shares no kernel with them
//! and takes no short cut. Values are canonical (N C H W); the user's layouts are not its business.

mod array;
mod kernels;

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::id::{NodeId, Value};
use crate::network::{Element, Network, Op, ValueType, infer};
use crate::tensor::Tensor;

pub use array::Real;
use array::{Array, Numbers};

/// The outputs of a network for canonical `inputs` (one a port, in order), computed in `T` (f32 or f64).
/// Values whose element is f16 are rounded to it after every operator.
///
/// # Errors
/// An input that is missing or of another shape than its port's.
pub fn evaluate<T: Real>(network: &Network, inputs: &[Tensor]) -> Result<Vec<Tensor>, Diagnostic> {
    let mut values = run::<T>(network, inputs, false)?;
    let outputs = network.outputs().iter().map(|o| &o.value);
    Ok(outputs.filter_map(|v| values.get_mut(v).map(|a| a.tensor())).collect())
}

/// Every value of a network for canonical `inputs`, constants left out.
///
/// # Errors
/// As [`evaluate`].
pub fn trace<T: Real>(network: &Network, inputs: &[Tensor]) -> Result<BTreeMap<Value, Tensor>, Diagnostic> {
    let values = run::<T>(network, inputs, true)?;
    let live = |v: &Value| !matches!(network.op(v.node), Op::Const(_));
    Ok(values.iter().filter(|(v, _)| live(v)).map(|(v, a)| (*v, a.tensor())).collect())
}

/// The result of one operator on tensors that inference accepts for it, computed in `T`.
///
/// # Errors
/// What [`infer`] says of the operands.
pub fn operator<T: Real>(op: &Op, operands: &[&Tensor]) -> Result<Tensor, String> {
    let arrays: Vec<Array<T>> = operands.iter().map(|t| Array::of(t)).collect();
    let types: Vec<&ValueType> = arrays.iter().map(|a| &a.ty).collect();
    let ty = infer(op, &types)?.remove(0);
    let numbers = kernels::apply(op, &arrays.iter().collect::<Vec<_>>(), &ty);
    let mut result = Array { ty, numbers };
    if result.ty.element == Element::F16 {
        result.round_to_f16();
    }
    Ok(result.tensor())
}

fn run<T: Real>(
    network: &Network,
    inputs: &[Tensor],
    keep_all: bool,
) -> Result<BTreeMap<Value, Array<T>>, Diagnostic> {
    let order = network.topological().ok_or_else(|| fault("the network", "it has a cycle"))?;
    let mut values: BTreeMap<Value, Array<T>> = given(network, inputs)?;
    let mut last_reader: BTreeMap<Value, NodeId> = BTreeMap::new();
    for &node in &order {
        last_reader.extend(network.operands(node).into_iter().map(|v| (v, node)));
    }
    for node in order {
        let value = Value::from(node);
        let operands = network.operands(node);
        let result = match network.op(node) {
            Op::Input(_) => continue,
            Op::Const(tensor) => Array::of(tensor),
            op => {
                let missing = || fault(&network.node(node).names.to_string(), "an operand has no value");
                let ins: Vec<&Array<T>> =
                    operands.iter().map(|v| values.get(v)).collect::<Option<_>>().ok_or_else(missing)?;
                let ty = network.ty(value);
                let mut result = Array { ty: ty.clone(), numbers: kernels::apply(op, &ins, ty) };
                if ty.element == Element::F16 {
                    result.round_to_f16();
                }
                result
            }
        };
        values.insert(value, result);
        if !keep_all {
            for operand in operands {
                if last_reader.get(&operand) == Some(&node) && !network.is_output(operand) {
                    values.remove(&operand);
                }
            }
        }
    }
    Ok(values)
}

fn given<T: Real>(network: &Network, inputs: &[Tensor]) -> Result<BTreeMap<Value, Array<T>>, Diagnostic> {
    if inputs.len() != network.inputs().len() {
        let why = format!("it has {} inputs, {} tensors were given", network.inputs().len(), inputs.len());
        return Err(fault("the network", &why));
    }
    let ports = network.inputs().iter().zip(inputs);
    ports
        .map(|(port, tensor)| {
            let ty = network.ty(port.node.into());
            if tensor.shape() != &ty.shape {
                let why = format!("it has shape {}, a tensor of {} was given", ty.shape, tensor.shape());
                return Err(fault(&format!("input \"{}\"", port.name), &why));
            }
            let numbers = match Numbers::of(tensor) {
                Numbers::Whole(whole) if ty.element.is_float() => {
                    Numbers::Real(whole.into_iter().map(|x| T::from_f64(x as f64)).collect())
                }
                Numbers::Real(real) if !ty.element.is_float() => {
                    Numbers::Whole(real.into_iter().map(|x: T| x.to_f64() as i64).collect())
                }
                numbers => numbers,
            };
            Ok((port.node.into(), Array { ty: ty.clone(), numbers }))
        })
        .collect()
}

fn fault(what: &str, why: &str) -> Diagnostic {
    Diagnostic::new("eval/inputs", what, why, "give every input of the network in its canonical shape")
}
