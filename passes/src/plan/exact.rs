//! A skip carried through the convolutions beside it: each hands the skip's channels on by rows of weights that are 1 at
//! one tap and 0 elsewhere, and the last adds them. The function stays, and the sum goes.
//!
//! Sound only where the activations on the way leave the carried numbers alone: behind a rectifier the numbers must
//! not be negative, within a clip they must lie inside of its limits. The method is that of RMNet (reserve and merge).

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::names::Names;
use nonresc_ir::network::{Conv, Edit, EditError, Network, Op, Pair};
use nonresc_ir::tensor::Tensor;

use super::chain::{Link, chain, extent, path, window};
use crate::range;
use crate::residual::Skip;

/// A convolution that hands channels on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carry {
    /// The convolution.
    pub conv: NodeId,
    /// Its last outputs, which are inputs handed on.
    pub passed: usize,
    /// Its last inputs, which are carried and not multiplied.
    pub carried: usize,
    /// The first output that these are added to, where they are not passed on.
    pub offset: usize,
}

/// How a skip can be carried.
pub(super) struct Way {
    links: Vec<Link>,
    /// Channels that are carried.
    channels: usize,
    /// The first channel of the sum that they are added to.
    offset: usize,
}

/// How the skip can be carried; else why it cannot.
pub(super) fn way(network: &Network, skip: &Skip) -> Result<Way, String> {
    let links = chain(network, skip)?;
    let (stride, offset) = subsampled(network, skip)?;
    let Some((channels, ..)) = network.ty(skip.source).shape.chw() else {
        return Err("it carries no map".into());
    };
    if links.len() < 2 {
        return Err("beside it is one convolution: there is nothing to carry it through".into());
    }
    let (low, high) = range::bounds(network, skip.source);
    for (i, link) in links.iter().enumerate() {
        let Op::Conv(a) = network.op(link.conv) else { continue };
        let operands = network.operands(link.conv);
        if a.groups != 1 {
            return Err(
                "a convolution beside it has groups, and none of them has room for its channels".into()
            );
        }
        if operands[1..].iter().any(|&v| network.constant(v).is_none()) {
            return Err("the weights of a convolution beside it are not stored as numbers".into());
        }
        let steps = if i == 0 { stride } else { Pair::ONE };
        let (read, given) = (extent(network, operands[0]), extent(network, link.conv.into()));
        let same_places = read.zip(given).is_some_and(|(read, given)| {
            (read.h.div_ceil(steps.h), read.w.div_ceil(steps.w)) == (given.h, given.w)
        });
        if a.stride != steps || !same_places || window(network, link.conv, a).own_tap().is_none() {
            return Err("a convolution beside it does not see the pixel that is carried".into());
        }
        let kept = match link.then.map(|then| network.op(then)) {
            Some(Op::Relu(_) | Op::LeakyRelu(_)) => low >= 0.0,
            Some(Op::Clip(clip)) => low >= clip.min && high <= clip.max,
            _ => true,
        };
        if !kept {
            return Err(format!(
                "its numbers may lie anywhere from {low} to {high}, and an activation beside it would change them"
            ));
        }
    }
    Ok(Way { links, channels, offset })
}

/// The stride of a skip that hands pixels on as they are, and the channel of the sum that its first one is added to.
fn subsampled(network: &Network, skip: &Skip) -> Result<(Pair, usize), String> {
    let other = || "it does more than hand its numbers on".to_string();
    let path = path(network, skip).ok_or_else(other)?;
    let (mut stride, mut offset) = (Pair::ONE, 0);
    for &(node, _) in &path[1..] {
        match network.op(node) {
            Op::Pad(a) => {
                let sides = |sides: &[usize]| sides.iter().enumerate().all(|(axis, &n)| axis == 1 || n == 0);
                if a.value != 0.0 || !sides(&a.before) || !sides(&a.after) {
                    return Err(other());
                }
                offset += a.before.get(1).copied().unwrap_or(0);
            }
            Op::Slice(a) => {
                let read = &network.ty(network.operands(node)[0]).shape.0;
                let steps: Option<Vec<usize>> =
                    a.step.iter().map(|&step| usize::try_from(step).ok()).collect();
                let whole = a.start.iter().all(|&start| start == 0)
                    && steps.as_ref().is_some_and(|steps| {
                        let left = read.iter().zip(steps).map(|(n, step)| n.div_ceil(*step));
                        steps[..2] == [1, 1] && left.eq(a.len.iter().copied())
                    });
                match steps {
                    Some(steps) if whole && steps.len() == 4 && stride == Pair::ONE => {
                        stride = Pair { h: steps[2], w: steps[3] };
                    }
                    _ => return Err(other()),
                }
            }
            _ => return Err(other()),
        }
    }
    Ok((stride, offset))
}

/// Carries the skip; gives which convolutions hand it on.
pub(super) fn rewrite(network: &mut Network, skip: &Skip) -> Result<Vec<Carry>, String> {
    let way = way(network, skip)?;
    let failed = |fault: EditError| fault.to_string();
    let (mut edit, mut carries, mut x) = (Edit::new(network), Vec::new(), skip.source);
    let last = way.links.len() - 1;
    for (i, link) in way.links.iter().enumerate() {
        let Op::Conv(a) = edit.op(link.conv).clone() else { continue };
        let (passed, carried) =
            (if i == last { 0 } else { way.channels }, if i == 0 { 0 } else { way.channels });
        let widened = Widened { conv: link.conv, passed, carried, offset: way.offset };
        let (weights, bias) = widened.constants(&edit, &a);
        let names = edit.node(link.conv).names.clone();
        edit.named(Names::default());
        let mut operands = vec![x, edit.constant(weights)];
        operands.extend(bias.map(|bias| edit.constant(bias)));
        edit.named(names);
        x = edit.add(a, &operands).map_err(failed)?;
        carries.push(Carry { conv: x.node, passed, carried, offset: way.offset });
        if let Some(then) = link.then {
            let (op, names) = (edit.op(then).clone(), edit.node(then).names.clone());
            edit.named(names);
            x = edit.add(op, &[x]).map_err(failed)?;
        }
    }
    edit.named(Names::default());
    edit.replace(Value::from(skip.join), x).map_err(failed)?;
    edit.remove_dead();
    Ok(carries)
}

/// A convolution with more channels.
struct Widened {
    conv: NodeId,
    passed: usize,
    carried: usize,
    offset: usize,
}

impl Widened {
    /// Its weights and bias.
    fn constants(&self, network: &Network, a: &Conv) -> (Tensor, Option<Tensor>) {
        let operands = network.operands(self.conv);
        let tensor = |i: usize| operands.get(i).and_then(|&v| network.constant(v));
        let old = tensor(1).expect("the way was looked at");
        let (shape, numbers) = (&old.shape().0, old.to_f64());
        let (outputs, inputs, taps) = (shape[0], shape[1], shape[2] * shape[3]);
        let window = window(network, self.conv, a);
        let own = window.own_tap().expect("the way was looked at");
        let own = own.h * window.kernel.w + own.w;
        let all_inputs = inputs + self.carried;
        let mut weights = vec![0.0; (outputs + self.passed) * all_inputs * taps];
        for o in 0..outputs {
            let (from, to) = (o * inputs * taps, o * all_inputs * taps);
            weights[to..to + inputs * taps].copy_from_slice(&numbers[from..from + inputs * taps]);
        }
        let mut one = |output: usize, input: usize| weights[(output * all_inputs + input) * taps + own] = 1.0;
        for channel in 0..self.passed {
            // The first convolution reads the source itself, the others what is carried.
            one(outputs + channel, if self.carried == 0 { channel } else { inputs + channel });
        }
        for channel in 0..if self.passed == 0 { self.carried } else { 0 } {
            one(self.offset + channel, inputs + channel);
        }
        let element = old.element();
        let shape = [outputs + self.passed, all_inputs, shape[2], shape[3]];
        let weights = Tensor::from_f64(element, shape, &weights).expect("a tensor of that shape");
        let bias = tensor(2).map(|bias| {
            let mut numbers = bias.to_f64();
            numbers.resize(outputs + self.passed, 0.0);
            Tensor::from_f64(bias.element(), [outputs + self.passed], &numbers)
                .expect("a tensor of that shape")
        });
        (weights, bias)
    }
}
