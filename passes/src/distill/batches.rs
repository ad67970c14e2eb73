//! What a network learns from: labelled images in memory, parted into those that are trained on and those that it is
//! judged by, in a new order each epoch, shifted and mirrored.
//!
//! Everything drawn depends on the seed, the epoch and the image alone: how a batch is cut into shards and which thread
//! makes it never matter. No network here.

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::network::{Preprocess, Shape};
use nonresc_ir::tensor::Tensor;

use super::images::{Augmentation, Images};
use super::recipe::Recipe;
use crate::data::Dataset;
use crate::random::Random;

/// What is drawn, so that the same seed gives each its own numbers.
#[derive(Clone, Copy)]
enum Drawn {
    Split,
    Order,
    Augmentation,
}

/// Images and how they are handed out.
#[derive(Debug)]
pub struct Batches {
    /// Channels, height, width.
    frame: [usize; 3],
    images: Images,
    labels: Vec<u32>,
    classes: usize,
    training: Vec<usize>,
    validation: Vec<usize>,
    /// Pixels that an image is shifted by, at most.
    crop: usize,
    flip: bool,
    seed: u64,
}

impl Batches {
    /// Reads all images of `data`, one set after another, for a network that tells so many classes apart and does
    /// `preprocess` to raw pixels. The recipe says which share validates (one image at least, and one is left to
    /// train on), how images are augmented, and the seed.
    ///
    /// # Errors
    /// Images that cannot be read, labels of no class, fewer than two images.
    ///
    /// # Panics
    /// Where the sets were opened for frames of different shapes.
    pub fn new(
        data: &[Dataset],
        preprocess: Option<&Preprocess>,
        classes: usize,
        recipe: &Recipe,
    ) -> Result<Batches, Diagnostics> {
        let labels: Vec<u32> = data.iter().flat_map(|data| data.labels()).copied().collect();
        for data in data {
            if let Some(i) = data.labels().iter().position(|&label| label as usize >= classes) {
                return Err(Diagnostic::new(
                    "distill/label",
                    format!("label {} of image {i} of {}", data.labels()[i], data.source().display()),
                    format!("the network has {classes} classes"),
                    "train on data that has the network's classes",
                )
                .into());
            }
        }
        if labels.len() < 2 {
            return Err(Diagnostic::new(
                "distill/images",
                format!("training on {} images", labels.len()),
                "some are trained on and others are left to judge by",
                "give at least two images; thousands are usual",
            )
            .into());
        }
        let tensors: Vec<Tensor> =
            data.iter().map(|data| data.frames(0..data.len())).collect::<Result<_, _>>()?;
        let shape = &tensors[0].shape().0;
        let frame = [shape[1], shape[2], shape[3]];
        assert!(
            tensors.iter().all(|tensor| tensor.shape().0[1..] == frame),
            "data of one network has one frame"
        );
        let (training, validation) = split(labels.len(), recipe.validation, recipe.seed);
        Ok(Batches {
            frame,
            images: Images::new(tensors, preprocess, frame),
            labels,
            classes,
            training,
            validation,
            crop: recipe.augment.pixels(frame),
            flip: recipe.augment.flip,
            seed: recipe.seed,
        })
    }

    /// Images that are trained on, in the order of the data.
    pub fn training(&self) -> &[usize] {
        &self.training
    }

    /// Images that are never trained on, in the order of the data.
    pub fn validation(&self) -> &[usize] {
        &self.validation
    }

    /// The label of each image, by its index.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The images that are trained on, in the order in which an epoch takes them.
    pub fn epoch_order(&self, epoch: usize) -> Vec<usize> {
        let mut order = self.training.clone();
        self.random(Drawn::Order, &[epoch as u64]).shuffle(&mut order);
        order
    }

    /// Images as an epoch shows them, augmented: numbers N C H W after preprocessing, and N x classes with 1 for
    /// the label and 0 elsewhere.
    ///
    /// # Panics
    /// Where an index is of no image.
    pub fn batch(&self, indices: &[usize], epoch: usize) -> (Tensor, Tensor) {
        self.made(indices, |index| self.augmentation(epoch, index))
    }

    /// Images as they are, in the form of [`batch`](Self::batch).
    ///
    /// # Panics
    /// Where an index is of no image.
    pub fn plain(&self, indices: &[usize]) -> (Tensor, Tensor) {
        self.made(indices, |_| Augmentation { down: 0, right: 0, mirrored: false })
    }

    fn made(&self, indices: &[usize], augmentation: impl Fn(usize) -> Augmentation) -> (Tensor, Tensor) {
        let [channels, height, width] = self.frame;
        let mut numbers = Vec::with_capacity(indices.len() * channels * height * width);
        let mut targets = vec![0.0; indices.len() * self.classes];
        for (row, &index) in targets.chunks_exact_mut(self.classes).zip(indices) {
            row[self.labels[index] as usize] = 1.0;
            self.images.push(&mut numbers, index, self.frame, augmentation(index));
        }
        let frames = Tensor::f32(Shape(vec![indices.len(), channels, height, width]), numbers);
        let targets = Tensor::f32(Shape(vec![indices.len(), self.classes]), targets);
        (frames.expect("every image fills a frame"), targets.expect("every image has a row"))
    }

    fn augmentation(&self, epoch: usize, index: usize) -> Augmentation {
        let mut random = self.random(Drawn::Augmentation, &[epoch as u64, index as u64]);
        let mut shift = || random.below(2 * self.crop as u64 + 1) as isize - self.crop as isize;
        let (down, right) = (shift(), shift());
        Augmentation { down, right, mirrored: self.flip && random.below(2) == 1 }
    }

    fn random(&self, drawn: Drawn, of: &[u64]) -> Random {
        Random::of(&[&[self.seed, drawn as u64], of].concat())
    }
}

/// Which images train and which validate.
fn split(images: usize, validation: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut training: Vec<usize> = (0..images).collect();
    Random::of(&[seed, Drawn::Split as u64]).shuffle(&mut training);
    let share = (images as f64 * validation).round() as usize;
    let mut held = training.split_off(images - share.clamp(1, images - 1));
    training.sort_unstable();
    held.sort_unstable();
    (training, held)
}

#[cfg(test)]
mod tests {
    use super::Batches;
    use crate::data::arrays::npz_bytes;
    use crate::data::{Dataset, Request};
    use crate::distill::recipe::{Augment, Recipe};
    use crate::random::Random;
    use nonresc_ir::network::{Element, Preprocess, Shape};
    use nonresc_ir::tensor::{Data, Tensor};
    use std::collections::BTreeSet;

    const FRAME: [usize; 3] = [2, 5, 4];
    const LENGTH: usize = 40;
    const CLASSES: usize = 3;

    fn pixels(images: usize) -> Vec<u8> {
        let mut random = Random(7);
        (0..images * LENGTH).map(|_| random.below(256) as u8).collect()
    }

    /// Images as an archive holds them, of bytes or of the same numbers as floats.
    fn dataset(images: usize, floats: bool) -> Dataset {
        let shape = Shape(vec![images, FRAME[0], FRAME[1], FRAME[2]]);
        let x = match floats {
            false => Tensor::new(Element::U8, shape, Data::U8(pixels(images))),
            true => Tensor::f32(shape, pixels(images).into_iter().map(f32::from).collect()),
        };
        let y = Tensor::i64s((0..images as i64).map(|i| i % CLASSES as i64).collect());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.npz");
        std::fs::write(&path, npz_bytes(&[("x".into(), x.unwrap()), ("y".into(), y)]).unwrap()).unwrap();
        Dataset::open(&Request { path, ..Request::default() }, FRAME).unwrap()
    }

    fn recipe(crop: usize, flip: bool) -> Recipe {
        Recipe { augment: Augment { crop: Some(crop), flip }, seed: 5, validation: 0.25, ..Recipe::default() }
    }

    fn preprocess() -> Preprocess {
        Preprocess { scale: 1.0 / 255.0, mean: vec![0.4, 0.5], std: vec![0.2, 0.25] }
    }

    fn batches(images: usize, crop: usize, flip: bool) -> Batches {
        Batches::new(&[dataset(images, false)], Some(&preprocess()), CLASSES, &recipe(crop, flip)).unwrap()
    }

    fn numbers(tensor: &Tensor) -> Vec<f32> {
        tensor.to_f32()
    }

    #[test]
    fn images_are_parted_once_and_ordered_anew_each_epoch() {
        let made = batches(40, 1, true);
        assert_eq!((made.training().len(), made.validation().len()), (30, 10));
        let all: BTreeSet<usize> = made.training().iter().chain(made.validation()).copied().collect();
        assert_eq!(all, (0..40).collect());
        let orders = [made.epoch_order(0), made.epoch_order(1)];
        assert_ne!(orders[0], orders[1]);
        assert_eq!(orders[0], batches(40, 0, false).epoch_order(0));
        for mut order in orders {
            order.sort_unstable();
            assert_eq!(order, made.training());
        }
        let other = Recipe { seed: 6, ..recipe(1, true) };
        let other = Batches::new(&[dataset(40, false)], None, CLASSES, &other).unwrap();
        assert_ne!(other.validation(), made.validation());
    }

    #[test]
    fn plain_images_are_preprocessed_and_no_more() {
        let raw = pixels(6);
        for floats in [false, true] {
            let data = [dataset(6, floats)];
            let made = Batches::new(&data, Some(&preprocess()), CLASSES, &recipe(2, true)).unwrap();
            let (images, targets) = made.plain(&[4, 0]);
            assert_eq!(images.shape().0, [2, 2, 5, 4]);
            for (i, &found) in numbers(&images).iter().enumerate() {
                let (image, channel) = ([4, 0][i / LENGTH], i % LENGTH / 20);
                let pixel = f64::from(raw[image * LENGTH + i % LENGTH]);
                let wanted = (pixel / 255.0 - [0.4, 0.5][channel]) / [0.2, 0.25][channel];
                assert!((f64::from(found) - wanted).abs() < 1e-6, "{found} is not {wanted}");
            }
            assert_eq!(numbers(&targets), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
        }
    }

    #[test]
    fn augmentation_belongs_to_the_image_and_the_epoch() {
        let made = batches(40, 1, true);
        let (whole, targets) = made.batch(&[3, 17, 8], 2);
        let parts = [made.batch(&[3], 2), made.batch(&[17, 8], 2)];
        assert_eq!(numbers(&whole), [numbers(&parts[0].0), numbers(&parts[1].0)].concat());
        assert_eq!(numbers(&targets), [numbers(&parts[0].1), numbers(&parts[1].1)].concat());
        assert_ne!(numbers(&whole), numbers(&made.batch(&[3, 17, 8], 3).0));
        let seen: BTreeSet<(isize, isize, bool)> = (0..200)
            .map(|epoch| made.augmentation(epoch, 3))
            .map(|how| (how.down, how.right, how.mirrored))
            .collect();
        assert_eq!(seen.len(), 18);
        let still = batches(40, 0, false);
        assert_eq!(still.batch(&[3, 17], 2), still.plain(&[3, 17]));
    }

    /// Without noise, what comes in from outside is nearer to 0 than half a pixel.
    #[test]
    fn borders_are_as_good_as_zero() {
        for floats in [false, true] {
            let data = [dataset(4, floats)];
            let made = Batches::new(&data, Some(&preprocess()), CLASSES, &recipe(40, false)).unwrap();
            let epoch = (0..100).find(|&epoch| made.augmentation(epoch, 1).down > 5).unwrap();
            let most = numbers(&made.batch(&[1], epoch).0).iter().fold(0.0f32, |most, x| most.max(x.abs()));
            assert!(most <= 0.5 / 255.0 / 0.2 + 1e-6, "{most}");
        }
        let raw = Batches::new(&[dataset(4, false)], None, CLASSES, &recipe(40, false)).unwrap();
        let epoch = (0..100).find(|&epoch| raw.augmentation(epoch, 1).down > 5).unwrap();
        assert!(numbers(&raw.batch(&[1], epoch).0).iter().all(|&x| x == 0.0));
    }

    #[test]
    fn sets_are_joined_and_wrong_ones_refused() {
        let joined = Batches::new(&[dataset(3, false), dataset(4, true)], None, CLASSES, &recipe(0, false));
        let joined = joined.unwrap();
        assert_eq!(joined.labels(), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(numbers(&joined.plain(&[1]).0), numbers(&joined.plain(&[4]).0));
        let fault = |images, classes| {
            let made = Batches::new(&[dataset(images, false)], None, classes, &recipe(0, false));
            made.unwrap_err().to_string()
        };
        assert!(fault(4, 2).contains("label 2 of image 2"));
        assert!(fault(1, 3).contains("training on 1 images"));
    }
}
