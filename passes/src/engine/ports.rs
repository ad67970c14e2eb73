//! Between tensors as the user's file has them and canonical ones: layout, element type, preprocessing.

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::network::{Element, InputPort, Network, OutputPort, Preprocess, Shape, ValueType};
use nonresc_ir::tensor::Tensor;

use super::strided::{StridedCopy, assemble, row_major, steps};

/// The interface of a network: everything needed to convert its inputs and outputs.
#[derive(Debug)]
pub(crate) struct Ports {
    inputs: Vec<(InputPort, ValueType)>,
    outputs: Vec<(OutputPort, ValueType)>,
    preprocess: Option<Preprocess>,
}

impl Ports {
    pub(crate) fn new(network: &Network) -> Self {
        let ty = |value| network.ty(value).clone();
        Ports {
            inputs: network.inputs().iter().map(|p| (p.clone(), ty(p.node.into()))).collect(),
            outputs: network.outputs().iter().map(|p| (p.clone(), ty(p.value))).collect(),
            preprocess: network.preprocess().cloned(),
        }
    }

    /// Canonical inputs of the user's, which are all given in order.
    pub(crate) fn inputs(&self, users: &[Tensor]) -> Result<Vec<Tensor>, Diagnostic> {
        same_count(self.inputs.len(), users.len())?;
        self.inputs
            .iter()
            .zip(users)
            .enumerate()
            .map(|(i, ((port, ty), tensor))| {
                let tensor = self.input(port, ty, tensor)?;
                match &self.preprocess {
                    Some(preprocess) if i == 0 => apply(preprocess, &tensor),
                    _ => Ok(tensor),
                }
            })
            .collect()
    }

    fn input(&self, port: &InputPort, ty: &ValueType, tensor: &Tensor) -> Result<Tensor, Diagnostic> {
        let expected = users_shape(&port.perm, &ty.shape);
        if *tensor.shape() != expected {
            return Err(wrong_shape(&port.name, &expected, tensor.shape()));
        }
        let mut to = vec![0; ty.shape.rank()];
        let strides = row_major(&ty.shape.0);
        for (user, &canonical) in port.perm.iter().enumerate() {
            to[user] = strides[canonical];
        }
        let moved = moved(tensor, &ty.shape, &steps(&row_major(&expected.0)), &expected.0, &to);
        cast(moved, ty.element)
    }

    /// The user's outputs of canonical ones.
    pub(crate) fn outputs(&self, canonical: Vec<Tensor>) -> Result<Vec<Tensor>, Diagnostic> {
        self.outputs
            .iter()
            .zip(canonical)
            .map(|((port, ty), tensor)| {
                let shape = users_shape(&port.perm, &ty.shape);
                let strides = steps(&row_major(&ty.shape.0));
                let from: Vec<isize> = port.perm.iter().map(|&axis| strides[axis]).collect();
                cast(moved(&tensor, &shape, &from, &shape.0, &row_major(&shape.0)), port.element)
            })
            .collect()
    }
}

/// The user's shape of a canonical one.
pub fn users_shape(perm: &[usize], canonical: &Shape) -> Shape {
    Shape(perm.iter().map(|&axis| canonical.0[axis]).collect())
}

/// Every input is given, or it is said how many there are.
pub(super) fn same_count(expected: usize, found: usize) -> Result<(), Diagnostic> {
    if found == expected {
        return Ok(());
    }
    Err(Diagnostic::new(
        "run/inputs",
        format!("{found} inputs"),
        format!("the network has {expected}"),
        "give every input of the network",
    ))
}

pub(crate) fn wrong_shape(name: &str, expected: &Shape, found: &Shape) -> Diagnostic {
    Diagnostic::new(
        "run/shape",
        format!("input \"{name}\" of shape {found}"),
        format!("the network expects {expected}"),
        "give the input in the layout of the model's file",
    )
}

fn moved(tensor: &Tensor, shape: &Shape, from: &[isize], extents: &[usize], to: &[usize]) -> Tensor {
    assemble(shape.clone(), &[(tensor, StridedCopy::new(extents, (0, from), (0, to)))])
}

/// The same numbers as another element type, which must hold them.
pub(super) fn cast(tensor: Tensor, to: Element) -> Result<Tensor, Diagnostic> {
    if tensor.element() == to {
        return Ok(tensor);
    }
    let shape = tensor.shape().clone();
    let cast = match to {
        Element::F32 => Tensor::f32(shape, tensor.to_f32()),
        _ => Tensor::from_f64(to, shape, &tensor.to_f64()),
    };
    cast.ok_or_else(|| {
        Diagnostic::new(
            "run/element",
            format!("a tensor of {}", tensor.element()),
            format!("the network's port is {to}, which cannot hold all of its numbers"),
            format!("give the tensor as {to}"),
        )
    })
}

/// What is subtracted from and divided by in a channel: its own number, or the one of all channels.
pub(crate) fn mean_and_std(preprocess: &Preprocess, channel: usize) -> (f64, f64) {
    let of = |list: &[f64], default: f64| match list {
        [] => default,
        [one] => *one,
        all => all.get(channel).copied().unwrap_or(default),
    };
    (of(&preprocess.mean, 0.0), of(&preprocess.std, 1.0))
}

/// `(x * scale - mean) / std` by channel (axis 1), in the tensor's own element type.
fn apply(preprocess: &Preprocess, tensor: &Tensor) -> Result<Tensor, Diagnostic> {
    let shape = tensor.shape();
    let channels = shape.0.get(1).copied().unwrap_or(1);
    let pixels: usize = shape.0.iter().skip(2).product();
    let mut numbers = tensor.to_f64();
    for (i, plane) in numbers.chunks_exact_mut(pixels.max(1)).enumerate() {
        let (mean, std) = mean_and_std(preprocess, i % channels.max(1));
        plane.iter_mut().for_each(|x| *x = (*x * preprocess.scale - mean) / std);
    }
    Tensor::from_f64(tensor.element(), shape.clone(), &numbers).ok_or_else(|| {
        Diagnostic::new(
            "run/preprocess",
            format!("preprocessing of a tensor of {}", tensor.element()),
            "its results are no whole numbers",
            "report this as a fault of nonresc: preprocessing belongs to float inputs",
        )
    })
}
