//! Pools: their gradients are spread over the windows that they came from.

use nonresc_ir::network::{AvgPool, AvgPoolGrad, MaxPool, MaxPoolGrad};

use super::{Asked, Found, Refused, map_of};

pub(super) fn max(asked: Asked<'_, '_>, op: &MaxPool) -> Result<Found, Refused> {
    let Asked { edit, operands, dy, .. } = asked;
    let &MaxPool { kernel, stride, pad, dilation } = op;
    Ok(vec![(0, edit.add(MaxPoolGrad { kernel, stride, pad, dilation }, &[operands[0], dy])?)])
}

pub(super) fn avg(asked: Asked<'_, '_>, op: &AvgPool) -> Result<Found, Refused> {
    let Asked { edit, operands, dy, .. } = asked;
    let &AvgPool { kernel, stride, pad, dilation, include_pad, overhang } = op;
    let size = map_of(edit, operands[0]);
    let op = AvgPoolGrad { kernel, stride, pad, dilation, include_pad, overhang, size };
    Ok(vec![(0, edit.add(op, &[dy])?)])
}

pub(super) fn global_avg(asked: Asked<'_, '_>) -> Result<Found, Refused> {
    let kernel = map_of(asked.edit, asked.operands[0]);
    avg(asked, &AvgPool { kernel, ..AvgPool::default() })
}

pub(super) fn global_max(asked: Asked<'_, '_>) -> Result<Found, Refused> {
    let kernel = map_of(asked.edit, asked.operands[0]);
    max(asked, &MaxPool { kernel, ..MaxPool::default() })
}
