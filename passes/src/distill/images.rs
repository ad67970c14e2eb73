//! Raw images in memory, and the numbers that a network reads of them.
//!
//! Pixels stay bytes and become numbers when they are asked for, moved and mirrored. No draw is made here.

use std::iter;

use nonresc_ir::network::Preprocess;
use nonresc_ir::tensor::{Data, Tensor};

use crate::engine::mean_and_std;

/// Raw images one after another, and what makes numbers of them.
#[derive(Debug)]
pub(super) enum Images {
    /// Pixels, the number of each by channel, and the pixel of a channel that is nearest to 0.
    Bytes { pixels: Vec<u8>, numbers: Vec<[f32; 256]>, zeros: Vec<u8> },
    /// Numbers that were preprocessed when they were read.
    Numbers(Vec<f32>),
}

/// What is done to an image: first it is moved down and to the right, then it is mirrored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Augmentation {
    /// Pixels down, or up where it is negative.
    pub(super) down: isize,
    /// Pixels to the right.
    pub(super) right: isize,
    /// Whether right is left then.
    pub(super) mirrored: bool,
}

impl Images {
    /// The images of all tensors N C H W, in this order.
    pub(super) fn new(tensors: Vec<Tensor>, preprocess: Option<&Preprocess>, frame: [usize; 3]) -> Images {
        let [channels, height, width] = frame;
        let none = Preprocess { scale: 1.0, mean: Vec::new(), std: Vec::new() };
        let preprocess = preprocess.unwrap_or(&none);
        let bytes: Option<Vec<&[u8]>> = tensors
            .iter()
            .map(|tensor| if let Data::U8(pixels) = tensor.data() { Some(&pixels[..]) } else { None })
            .collect();
        if let Some(bytes) = bytes {
            let each = |channel| {
                let number = number(preprocess, channel);
                std::array::from_fn(|pixel| number(pixel as f64))
            };
            let numbers: Vec<[f32; 256]> = (0..channels).map(each).collect();
            let zero = |channel| (mean_and_std(preprocess, channel).0 / preprocess.scale).round() as u8;
            return Images::Bytes {
                pixels: bytes.concat(),
                zeros: (0..channels).map(zero).collect(),
                numbers,
            };
        }
        let mut numbers: Vec<f32> = tensors.iter().flat_map(|tensor| tensor.to_f32()).collect();
        for (i, plane) in numbers.chunks_exact_mut((height * width).max(1)).enumerate() {
            let number = number(preprocess, i % channels);
            plane.iter_mut().for_each(|x| *x = number(f64::from(*x)));
        }
        Images::Numbers(numbers)
    }

    /// Appends the numbers of one image.
    pub(super) fn push(&self, to: &mut Vec<f32>, index: usize, frame: [usize; 3], how: Augmentation) {
        let [channels, height, width] = frame;
        let area = height * width;
        for channel in 0..channels {
            let plane = (index * channels + channel) * area..(index * channels + channel + 1) * area;
            match self {
                Images::Bytes { pixels, numbers, zeros } => {
                    let numbers = &numbers[channel];
                    let zero = numbers[usize::from(zeros[channel])];
                    moved(to, &pixels[plane], width, how, zero, |pixel| numbers[usize::from(pixel)]);
                }
                Images::Numbers(all) => moved(to, &all[plane], width, how, 0.0, |x| x),
            }
        }
    }
}

/// What preprocessing makes of raw pixels of a channel, computed as engines compute it.
fn number(preprocess: &Preprocess, channel: usize) -> impl Fn(f64) -> f32 {
    let ((mean, std), scale) = (mean_and_std(preprocess, channel), preprocess.scale);
    move |x| ((x * scale - mean) / std) as f32
}

/// Appends a plane that is moved and mirrored; what comes in from outside is `zero`.
fn moved<T: Copy>(
    to: &mut Vec<f32>,
    plane: &[T],
    width: usize,
    how: Augmentation,
    zero: f32,
    number: impl Fn(T) -> f32,
) {
    let height = plane.len() / width.max(1);
    // A row is `left` zeros, then pixels from `first` on, then zeros.
    let kept = width.saturating_sub(how.right.unsigned_abs());
    let left = (how.right.max(0) as usize).min(width);
    let first = (how.right.min(0).unsigned_abs()).min(width);
    for y in 0..height {
        let start = to.len();
        match y.checked_add_signed(-how.down).filter(|&y| y < height) {
            Some(from) => {
                let row = &plane[from * width + first..][..kept];
                to.extend(iter::repeat_n(zero, left));
                to.extend(row.iter().map(|&x| number(x)));
                to.extend(iter::repeat_n(zero, width - left - kept));
            }
            None => to.extend(iter::repeat_n(zero, width)),
        }
        if how.mirrored {
            to[start..].reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Augmentation, moved};

    /// Every pixel looked up on its own: mirrored first and then moved, seen from where it ends.
    #[test]
    fn moved_planes_are_planes_seen_through_a_moved_window() {
        let plane: Vec<u8> = (1..=20).collect();
        for down in -6..=6isize {
            for right in -6..=6isize {
                for mirrored in [false, true] {
                    let mut found = Vec::new();
                    moved(&mut found, &plane, 4, Augmentation { down, right, mirrored }, 0.0, f32::from);
                    let at = |y: isize, x: isize| {
                        let x = if mirrored { 3 - x } else { x };
                        let (y, x) = (y - down, x - right);
                        let inside = (0..5).contains(&y) && (0..4).contains(&x);
                        if inside { f32::from(plane[(y * 4 + x) as usize]) } else { 0.0 }
                    };
                    let wanted: Vec<f32> = (0..20).map(|i| at(i / 4, i % 4)).collect();
                    assert_eq!(found, wanted, "down {down} right {right} mirrored {mirrored}");
                }
            }
        }
    }
}
