//! Networks as ONNX files: standard operators of the default domain, the user's own inputs and outputs.
//!
//! The file means what the network means to its user: layouts that import made canonical are transposed back
//! at the ports, preprocessing that was in the graph is in it again, a softmax stays. One file an operator
//! family; the same network gives the same bytes. No rewriting here.

mod elementwise;
mod gradient;
mod node;
mod normalisation;
mod ports;
mod qonnx;
mod quantise;
mod reshape;
mod tensor;
mod window;
mod writer;

use prost::Message;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::id::NodeId;
use crate::network::{AvgPool, Network, Op, Pair};
use crate::onnx::messages::{ModelProto, OperatorSetIdProto};
use writer::Writer;

/// The operator set of a written file, unless an operator needs a newer one: old enough for tools that lag.
const OPSET: i64 = 17;
/// The operator set in which average pools may be dilated.
const OPSET_DILATED_POOL: i64 = 19;
/// The operator set in which quantisers give codes of 16 bits.
const OPSET_WIDE_CODES: i64 = 21;

/// The network as the bytes of an ONNX file.
///
/// # Errors
/// Every operator or element type that standard ONNX cannot say, by name.
pub fn export(network: &Network) -> Result<Vec<u8>, Diagnostics> {
    Ok(model(network, Dialect::Standard)?.encode_to_vec())
}

/// The network as the bytes of a QONNX file: quantisers are `Quant` of the domain `qonnx.custom_op.general`, of any
/// width, all else is standard ONNX.
///
/// # Errors
/// As [`export`]; codes that are read as codes, which QONNX does not know.
pub fn export_qonnx(network: &Network) -> Result<Vec<u8>, Diagnostics> {
    Ok(model(network, Dialect::Qonnx)?.encode_to_vec())
}

/// How quantisers are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Standard,
    Qonnx,
}

/// The network as an ONNX message.
fn model(network: &Network, dialect: Dialect) -> Result<ModelProto, Diagnostics> {
    let Some(order) = network.topological() else {
        return Err(Diagnostic::new(
            "export/cycle",
            "the network",
            "it has a cycle, and ONNX graphs have none",
            "report this as a fault of nonresc",
        )
        .into());
    };
    let opset = order.iter().map(|&node| opset(network, node)).fold(OPSET, i64::max);
    let mut writer = Writer::new(network, opset);
    ports::inputs(&mut writer);
    for node in order {
        match (dialect, network.op(node)) {
            (Dialect::Qonnx, Op::Quantise(op)) => qonnx::quantise(&mut writer, node, op),
            (Dialect::Qonnx, Op::Dequantise(op)) => qonnx::dequantise(&mut writer, node, op),
            (Dialect::Qonnx, Op::Const(_)) if qonnx::takes_over(network, node) => {}
            _ => operator(&mut writer, node),
        }
    }
    ports::outputs(&mut writer);
    Ok(ModelProto {
        ir_version: Some(ir_version(opset)),
        opset_import: domains(opset, dialect),
        producer_name: Some("nonresc".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        graph: Some(writer.finish()?),
        ..ModelProto::default()
    })
}

/// The operator sets of a file.
fn domains(opset: i64, dialect: Dialect) -> Vec<OperatorSetIdProto> {
    let own = (dialect == Dialect::Qonnx).then_some((qonnx::DOMAIN, 1));
    let all = [("", opset)].into_iter().chain(own);
    let set = |(domain, version): (&str, i64)| OperatorSetIdProto {
        domain: Some(domain.into()),
        version: Some(version),
    };
    all.map(set).collect()
}

/// The operator set that a node needs.
fn opset(network: &Network, node: NodeId) -> i64 {
    match network.op(node) {
        Op::AvgPool(AvgPool { dilation, .. }) if *dilation != Pair::ONE => OPSET_DILATED_POOL,
        _ if quantise::is_wide(network, node) => OPSET_WIDE_CODES,
        _ => OPSET,
    }
}

/// The version of the file format that belongs to an operator set.
fn ir_version(opset: i64) -> i64 {
    match opset {
        ..OPSET_DILATED_POOL => 8,
        OPSET_DILATED_POOL..OPSET_WIDE_CODES => 9,
        _ => 10,
    }
}

fn operator(w: &mut Writer<'_>, node: NodeId) {
    let network = w.network;
    match network.op(node) {
        Op::Input(_) => {}
        Op::Const(tensor) => w.known(node, tensor),
        Op::Conv(op) => window::conv(w, node, op),
        Op::Dense(_) => window::dense(w, node),
        Op::MaxPool(op) => window::max_pool(w, node, op),
        Op::AvgPool(op) => window::avg_pool(w, node, op),
        Op::GlobalAvgPool(_) => w.simple(node, "GlobalAveragePool", vec![]),
        Op::GlobalMaxPool(_) => w.simple(node, "GlobalMaxPool", vec![]),
        Op::MatMul(_) => w.simple(node, "MatMul", vec![]),
        Op::BatchNorm(op) => normalisation::batch_norm(w, node, op),
        Op::Add(_) => w.simple(node, "Add", vec![]),
        Op::Sub(_) => w.simple(node, "Sub", vec![]),
        Op::Mul(_) => w.simple(node, "Mul", vec![]),
        Op::Div(_) => w.simple(node, "Div", vec![]),
        Op::Relu(_) => w.simple(node, "Relu", vec![]),
        Op::Clip(op) => elementwise::clip(w, node, op),
        Op::LeakyRelu(op) => elementwise::leaky_relu(w, node, op),
        Op::Softmax(op) => elementwise::along(w, node, "Softmax", op.axis),
        Op::Cast(op) => elementwise::cast(w, node, op),
        Op::ReduceMean(op) => reshape::reduce_mean(w, node, op),
        Op::Pad(op) => reshape::pad(w, node, op),
        Op::Slice(op) => reshape::slice(w, node, op),
        Op::Concat(op) => reshape::concat(w, node, op),
        Op::Reshape(op) => reshape::reshape(w, node, op),
        Op::Transpose(op) => reshape::transpose(w, node, op),
        Op::Quantise(op) => quantise::quantise(w, node, op),
        Op::Dequantise(op) => quantise::dequantise(w, node, op),
        Op::ConvGradX(op) => gradient::conv_x(w, node, op),
        Op::ConvGradW(op) => gradient::conv_w(w, node, op),
        Op::ChannelSum(_) => normalisation::channel_sum(w, node),
        Op::ChannelVariance(_) => normalisation::channel_variance(w, node),
        Op::BatchNormGradScale(op) => normalisation::grad_scale(w, node, op),
        Op::BatchNormGradX(op) => normalisation::grad_x(w, node, op),
        Op::Gate(op) => gradient::gate(w, node, op),
        Op::MaxPoolGrad(op) => gradient::max_pool(w, node, op),
        Op::AvgPoolGrad(op) => gradient::avg_pool(w, node, op),
        Op::Spread(op) => gradient::spread(w, node, op),
        Op::LogSoftmax(op) => elementwise::along(w, node, "LogSoftmax", op.axis),
        Op::IntConv(_) | Op::IntDense(_) | Op::IntSumPool(_) | Op::Requantise(_) => {
            let what = format!("{} \"{}\"", network.op(node).name(), w.title(node));
            w.refuse(
                what,
                "ONNX has no operator for it; the quantised network that it was made of can be written",
            );
        }
    }
}
