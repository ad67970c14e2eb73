//! What hardware cannot take: one message a reason, each with operator, ONNX name, reason and remedy.

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Network, Op};
use nonresc_ir::stream::{MAX_PIXELS, Map};

use super::Skipped;
use super::builder::Builder;
use crate::plan::Site;

fn what(network: &Network, node: NodeId) -> String {
    let n = network.node(node);
    format!("{} \"{}\"", n.op.name(), n.names)
}

fn fault(b: &mut Builder<'_>, node: NodeId, why: impl Into<String>, remedy: impl Into<String>) {
    let what = what(b.network, node);
    b.refuse(Diagnostic::new("lower/operator", what, why, remedy));
}

/// Whether a map is beyond what streams count, with windows that reach `reach` columns beyond its width.
pub(super) fn too_large(map: Map, reach: usize) -> bool {
    let places = map.width.checked_add(reach).and_then(|width| width.checked_mul(map.height));
    let fits = |n: Option<usize>, most: usize| n.is_some_and(|n| n <= most);
    !(fits(places, MAX_PIXELS) && fits(places.and_then(|n| n.checked_mul(map.channels)), u32::MAX as usize))
}

pub(super) fn size(b: &mut Builder<'_>, node: NodeId, map: Map) {
    fault(
        b,
        node,
        format!(
            "a map of {map} is too large: at most {MAX_PIXELS} pixels (windows beyond its edges included) \
                 and 2^32 numbers stream in a frame"
        ),
        "use a smaller input or smaller windows",
    );
}

pub(super) fn nothing_read(b: &mut Builder<'_>, node: NodeId) {
    fault(
        b,
        node,
        "none of its windows holds a pixel of the map: its result is its bias",
        "use less padding or a smaller dilation",
    );
}

/// An operator that has no actor.
pub(super) fn operator(b: &mut Builder<'_>, node: NodeId) {
    let (why, remedy) = match b.network.op(node) {
        Op::Concat(_) => (
            "streams are added, not joined: there is no actor for it",
            "use sums for the shortcuts, or a projection of the joined channels",
        ),
        Op::Transpose(_) => (
            "maps stream pixel by pixel, and it needs them in another order",
            "keep one layout from input to output, or move it behind the last layer",
        ),
        Op::Softmax(_) => (
            "hardware has no exponential; only behind the last layer the host does it",
            "end the network at its operand, or make both outputs of the network",
        ),
        Op::MatMul(_) => (
            "it multiplies two values; hardware multiplies by constant weights",
            "use a dense layer with constant weights",
        ),
        Op::BatchNorm(_) => (
            "it could be folded into no convolution",
            "fold it when exporting, or put it behind a convolution that nothing else reads",
        ),
        Op::Sub(_) | Op::Mul(_) | Op::Div(_) => (
            "hardware has sums, and factors only as weights of layers",
            "fold it into the layer in front of it or behind it",
        ),
        Op::ReduceMean(_) => {
            ("only means over height and width together stream", "use a global average pool")
        }
        Op::Cast(_) => ("streams have one kind of number", "remove the conversion"),
        Op::IntConv(_) | Op::IntDense(_) | Op::IntSumPool(_) | Op::Requantise(_) => (
            "integer networks are evaluated, not yet lowered to hardware",
            "give the quantised network that it was made of",
        ),
        _ => ("there is no actor for it", "leave it out"),
    };
    fault(b, node, why, remedy);
}

pub(super) fn cycle() -> Diagnostic {
    Diagnostic::new("lower/cycle", "the network", "it has a cycle", "break the cycle")
}

pub(super) fn no_output() -> Diagnostic {
    Diagnostic::new("lower/output", "the network", "it has no output", "name a value with --output")
}

pub(super) fn constant_output(name: &str) -> Diagnostic {
    Diagnostic::new(
        "lower/output",
        format!("output \"{name}\""),
        "it is a constant, which no hardware computes",
        "choose other outputs with --output",
    )
}

pub(super) fn unknown_operand(network: &Network, node: NodeId) -> Diagnostic {
    Diagnostic::new(
        "lower/operator",
        what(network, node),
        "it gives a constant where a stream is read",
        "fold it into the layer that reads it",
    )
}

pub(super) fn rank(b: &mut Builder<'_>, node: NodeId) {
    let shape = b.network.ty(node.into()).shape.clone();
    fault(
        b,
        node,
        format!("its shape {shape} is neither a map (N C H W) nor a row of numbers (N C)"),
        "use layers over two-dimensional maps",
    );
}

pub(super) fn weights(b: &mut Builder<'_>, node: NodeId, operand: usize) {
    let name = if operand == 1 { "weights are" } else { "bias is" };
    fault(b, node, format!("its {name} no constant"), "export trained numbers as initialisers");
}

pub(super) fn constant_operand(b: &mut Builder<'_>, node: NodeId) {
    fault(
        b,
        node,
        "it adds a constant map, and no layer could take it in as its bias",
        "put it behind a convolution or dense layer that nothing else reads",
    );
}

pub(super) fn broadcast(b: &mut Builder<'_>, node: NodeId) {
    let network = b.network;
    let shapes: Vec<String> =
        network.operands(node).iter().map(|&v| network.ty(v).shape.to_string()).collect();
    let why =
        format!("its operands have the shapes {}; streams of equal maps are added", shapes.join(" and "));
    fault(b, node, why, "bring both operands to one shape");
}

pub(super) fn orders_differ(b: &mut Builder<'_>, node: NodeId) {
    fault(
        b,
        node,
        "one operand streams as a map and the other as a row of numbers, in different orders",
        "add before flattening",
    );
}

pub(super) fn slice(b: &mut Builder<'_>, node: NodeId) {
    fault(
        b,
        node,
        "only steps forward over rows and columns and runs of channels stream",
        "use a strided slice of rows and columns, or a 1x1 convolution that chooses channels",
    );
}

pub(super) fn pad(b: &mut Builder<'_>, node: NodeId) {
    fault(
        b,
        node,
        "padding of rows and columns belongs to a window, and no convolution or pool behind it could take it in",
        "give the padding to the layer behind it, with zeros",
    );
}

pub(super) fn flat(b: &mut Builder<'_>, node: NodeId) {
    fault(
        b,
        node,
        "its operand is a flattened map, which streams pixel by pixel and not channel by channel",
        "work on the map before it is flattened",
    );
}

pub(super) fn reshape(b: &mut Builder<'_>, node: NodeId) {
    let network = b.network;
    let from = &network.ty(network.operands(node)[0]).shape;
    let to = &network.ty(node.into()).shape;
    let why = format!("from {from} to {to} the numbers leave the order in which maps stream");
    fault(b, node, why, "reshape only to flatten a map in front of a dense layer");
}

/// What skips are served by would have to come before itself.
pub(super) fn circle(skipped: &Skipped<'_>) -> Diagnostic {
    let label = |site: &Site| skipped.skips.number(site.skip).map_or("", |skip| skip.label.as_str());
    let labels: Vec<&str> = skipped.sites.iter().map(label).collect();
    Diagnostic::new(
        "lower/serve",
        format!("skips {}", labels.join(", ")),
        "a convolution that serves one of them takes its sum in, and would wait for itself",
        "keep some of them",
    )
}
