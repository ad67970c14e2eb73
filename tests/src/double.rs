//! A network in double precision: what passes do to its function can then be told from what they round.

use std::collections::BTreeMap;

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Cast, Edit, Element, Network, Op, ValueType};
use nonresc_ir::tensor::Tensor;

fn wide(element: Element) -> Element {
    if element.is_float() { Element::F64 } else { element }
}

/// The same network with every float an f64; the numbers of its constants are the same.
///
/// # Panics
/// Where the network has a cycle or an operator does not take doubles.
pub fn in_double(network: &Network) -> Network {
    let mut made = Network::new();
    let mut edit = Edit::new(&mut made);
    let mut ids: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for port in network.inputs() {
        let narrow = network.ty(port.node.into());
        let ty = ValueType::new(wide(narrow.element), narrow.shape.clone());
        let value = edit.input(&port.name, ty.clone(), port.batch.clone());
        ids.insert(port.node, value.node);
        let last = edit.inputs().len() - 1;
        let port = nonresc_ir::network::InputPort { node: value.node, ..port.clone() };
        edit.set_input(last, port, ty);
    }
    for node in network.topological().expect("a network has no cycle") {
        if ids.contains_key(&node) {
            continue;
        }
        let operands: Vec<Value> =
            network.operands(node).iter().map(|v| Value { node: ids[&v.node], port: v.port }).collect();
        edit.named(network.node(node).names.clone());
        let value = match network.op(node) {
            Op::Const(tensor) => {
                let element = wide(tensor.element());
                let numbers = if element == Element::F64 {
                    Tensor::f64(tensor.shape().clone(), tensor.to_f64()).expect("as many numbers")
                } else {
                    Tensor::clone(tensor)
                };
                edit.constant(numbers)
            }
            Op::Cast(cast) => edit.add(Cast { to: wide(cast.to) }, &operands).unwrap(),
            op => edit.add(op.clone(), &operands).unwrap(),
        };
        ids.insert(node, value.node);
    }
    for port in network.outputs() {
        let value = Value { node: ids[&port.value.node], port: port.value.port };
        edit.output(&port.name, value, port.batch.clone());
        let last = edit.outputs().len() - 1;
        edit.set_output(last, nonresc_ir::network::OutputPort { value, ..port.clone() });
    }
    edit.set_preprocess(network.preprocess().cloned());
    made
}
