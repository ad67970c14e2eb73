//! One step of training as a network: from a batch, its labels and the parameters to the loss, the scores, the gradients
//! and the batch's statistics.
//!
//! Needs: a student and the batch. Gives: a network in the same IR, which any engine runs and which is written as ordinary
//! ONNX. Every parameter is an input. Losses (N images, K classes, z scores, t labels as ones and zeros, z' the teacher's
//! scores) have a weight each, which is an input as well:
//!
//! - `hard`: cross entropy, `-1/N sum t log softmax(z)`;
//! - `logits`: `1/(N K) sum (z - z')^2`;
//! - `soft`: `T^2/N sum p' (log p' - log p)`, p and p' being the softmax of z / T and z' / T (Hinton, Vinyals and Dean,
//!   2015: T^2 keeps the gradient's size the same at any temperature);
//! - `features`: for each value that teacher and student both have, the mean of the squares of their difference.
//!
//! The gradient of a scale that is trained comes multiplied by its [factor](super::scales::Learned::factor).

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::names::Names;
use nonresc_ir::network::{
    Add, Batch, BatchNorm, ChannelVariance, Edit, EditError, Element, InputPort, LogSoftmax, Mul, Network,
    Op, ReduceMean, Shape, Softmax, Sub, ValueType,
};
use nonresc_ir::tensor::Tensor;

use super::gradient::{backward, statistic_axes};
use super::recipe;
use super::student::{Student, bare};

/// What the loss is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// Mean squared difference of scores.
    pub logits: bool,
    /// Divergence of softened scores, at this temperature.
    pub soft: Option<f64>,
    /// Nodes whose values are to be as the teacher's.
    pub features: Vec<NodeId>,
}

impl Terms {
    /// What losses ask for, features apart.
    pub fn of(losses: &recipe::Losses) -> Terms {
        let soft = (losses.soft.value > 0.0).then_some(losses.temperature);
        Terms { logits: losses.logits.value > 0.0, soft, features: Vec::new() }
    }

    /// Whether a teacher's scores are asked for.
    pub fn needs_scores(&self) -> bool {
        self.logits || self.soft.is_some()
    }
}

/// A step of training.
#[derive(Clone, Debug)]
pub struct Step {
    /// The network. Inputs: `images`, `labels`, `teacher` (with a loss by scores), `feature.I`, `weight.LOSS`, `fade.I`,
    /// then the parameters by name. Outputs: `loss`, `scores`, `gradient.NAME` of each parameter, then the batch's
    /// statistics by name.
    pub network: Network,
    /// Names of the parameters, in the order of the inputs and of the gradients.
    pub parameters: Vec<String>,
    /// Names of the statistics, in the order of the outputs.
    pub statistics: Vec<String>,
    /// Names of the losses whose weights are inputs, in their order.
    pub losses: Vec<&'static str>,
}

impl Step {
    /// The step of a student for batches of `images` images.
    ///
    /// # Errors
    /// Operators that have no gradient, by name; batches that the network does not take.
    pub fn new(student: &Student, images: usize, terms: &Terms) -> Result<Step, Diagnostics> {
        let mut network = student.network.clone();
        let mut edit = Edit::new(&mut network);
        edit.set_batch(images).map_err(own)?;
        let scores = edit.outputs()[0].value;
        bare(&mut edit);
        let port = edit.inputs()[0].clone();
        let ty = edit.ty(port.node.into()).clone();
        edit.set_input(0, InputPort { name: "images".into(), batch: Batch::Fixed(images), ..port }, ty);
        edit.retain_outputs(|_| false);
        let mut statistics = Vec::new();
        for norm in student.layers.iter().filter_map(|layer| layer.norm.as_ref()) {
            statistics.extend(on_the_batch(&mut edit, norm).map_err(own)?);
        }
        let scores_ty = edit.ty(scores).clone();
        let labels = edit.input("labels", scores_ty.clone(), Batch::Fixed(images));
        let teacher =
            terms.needs_scores().then(|| edit.input("teacher", scores_ty.clone(), Batch::Fixed(images)));
        let mut features = Vec::new();
        for &node in &terms.features {
            if edit.contains(node) {
                let ty = edit.ty(node.into()).clone();
                let wanted = edit.input(&format!("feature.{}", node.0), ty, Batch::Fixed(images));
                features.push((Value::from(node), wanted));
            }
        }
        let mut made = Losses { edit: &mut edit, total: None, seeds: Vec::new(), losses: Vec::new() };
        made.all(scores, labels, teacher, terms, &features).map_err(own)?;
        let Losses { total, seeds, losses, .. } = made;
        for (i, &fade) in student.fades.iter().enumerate() {
            let input = scalar_input(&mut edit, &format!("fade.{i}"));
            edit.redirect(fade, input).map_err(own)?;
        }
        let mut held = student.parameters();
        held.sort_by(|a, b| a.name.cmp(&b.name));
        let mut inputs = BTreeMap::new();
        for parameter in &held {
            let ty = edit.ty(parameter.value).clone();
            let input = edit.input(&parameter.name, ty, Batch::Absent);
            edit.redirect(parameter.value, input).map_err(own)?;
            inputs.insert(parameter.name.clone(), input);
        }
        let wanted: Vec<Value> = inputs.values().copied().collect();
        let gradients = backward(&mut edit, &seeds, &wanted)?;
        edit.named(Names::default());
        if let Some(total) = total {
            edit.output("loss", total, Batch::Absent);
        }
        edit.output("scores", scores, Batch::Fixed(images));
        for (name, input) in &inputs {
            let gradient = match gradients.get(input) {
                Some(&gradient) => match student.steps.iter().find(|step| step.held.name == *name) {
                    Some(step) => times(&mut edit, gradient, step.factor).map_err(own)?,
                    None => gradient,
                },
                None => {
                    let ty = edit.ty(*input).clone();
                    edit.constant(zeros(&ty)?)
                }
            };
            edit.output(&format!("gradient.{name}"), gradient, Batch::Absent);
        }
        for (name, value) in &statistics {
            edit.output(name, *value, Batch::Absent);
        }
        edit.remove_dead();
        Ok(Step {
            network,
            parameters: inputs.into_keys().collect(),
            statistics: statistics.into_iter().map(|(name, _)| name).collect(),
            losses,
        })
    }
}

/// Makes a batch norm normalise by the statistics of the batch; gives these, by name.
fn on_the_batch(edit: &mut Edit<'_>, norm: &super::student::Norm) -> Result<[(String, Value); 2], EditError> {
    let operands = edit.operands(norm.node);
    let x = operands[0];
    let names = edit.node(norm.node).names.clone();
    edit.named(names);
    let axes = statistic_axes(edit.ty(x).shape.rank());
    let mean = edit.add(ReduceMean { axes, keep_axes: false }, &[x])?;
    let variance = edit.add(ChannelVariance {}, &[x, mean])?;
    let Op::BatchNorm(BatchNorm { epsilon }) = *edit.op(norm.node) else {
        return Err(EditError("a batch norm that is none".into()));
    };
    let normal = edit.add(BatchNorm { epsilon }, &[x, operands[1], operands[2], mean, variance])?;
    edit.redirect(norm.node.into(), normal)?;
    Ok([(norm.mean.name.clone(), mean), (norm.variance.name.clone(), variance)])
}

fn scalar_input(edit: &mut Edit<'_>, name: &str) -> Value {
    edit.input(name, ValueType::new(Element::F32, Shape(Vec::new())), Batch::Absent)
}

/// A gradient times a number.
fn times(edit: &mut Edit<'_>, gradient: Value, factor: f64) -> Result<Value, EditError> {
    let factor = Tensor::f32([], vec![factor as f32]).ok_or_else(|| EditError("no number".into()))?;
    let factor = edit.constant(factor);
    edit.add(Mul {}, &[gradient, factor])
}

fn zeros(ty: &ValueType) -> Result<Tensor, Diagnostics> {
    let tensor = Tensor::f32(ty.shape.clone(), vec![0.0; ty.shape.len()]);
    tensor.ok_or_else(|| own(EditError("a parameter of no shape".into())))
}

/// The loss under construction.
struct Losses<'e, 'n> {
    edit: &'e mut Edit<'n>,
    total: Option<Value>,
    /// Values and the loss's gradients by them.
    seeds: Vec<(Value, Value)>,
    losses: Vec<&'static str>,
}

impl Losses<'_, '_> {
    fn all(
        &mut self,
        scores: Value,
        labels: Value,
        teacher: Option<Value>,
        terms: &Terms,
        features: &[(Value, Value)],
    ) -> Result<(), EditError> {
        self.hard(scores, labels)?;
        if let (Some(teacher), true) = (teacher, terms.logits) {
            let weight = self.weight("logits");
            self.squares(weight, scores, teacher)?;
        }
        if let (Some(teacher), Some(temperature)) = (teacher, terms.soft) {
            self.soft(scores, teacher, temperature)?;
        }
        if !features.is_empty() {
            let weight = self.weight("features");
            for &(own, wanted) in features {
                self.squares(weight, own, wanted)?;
            }
        }
        Ok(())
    }

    fn weight(&mut self, loss: &'static str) -> Value {
        self.losses.push(loss);
        scalar_input(self.edit, &format!("weight.{loss}"))
    }

    fn number(&mut self, number: f64) -> Value {
        let tensor = Tensor::f32([], vec![number as f32]).expect("one number");
        self.edit.constant(tensor)
    }

    /// `weight * factor * sum of all elements`, added to the loss.
    fn term(&mut self, weight: Value, elements: Value, factor: f64) -> Result<(), EditError> {
        let shape = self.edit.ty(elements).shape.clone();
        let mean =
            self.edit.add(ReduceMean { axes: (0..shape.rank()).collect(), keep_axes: false }, &[elements])?;
        let factor = self.number(factor * shape.len() as f64);
        let sum = self.edit.add(Mul {}, &[mean, factor])?;
        let term = self.edit.add(Mul {}, &[sum, weight])?;
        self.total = Some(match self.total {
            Some(total) => self.edit.add(Add {}, &[total, term])?,
            None => term,
        });
        Ok(())
    }

    /// `weight * factor * gradient` is one of `value`.
    fn seed(&mut self, weight: Value, value: Value, gradient: Value, factor: f64) -> Result<(), EditError> {
        let factor = self.number(factor);
        let factor = self.edit.add(Mul {}, &[weight, factor])?;
        let seed = self.edit.add(Mul {}, &[gradient, factor])?;
        self.seeds.push((value, seed));
        Ok(())
    }

    fn hard(&mut self, scores: Value, labels: Value) -> Result<(), EditError> {
        let weight = self.weight("hard");
        let images = self.edit.ty(scores).shape.0[0] as f64;
        let logarithms = self.edit.add(LogSoftmax { axis: 1 }, &[scores])?;
        let own = self.edit.add(Mul {}, &[labels, logarithms])?;
        self.term(weight, own, -1.0 / images)?;
        let chances = self.edit.add(Softmax { axis: 1 }, &[scores])?;
        let over = self.edit.add(Sub {}, &[chances, labels])?;
        self.seed(weight, scores, over, 1.0 / images)
    }

    fn squares(&mut self, weight: Value, own: Value, wanted: Value) -> Result<(), EditError> {
        let count = self.edit.ty(own).shape.len() as f64;
        let over = self.edit.add(Sub {}, &[own, wanted])?;
        let squares = self.edit.add(Mul {}, &[over, over])?;
        self.term(weight, squares, 1.0 / count)?;
        self.seed(weight, own, over, 2.0 / count)
    }

    fn soft(&mut self, scores: Value, teacher: Value, temperature: f64) -> Result<(), EditError> {
        let weight = self.weight("soft");
        let images = self.edit.ty(scores).shape.0[0] as f64;
        let cool = self.number(1.0 / temperature);
        let own = self.edit.add(Mul {}, &[scores, cool])?;
        let wanted = self.edit.add(Mul {}, &[teacher, cool])?;
        let [own_log, wanted_log] = [own, wanted].map(|z| self.edit.add(LogSoftmax { axis: 1 }, &[z]));
        let [own_chance, wanted_chance] = [own, wanted].map(|z| self.edit.add(Softmax { axis: 1 }, &[z]));
        let (own_chance, wanted_chance) = (own_chance?, wanted_chance?);
        let distance = self.edit.add(Sub {}, &[wanted_log?, own_log?])?;
        let weighted = self.edit.add(Mul {}, &[wanted_chance, distance])?;
        self.term(weight, weighted, temperature * temperature / images)?;
        let over = self.edit.add(Sub {}, &[own_chance, wanted_chance])?;
        self.seed(weight, scores, over, temperature / images)
    }
}

fn own(error: EditError) -> Diagnostics {
    Diagnostic::new(
        "distill/step",
        "the step of training",
        error.to_string(),
        "report this as a fault of nonresc",
    )
    .into()
}
