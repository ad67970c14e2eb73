//! Executions of a network before and after a pass, on numbers that come from a seed.
//!
//! Networks are run as their user sees them, so that a pass may move layouts and preprocessing between operators
//! and ports. Streams are not executed here.

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::network::{Element, Network, ValueType, digest};
use nonresc_ir::tensor::Tensor;

use crate::design::Design;
use crate::engine::{Engine, users_shape};
use crate::pass::{Function, Pass};

/// How networks are executed around passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Execution {
    /// What computes.
    pub engine: Engine,
    /// Seed of the inputs: codes of integer inputs take their whole range, other numbers lie in -1 .. 1.
    pub seed: u64,
    /// How far an output may move, relative to its largest magnitude. Folding a factor into weights rounds
    /// them once more; where a network rounds to integers, a value next to a tie may then move by a whole step.
    pub tolerance: f64,
}

impl Default for Execution {
    fn default() -> Self {
        Execution { engine: Engine::default(), seed: 0, tolerance: 1e-4 }
    }
}

/// What is known of a network before a pass.
pub(super) enum Before {
    /// The pass may change the function, or the design is a stream.
    Nothing,
    /// The outputs, which must stay.
    Outputs(Vec<Tensor>),
    /// The digest, which must stay.
    Digest(String),
}

impl Before {
    /// What `pass` must leave as it is in `design`.
    pub(super) fn of(pass: &Pass, design: &Design, execution: &Execution) -> Result<Self, Diagnostics> {
        let Design::Network(design) = design else { return Ok(Before::Nothing) };
        Ok(match pass.function {
            Function::Changed => Before::Nothing,
            Function::Same => Before::Outputs(outputs(&design.network, execution)?),
            Function::ReadOnly => Before::Digest(digest(&design.network)),
        })
    }

    /// Whether `pass` left it so.
    pub(super) fn holds(
        &self,
        pass: &Pass,
        design: &Design,
        execution: &Execution,
    ) -> Result<(), Diagnostics> {
        let Design::Network(design) = design else { return Ok(()) };
        let network = &design.network;
        match self {
            Before::Nothing => Ok(()),
            Before::Digest(before) if *before == digest(network) => Ok(()),
            Before::Digest(_) => Err(fault(pass, "the network".into(), "it is another one".into()).into()),
            Before::Outputs(before) => compare(pass, network, before, execution),
        }
    }
}

fn compare(
    pass: &Pass,
    network: &Network,
    before: &[Tensor],
    execution: &Execution,
) -> Result<(), Diagnostics> {
    let after = outputs(network, execution)?;
    if before.len() != after.len() {
        let why = format!("it had {} outputs, and has {}", before.len(), after.len());
        return Err(fault(pass, "the network".into(), why).into());
    }
    let mut faults = Diagnostics::default();
    for ((port, before), after) in network.outputs().iter().zip(before).zip(&after) {
        if let Err(why) = near(before, after, execution.tolerance) {
            faults.push(fault(pass, format!("output \"{}\"", port.name), why));
        }
    }
    faults.or(())
}

/// The user's outputs for inputs that hang on the seed and on what the user gives alone.
fn outputs(network: &Network, execution: &Execution) -> Result<Vec<Tensor>, Diagnostic> {
    let session = execution.engine.load(network)?;
    let mut inputs = Vec::with_capacity(network.inputs().len());
    for port in network.inputs() {
        let ty = network.ty(port.node.into());
        let ty = ValueType::new(port.element, users_shape(&port.perm, &ty.shape));
        inputs.push(seeded(&ty, execution.seed, &port.name)?);
    }
    session.run(&inputs)
}

/// Numbers of a type: the key stream of BLAKE3 over the seed and a name.
fn seeded(ty: &ValueType, seed: u64, name: &str) -> Result<Tensor, Diagnostic> {
    let mut hash = blake3::Hasher::new();
    hash.update(&seed.to_le_bytes()).update(name.as_bytes());
    let mut stream = hash.finalize_xof();
    let mut next = || {
        let mut bytes = [0; 4];
        stream.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / 2f64.powi(32)
    };
    let (least, most) = match ty.element {
        Element::Int { bits, signed: true } => (-2f64.powi(i32::from(bits) - 1), 2f64.powi(i32::from(bits))),
        Element::Int { bits, signed: false } => (0.0, 2f64.powi(i32::from(bits))),
        _ => (-1.0, 2.0),
    };
    let integer = matches!(ty.element, Element::Int { .. });
    let number = |x: f64| if integer { (x * most).floor() + least } else { x * most + least };
    let numbers: Vec<f64> = (0..ty.shape.len()).map(|_| number(next())).collect();
    Tensor::from_f64(ty.element, ty.shape.clone(), &numbers).ok_or_else(|| {
        Diagnostic::new(
            "passes/execute",
            format!("input \"{name}\" of {ty}"),
            "the executions around passes have no numbers for this type",
            "run without them",
        )
    })
}

fn near(before: &Tensor, after: &Tensor, tolerance: f64) -> Result<(), String> {
    if before.shape() != after.shape() {
        return Err(format!("its shape was {}, and is {}", before.shape(), after.shape()));
    }
    let (before, after) = (before.to_f64(), after.to_f64());
    let largest = before.iter().filter(|x| x.is_finite()).fold(0.0, |most: f64, x| most.max(x.abs()));
    let far = |(a, b): &(&f64, &f64)| {
        let same = a == b || (a.is_nan() && b.is_nan());
        !(same || (*a - *b).abs() <= tolerance * largest)
    };
    match before.iter().zip(&after).enumerate().find(|(_, pair)| far(pair)) {
        Some((i, (a, b))) => Err(format!("number {i} was {a:e}, and is {b:e}; the largest was {largest:e}")),
        None => Ok(()),
    }
}

fn fault(pass: &Pass, what: String, why: String) -> Diagnostic {
    let promise = match pass.function {
        Function::ReadOnly => "only reads",
        _ => "keeps the function",
    };
    Diagnostic::new(
        "passes/function",
        format!("{what}, as pass {} left it", pass.name),
        format!("the pass says that it {promise}: {why}"),
        "report this as a fault of nonresc, with the model",
    )
}
