//! One image at a time: from its file or its planes to the size that a network reads, as numbers from 0 to 255,
//! channel by channel.

use std::path::Path;

use image::imageops::FilterType;
use image::{DynamicImage, ImageReader, RgbImage};

/// What is done to each image, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// The image is resized, with a triangle filter (bilinear, wider where it shrinks).
    pub resize: Option<Size>,
    /// Rows and columns that are cut out of the middle.
    pub crop: Option<(usize, usize)>,
}

/// The size that an image is brought to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// The shorter side gets so many pixels, the longer one keeps the proportion, rounded down.
    ShorterSide(usize),
    /// Rows and columns.
    Exactly(usize, usize),
}

/// The most pixels that an image is resized to.
const MOST_PIXELS: usize = 1 << 26;

/// An image of a file; what its header claims is bounded by the decoder.
pub(super) fn read(path: &Path) -> Result<DynamicImage, String> {
    let reader = ImageReader::open(path).map_err(|e| e.to_string())?;
    let reader = reader.with_guessed_format().map_err(|e| e.to_string())?;
    reader.decode().map_err(|e| e.to_string())
}

/// An image of three colour planes of `side` x `side` pixels.
pub(super) fn of_planes(planes: &[u8], side: usize) -> DynamicImage {
    let plane = side * side;
    let pixels = (0..plane).flat_map(|i| [planes[i], planes[plane + i], planes[2 * plane + i]]).collect();
    let image = RgbImage::from_raw(side as u32, side as u32, pixels);
    DynamicImage::ImageRgb8(image.expect("three planes are an image"))
}

/// The planes of an image for a network of `[channels, height, width]`; three channels are red, green, blue.
pub(super) fn planes(image: DynamicImage, fit: Fit, frame: [usize; 3]) -> Result<Vec<u8>, String> {
    let [channels, height, width] = frame;
    let image = cropped(resized(image, fit.resize)?, fit.crop)?;
    let found = (image.height() as usize, image.width() as usize);
    if found != (height, width) {
        return Err(format!(
            "it is {} x {} pixels, and the network reads {height} x {width}",
            found.0, found.1
        ));
    }
    let interleaved = match channels {
        1 => image.into_luma8().into_raw(),
        3 => image.into_rgb8().into_raw(),
        4 => image.into_rgba8().into_raw(),
        n => return Err(format!("the network reads {n} channels, and images have 1, 3 or 4")),
    };
    Ok((0..channels).flat_map(|c| interleaved.iter().skip(c).step_by(channels).copied()).collect())
}

fn resized(image: DynamicImage, size: Option<Size>) -> Result<DynamicImage, String> {
    let (old_height, old_width) = (image.height() as usize, image.width() as usize);
    let (height, width) = match size {
        None => return Ok(image),
        Some(Size::Exactly(height, width)) => (height, width),
        Some(Size::ShorterSide(n)) if old_height <= old_width => (n, n * old_width / old_height.max(1)),
        Some(Size::ShorterSide(n)) => (n * old_height / old_width.max(1), n),
    };
    if height.saturating_mul(width) > MOST_PIXELS {
        return Err(format!("resized it has {height} x {width} pixels, and {MOST_PIXELS} are the most"));
    }
    if (height, width) == (old_height, old_width) {
        return Ok(image);
    }
    Ok(image.resize_exact(width as u32, height as u32, FilterType::Triangle))
}

fn cropped(image: DynamicImage, crop: Option<(usize, usize)>) -> Result<DynamicImage, String> {
    let Some((height, width)) = crop else { return Ok(image) };
    let (old_height, old_width) = (image.height() as usize, image.width() as usize);
    if height > old_height || width > old_width {
        return Err(format!("it is {old_height} x {old_width} pixels, smaller than the crop"));
    }
    let (top, left) = (half(old_height - height), half(old_width - width));
    Ok(image.crop_imm(left as u32, top as u32, width as u32, height as u32))
}

/// Half of `n`, a half rounded to the even neighbour: where the scripts that networks are trained with cut.
fn half(n: usize) -> usize {
    let down = n / 2;
    down + (n % 2) * (down % 2)
}
