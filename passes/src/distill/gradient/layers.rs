//! Convolutions, dense layers and batch norm.

use nonresc_ir::id::NodeId;
use nonresc_ir::network::{
    BatchNorm, BatchNormGradScale, BatchNormGradX, ChannelSum, Conv, ConvGradW, ConvGradX, MatMul, Network,
    Op, ReduceMean, Transpose,
};
use nonresc_ir::tensor::Tensor;

use super::{Asked, Found, Refused, map_of};

/// y = w * x + b.
pub(super) fn conv(asked: Asked<'_, '_>, op: &Conv) -> Result<Found, Refused> {
    let Asked { edit, operands, dy, wanted, .. } = asked;
    let &Conv { stride, pad, dilation, groups } = op;
    let mut found = Found::new();
    if wanted[0] {
        let size = map_of(edit, operands[0]);
        found.push((0, edit.add(ConvGradX { stride, pad, dilation, groups, size }, &[dy, operands[1]])?));
    }
    if wanted[1] {
        let kernel = map_of(edit, operands[1]);
        found.push((1, edit.add(ConvGradW { stride, pad, dilation, groups, kernel }, &[operands[0], dy])?));
    }
    if wanted.get(2) == Some(&true) {
        found.push((2, edit.add(ChannelSum {}, &[dy])?));
    }
    Ok(found)
}

/// y = x wT + b.
pub(super) fn dense(asked: Asked<'_, '_>) -> Result<Found, Refused> {
    let Asked { edit, operands, dy, wanted, .. } = asked;
    let mut found = Found::new();
    if wanted[0] {
        found.push((0, edit.add(MatMul {}, &[dy, operands[1]])?));
    }
    if wanted[1] {
        let turned = edit.add(Transpose { perm: vec![1, 0] }, &[dy])?;
        found.push((1, edit.add(MatMul {}, &[turned, operands[0]])?));
    }
    if wanted.get(2) == Some(&true) {
        found.push((2, edit.add(ChannelSum {}, &[dy])?));
    }
    Ok(found)
}

/// All axes but axis 1.
pub(in super::super) fn statistic_axes(rank: usize) -> Vec<usize> {
    (0..rank).filter(|&axis| axis != 1).collect()
}

/// Whether a mean is one by channel, of which batch norm's rule takes care.
pub(super) fn is_statistic(network: &Network, node: NodeId) -> bool {
    let operand = network.operands(node)[0];
    let axes = statistic_axes(network.ty(operand).shape.rank());
    let norm = |&(reader, _): &(NodeId, u16)| {
        matches!(network.op(reader), Op::BatchNorm(_) | Op::ChannelVariance(_))
            && network.operands(reader)[0] == operand
            || matches!(network.op(reader), Op::BatchNormGradScale(_) | Op::BatchNormGradX(_))
    };
    matches!(network.op(node), Op::ReduceMean(ReduceMean { axes: own, keep_axes: false }) if *own == axes)
        && network.users(node.into()).iter().all(norm)
}

/// Where mean and variance are those of the batch itself they move with x; where they are known they stand still.
pub(super) fn batch_norm(asked: Asked<'_, '_>, op: &BatchNorm) -> Result<Found, Refused> {
    let Asked { edit, operands, dy, wanted, .. } = asked;
    let [x, scale, _, mean, variance] = operands[..] else { return Ok(Found::new()) };
    let epsilon = op.epsilon;
    let of_batch = matches!(edit.op(mean.node), Op::ReduceMean(_))
        && is_statistic(edit, mean.node)
        && edit.operands(mean.node)[0] == x
        && matches!(edit.op(variance.node), Op::ChannelVariance(_))
        && edit.operands(variance.node) == [x, mean];
    let network: &Network = edit;
    let known = network.constant(mean).is_some() && network.constant(variance).is_some();
    if !of_batch && !known {
        return Err(Refused::Why("its statistics are neither known nor those of the batch"));
    }
    let dbias = edit.add(ChannelSum {}, &[dy])?;
    let dscale = edit.add(BatchNormGradScale { epsilon }, &[x, mean, variance, dy])?;
    let mut found = Found::new();
    if wanted[0] && of_batch {
        let dx = edit.add(BatchNormGradX { epsilon }, &[x, scale, mean, variance, dy, dscale, dbias])?;
        found.push((0, dx));
    } else if wanted[0] {
        let (element, channels) = (edit.ty(mean).element, edit.ty(mean).shape.clone());
        let zeros = Tensor::from_f64(element, channels.clone(), &vec![0.0; channels.len()]);
        let zeros = edit.constant(zeros.ok_or(Refused::Why("its numbers are no floats"))?);
        found.push((0, edit.add(BatchNorm { epsilon }, &[dy, scale, zeros, zeros, variance])?));
    }
    found.extend([(1, dscale), (2, dbias)].into_iter().filter(|(operand, _)| wanted[*operand]));
    Ok(found)
}
