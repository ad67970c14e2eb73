//! Convolutions and dense layers to matrix-vector actors.
//!
//! A dense layer behind a map `C x H x W` reads it as a window over the whole map: its weights [O, C*H*W] are those
//! of a kernel [O, C, H, W]. So the weights of every matrix-vector actor are in the order output, channel, row,
//! column, and their images in the order of the stream (row, column, channel) come from one rule.

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Conv, Element, Network, Op, Pair, tensor_digest};
use nonresc_ir::stream::{Activation, Fold, Form, Kind, Map, MatVec, Multiplier, Window};

use super::builder::{self, Builder, Place, map_of};
use super::refuse;

/// One product a clock.
const UNFOLDED: Fold =
    Fold { pe: 1, simd: 1, form: Form::Held { slots: 1 }, ports: 1, multiplier: Multiplier::Dsp };

pub(super) fn conv(b: &mut Builder<'_>, node: NodeId, a: &Conv) {
    let operands = b.network.operands(node);
    if breaks_ties(b.network, node, a) {
        let place = b.place(operands[0]);
        b.set(node.into(), place);
        return;
    }
    let (kernel, output) = (b.network.ty(operands[1]).shape.chw(), map_of(b.network, node.into()));
    let (Some((_, h, w)), Some(output)) = (kernel, output) else {
        return refuse::rank(b, node);
    };
    let window = Window { kernel: Pair { h, w }, stride: a.stride, pad: a.pad, dilation: a.dilation };
    let groups = a.groups;
    matrix_vector(b, node, &operands, output, groups, |_| window);
}

/// Whether all that a layer does is to add less than a step of the quantiser that alone reads it: a constant of that
/// rounding, and no layer.
fn breaks_ties(network: &Network, node: NodeId, a: &Conv) -> bool {
    let operands = network.operands(node);
    let constant = |value: Value| network.constant(value);
    let (Some(weights), Some(bias)) = (constant(operands[1]), operands.get(2).and_then(|&b| constant(b)))
    else {
        return false;
    };
    let [(reader, 0)] = network.users(node.into())[..] else { return false };
    let Op::Quantise(_) = network.op(reader) else { return false };
    let step =
        constant(network.operands(reader)[1]).and_then(|scale| scale.to_f64().into_iter().reduce(f64::min));
    a.maps_channels(&network.ty(operands[1]).shape)
        && weights.all(|w| w == 1.0)
        && step.is_some_and(|step| bias.all(|b| b.abs() < step))
        && !network.is_output(node.into())
}

pub(super) fn dense(b: &mut Builder<'_>, node: NodeId) {
    let operands = b.network.operands(node);
    let Some(output) = map_of(b.network, node.into()) else {
        return refuse::rank(b, node);
    };
    matrix_vector(b, node, &operands, output, 1, |input| Window {
        kernel: Pair { h: input.height, w: input.width },
        ..Window::POINT
    });
}

fn matrix_vector(
    b: &mut Builder<'_>,
    node: NodeId,
    operands: &[Value],
    output: Map,
    groups: usize,
    window: impl FnOnce(Map) -> Window,
) {
    let mut weights = blake3::Hasher::new();
    let mut weight_bits = b.bits.weights;
    for (i, &operand) in operands.iter().enumerate().skip(1) {
        match constant(b, operand, &mut weights) {
            Some(element) if i == 1 => {
                if let Element::Int { bits, .. } = element {
                    weight_bits = u32::from(bits);
                }
            }
            Some(_) => {}
            None => return refuse::weights(b, node, i),
        }
    }
    let place = b.whole(operands[0]);
    let window = window(place.map);
    if refuse::too_large(output, builder::reach(&window)) {
        return refuse::size(b, node, output);
    }
    if !touches(&window, place.map, output) {
        return refuse::nothing_read(b, node);
    }
    let kind = Kind::MatVec(MatVec {
        input: place.map,
        output,
        window,
        groups,
        bias: operands.len() > 2,
        weights: weights.finalize().to_hex()[..16].to_string(),
        weight_bits,
        add: None,
        activation: Activation::Identity,
        second: None,
        carry: b.carry(node),
        fold: UNFOLDED,
    });
    let actor = b.actor(node, kind);
    b.read(actor, 0, place, None);
    let given = b.give(node, actor, true);
    let products = window.kernel.h * window.kernel.w * place.map.channels / groups.max(1);
    let times = 1u64.checked_shl(weight_bits.saturating_sub(1)).and_then(|w| w.checked_mul(products as u64));
    b.set(node.into(), Place { width: b.sum_width(place.width, times.unwrap_or(u64::MAX), true), ..given });
}

/// Whether any window reads any pixel.
fn touches(window: &Window, input: Map, output: Map) -> bool {
    let Window { kernel, stride, pad, dilation } = *window;
    let on_map =
        |at: usize, before: usize, extent: usize| (before..before.saturating_add(extent)).contains(&at);
    let row =
        |y: usize| (0..kernel.h).any(|tap| on_map(y * stride.h + tap * dilation.h, pad.top, input.height));
    let column =
        |x: usize| (0..kernel.w).any(|tap| on_map(x * stride.w + tap * dilation.w, pad.left, input.width));
    (0..output.height).any(row) && (0..output.width).any(column)
}

/// The element of a constant, quantisers in front of it looked through; all that it hangs on goes into `digest`.
fn constant(b: &Builder<'_>, value: Value, digest: &mut blake3::Hasher) -> Option<Element> {
    match b.network.op(value.node) {
        Op::Const(tensor) => {
            digest.update(tensor_digest(tensor).as_bytes());
            Some(tensor.element())
        }
        Op::Quantise(_) | Op::Dequantise(_) => {
            let operands = b.network.operands(value.node);
            let elements: Option<Vec<Element>> =
                operands.iter().map(|&operand| constant(b, operand, digest)).collect();
            let quantised = match b.network.op(value.node) {
                Op::Quantise(a) => Some(Element::Int { bits: a.bits, signed: a.signed }),
                _ => None,
            };
            quantised.or(elements?.first().copied())
        }
        _ => None,
    }
}
