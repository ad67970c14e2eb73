//! Runs of any number of frames: cut to what one run of the engine takes, side by side on all cores, and
//! put together in order.
//!
//! Frames never meet in one computation, so results depend on neither how frames are cut nor the threads.

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::id::Value;
use nonresc_ir::network::{Batch, Edit, Network, Shape};
use nonresc_ir::tensor::Tensor;
use rayon::prelude::*;

use super::ports::{users_shape, wrong_shape};
use super::strided::{StridedCopy, assemble, row_major, steps};
use super::{Engine, Session};

/// Tensors by the names of the network's inputs; a lone input may also be called `input`.
pub type Given = BTreeMap<String, Tensor>;

/// A network that runs any number of frames.
pub struct Frames {
    session: Box<dyn Session>,
    /// Frames of one run of the session.
    frames: usize,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
}

/// A network with these values as its outputs, in their order.
pub fn showing(network: &Network, values: impl Iterator<Item = Value>) -> Network {
    let mut shown = network.clone();
    let batch = network.inputs()[0].batch.clone();
    let mut edit = Edit::new(&mut shown);
    edit.retain_outputs(|_| false);
    for (i, value) in values.enumerate() {
        edit.output(&i.to_string(), value, batch.clone());
    }
    shown
}

/// A port as the user sees it, in one run of the session.
struct Port {
    name: String,
    shape: Shape,
    /// The axis of the batch.
    batch: Option<usize>,
}

impl Port {
    fn new(name: &str, perm: &[usize], canonical: &Shape, batch: &Batch) -> Self {
        let axis = perm.iter().position(|&axis| axis == 0).filter(|_| *batch != Batch::Absent);
        Port { name: name.to_string(), shape: users_shape(perm, canonical), batch: axis }
    }

    /// The user's shape for `frames` frames.
    fn shape_of(&self, frames: usize) -> Shape {
        let mut shape = self.shape.clone();
        if let Some(axis) = self.batch {
            shape.0[axis] = frames;
        }
        shape
    }
}

impl Frames {
    /// Makes a network ready on an engine.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn new(network: &Network, engine: Engine) -> Result<Self, Diagnostic> {
        let mut sized = network.clone();
        // A network whose operators fix the batch runs as many frames at a time as it says.
        let network = match Edit::new(&mut sized).set_batch(engine.frames()) {
            Ok(()) => &sized,
            Err(_) => network,
        };
        let inputs = network
            .inputs()
            .iter()
            .map(|p| Port::new(&p.name, &p.perm, &network.ty(p.node.into()).shape, &p.batch))
            .collect();
        let outputs = network
            .outputs()
            .iter()
            .map(|p| Port::new(&p.name, &p.perm, &network.ty(p.value).shape, &p.batch))
            .collect();
        Ok(Frames { session: engine.load(network)?, frames: network.batch(), inputs, outputs })
    }

    /// Runs all frames of `given`; gives the network's outputs in its order, as its user sees them.
    ///
    /// # Errors
    /// Inputs that are missing, of another shape or of different numbers of frames; no frame; what the engine refuses.
    pub fn run(&self, given: &Given) -> Result<Vec<(String, Tensor)>, Diagnostic> {
        let (tensors, total) = self.checked(given)?;
        let starts: Vec<usize> = (0..total).step_by(self.frames.max(1)).collect();
        let runs: Vec<Result<Vec<Tensor>, Diagnostic>> = starts
            .par_iter()
            .map(|&start| {
                let inputs: Vec<Tensor> = self
                    .inputs
                    .iter()
                    .zip(&tensors)
                    .map(|(port, tensor)| cut(tensor, port.batch, start, self.frames))
                    .collect();
                self.session.run(&inputs)
            })
            .collect();
        let runs = runs.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(self
            .outputs
            .iter()
            .enumerate()
            .map(|(i, port)| {
                let parts: Vec<&Tensor> = runs.iter().map(|run| &run[i]).collect();
                (port.name.clone(), join(&parts, port, total))
            })
            .collect())
    }

    /// Whether all inputs are given, as they have to be.
    ///
    /// # Errors
    /// As [`Frames::run`], but for what the engine refuses.
    pub fn check(&self, given: &Given) -> Result<(), Diagnostic> {
        self.checked(given).map(drop)
    }

    /// The tensor of each input, and how many frames they are.
    fn checked<'a>(&self, given: &'a Given) -> Result<(Vec<&'a Tensor>, usize), Diagnostic> {
        let tensors: Vec<&Tensor> =
            self.inputs.iter().map(|port| self.find(port, given)).collect::<Result<_, _>>()?;
        let total = self.count(&tensors)?;
        if total == 0 {
            return Err(Diagnostic::new(
                "run/frames",
                "no frame is given",
                "the batch of the inputs is 0",
                "give at least one frame",
            ));
        }
        Ok((tensors, total))
    }

    fn find<'a>(&self, port: &Port, given: &'a Given) -> Result<&'a Tensor, Diagnostic> {
        let lone = if self.inputs.len() == 1 { given.get("input") } else { None };
        given.get(&port.name).or(lone).ok_or_else(|| {
            let found: Vec<String> = given.keys().map(|k| format!("\"{k}\"")).collect();
            Diagnostic::new(
                "run/input",
                format!("input \"{}\" is not given", port.name),
                format!("the arrays found are {}", found.join(", ")),
                if self.inputs.len() == 1 {
                    format!("name the array \"input\" or \"{}\"", port.name)
                } else {
                    "name each array as the network names its input".to_string()
                },
            )
        })
    }

    /// How many frames are given; all inputs must agree and have the network's shape apart from that.
    fn count(&self, tensors: &[&Tensor]) -> Result<usize, Diagnostic> {
        let mut total: Option<(usize, &str)> = None;
        for (port, tensor) in self.inputs.iter().zip(tensors) {
            let frames = port.batch.and_then(|axis| tensor.shape().0.get(axis).copied()).unwrap_or(1);
            if *tensor.shape() != port.shape_of(frames) {
                let mut expected = wrong_shape(&port.name, &port.shape, tensor.shape());
                if let Some(axis) = port.batch {
                    let dims: Vec<String> = (0..port.shape.rank())
                        .map(|i| if i == axis { "N".to_string() } else { port.shape.0[i].to_string() })
                        .collect();
                    expected.why =
                        format!("the network expects {}, N being any number of frames", dims.join("x"));
                }
                return Err(expected);
            }
            match total {
                Some((before, name)) if port.batch.is_some() && before != frames => {
                    return Err(Diagnostic::new(
                        "run/frames",
                        format!("input \"{}\" of {frames} frames", port.name),
                        format!("input \"{name}\" has {before}"),
                        "give the same number of frames for every input",
                    ));
                }
                None if port.batch.is_some() => total = Some((frames, &port.name)),
                _ => {}
            }
        }
        Ok(total.map_or(1, |(frames, _)| frames))
    }
}

/// `frames` frames from `start`; the last one is repeated where there are not so many.
fn cut(tensor: &Tensor, axis: Option<usize>, start: usize, frames: usize) -> Tensor {
    let Some(axis) = axis else { return tensor.clone() };
    let total = tensor.shape().0[axis];
    let there = frames.min(total - start);
    let mut shape = tensor.shape().clone();
    shape.0[axis] = frames;
    let (from, to) = (steps(&row_major(&tensor.shape().0)), row_major(&shape.0));
    let mut extents = shape.0.clone();
    extents[axis] = there;
    let copy = StridedCopy::new(&extents, (start * from[axis] as usize, &from), (0, &to));
    extents[axis] = frames - there;
    let mut still = from.clone();
    still[axis] = 0;
    let last = (total - 1) * from[axis] as usize;
    let repeat = StridedCopy::new(&extents, (last, &still), (there * to[axis], &to));
    assemble(shape, &[(tensor, copy), (tensor, repeat)])
}

/// The first `total` frames of runs (one at least) one behind the other.
fn join(parts: &[&Tensor], port: &Port, total: usize) -> Tensor {
    let Some(axis) = port.batch else { return parts[0].clone() };
    let frames = parts[0].shape().0[axis];
    let shape = port.shape_of(total);
    let to = row_major(&shape.0);
    let copies: Vec<(&Tensor, StridedCopy)> = parts
        .iter()
        .enumerate()
        .map(|(i, &part)| {
            let mut extents = part.shape().0.clone();
            extents[axis] = frames.min(total - i * frames);
            let from = steps(&row_major(&part.shape().0));
            (part, StridedCopy::new(&extents, (0, &from), (i * frames * to[axis], &to)))
        })
        .collect();
    assemble(shape, &copies)
}
