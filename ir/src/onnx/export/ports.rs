//! Inputs and outputs as the user has them: names, order, layout, element type, batch.

use std::collections::BTreeMap;

use crate::id::Value;
use crate::network::{Batch, Element, Network, Op, OutputPort, Preprocess, Shape};
use crate::onnx::messages::tensor_shape_proto::{Dimension, dimension};
use crate::onnx::messages::{TensorShapeProto, TypeProto, ValueInfoProto, type_proto};
use crate::tensor::Tensor;

use super::node::{int, ints};
use super::tensor::data_type;
use super::writer::Writer;

fn is_identity(perm: &[usize]) -> bool {
    perm.iter().enumerate().all(|(i, &axis)| i == axis)
}

/// Values that can carry the name of an output themselves, since its user sees them as they are.
pub(super) fn direct(network: &Network) -> BTreeMap<Value, String> {
    let mut names = BTreeMap::new();
    for port in network.outputs() {
        let computed = !matches!(network.op(port.value.node), Op::Input(_) | Op::Const(_));
        let same = is_identity(&port.perm) && port.element == network.ty(port.value).element;
        let also_input = network.inputs().iter().any(|i| i.name == port.name);
        if computed && same && !also_input {
            names.entry(port.value).or_insert_with(|| port.name.clone());
        }
    }
    names
}

/// Adds the inputs and what makes canonical values of them.
pub(super) fn inputs(w: &mut Writer<'_>) {
    let network = w.network;
    for (i, port) in network.inputs().iter().enumerate() {
        let ty = network.ty(port.node.into());
        let info = info(w, &port.name, port.element, &port.perm, &ty.shape, &port.batch);
        w.graph.input.push(info);
        let mut name = port.name.clone();
        if port.element != ty.element {
            name = cast(w, name, ty.element);
        }
        if !is_identity(&port.perm) {
            let mut inverse = vec![0; port.perm.len()];
            for (user, &canonical) in port.perm.iter().enumerate() {
                inverse[canonical] = user;
            }
            let title = format!("{}_canonical", port.name);
            name = w.step("Transpose", &title, vec![name], vec![ints("perm", &inverse)]);
        }
        if let (0, Some(preprocess)) = (i, network.preprocess()) {
            name = preprocessed(w, name, preprocess, ty.element, &ty.shape);
        }
        w.define(port.node.into(), name);
    }
}

fn cast(w: &mut Writer<'_>, name: String, to: Element) -> String {
    let Some(to) = data_type(to) else {
        w.refuse(format!("conversion of \"{name}\" to {to}"), "standard ONNX has no element of this width");
        return name;
    };
    let title = format!("{name}_cast");
    w.step("Cast", &title, vec![name], vec![int("to", to as usize)])
}

/// `(x * scale - mean) / std` by channel; steps that change nothing are left out.
fn preprocessed(w: &mut Writer<'_>, x: String, p: &Preprocess, element: Element, shape: &Shape) -> String {
    let steps = [("Mul", vec![p.scale], 1.0), ("Sub", p.mean.clone(), 0.0), ("Div", p.std.clone(), 1.0)];
    let mut name = x.clone();
    for (op_type, numbers, neutral) in steps {
        if numbers.iter().all(|&n| n == neutral) {
            continue;
        }
        let mut extents = vec![1; shape.rank()];
        if let Some(channels) = extents.get_mut(1) {
            *channels = numbers.len();
        }
        let title = format!("{x}_{}", op_type.to_lowercase());
        let Some(tensor) = Tensor::from_f64(element, Shape(extents), &numbers) else {
            w.refuse(format!("preprocessing of \"{x}\""), format!("its factors are no numbers of {element}"));
            return name;
        };
        let constant = w.initializer(&format!("{title}_by"), &tensor);
        name = w.step(op_type, &title, vec![name, constant], vec![]);
    }
    name
}

/// Adds the outputs and what makes the user's values of canonical ones.
pub(super) fn outputs(w: &mut Writer<'_>) {
    let network = w.network;
    for port in network.outputs() {
        let ty = network.ty(port.value);
        let info = info(w, &port.name, port.element, &port.perm, &ty.shape, &port.batch);
        w.graph.output.push(info);
        let name = w.value(port.value);
        if name != port.name {
            output(w, port, name, ty.element);
        }
    }
}

/// The nodes between a canonical value and an output of another layout, element or name.
fn output(w: &mut Writer<'_>, port: &OutputPort, value: String, element: Element) {
    let mut steps = Vec::new();
    if !is_identity(&port.perm) {
        steps.push(("Transpose", vec![ints("perm", &port.perm)]));
    }
    if port.element != element {
        match data_type(port.element) {
            Some(to) => steps.push(("Cast", vec![int("to", to as usize)])),
            None => w.refuse(
                format!("output \"{}\" of {}", port.name, port.element),
                "standard ONNX has no element of this width",
            ),
        }
    }
    if steps.is_empty() {
        steps.push(("Identity", vec![]));
    }
    let last = steps.len() - 1;
    let mut name = value;
    for (i, (op_type, attributes)) in steps.into_iter().enumerate() {
        let title = format!("{}_{}", port.name, op_type.to_lowercase());
        let to = if i == last { port.name.clone() } else { w.fresh(&title) };
        w.push(op_type, &title, vec![name], to.clone(), attributes);
        name = to;
    }
}

fn info(
    w: &mut Writer<'_>,
    name: &str,
    element: Element,
    perm: &[usize],
    canonical: &Shape,
    batch: &Batch,
) -> ValueInfoProto {
    let elem_type = data_type(element);
    if elem_type.is_none() {
        w.refuse(format!("port \"{name}\" of {element}"), "standard ONNX has no element of this width");
    }
    let extent = |axis: usize| Some(dimension::Value::DimValue(canonical.0[axis] as i64));
    let dim = perm
        .iter()
        .map(|&axis| {
            let value = match batch {
                Batch::Dynamic(symbol) if axis == 0 => symbol.clone().map(dimension::Value::DimParam),
                Batch::Fixed(frames) if axis == 0 => Some(dimension::Value::DimValue(*frames as i64)),
                Batch::Dynamic(_) | Batch::Fixed(_) | Batch::Absent => extent(axis),
            };
            Dimension { value, ..Dimension::default() }
        })
        .collect();
    let tensor =
        type_proto::Tensor { elem_type: elem_type.map(|t| t as i32), shape: Some(TensorShapeProto { dim }) };
    let ty = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: Some(name.into()), r#type: Some(ty), ..ValueInfoProto::default() }
}
