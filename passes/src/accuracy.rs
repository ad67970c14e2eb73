//! How often a network is right: its scores over a labelled data set, first and first five places.
//!
//! Classes are counted, nothing is printed. An image whose best score is shared by several classes counts for
//! the first of them; one with a score that is no number is never right.

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::network::{Network, Shape};
use nonresc_ir::tensor::Tensor;

use crate::data::Dataset;
use crate::engine::strided::{StridedCopy, assemble, row_major, steps};
use crate::engine::{Engine, Frames, Given};

/// Images that are held in memory at a time.
const IMAGES_AT_A_TIME: usize = 512;

/// What was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accuracy {
    /// All images.
    pub all: Count,
    /// The images of each class that the network tells apart, by label.
    pub classes: Vec<Count>,
}

/// Images, and how many of them the network was right about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Images that were looked at.
    pub images: usize,
    /// Images whose class has the best score.
    pub top1: usize,
    /// Images whose class is among the five best scores.
    pub top5: usize,
    /// Images with a score that is no number.
    pub no_number: usize,
}

impl Count {
    /// The share of the images, 0 to 1, whose class has the best score; nothing where there is no image.
    pub fn top1_share(&self) -> Option<f64> {
        self.share(self.top1)
    }

    /// The share of the images, 0 to 1, whose class is among the five best scores; nothing where there is no image.
    pub fn top5_share(&self) -> Option<f64> {
        self.share(self.top5)
    }

    fn share(&self, right: usize) -> Option<f64> {
        (self.images > 0).then(|| right as f64 / self.images as f64)
    }

    /// Counts one image; `place` is how many classes score better than its own.
    fn add(&mut self, place: Option<usize>) {
        self.images += 1;
        self.top1 += usize::from(place.is_some_and(|place| place == 0));
        self.top5 += usize::from(place.is_some_and(|place| place < 5));
        self.no_number += usize::from(place.is_none());
    }
}

impl Accuracy {
    /// Whether it is less than twice what guessing gives: then the images are likely not what the network was
    /// trained on.
    pub fn is_near_chance(&self) -> bool {
        self.all.images > 0 && self.all.top1 * self.classes.len() < 2 * self.all.images
    }
}

/// Channels, height and width of the frames that a network with one image input reads.
///
/// # Errors
/// Where it reads anything else.
pub fn frame(network: &Network) -> Result<[usize; 3], Diagnostic> {
    let fault = |why: String| {
        Diagnostic::new(
            "eval/input",
            "inputs of the network",
            why,
            "evaluate a network that reads one image; others can be run with `nonresc run`",
        )
    };
    let [input] = network.inputs() else {
        return Err(fault(format!("it has {} of them", network.inputs().len())));
    };
    let shape = &network.ty(input.node.into()).shape;
    let (channels, height, width) = shape.chw().ok_or_else(|| fault(format!("it reads {shape}")))?;
    Ok([channels, height, width])
}

/// Runs all images of `data` through `network`; its one output must hold a score a class.
///
/// # Errors
/// Outputs that are no scores, labels that the network has no class for, images that cannot be read.
pub fn measure(network: &Network, data: &Dataset, engine: Engine) -> Result<Accuracy, Diagnostics> {
    let classes = classes(network)?;
    if let Some(i) = data.labels().iter().position(|&label| label as usize >= classes) {
        return Err(Diagnostic::new(
            "eval/label",
            format!("label {} of image {i} of {}", data.labels()[i], data.source().display()),
            format!("the network has {classes} classes"),
            "evaluate on the data that the network was trained for",
        )
        .into());
    }
    let frames = Frames::new(network, engine)?;
    let mut found = Accuracy { all: Count::default(), classes: vec![Count::default(); classes] };
    for start in (0..data.len()).step_by(IMAGES_AT_A_TIME) {
        let range = start..data.len().min(start + IMAGES_AT_A_TIME);
        let given = users_layout(network, data.frames(range.clone())?);
        let outputs = frames.run(&Given::from([("input".to_string(), given)]))?;
        let scores = outputs[0].1.to_f64();
        for (scores, &label) in scores.chunks_exact(classes).zip(&data.labels()[range]) {
            let place = place(scores, label as usize);
            found.all.add(place);
            found.classes[label as usize].add(place);
        }
    }
    Ok(found)
}

/// Scores an image has: one a class.
///
/// # Errors
/// Networks with several outputs, or with another one.
pub fn classes(network: &Network) -> Result<usize, Diagnostic> {
    let fault = |why: String| {
        let names: Vec<String> = network.outputs().iter().map(|o| format!("\"{}\"", o.name)).collect();
        Diagnostic::new(
            "eval/output",
            format!("outputs {}", names.join(", ")),
            why,
            "name the one that holds a score a class with --output",
        )
    };
    let [output] = network.outputs() else {
        return Err(fault(format!("the network has {} of them", network.outputs().len())));
    };
    let shape = &network.ty(output.value).shape;
    let scores: usize = shape.0.iter().skip(1).product();
    if shape.rank() < 2 || scores < 2 || shape.0[1..].iter().filter(|&&extent| extent > 1).count() != 1 {
        return Err(fault(format!("{shape} is not one score a class")));
    }
    Ok(scores)
}

/// How many classes score better than `label`; nothing where a score is no number.
pub(crate) fn place(scores: &[f64], label: usize) -> Option<usize> {
    let own = scores[label];
    let better = |(class, &score): (usize, &f64)| score > own || (score == own && class < label);
    let place = scores.iter().enumerate().filter(|&s| better(s)).count();
    scores.iter().all(|score| !score.is_nan()).then_some(place)
}

/// Canonical frames as the network's user lays them out, for a network with one input.
pub fn users_layout(network: &Network, canonical: Tensor) -> Tensor {
    let perm = &network.inputs()[0].perm;
    if perm.iter().enumerate().all(|(i, &axis)| i == axis) {
        return canonical;
    }
    let shape = Shape(perm.iter().map(|&axis| canonical.shape().0[axis]).collect());
    let strides = steps(&row_major(&canonical.shape().0));
    let from: Vec<isize> = perm.iter().map(|&axis| strides[axis]).collect();
    let copy = StridedCopy::new(&shape.0, (0, &from), (0, &row_major(&shape.0)));
    assemble(shape, &[(&canonical, copy)])
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn the_first_of_equal_scores_is_better() {
        assert_eq!(place(&[1.0, 3.0, 3.0, 2.0], 1), Some(0));
        assert_eq!(place(&[1.0, 3.0, 3.0, 2.0], 2), Some(1));
        assert_eq!(place(&[1.0, 3.0, 3.0, 2.0], 0), Some(3));
        assert_eq!(place(&[1.0, f64::NAN, 3.0], 2), None);
    }
}
