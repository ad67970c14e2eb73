//! Labelled images: CIFAR's binary files, arrays of NumPy, folders of images. Images come out as numbers from 0
//! to 255 where they are pixels; what a network does to raw pixels first is its own (`network::Preprocess`).
//!
//! No network is run here. Images of folders are read when they are asked for, so that a data set may be larger
//! than memory.

pub mod arrays;
mod cifar;
mod folder;
mod npy;
mod pixels;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::network::{Element, Shape};
use nonresc_ir::tensor::{Data, Tensor};
use rayon::prelude::*;

pub use pixels::{Fit, Size};

/// Faulty images that are named one by one.
const MOST_FAULTS: usize = 8;

/// Which data, and how images are fitted to the network.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// A file or folder; its kind is found by its name and content.
    pub path: PathBuf,
    /// The order of the classes of a folder, or the labels that belong to a `.npy`.
    pub labels: Option<PathBuf>,
    /// What is done to each image.
    pub fit: Fit,
    /// Only so many images from the beginning.
    pub limit: Option<usize>,
    /// Which part of a folder that is split.
    pub split: Split,
}

/// A part of a data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// Images to measure on.
    #[default]
    Test,
    /// Images that the network was trained on.
    Training,
}

/// Labelled images of one shape.
#[derive(Debug)]
pub struct Dataset {
    images: Images,
    labels: Vec<u32>,
    classes: Vec<String>,
    source: PathBuf,
    /// Channels, height, width.
    frame: [usize; 3],
    fit: Fit,
}

#[derive(Debug)]
enum Images {
    /// Records of a binary file.
    Cifar(Vec<u8>, cifar::Kind),
    /// An array of rank 4 whose axes, images first, are canonical axes `perm`.
    Array(Tensor, [usize; 4]),
    /// Files.
    Files(Vec<PathBuf>),
}

impl Dataset {
    /// Opens the data for a network that reads frames of `[channels, height, width]`.
    ///
    /// # Errors
    /// Data that cannot be read, of no known kind, or of another shape than the frame's.
    pub fn open(request: &Request, frame: [usize; 3]) -> Result<Dataset, Diagnostics> {
        let mut data = if request.path.is_dir() {
            open_folder(request, frame)?
        } else if arrays::is_npz(&request.path) || arrays::is_npy(&request.path) {
            open_arrays(request, frame)?
        } else {
            open_cifar(&request.path, request, frame)?
        };
        if let Some(limit) = request.limit {
            data.labels.truncate(limit);
        }
        Ok(data)
    }

    /// Opens all of the training data: every binary file of a folder that holds such, else what [`Dataset::open`] opens.
    ///
    /// # Errors
    /// As [`Dataset::open`].
    pub fn open_training(request: &Request, frame: [usize; 3]) -> Result<Vec<Dataset>, Diagnostics> {
        let files = if request.path.is_dir() { folder::sorted(&request.path)? } else { Vec::new() };
        let files = cifar::training_files(&files);
        if files.is_empty() {
            let request = Request { split: Split::Training, ..request.clone() };
            return Ok(vec![Dataset::open(&request, frame)?]);
        }
        files.into_iter().map(|file| open_cifar(file, request, frame)).collect()
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The label of each image.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Names of classes by label, where the data has them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// What was read: the file, or the folder in which the classes lie.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// Some of the images as one tensor N C H W.
    ///
    /// # Errors
    /// Images of the range that cannot be read or do not fit the network, the first of them by name.
    pub fn frames(&self, range: Range<usize>) -> Result<Tensor, Diagnostics> {
        let [channels, height, width] = self.frame;
        let shape = Shape(vec![range.len(), channels, height, width]);
        let pixels = match &self.images {
            Images::Array(tensor, perm) => return Ok(part(tensor, *perm, range, shape)),
            Images::Cifar(bytes, kind) => {
                let record = |i: usize| &bytes[i * kind.record()..][kind.label_bytes()..kind.record()];
                if self.fit == Fit::default() && self.frame == [3, cifar::SIDE, cifar::SIDE] {
                    range.map(record).collect::<Vec<&[u8]>>().concat()
                } else {
                    self.fitted(range, |i| Ok(pixels::of_planes(record(i), cifar::SIDE)))?
                }
            }
            Images::Files(files) => self.fitted(range, |i| pixels::read(&files[i]))?,
        };
        let tensor = Tensor::new(Element::U8, shape, Data::U8(pixels));
        Ok(tensor.expect("every image has as many pixels as the frame"))
    }

    fn fitted(
        &self,
        range: Range<usize>,
        read: impl Fn(usize) -> Result<image::DynamicImage, String> + Sync,
    ) -> Result<Vec<u8>, Diagnostics> {
        let images: Vec<Result<Vec<u8>, Diagnostic>> = range
            .into_par_iter()
            .map(|i| {
                let planes = read(i).and_then(|image| pixels::planes(image, self.fit, self.frame));
                planes.map_err(|why| {
                    let what = match &self.images {
                        Images::Files(files) => format!("image {}", files[i].display()),
                        _ => format!("image {i} of {}", self.source.display()),
                    };
                    let remedy =
                        "fit images to the network with --resize and --crop, such as --resize 256 --crop 224";
                    Diagnostic::new("data/image", what, why, remedy)
                })
            })
            .collect();
        let mut faults = Diagnostics::default();
        let mut pixels = Vec::new();
        let mut more = 0;
        for image in images {
            match image {
                Ok(mut planes) => pixels.append(&mut planes),
                Err(fault) if faults.len() < MOST_FAULTS => faults.push(fault),
                Err(_) => more += 1,
            }
        }
        if more > 0 {
            let what = format!("{more} more images of {}", self.source.display());
            faults.push(Diagnostic::new(
                "data/image",
                what,
                "they have such faults too",
                "see the first ones",
            ));
        }
        faults.or(pixels)
    }
}

fn open_folder(request: &Request, frame: [usize; 3]) -> Result<Dataset, Diagnostics> {
    let files = folder::sorted(&request.path)?;
    if let Some(file) = cifar::file_of(request.split, &files) {
        return open_cifar(file, request, frame);
    }
    if let Some(file) = files.iter().find(|file| cifar::is_binary(file)) {
        return Err(Diagnostic::new(
            "data/folder",
            format!("data {}", request.path.display()),
            format!(
                "it holds binary files such as {}, and no {}",
                file.display(),
                cifar::names(request.split)
            ),
            "name the file itself, such as --data cifar-10-batches-bin/data_batch_1.bin",
        )
        .into());
    }
    let source = folder::split(request.split, &request.path);
    let order = request.labels.as_deref().map(folder::class_list).transpose()?;
    let found = folder::labelled(&source, order)?;
    Ok(Dataset {
        images: Images::Files(found.files),
        labels: found.labels,
        classes: found.classes,
        source,
        frame,
        fit: request.fit,
    })
}

fn open_cifar(path: &Path, request: &Request, frame: [usize; 3]) -> Result<Dataset, Diagnostics> {
    let fault = |why: String| {
        Diagnostic::new(
            "data/file",
            format!("data {}", path.display()),
            why,
            "give a CIFAR-10 or CIFAR-100 binary file, a .npz, a .npy with --labels, or a folder of images",
        )
    };
    let found = fs::metadata(path).map_err(|e| fault(e.to_string()))?;
    let length = usize::try_from(found.len()).ok().filter(|_| found.is_file() && cifar::is_binary(path));
    let Some(kind) = length.and_then(cifar::Kind::of) else {
        let [ten, hundred] = [cifar::Kind::Ten, cifar::Kind::Hundred].map(cifar::Kind::record);
        return Err(fault(format!("it is no .bin file of whole records of {ten} or {hundred} bytes")).into());
    };
    let bytes = fs::read(path).map_err(|e| fault(e.to_string()))?;
    if request.labels.is_some() {
        return Err(fault("its labels are in it, and --labels names others".into()).into());
    }
    let labels =
        bytes.chunks_exact(kind.record()).map(|record| record[kind.label_bytes() - 1].into()).collect();
    Ok(Dataset {
        images: Images::Cifar(bytes, kind),
        labels,
        classes: kind.classes(),
        source: path.to_path_buf(),
        frame,
        fit: request.fit,
    })
}

fn open_arrays(request: &Request, frame: [usize; 3]) -> Result<Dataset, Diagnostics> {
    let path = &request.path;
    let fault = |why: String, remedy: &str| {
        Diagnostics::from(Diagnostic::new("data/array", format!("data {}", path.display()), why, remedy))
    };
    if request.fit != Fit::default() {
        let remedy = "leave --resize and --crop out, and give arrays of the network's size";
        return Err(fault("its images are arrays, which are not resized".into(), remedy));
    }
    let mut given = arrays::read(path)?;
    let names: Vec<String> = given.keys().cloned().collect();
    let mut take = |wanted: &[&str]| wanted.iter().find_map(|name| given.remove(*name));
    let images = take(&["x", "input", "images", "data"]);
    let labels = match &request.labels {
        Some(labels) => arrays::read(labels)?.remove(arrays::ALONE),
        None => take(&["y", "labels", "label"]),
    };
    let (Some(images), Some(labels)) = (images, labels) else {
        return Err(fault(
            format!("it holds the arrays {}", names.join(", ")),
            "give images as array x and labels as array y of a .npz, or labels as a .npy with --labels",
        ));
    };
    let count = images.shape().0.first().copied().unwrap_or(0);
    let numbers: Option<Vec<u32>> =
        labels.to_i64().and_then(|all| all.iter().map(|&label| label.try_into().ok()).collect());
    let Some(numbers) = numbers.filter(|numbers| numbers.len() == count) else {
        let why = format!("its labels are {} of shape {}", labels.element(), labels.shape());
        return Err(fault(why, &format!("give {count} whole numbers from 0, one an image")));
    };
    let labels = numbers;
    let [channels, height, width] = frame;
    let perm = match images.shape().0[..] {
        [_, c, h, w] if [c, h, w] == frame => [0, 1, 2, 3],
        [_, h, w, c] if [c, h, w] == frame => [0, 2, 3, 1],
        _ => {
            let why = format!("its images are of shape {}", images.shape());
            let remedy =
                format!("give N x {channels} x {height} x {width} or N x {height} x {width} x {channels}");
            return Err(fault(why, &remedy));
        }
    };
    let images = Images::Array(images, perm);
    Ok(Dataset { images, labels, classes: Vec::new(), source: path.clone(), frame, fit: request.fit })
}

/// Frames of an array, its axes brought into canonical order.
fn part(tensor: &Tensor, perm: [usize; 4], range: Range<usize>, shape: Shape) -> Tensor {
    use crate::engine::strided::{StridedCopy, assemble, row_major};
    let strides = row_major(&tensor.shape().0);
    let mut from = [0; 4];
    for (axis, &canonical) in perm.iter().enumerate() {
        from[canonical] = strides[axis] as isize;
    }
    let copy = StridedCopy::new(&shape.0, (range.start * strides[0], &from), (0, &row_major(&shape.0)));
    assemble(shape, &[(tensor, copy)])
}
