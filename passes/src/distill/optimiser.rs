//! What becomes of gradients: momentum or moments of each parameter, decay of weights, clipping.
//!
//! Parameters and gradients are numbers by name; which network they belong to is not known here. Everything is done
//! name by name, number by number, so that the result is the same on every machine.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::scales::is_scale;

/// How a parameter follows its gradient `g`, at rate `r`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Method {
    /// Stochastic gradient descent: `v = momentum * v + g`, `p -= r * v`; with Nesterov's look ahead
    /// `p -= r * (g + momentum * v)` (Sutskever et al., ICML 2013, in the form that PyTorch gives it).
    Sgd {
        /// Share of the last change that is kept, in 0..1.
        momentum: f64,
        /// Whether it looks ahead.
        nesterov: bool,
    },
    /// Moments with decoupled decay (Loshchilov and Hutter, ICLR 2019): `m = beta1 * m + (1 - beta1) * g`,
    /// `s = beta2 * s + (1 - beta2) * g^2`, and at a parameter's step `t`
    /// `p -= r * m / (1 - beta1^t) / (sqrt(s / (1 - beta2^t)) + epsilon)`.
    AdamW {
        /// Share of the mean that is kept, in 0..1.
        beta1: f64,
        /// Share of the mean square that is kept, in 0..1.
        beta2: f64,
        /// Keeps the quotient finite, above 0.
        epsilon: f64,
    },
}

impl Default for Method {
    fn default() -> Self {
        Method::Sgd { momentum: 0.9, nesterov: true }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Method::Sgd { momentum, nesterov: false } => write!(f, "sgd:{momentum}"),
            Method::Sgd { momentum, nesterov: true } => write!(f, "nesterov:{momentum}"),
            Method::AdamW { beta1, beta2, epsilon } => write!(f, "adamw:{beta1},{beta2},{epsilon}"),
        }
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, rest) = text.split_once(':').unwrap_or((text, ""));
        let numbers: Option<Vec<f64>> =
            rest.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect();
        let share = |x: f64| (0.0..1.0).contains(&x);
        let adam_w = |beta1, beta2, epsilon| Some(Method::AdamW { beta1, beta2, epsilon });
        let found = match (word, numbers.as_deref()) {
            ("sgd", Some(&[])) => Some(Method::Sgd { momentum: 0.0, nesterov: false }),
            ("nesterov", Some(&[])) => Some(Method::default()),
            ("sgd" | "nesterov", Some(&[momentum])) => {
                Some(Method::Sgd { momentum, nesterov: word == "nesterov" })
            }
            ("adamw", Some(&[])) => Some(ADAM_W),
            ("adamw", Some(&[beta1, beta2])) => adam_w(beta1, beta2, 1e-8),
            ("adamw", Some(&[beta1, beta2, epsilon])) => adam_w(beta1, beta2, epsilon),
            _ => None,
        };
        let holds = |method: &Method| match *method {
            Method::Sgd { momentum, .. } => share(momentum),
            Method::AdamW { beta1, beta2, epsilon } => {
                share(beta1) && share(beta2) && epsilon > 0.0 && epsilon.is_finite()
            }
        };
        found.filter(holds).ok_or_else(|| {
            format!("\"{text}\" is no optimiser: sgd:0.9, nesterov:0.9, adamw:0.9,0.999; shares are below 1")
        })
    }
}

/// What is remembered of a parameter: as many numbers as it has, in each buffer.
#[derive(Clone, Debug, Default, PartialEq)]
struct Slot {
    /// The momentum, or the mean.
    first: Vec<f32>,
    /// The mean square; empty where the method has none.
    second: Vec<f32>,
    /// Steps that were taken. Counts up to 2^24, where no correction is left to be made.
    steps: f32,
}

/// The words under which a slot's parts are kept.
const PARTS: [&str; 3] = ["first", "second", "steps"];

/// The usual shares of moments; scales of codes follow so where the method has none.
const ADAM_W: Method = Method::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/// A method and what it remembers of each parameter.
#[derive(Clone, Debug)]
pub struct Optimiser {
    method: Method,
    weight_decay: f64,
    clip_norm: Option<f64>,
    slots: BTreeMap<String, Slot>,
}

impl Optimiser {
    /// An optimiser that has seen nothing. `weight_decay` is the factor of L2 that [`step`](Self::step) explains,
    /// `clip_norm` the longest gradient.
    pub fn new(method: Method, weight_decay: f64, clip_norm: Option<f64>) -> Self {
        Optimiser { method, weight_decay, clip_norm, slots: BTreeMap::new() }
    }

    /// Changes `params` along `grads` at this rate; returns the norm of all gradients as they were given.
    ///
    /// A gradient that is longer than the limit is shortened to it first, all parameters by one factor (Pascanu et
    /// al., ICML 2013). Parameters for whose name `decayed` holds decay: with [`Method::Sgd`] `weight_decay * p` is
    /// added to the gradient, with [`Method::AdamW`] `p -= rate * weight_decay * p` comes first. Scales of codes follow by
    /// their logarithm to the base 2, with moments as of [`Method::AdamW`] whatever the method is. Parameters without
    /// gradient stay, gradients without parameter count for nothing, and what was remembered of parameters that are
    /// gone is forgotten. Where the norm is no finite number nothing is changed: the caller must look at it.
    ///
    /// # Panics
    /// Where a gradient has not as many numbers as its parameter.
    pub fn step(
        &mut self,
        rate: f64,
        params: &mut BTreeMap<String, Vec<f32>>,
        grads: &BTreeMap<String, Vec<f32>>,
        decayed: &dyn Fn(&str) -> bool,
    ) -> f64 {
        self.slots.retain(|name, _| params.contains_key(name));
        let squares = grads.iter().filter(|(name, _)| params.contains_key(*name)).map(|(_, g)| square(g));
        let norm = squares.sum::<f64>().sqrt();
        if !norm.is_finite() {
            return norm;
        }
        let clip = self.clip_norm.filter(|&most| norm > most).map_or(1.0, |most| most / norm) as f32;
        for (name, param) in params {
            let Some(grad) = grads.get(name) else { continue };
            assert_eq!(grad.len(), param.len(), "the gradient of \"{name}\" is of another size");
            let method = self.method_of(name);
            let slot = self.slots.entry(name.clone()).or_default();
            slot.first.resize(param.len(), 0.0);
            slot.steps += 1.0;
            let decay = if decayed(name) { self.weight_decay } else { 0.0 };
            match method {
                Method::AdamW { beta1, beta2, epsilon } if is_scale(name) => {
                    slot.second.resize(param.len(), 0.0);
                    rescale(param, grad, slot, &AdamW { rate, beta1, beta2, epsilon, decay: 0.0, clip });
                }
                Method::Sgd { momentum, nesterov } => {
                    sgd(param, grad, slot, &Sgd { rate, momentum, nesterov, decay, clip });
                }
                Method::AdamW { beta1, beta2, epsilon } => {
                    slot.second.resize(param.len(), 0.0);
                    adam_w(param, grad, slot, &AdamW { rate, beta1, beta2, epsilon, decay, clip });
                }
            }
        }
        norm
    }

    /// How a parameter follows its gradient.
    fn method_of(&self, name: &str) -> Method {
        match (self.method, is_scale(name)) {
            (Method::Sgd { .. }, true) => ADAM_W,
            (method, _) => method,
        }
    }

    /// What is remembered, as `(NAME/PART, numbers)` by name; [`restore`](Self::restore) takes it.
    pub fn state(&self) -> Vec<(String, Vec<f32>)> {
        let parts = |(name, slot): (&String, &Slot)| {
            let parts = [slot.first.clone(), slot.second.clone(), vec![slot.steps]];
            let name = name.clone();
            PARTS.into_iter().zip(parts).map(move |(part, numbers)| (format!("{name}/{part}"), numbers))
        };
        self.slots.iter().flat_map(parts).filter(|(_, numbers)| !numbers.is_empty()).collect()
    }

    /// Remembers what [`state`](Self::state) gave, for these parameters, and nothing else.
    ///
    /// # Errors
    /// State of no parameter, of another size, of another method, or of which a part is missing.
    pub fn restore(
        &mut self,
        params: &BTreeMap<String, Vec<f32>>,
        state: impl IntoIterator<Item = (String, Vec<f32>)>,
    ) -> Result<(), String> {
        let mut slots: BTreeMap<String, Slot> = BTreeMap::new();
        for (key, numbers) in state {
            let (name, part) = key.rsplit_once('/').ok_or_else(|| format!("\"{key}\" is no state"))?;
            if !params.contains_key(name) {
                return Err(format!("state of \"{name}\", which is no parameter"));
            }
            let slot = slots.entry(name.to_string()).or_default();
            match (part, numbers.as_slice()) {
                ("first", _) => slot.first = numbers,
                ("second", _) => slot.second = numbers,
                ("steps", &[steps]) if steps >= 1.0 => slot.steps = steps,
                _ => return Err(format!("\"{key}\" is no state")),
            }
        }
        for (name, slot) in &slots {
            let length = params[name].len();
            let second = if matches!(self.method_of(name), Method::AdamW { .. }) { length } else { 0 };
            if slot.first.len() != length || slot.second.len() != second || slot.steps < 1.0 {
                return Err(format!("the state of \"{name}\" is not that of {} and its size", self.method));
            }
        }
        self.slots = slots;
        Ok(())
    }
}

/// The sum of the squares, in eight sums side by side: their order is fixed, and they fit one register.
fn square(numbers: &[f32]) -> f64 {
    let (rows, rest) = numbers.as_chunks::<8>();
    let mut sums = [0.0f64; 8];
    for row in rows {
        sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x) * f64::from(x));
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>()
}

struct Sgd {
    rate: f64,
    momentum: f64,
    nesterov: bool,
    decay: f64,
    clip: f32,
}

fn sgd(param: &mut [f32], grad: &[f32], slot: &mut Slot, how: &Sgd) {
    let (rate, momentum, decay) = (how.rate as f32, how.momentum as f32, how.decay as f32);
    for ((p, v), &g) in param.iter_mut().zip(&mut slot.first).zip(grad) {
        let g = g * how.clip + decay * *p;
        *v = momentum * *v + g;
        *p -= rate * if how.nesterov { g + momentum * *v } else { *v };
    }
}

struct AdamW {
    rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    decay: f64,
    clip: f32,
}

fn adam_w(param: &mut [f32], grad: &[f32], slot: &mut Slot, how: &AdamW) {
    let steps = f64::from(slot.steps);
    let mean_rate = (how.rate / (1.0 - how.beta1.powf(steps))) as f32;
    let root = (1.0 / (1.0 - how.beta2.powf(steps)).sqrt()) as f32;
    let kept = (1.0 - how.rate * how.decay) as f32;
    let [b1, c1, b2, c2] = [how.beta1, 1.0 - how.beta1, how.beta2, 1.0 - how.beta2].map(|x| x as f32);
    let epsilon = how.epsilon as f32;
    let moments = slot.first.iter_mut().zip(&mut slot.second);
    for ((p, (m, s)), &g) in param.iter_mut().zip(moments).zip(grad) {
        let g = g * how.clip;
        *m = b1 * *m + c1 * g;
        *s = b2 * *s + c2 * g * g;
        *p = *p * kept - mean_rate * *m / (s.sqrt() * root + epsilon);
    }
}

/// Scales follow the gradient by their logarithm to the base 2, which is `p ln 2` times that by themselves, so that they
/// move by shares of themselves and stay above 0.
fn rescale(param: &mut [f32], grad: &[f32], slot: &mut Slot, how: &AdamW) {
    let grad: Vec<f32> = grad.iter().zip(&*param).map(|(g, p)| g * p * std::f32::consts::LN_2).collect();
    let mut change = vec![0.0; param.len()];
    adam_w(&mut change, &grad, slot, how);
    param.iter_mut().zip(change).for_each(|(p, change)| *p *= change.exp2());
}

#[cfg(test)]
mod tests {
    use super::{Method, Optimiser};
    use std::collections::BTreeMap;

    type Numbers = BTreeMap<String, Vec<f32>>;

    fn one(name: &str, numbers: &[f32]) -> Numbers {
        BTreeMap::from([(name.to_string(), numbers.to_vec())])
    }

    fn near(found: f32, wanted: f64) {
        assert!((f64::from(found) - wanted).abs() < 1e-6, "{found} is not {wanted}");
    }

    /// Momentum as the sum of all gradients, older ones weighing less.
    #[test]
    fn momentum_is_a_weighted_sum_of_the_gradients() {
        let gradients = [0.5, -0.25, 1.0, 0.125];
        for nesterov in [false, true] {
            let mut optimiser = Optimiser::new(Method::Sgd { momentum: 0.9, nesterov }, 0.0, None);
            let mut params = one("w", &[1.0]);
            for g in gradients {
                optimiser.step(0.1, &mut params, &one("w", &[g as f32]), &|_| true);
            }
            let momentum =
                |t: usize| (0..=t).map(|i| 0.9f64.powi((t - i) as i32) * gradients[i]).sum::<f64>();
            let change = |t: usize| if nesterov { gradients[t] + 0.9 * momentum(t) } else { momentum(t) };
            near(params["w"][0], 1.0 - 0.1 * (0..4).map(change).sum::<f64>());
        }
    }

    #[test]
    fn decay_of_sgd_is_a_part_of_the_gradient() {
        let mut optimiser = Optimiser::new(Method::Sgd { momentum: 0.5, nesterov: false }, 0.1, None);
        let mut params = one("w", &[2.0]);
        params.insert("bias".into(), vec![2.0]);
        let mut grads = one("w", &[1.0]);
        grads.insert("bias".into(), vec![1.0]);
        for _ in 0..2 {
            optimiser.step(0.5, &mut params, &grads, &|name| name == "w");
        }
        // w: v = 1.2, w = 1.4; then v = 0.6 + 1.14 = 1.74, w = 0.53. bias: v = 1, 1.5; v = 1.5, 0.75.
        near(params["w"][0], 0.53);
        near(params["bias"][0], 0.75);
    }

    #[test]
    fn adam_divides_the_mean_by_the_root_of_the_mean_square() {
        let (beta1, beta2, epsilon, rate, decay) = (0.9f64, 0.99f64, 1e-3, 0.01, 0.1);
        let mut optimiser = Optimiser::new(Method::AdamW { beta1, beta2, epsilon }, decay, None);
        let mut params = one("w", &[1.0]);
        let gradients: [f64; 3] = [0.5, -0.25, 1.0];
        for g in gradients {
            optimiser.step(rate, &mut params, &one("w", &[g as f32]), &|_| true);
        }
        // The corrected moments are means with weights that sum to 1.
        let mean = |beta: f64, t: usize, power: i32| {
            let weights: Vec<f64> = (0..=t).map(|i| beta.powi((t - i) as i32)).collect();
            let sum: f64 = weights.iter().sum();
            weights.iter().zip(gradients).map(|(w, g)| w * g.powi(power)).sum::<f64>() / sum
        };
        let mut wanted = 1.0;
        for t in 0..3 {
            wanted -= rate * decay * wanted;
            wanted -= rate * mean(beta1, t, 1) / (mean(beta2, t, 2).sqrt() + epsilon);
        }
        near(params["w"][0], wanted);
    }

    /// Whatever unit they are in, and whatever the method of others.
    #[test]
    fn scales_move_by_shares_of_themselves() {
        let method = Method::Sgd { momentum: 0.9, nesterov: true };
        let rate = 0.5;
        let moved = |unit: f32| {
            let mut optimiser = Optimiser::new(method, 0.1, None);
            let mut params = one("behind/w.step", &[0.25 * unit, 0.25 * unit]);
            for _ in 0..3 {
                // By the logarithm they are the same each time.
                let grads = [0.5 / params["behind/w.step"][0], -2.0 / params["behind/w.step"][1]];
                optimiser.step(rate, &mut params, &one("behind/w.step", &grads), &|_| true);
            }
            params["behind/w.step"].clone()
        };
        // Of gradients that stay the same the mean over the root of the mean square is their sign: three halvings, or
        // doublings, by half an exponent each.
        for unit in [1.0, 1024.0] {
            let found = moved(unit);
            near(found[0] / unit, 0.25 * 2f64.powf(-3.0 * rate));
            near(found[1] / unit, 0.25 * 2f64.powf(3.0 * rate));
        }
    }

    #[test]
    fn long_gradients_are_shortened_together() {
        let mut optimiser = Optimiser::new(Method::Sgd { momentum: 0.0, nesterov: false }, 0.0, Some(2.5));
        let mut params = one("a", &[0.0]);
        params.insert("b".into(), vec![0.0; 9]);
        let mut grads = one("a", &[3.0]);
        grads.insert("b".into(), [vec![0.0; 8], vec![4.0]].concat());
        grads.insert("of nothing".into(), vec![100.0]);
        let norm = optimiser.step(1.0, &mut params, &grads, &|_| true);
        assert_eq!(norm, 5.0);
        near(params["a"][0], -1.5);
        near(params["b"][8], -2.0);
        grads.insert("a".into(), vec![f32::INFINITY]);
        let before = params.clone();
        assert!(!optimiser.step(1.0, &mut params, &grads, &|_| true).is_finite());
        assert_eq!(params, before);
    }

    #[test]
    fn training_goes_on_from_a_state_as_if_it_had_never_stopped() {
        for method in ["nesterov:0.9", "adamw"].map(|text| text.parse::<Method>().unwrap()) {
            let mut whole = Optimiser::new(method, 1e-2, None);
            let mut params = one("layer/w", &[1.0, -1.0]);
            let grads = one("layer/w", &[0.3, 0.7]);
            whole.step(0.1, &mut params, &grads, &|_| true);
            let mut later = Optimiser::new(method, 1e-2, None);
            later.restore(&params, whole.state()).unwrap();
            let mut copy = params.clone();
            whole.step(0.1, &mut params, &grads, &|_| true);
            later.step(0.1, &mut copy, &grads, &|_| true);
            assert_eq!(params, copy);
            assert_eq!(whole.state(), later.state());
        }
    }

    #[test]
    fn state_that_does_not_fit_is_refused() {
        let mut adam = Optimiser::new("adamw".parse().unwrap(), 0.0, None);
        let params = one("w", &[1.0]);
        let state = |entries: &[(&str, &[f32])]| -> Vec<(String, Vec<f32>)> {
            entries.iter().map(|(name, numbers)| (name.to_string(), numbers.to_vec())).collect()
        };
        for (bad, word) in [
            (state(&[("x/first", &[1.0])]), "no parameter"),
            (state(&[("w/first", &[1.0]), ("w/steps", &[1.0])]), "adamw"),
            (state(&[("w/first", &[1.0]), ("w/second", &[1.0])]), "adamw"),
            (state(&[("w/first", &[1.0, 2.0]), ("w/second", &[1.0]), ("w/steps", &[1.0])]), "size"),
            (state(&[("w/third", &[1.0])]), "no state"),
            (state(&[("w/steps", &[f32::NAN])]), "no state"),
        ] {
            let fault = adam.restore(&params, bad).unwrap_err();
            assert!(fault.contains(word), "{fault}");
        }
    }

    #[test]
    fn parameters_that_are_gone_are_forgotten() {
        let mut optimiser = Optimiser::new(Method::default(), 0.0, None);
        let grads = one("w", &[1.0]);
        optimiser.step(0.1, &mut one("w", &[1.0]), &grads, &|_| true);
        assert_eq!(optimiser.state().len(), 2);
        optimiser.step(0.1, &mut one("v", &[1.0]), &grads, &|_| true);
        assert_eq!(optimiser.state(), []);
    }

    #[test]
    fn methods_are_read_as_they_are_written() {
        for text in ["sgd:0.5", "nesterov:0.9", "adamw:0.9,0.999,0.00000001"] {
            assert_eq!(text.parse::<Method>().unwrap().to_string(), text);
        }
        for text in ["adam", "sgd:1", "sgd:x", "adamw:0.9", "nesterov:NaN", ""] {
            assert!(text.parse::<Method>().unwrap_err().contains("no optimiser"), "{text}");
        }
    }
}
