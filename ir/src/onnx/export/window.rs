//! Convolution, dense layers and pools.

use crate::id::NodeId;
use crate::network::{AvgPool, Conv, MaxPool, Pair, Sides};

use crate::onnx::messages::AttributeProto;

use super::node::{int, ints};
use super::tensor::scalar;
use super::writer::Writer;

pub(super) fn pair(p: Pair) -> [usize; 2] {
    [p.h, p.w]
}

/// Begins of both axes, then ends.
pub(super) fn pads(p: Sides) -> [usize; 4] {
    [p.top, p.left, p.bottom, p.right]
}

pub(super) fn conv(w: &mut Writer<'_>, node: NodeId, op: &Conv) {
    let weights = w.network.operands(node)[1];
    let kernel = w.network.ty(weights).shape.0.get(2..).unwrap_or_default().to_vec();
    let attributes = vec![
        ints("dilations", &pair(op.dilation)),
        int("group", op.groups),
        ints("kernel_shape", &kernel),
        ints("pads", &pads(op.pad)),
        ints("strides", &pair(op.stride)),
    ];
    w.simple(node, "Conv", attributes);
}

pub(super) fn dense(w: &mut Writer<'_>, node: NodeId) {
    w.simple(node, "Gemm", vec![int("transB", 1)]);
}

pub(super) fn max_pool(w: &mut Writer<'_>, node: NodeId, op: &MaxPool) {
    w.simple(node, "MaxPool", max_pool_attributes(op));
}

pub(super) fn max_pool_attributes(op: &MaxPool) -> Vec<AttributeProto> {
    vec![
        ints("dilations", &pair(op.dilation)),
        ints("kernel_shape", &pair(op.kernel)),
        ints("pads", &pads(op.pad)),
        ints("strides", &pair(op.stride)),
    ]
}

/// Places that no divisor counts are written as padding that is not counted; where there is counted padding
/// beside them, that is put around the map first.
pub(super) fn avg_pool(w: &mut Writer<'_>, node: NodeId, op: &AvgPool) {
    let mut input = w.operands(node);
    let overhangs = op.overhang != Pair::ZERO;
    let mut pad = op.pad;
    if op.include_pad && overhangs && pad != Sides::ZERO {
        let title = format!("{}_pad", w.title(node));
        let element = w.network.ty(w.network.operands(node)[0]).element;
        let sides = [0, 0, pad.top, pad.left, 0, 0, pad.bottom, pad.right];
        let sides = w.vector(&format!("{title}_sides"), sides.iter().map(|&n| n as i64).collect());
        input.push(sides);
        if let Some(zero) = scalar(element, 0.0) {
            let zero = w.initializer(&format!("{title}_value"), &zero);
            input.push(zero);
        }
        input = vec![w.step("Pad", &title, input, vec![])];
        pad = Sides::ZERO;
    }
    let counted = op.include_pad && !overhangs;
    pad.bottom += op.overhang.h;
    pad.right += op.overhang.w;
    let mut attributes = vec![
        int("count_include_pad", usize::from(counted)),
        ints("kernel_shape", &pair(op.kernel)),
        ints("pads", &pads(pad)),
        ints("strides", &pair(op.stride)),
    ];
    if op.dilation != Pair::ONE {
        attributes.push(ints("dilations", &pair(op.dilation)));
    }
    w.result(node, "AveragePool", input, attributes);
}
