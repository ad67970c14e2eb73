//! Slices, with attributes and with inputs.

use super::attribute::{Attribute, Kind};
use super::call::{Call, Fault, axis};
use super::importer::Item;
use super::table::Operator;
use crate::network::Slice;

pub(super) const OPERATORS: &[Operator] = &[Operator::new("Slice", (1, 5), slice).with(&[
    Attribute::new("axes", Kind::Ints).until(9),
    Attribute::new("ends", Kind::Ints).until(9),
    Attribute::new("starts", Kind::Ints).until(9),
])];

fn slice(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    let x = call.operand(0)?;
    let shape = call.shape(&x).0;
    let (starts, ends, axes, steps) = if call.opset < 10 {
        if call.len() > 1 {
            return Err(format!("at opset {} its limits are attributes, not inputs", call.opset).into());
        }
        let list = |name| call.ints(name).map(<[i64]>::to_vec);
        (list("starts"), list("ends"), list("axes"), None)
    } else {
        (
            call.optional_ints(1, "list of starts")?,
            call.optional_ints(2, "list of ends")?,
            call.optional_ints(3, "list of axes")?,
            call.optional_ints(4, "list of steps")?,
        )
    };
    let starts = starts.ok_or("its starts are missing")?;
    let ends = ends.ok_or("its ends are missing")?;
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err("its starts, ends, axes and steps are not of one length".into());
    }
    let mut op = Slice { start: vec![0; shape.len()], step: vec![1; shape.len()], len: shape.clone() };
    let mut seen = vec![false; shape.len()];
    for i in 0..starts.len() {
        let a = axis(axes[i], shape.len())?;
        if std::mem::replace(&mut seen[a], true) {
            return Err(format!("it cuts axis {a} twice").into());
        }
        (op.start[a], op.len[a]) = range(shape[a], starts[i], ends[i], steps[i])?;
        op.step[a] = steps[i];
    }
    if op.len == shape && op.step.iter().all(|&s| s == 1) {
        return Ok(x);
    }
    call.emit(op, &[&x])
}

/// First element and number of elements from `start` to before `end`, both clamped as ONNX Slice says.
fn range(extent: usize, start: i64, end: i64, step: i64) -> Result<(usize, usize), Fault> {
    let n = extent as i128;
    let from_front = |v: i64| if v < 0 { i128::from(v) + n } else { i128::from(v) };
    let step = i128::from(step);
    let (start, len) = match step {
        0 => return Err("it has a step of 0".into()),
        _ if n == 0 => return Ok((0, 0)),
        1.. => {
            let (s, e) = (from_front(start).clamp(0, n), from_front(end).clamp(0, n));
            (s, (e - s + step - 1).div_euclid(step))
        }
        _ => {
            let (s, e) = (from_front(start).clamp(0, n - 1), from_front(end).clamp(-1, n - 1));
            (s, (s - e - step - 1).div_euclid(-step))
        }
    };
    if len <= 0 { Ok((0, 0)) } else { Ok((start as usize, len as usize)) }
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn limits_beyond_the_axis_are_clamped() {
        assert_eq!(range(10, 0, i64::MAX, 2).expect("a range"), (0, 5));
        assert_eq!(range(10, -3, i64::MAX, 1).expect("a range"), (7, 3));
        assert_eq!(range(10, 20, 0, -4).expect("a range"), (9, 3));
        assert_eq!(range(10, -1, i64::MIN, -1).expect("a range"), (9, 10));
        assert_eq!(range(10, 7, 3, 1).expect("a range"), (0, 0));
        assert_eq!(range(0, 0, 5, -1).expect("a range"), (0, 0));
        assert!(range(4, 0, 4, 0).is_err());
    }
}
