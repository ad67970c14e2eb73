//! Runs of a network as its user sees it, on the plain evaluator in double precision: layouts and element types
//! of the ports, and the preprocessing that belongs to the network.

use nonresc_ir::eval;
use nonresc_ir::network::{Element, InputPort, Network, OutputPort, Preprocess, Shape, Transpose};
use nonresc_ir::tensor::Tensor;

use crate::seed::Seed;

/// Random numbers for each input, in the user's layout: codes of integers, else numbers in -2 ..= 2.
pub fn random_inputs(network: &Network, seed: &mut Seed) -> Vec<Tensor> {
    network.inputs().iter().map(|port| random_input(network, port, seed)).collect()
}

fn random_input(network: &Network, port: &InputPort, seed: &mut Seed) -> Tensor {
    let canonical = &network.ty(port.node.into()).shape.0;
    let shape = Shape(port.perm.iter().map(|&axis| canonical[axis]).collect());
    let mut number = || match port.element {
        Element::Int { signed: false, .. } => seed.below(256) as f64,
        Element::Int { signed: true, .. } => seed.below(256) as f64 - 128.0,
        _ => (seed.bits() >> 11) as f64 / (1u64 << 51) as f64 - 2.0,
    };
    let numbers = (0..shape.len()).map(|_| number()).collect();
    Tensor::f64(shape, numbers).expect("as many numbers as the shape has")
}

/// The outputs in the user's layout.
///
/// # Errors
/// What the evaluator says.
pub fn run(network: &Network, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    let outputs = eval::evaluate::<f64>(network, &canonical(network, inputs)?).map_err(|d| d.to_string())?;
    network.outputs().iter().zip(outputs).map(|(port, tensor)| users(port, &tensor)).collect()
}

/// What the network sees of the user's inputs, of any number of frames.
///
/// # Errors
/// What the evaluator says.
pub fn canonical(network: &Network, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    let mut canonical = Vec::new();
    for (i, (port, given)) in network.inputs().iter().zip(inputs).enumerate() {
        let mut back = vec![0; port.perm.len()];
        port.perm.iter().enumerate().for_each(|(user, &axis)| back[axis] = user);
        let moved = moved(given, &back)?;
        canonical.push(match network.preprocess() {
            Some(p) if i == 0 => preprocessed(&moved, p),
            _ => moved,
        });
    }
    Ok(canonical)
}

/// An output as its user lays it out.
///
/// # Errors
/// What the evaluator says.
pub fn users(port: &OutputPort, canonical: &Tensor) -> Result<Tensor, String> {
    moved(canonical, &port.perm)
}

fn moved(tensor: &Tensor, perm: &[usize]) -> Result<Tensor, String> {
    eval::operator::<f64>(&Transpose { perm: perm.to_vec() }.into(), &[tensor])
}

fn preprocessed(pixels: &Tensor, p: &Preprocess) -> Tensor {
    let dims = &pixels.shape().0;
    let plane: usize = dims[2..].iter().product();
    let at = |list: &[f64], c: usize| if list.len() == 1 { list[0] } else { list[c] };
    let number = |(i, x): (usize, f64)| {
        let c = i / plane % dims[1];
        (x * p.scale - at(&p.mean, c)) / at(&p.std, c)
    };
    let numbers = pixels.to_f64().into_iter().enumerate().map(number).collect();
    Tensor::f64(pixels.shape().clone(), numbers).expect("as many numbers as before")
}
