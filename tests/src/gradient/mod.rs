//! Networks whose gradients are held against something else: all that they read are inputs, with numbers for these.

pub mod operators;
pub mod training;

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::eval::evaluate;
use nonresc_ir::id::Value;
use nonresc_ir::names::Names;
use nonresc_ir::network::{Batch, Edit, Element, Network, Op, Shape, ValueType};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::distill::gradient::backward;

use crate::seed::Seed;

/// A network, and numbers for its inputs.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The network.
    pub network: Network,
    /// A tensor an input.
    pub given: Vec<Tensor>,
    element: Element,
    seed: Seed,
}

/// A number in -1 ..= 1, of 53 bits: no two are equal, none is 0.
pub fn number(seed: &mut Seed) -> f64 {
    (seed.bits() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

impl Problem {
    /// One without operators, whose numbers are of `element`.
    pub fn new(element: Element, seed: u64) -> Problem {
        Problem { network: Network::new(), given: Vec::new(), element, seed: Seed(seed) }
    }

    /// An input of these numbers.
    pub fn holding(&mut self, shape: impl Into<Shape>, numbers: &[f64]) -> Value {
        let shape = shape.into();
        let name = format!("x{}", self.given.len());
        self.given.push(Tensor::from_f64(self.element, shape.clone(), numbers).unwrap());
        let ty = ValueType::new(self.element, shape);
        Edit::new(&mut self.network).input(&name, ty, Batch::Absent)
    }

    /// An input of numbers that lie evenly from -1 to 1, in random order: any two are 2 / n apart for n numbers, and the
    /// least has a size of half of that divided by two.
    pub fn input<const N: usize>(&mut self, shape: [usize; N]) -> Value {
        let count: usize = shape.iter().product();
        let mut numbers: Vec<f64> =
            (0..count).map(|i| (2.0 * i as f64 + 1.5 - count as f64) / count as f64).collect();
        self.seed.shuffle(&mut numbers);
        self.holding(shape, &numbers)
    }

    /// A value that is known, and no input.
    pub fn known(&mut self, numbers: &[f64]) -> Value {
        let tensor = Tensor::from_f64(self.element, [numbers.len()], numbers).unwrap();
        Edit::new(&mut self.network).constant(tensor)
    }

    /// Any operator, called after itself.
    pub fn op(&mut self, op: impl Into<Op>, operands: &[Value]) -> Value {
        let op = op.into();
        let names = Names::one(format!("{}{}", op.name(), self.network.len()));
        Edit::new(&mut self.network).named(names).add(op, operands).unwrap()
    }

    /// Makes a value an output.
    pub fn output(&mut self, value: Value) {
        let name = format!("y{}", self.network.outputs().len());
        Edit::new(&mut self.network).output(&name, value, Batch::Absent);
    }

    /// The gradients of a loss of which `seedI` is the gradient by output `I`: inputs are those of the network and the
    /// seeds, outputs those of the network and `gradient.NAME` of each input that an output depends on.
    ///
    /// # Errors
    /// As [`backward`].
    pub fn differentiated(&self) -> Result<Network, Diagnostics> {
        let mut network = self.network.clone();
        let mut edit = Edit::new(&mut network);
        let inputs: Vec<(String, Value)> =
            edit.inputs().iter().map(|port| (port.name.clone(), port.node.into())).collect();
        let outputs: Vec<Value> = edit.outputs().iter().map(|port| port.value).collect();
        let mut seeds = Vec::new();
        for (i, &value) in outputs.iter().enumerate() {
            let ty = edit.ty(value).clone();
            seeds.push((value, edit.input(&format!("seed{i}"), ty, Batch::Absent)));
        }
        let wanted: Vec<Value> = inputs.iter().map(|(_, value)| *value).collect();
        let gradients = backward(&mut edit, &seeds, &wanted)?;
        for (name, value) in &inputs {
            if let Some(&gradient) = gradients.get(value) {
                edit.output(&format!("gradient.{name}"), gradient, Batch::Absent);
            }
        }
        Ok(network)
    }

    /// Random numbers for the seeds.
    pub fn seeds(&self) -> Vec<Tensor> {
        let mut seed = Seed(0x5eed);
        let mut random = |shape: &Shape| {
            let numbers: Vec<f64> = (0..shape.len()).map(|_| number(&mut seed)).collect();
            Tensor::from_f64(self.element, shape.clone(), &numbers).unwrap()
        };
        self.network.outputs().iter().map(|port| random(&self.network.ty(port.value).shape)).collect()
    }

    /// The gradient of each input in double precision; zeros where no output depends on it.
    ///
    /// # Errors
    /// As [`backward`].
    pub fn gradients(&self) -> Result<Vec<Vec<f64>>, Diagnostics> {
        let network = self.differentiated()?;
        let all = evaluate::<f64>(&network, &[self.given.clone(), self.seeds()].concat())?;
        let found = |(i, given): (usize, &Tensor)| {
            let name = format!("gradient.x{i}");
            let place = network.outputs().iter().position(|port| port.name == name);
            place.map_or_else(|| vec![0.0; given.len()], |place| all[place].to_f64())
        };
        Ok(self.given.iter().enumerate().map(found).collect())
    }

    /// The loss, sum of all seeds times outputs, and the sum of the sizes of its terms, with `numbers` for input `i`.
    pub fn loss(&self, i: usize, numbers: &[f64]) -> (f64, f64) {
        let mut given = self.given.clone();
        given[i] = Tensor::from_f64(self.element, given[i].shape().clone(), numbers).unwrap();
        let outputs = evaluate::<f64>(&self.network, &given).unwrap();
        let (mut loss, mut size) = (0.0, 0.0);
        for (output, seed) in outputs.iter().zip(self.seeds()) {
            for (y, s) in output.to_f64().iter().zip(seed.to_f64()) {
                loss += y * s;
                size += (y * s).abs();
            }
        }
        (loss, size)
    }
}
