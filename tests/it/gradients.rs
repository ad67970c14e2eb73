//! Gradients against differences of the function itself, in double precision.

use nonresc_ir::eval::evaluate;
use nonresc_ir::id::Value;
use nonresc_ir::names::Names;
use nonresc_ir::network::{
    Add, Batch, ChannelVariance, Dequantise, Div, Edit, Element, MatMul, Mul, Network, Op, Quantise,
    ReduceMean, Relu, Slice, Softmax,
};
use nonresc_ir::tensor::Tensor;
use nonresc_passes::distill::gradient::backward;
use nonresc_passes::distill::step::{Step, Terms};
use nonresc_passes::distill::student::Student;
use nonresc_passes::normalise::normalise;
use nonresc_tests::double::in_double;
use nonresc_tests::gradient::{Problem, number, operators, training};
use nonresc_tests::seed::Seed;

/// Largest relative error.
const NEAR: f64 = 1e-5;

#[test]
fn every_rule_gives_the_derivative() {
    // No number of a case is nearer to a kink.
    let h = 1e-4;
    let mut worst: f64 = 0.0;
    for (name, problem) in operators::all(Element::F64) {
        let gradients = problem.gradients().unwrap_or_else(|faults| panic!("{name}: {faults}"));
        for (i, gradient) in gradients.iter().enumerate() {
            let largest = gradient.iter().fold(0.0, |most: f64, g| most.max(g.abs()));
            assert!(largest > 0.0, "{name}, operand {i}: no gradient");
            let numbers = problem.given[i].to_f64();
            for (at, &given) in gradient.iter().enumerate() {
                let mut moved = numbers.clone();
                moved[at] = numbers[at] + h;
                let above = problem.loss(i, &moved).0;
                moved[at] = numbers[at] - h;
                let right = (above - problem.loss(i, &moved).0) / (2.0 * h);
                let far = (given - right).abs() / largest;
                assert!(far < NEAR, "{name}, operand {i}, element {at}: {given} instead of {right}");
                worst = worst.max(far);
            }
        }
    }
    println!("largest relative error {worst:.1e}");
}

/// What came of the derivatives along some directions.
#[derive(Debug, Default)]
struct Counted {
    compared: usize,
    /// One-sided differences disagree at the least step: an activation or a maximum changes sides there.
    kinks: usize,
    /// The loss is so much larger than its derivative that its rounding hides an error of the size that is asked for.
    blurred: usize,
    worst: f64,
}

impl Counted {
    /// Holds `gradient` at `numbers` along `direction` against differences of `loss`, which gives its size too.
    fn compare(
        &mut self,
        loss: &dyn Fn(&[f64]) -> (f64, f64),
        numbers: &[f64],
        gradient: &[f64],
        direction: &[f64],
    ) -> Result<(), String> {
        let given: f64 = gradient.iter().zip(direction).map(|(g, d)| g * d).sum();
        let norm = |of: &[f64]| of.iter().map(|x| x * x).sum::<f64>().sqrt();
        // How large the derivative along a random direction is: errors are relative to that, so that a direction in
        // which the loss happens to stand still asks for nothing that doubles cannot give.
        let scale = (norm(gradient) * norm(direction) / (numbers.len() as f64).sqrt()).max(given.abs());
        let at = |h: f64| loss(&numbers.iter().zip(direction).map(|(x, d)| x + h * d).collect::<Vec<_>>());
        let mut one_sided = 0.0;
        let mut right = 0.0;
        for h in [1e-5, 1e-6, 1e-7] {
            let ((above, size), (below, _)) = (at(h), at(-h));
            right = (above - below) / (2.0 * h);
            // What the sum of the loss's terms cannot hold.
            let rounding = 32.0 * f64::EPSILON * size / h;
            if (given - right).abs() <= NEAR * scale + rounding {
                self.compared += 1;
                if rounding > NEAR * scale {
                    self.blurred += 1;
                } else {
                    self.worst = self.worst.max((given - right).abs() / scale);
                }
                return Ok(());
            }
            one_sided = ((above + below - 2.0 * at(0.0).0) / h).abs() - 2.0 * rounding;
        }
        if one_sided > NEAR * scale.max(right.abs()) {
            self.kinks += 1;
            return Ok(());
        }
        Err(format!("{given} instead of {right}"))
    }

    fn check(&self) {
        println!("{self:?}");
        assert!((self.kinks + self.blurred) * 50 < self.compared, "{self:?}");
    }
}

fn directions(seed: u64) -> impl FnMut(usize) -> Vec<f64> {
    let mut seed = Seed(seed ^ 0x6469_7265_6374);
    move |count| (0..count).map(|_| number(&mut seed)).collect()
}

#[test]
fn random_networks_with_batch_norm_behind_every_convolution() {
    let mut counted = Counted::default();
    for seed in 0..60 {
        let problem = training::problem(seed, Element::F64, 3);
        let gradients = problem.gradients().unwrap_or_else(|faults| panic!("seed {seed}: {faults}"));
        let mut direction = directions(seed);
        for (i, gradient) in gradients.iter().enumerate() {
            let numbers = problem.given[i].to_f64();
            let loss = |numbers: &[f64]| problem.loss(i, numbers);
            let result = counted.compare(&loss, &numbers, gradient, &direction(numbers.len()));
            result.unwrap_or_else(|why| panic!("seed {seed}, x{i}: {why}"));
        }
    }
    counted.check();
}

#[test]
fn a_gradient_that_is_a_little_off_is_found() {
    for seed in 0..5 {
        let problem = training::problem(seed, Element::F64, 3);
        let gradients = problem.gradients().unwrap();
        let (i, numbers) = (gradients.len() - 1, problem.given[gradients.len() - 1].to_f64());
        let direction = directions(seed)(numbers.len());
        let loss = |numbers: &[f64]| problem.loss(i, numbers);
        let mut off = gradients[i].clone();
        // A ten-thousandth of the gradient, along the direction.
        let share = 1e-4 * off.iter().map(|g| g * g).sum::<f64>().sqrt()
            / direction.iter().map(|d| d * d).sum::<f64>().sqrt();
        off.iter_mut().zip(&direction).for_each(|(g, d)| *g += share * d);
        let compared = |gradient: &[f64]| Counted::default().compare(&loss, &numbers, gradient, &direction);
        assert_eq!(compared(&gradients[i]), Ok(()), "seed {seed}");
        assert!(compared(&off).is_err(), "seed {seed}");
    }
}

/// A network in normal form whose output is a score a class.
fn scores(seed: u64) -> Option<Network> {
    let mut network = training::drawn(seed, 1);
    normalise(&mut network).unwrap();
    let shape = &network.ty(network.outputs()[0].value).shape.0;
    (network.outputs().len() == 1 && shape.len() == 2 && shape[1] > 1).then_some(network)
}

#[test]
fn whole_steps_give_the_gradients_of_their_loss() {
    let mut counted = Counted::default();
    let mut steps = 0;
    for seed in 0..60 {
        let Some(normal) = scores(seed) else { continue };
        let student = Student::new(&normal, &[]).unwrap();
        let features = student.network.node_ids().filter(|&n| matches!(student.network.op(n), Op::Add(_)));
        let terms = Terms { logits: true, soft: Some(3.0), features: features.take(2).collect() };
        let step = Step::new(&student, 3, &terms).unwrap();
        let network = in_double(&step.network);
        let given = batch(&network, seed);
        let outputs = evaluate::<f64>(&network, &given).unwrap();
        let mut direction = directions(seed);
        for name in &step.parameters {
            let i = network.inputs().iter().position(|port| port.name == *name).unwrap();
            let wish = format!("gradient.{name}");
            let gradient = network.outputs().iter().position(|port| port.name == wish).unwrap();
            let numbers = given[i].to_f64();
            let loss = |numbers: &[f64]| {
                let mut given = given.clone();
                given[i] = Tensor::f64(given[i].shape().clone(), numbers.to_vec()).unwrap();
                let loss = evaluate::<f64>(&network, &given).unwrap()[0].to_f64()[0];
                (loss, 4.0 * loss.abs())
            };
            let gradient = outputs[gradient].to_f64();
            let result = counted.compare(&loss, &numbers, &gradient, &direction(numbers.len()));
            result.unwrap_or_else(|why| panic!("seed {seed}, {name}: {why}"));
        }
        steps += 1;
    }
    assert!(steps >= 40, "{steps}");
    counted.check();
}

/// Numbers for the inputs of a step.
fn batch(network: &Network, seed: u64) -> Vec<Tensor> {
    let mut seed = Seed(seed ^ 0x0062_6174_6368);
    let mut all = Vec::new();
    for port in network.inputs() {
        let shape = &network.ty(port.node.into()).shape;
        let mut numbers: Vec<f64> = (0..shape.len()).map(|_| number(&mut seed)).collect();
        let fan_in = shape.0.iter().skip(1).product::<usize>().max(1);
        match port.name.as_str() {
            "labels" => {
                numbers.fill(0.0);
                numbers.chunks_mut(shape.0[1]).for_each(|row| row[seed.below(shape.0[1])] = 1.0);
            }
            name if name.starts_with("weight.") => numbers.iter_mut().for_each(|x| *x = 1.0 + x.abs()),
            name if name.ends_with(".scale") => numbers.iter_mut().for_each(|x| *x = 1.0 + 0.5 * *x),
            name if name.ends_with(".weight") => {
                numbers.iter_mut().for_each(|x| *x *= 2.0 / (fan_in as f64).sqrt());
            }
            _ => {}
        }
        all.push(Tensor::f64(shape.clone(), numbers).unwrap());
    }
    all
}

/// A quantiser on numbers inside, beyond, and half a step beyond its codes, and back; gives what their gradient is for a
/// `dy` of 1, 2, 3, ...
fn straight_through(op: Quantise, scale: f64, zero: f64, numbers: &[f64]) -> Vec<f64> {
    let mut problem = Problem::new(Element::F64, 1);
    let x = problem.holding([1, numbers.len()], numbers);
    let element = Element::Int { bits: op.bits, signed: op.signed };
    let mut edit = Edit::new(&mut problem.network);
    let scale = edit.constant(Tensor::f64([], vec![scale]).unwrap());
    let zero = edit.constant(Tensor::from_f64(element, [], &[zero]).unwrap());
    let codes = problem.op(op, &[x, scale, zero]);
    let y = problem.op(Dequantise::default(), &[codes, scale, zero]);
    problem.output(y);
    let network = problem.differentiated().unwrap();
    let dy: Vec<f64> = (1..=numbers.len()).map(|i| i as f64).collect();
    let dy = Tensor::f64([1, numbers.len()], dy).unwrap();
    evaluate::<f64>(&network, &[problem.given[0].clone(), dy]).unwrap()[1].to_f64()
}

#[test]
fn quantisers_let_gradients_through_where_they_do_not_clip() {
    // Codes -4 ..= 3 in steps of 1/4: numbers from -1.125 to 0.875 are rounded to one of them.
    let op = Quantise { bits: 3, ..Quantise::default() };
    let numbers = [-9.0, -1.25, -1.125, -1.0625, -0.3, 0.0, 0.7, 0.8125, 0.875, 1.0];
    let found = straight_through(op.clone(), 0.25, 0.0, &numbers);
    assert_eq!(found, [0.0, 0.0, 0.0, 4.0, 5.0, 6.0, 7.0, 8.0, 0.0, 0.0]);
    // The least code left out: from -0.875.
    let found = straight_through(Quantise { narrow: true, ..op.clone() }, 0.25, 0.0, &[-1.0, -0.8125, 0.8]);
    assert_eq!(found, [0.0, 2.0, 3.0]);
    // Codes 0 ..= 7 of which 2 stands for 0, in steps of 1/2: from -1.25 to 2.75.
    let op = Quantise { signed: false, ..op };
    assert_eq!(
        straight_through(op, 0.5, 2.0, &[-1.5, -1.2, 0.1, 2.7, 2.8, 7.0]),
        [0.0, 2.0, 3.0, 4.0, 0.0, 0.0]
    );
}

#[test]
fn quantisers_of_weights_by_channel_let_every_gradient_through() {
    let mut problem = Problem::new(Element::F64, 1);
    let x = problem.holding([2, 2], &[-100.0, 0.1, 0.3, 100.0]);
    let scale = problem.known(&[0.5, 0.25]);
    let zero = Tensor::from_f64(Element::I8, [2], &[0.0, 0.0]).unwrap();
    let zero = Edit::new(&mut problem.network).constant(zero);
    let codes = problem.op(Quantise { axis: 0, ..Quantise::default() }, &[x, scale, zero]);
    let y = problem.op(Dequantise { axis: 0 }, &[codes, scale, zero]);
    problem.output(y);
    assert_eq!(problem.gradients().unwrap(), [problem.seeds()[0].to_f64()]);
}

/// Numbers in steps of a scale, rounded to codes, and back; gives the scale's gradient for a `dy` of 1, 2, 3, ...
fn of_scale(op: Quantise, scales: &[f64], zero: f64, numbers: &[f64]) -> Vec<f64> {
    let mut problem = Problem::new(Element::F64, 1);
    let (filters, count) = (scales.len(), numbers.len());
    let x = problem.holding([filters, count / filters], numbers);
    let scale = match filters {
        1 => problem.holding([], scales),
        _ => problem.holding([filters, 1], scales),
    };
    let element = Element::Int { bits: op.bits, signed: op.signed };
    let mut edit = Edit::new(&mut problem.network);
    let one = edit.constant(Tensor::f64([], vec![1.0]).unwrap());
    let zero = edit.constant(Tensor::from_f64(element, [], &[zero]).unwrap());
    let steps = problem.op(Div {}, &[x, scale]);
    let codes = problem.op(op, &[steps, one, zero]);
    let rounded = problem.op(Dequantise::default(), &[codes, one, zero]);
    let y = problem.op(Mul {}, &[rounded, scale]);
    problem.output(y);
    let network = problem.differentiated().unwrap();
    let dy: Vec<f64> = (1..=count).map(|i| i as f64).collect();
    let dy = Tensor::f64([filters, count / filters], dy).unwrap();
    evaluate::<f64>(&network, &[problem.given[0].clone(), problem.given[1].clone(), dy]).unwrap()[2].to_f64()
}

/// The step size's gradient by equation 3 of Esser et al., ICLR 2020: of a number that is clipped the code that it is
/// clipped to, of another what rounding adds to it, in steps.
fn by_the_paper(x: f64, scale: f64, least: f64, most: f64) -> f64 {
    let steps = x / scale;
    if steps <= least - 0.5 {
        least
    } else if steps >= most + 0.5 {
        most
    } else {
        steps.round_ties_even() - steps
    }
}

#[test]
fn scales_have_the_gradient_of_learned_step_sizes() {
    let mut seed = Seed(0x0073_7465_7073);
    let op = Quantise { bits: 4, ..Quantise::default() };
    let narrow = Quantise { narrow: true, ..op.clone() };
    let unsigned = Quantise { bits: 3, signed: false, ..op.clone() };
    let cases = [(op, 0.0, -8.0, 7.0), (narrow, 0.0, -7.0, 7.0), (unsigned, 2.0, -2.0, 5.0)];
    for (op, zero, least, most) in cases {
        for scales in [vec![0.3], vec![0.25], vec![0.1, 0.7, 2.5]] {
            let numbers: Vec<f64> = (0..30).map(|_| 6.0 * number(&mut seed)).collect();
            let found = of_scale(op.clone(), &scales, zero, &numbers);
            let filter = numbers.len() / scales.len();
            for (i, (&scale, &found)) in scales.iter().zip(&found).enumerate() {
                let terms = numbers.iter().enumerate().skip(i * filter).take(filter);
                let right: f64 =
                    terms.map(|(at, &x)| (at + 1) as f64 * by_the_paper(x, scale, least, most)).sum();
                assert!((found - right).abs() < 1e-9 * right.abs().max(1.0), "{found} instead of {right}");
            }
        }
    }
}

/// Where all numbers are clipped the result is the scale times a code, and nothing is rounded.
#[test]
fn scales_of_clipped_numbers_have_the_derivative() {
    let op = Quantise { bits: 4, ..Quantise::default() };
    let numbers = [-9.0, 8.0, 30.0, -2.5];
    let loss = |scale: f64| -> f64 {
        let code = |x: f64| (x / scale).round_ties_even().clamp(-8.0, 7.0);
        numbers.iter().enumerate().map(|(i, &x)| (i + 1) as f64 * scale * code(x)).sum()
    };
    let (scale, h) = (0.25, 1e-4);
    let right = (loss(scale + h) - loss(scale - h)) / (2.0 * h);
    let found = of_scale(op, &[scale], 0.0, &numbers);
    assert!((found[0] - right).abs() < 1e-6 * right.abs(), "{found:?} instead of {right}");
}

/// The refusal of the gradient of `x` (2 x 3 x 2 x 2) through what `make` puts behind it.
fn refusal(make: impl Fn(&mut Edit<'_>, Value) -> Vec<Value>) -> String {
    let mut network = Network::new();
    let mut edit = Edit::new(&mut network);
    let x = edit.input("x", nonresc_ir::network::ValueType::new(Element::F64, [2, 3, 2, 2]), Batch::Absent);
    let seeds: Vec<(Value, Value)> = make(&mut edit, x).into_iter().map(|y| (y, y)).collect();
    backward(&mut edit, &seeds, &[x]).expect_err("it is refused").to_string()
}

#[test]
fn what_has_no_gradient_is_refused_by_name() {
    let named = |edit: &mut Edit<'_>, name: &str, op: Op, operands: &[Value]| {
        edit.named(Names::one(name)).add(op, operands).unwrap()
    };
    let says = |fault: &str, what: &[&str]| {
        assert!(what.iter().all(|part| fault.contains(part)), "{fault}");
    };
    says(&refusal(|e, x| vec![named(e, "ratio", Div {}.into(), &[x, x])]), &["div \"ratio\"", "divides"]);
    let fault = refusal(|e, x| vec![named(e, "attention", MatMul {}.into(), &[x, x])]);
    says(&fault, &["matmul \"attention\"", "two computed values"]);
    let fault = refusal(|e, x| {
        let y = named(e, "inner", Softmax { axis: 1 }.into(), &[x]);
        vec![named(e, "behind", Relu {}.into(), &[y])]
    });
    says(&fault, &["softmax \"inner\"", "exponentials"]);
    let fault = refusal(|e, x| {
        let y = named(e, "pool", ReduceMean { axes: vec![2, 3], keep_axes: true }.into(), &[x]);
        vec![named(e, "gate", Mul {}.into(), &[x, y])]
    });
    says(&fault, &["mul \"gate\"", "repeated along an axis"]);
    let fault = refusal(|e, x| {
        let y = named(
            e,
            "row",
            Slice { start: vec![0; 4], step: vec![1; 4], len: vec![2, 3, 1, 2] }.into(),
            &[x],
        );
        vec![named(e, "sum", Add {}.into(), &[x, y])]
    });
    says(&fault, &["add \"sum\"", "repeated along an axis"]);
    let fault = refusal(|e, x| {
        let slice = Slice { start: vec![0, 0, 1, 0], step: vec![1, 1, -1, 1], len: vec![2, 3, 2, 2] };
        vec![named(e, "flip", slice.into(), &[x])]
    });
    says(&fault, &["slice \"flip\"", "backwards"]);
    let fault = refusal(|e, x| {
        let slice = Slice { start: vec![1, 0, 0, 0], step: vec![1; 4], len: vec![1, 3, 2, 2] };
        vec![named(e, "second", slice.into(), &[x])]
    });
    says(&fault, &["slice \"second\"", "frames"]);
    // All at once.
    let fault = refusal(|e, x| {
        let a = named(e, "one", Div {}.into(), &[x, x]);
        let b = named(e, "other", MatMul {}.into(), &[x, x]);
        vec![a, b]
    });
    says(&fault, &["div \"one\"", "matmul \"other\""]);
}

#[test]
fn statistics_that_are_more_than_statistics_are_refused() {
    // Batch norm's rule answers for the mean and the variance that it reads; no other reader may have them.
    let statistics = |e: &mut Edit<'_>, x: Value| {
        let mean =
            e.named(Names::one("mean")).add(ReduceMean { axes: vec![0, 2, 3], keep_axes: false }, &[x]);
        let variance = e.named(Names::one("variance")).add(ChannelVariance {}, &[x, mean.clone().unwrap()]);
        [mean.unwrap(), variance.unwrap()]
    };
    for (i, name) in ["reduce_mean \"mean\"", "channel_variance \"variance\""].into_iter().enumerate() {
        let fault = refusal(|e, x| {
            let value = statistics(e, x)[i];
            vec![e.named(Names::one("square")).add(Mul {}, &[value, value]).unwrap()]
        });
        assert!(fault.contains(name), "{fault}");
    }
    let fault = refusal(|e, x| vec![statistics(e, x)[0]]);
    assert!(fault.contains("reduce_mean \"mean\""), "{fault}");
}
