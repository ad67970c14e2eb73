//! How the native engine stores values.
//!
//! Values of rank 4 are stored N H W C, all others row-major, so that the channels of a pixel are neighbours.
//! Numbers are f32, and codes of up to 8 bits bytes where their maker and all readers can have it so.
//! Strides are listed by canonical axis (N C H W): code that goes by strides need not know the storage.

use crate::engine::strided::{StridedCopy, row_major, steps};

/// Strides in elements, by canonical axis, of a stored value.
pub(super) fn stored(extents: &[usize]) -> Vec<usize> {
    match *extents {
        [_, c, h, w] => vec![h * w * c, 1, w * c, c],
        _ => row_major(extents),
    }
}

/// Row-major numbers in stored order.
pub(super) fn to_stored(extents: &[usize], row_major_numbers: &[f32]) -> Vec<f32> {
    let mut result = vec![0.0; row_major_numbers.len()];
    store(extents, row_major_numbers, &mut result);
    result
}

/// Likewise, into memory that is there.
pub(super) fn store(extents: &[usize], row_major_numbers: &[f32], result: &mut [f32]) {
    StridedCopy::new(extents, (0, &steps(&row_major(extents))), (0, &stored(extents)))
        .run(row_major_numbers, result);
}

/// Stored numbers in row-major order.
pub(super) fn from_stored(extents: &[usize], numbers: &[f32]) -> Vec<f32> {
    let mut result = vec![0.0; numbers.len()];
    StridedCopy::new(extents, (0, &steps(&stored(extents))), (0, &row_major(extents)))
        .run(numbers, &mut result);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_a_pixel_are_neighbours() {
        let row_major: Vec<f32> = (0..12).map(|i| i as f32).collect();
        assert_eq!(to_stored(&[1, 2, 2, 3], &row_major), [0., 6., 1., 7., 2., 8., 3., 9., 4., 10., 5., 11.]);
        assert_eq!(from_stored(&[1, 2, 2, 3], &to_stored(&[1, 2, 2, 3], &row_major)), row_major);
        assert_eq!(to_stored(&[3, 4], &row_major), row_major);
    }
}
