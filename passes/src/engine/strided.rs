//! Walks over strided views of flat numbers, and copies between them. Nothing here knows an operator.

use nonresc_ir::network::Shape;
use nonresc_ir::tensor::{Data, Tensor};

/// Strides in elements of a row-major value.
pub(crate) fn row_major(extents: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; extents.len()];
    for axis in (1..extents.len()).rev() {
        strides[axis - 1] = strides[axis] * extents[axis];
    }
    strides
}

/// One loop of a walk over two views: how many steps, and how far each step goes in either.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axis<const N: usize> {
    pub(crate) extent: usize,
    pub(crate) steps: [isize; N],
}

/// Loops over `N` views from the outermost in, by falling step of the first view; loops that continue each
/// other in all views are one.
pub(crate) fn loops<const N: usize>(extents: &[usize], steps: [&[isize]; N]) -> Vec<Axis<N>> {
    let mut axes: Vec<Axis<N>> = extents
        .iter()
        .enumerate()
        .filter(|&(_, &extent)| extent != 1)
        .map(|(axis, &extent)| Axis { extent, steps: steps.map(|s| s[axis]) })
        .collect();
    axes.sort_by_key(|a| std::cmp::Reverse(a.steps[0]));
    let mut merged: Vec<Axis<N>> = Vec::with_capacity(axes.len());
    for axis in axes {
        match merged.last_mut() {
            Some(outer) if (0..N).all(|i| outer.steps[i] == axis.steps[i] * axis.extent as isize) => {
                *outer = Axis { extent: outer.extent * axis.extent, steps: axis.steps };
            }
            _ => merged.push(axis),
        }
    }
    merged
}

/// Strides as signed steps.
pub(crate) fn steps(strides: &[usize]) -> Vec<isize> {
    strides.iter().map(|&s| s as isize).collect()
}

/// Innermost loops of fewer steps are avoided.
const SHORT: usize = 16;

/// A copy of `extents` elements from one view to another. Offsets are in elements.
#[derive(Debug)]
pub(crate) struct StridedCopy {
    axes: Vec<Axis<2>>,
    from: usize,
    to: usize,
    empty: bool,
}

impl StridedCopy {
    /// Steps are given by canonical axis. Every place that the walk reaches must lie in the slices of `run`.
    pub(crate) fn new(extents: &[usize], from: (usize, &[isize]), to: (usize, &[usize])) -> Self {
        let to_steps = steps(to.1);
        let axes = loops(extents, [&to_steps, from.1]);
        let by_source = loops(extents, [from.1, &to_steps]);
        // The innermost loop is what a walk is fast at.
        let inner = |axes: &[Axis<2>]| axes.last().map_or(1, |axis| axis.extent);
        let axes = match inner(&axes) < SHORT && inner(&by_source) > inner(&axes) {
            true => by_source
                .into_iter()
                .map(|Axis { extent, steps: [f, t] }| Axis { extent, steps: [t, f] })
                .collect(),
            false => axes,
        };
        StridedCopy { axes, from: from.0, to: to.0, empty: extents.contains(&0) }
    }

    /// Copies.
    pub(crate) fn run<T: Copy>(&self, from: &[T], to: &mut [T]) {
        if !self.empty {
            walk(&self.axes, from, self.from, to, self.to);
        }
    }
}

fn walk<T: Copy>(axes: &[Axis<2>], from: &[T], at_from: usize, to: &mut [T], at_to: usize) {
    match axes {
        [] => to[at_to] = from[at_from],
        [Axis { extent, steps: [1, 1] }] => {
            to[at_to..][..*extent].copy_from_slice(&from[at_from..][..*extent]);
        }
        [Axis { extent, steps: [t, f] }] => {
            for i in 0..*extent as isize {
                to[at_to.wrapping_add_signed(i * t)] = from[at_from.wrapping_add_signed(i * f)];
            }
        }
        [Axis { extent, steps: [t, f] }, rest @ ..] => {
            for i in 0..*extent as isize {
                walk(rest, from, at_from.wrapping_add_signed(i * f), to, at_to.wrapping_add_signed(i * t));
            }
        }
    }
}

/// A tensor of `shape` put together from parts, all of one element type, by copies that fill it.
pub(crate) fn assemble(shape: Shape, parts: &[(&Tensor, StridedCopy)]) -> Tensor {
    macro_rules! each {
        ($($kind:ident)*) => {
            match parts[0].0.data() {
                $( Data::$kind(_) => {
                    let mut result = vec![Default::default(); shape.len()];
                    for (part, copy) in parts {
                        if let Data::$kind(numbers) = part.data() {
                            copy.run(numbers, &mut result);
                        }
                    }
                    Data::$kind(result)
                } )*
            }
        };
    }
    let data = each!(F16 F32 F64 I8 U8 I16 U16 I32 U32 I64 U64 Bool);
    Tensor::new(parts[0].0.element(), shape, data).expect("the data is as long as the shape")
}
