//! From a network in normal form to actors and channels, one file an operator family.
//!
//! Every operator becomes an actor, is merged into the actor that gives its operand, or is left to the host where
//! only outputs lie behind it. What hardware cannot take is refused, all of it at once. Actors are unfolded; no
//! cost, device or depth here.
//!
//! - *Merged*: activations into the actor that gives their operand, where nobody else reads it; a sum into the
//!   last matrix-vector among its operands' producers ([`sum`]), else it is an actor.
//! - *Marks*: quantise and dequantise only say how wide the channels are.
//! - *Forks*: a channel for each reader ([`channels`]).
//! - *Skips* that the plan serves from a convolution beside them ([`serve`]).
//! - *Flattened maps* stay maps: a dense layer behind one is a window over the whole map.

mod activation;
mod builder;
mod channels;
mod edges;
mod matvec;
mod pool;
mod refuse;
mod select;
mod serve;
mod shape;
mod sum;

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::id::NodeId;
use nonresc_ir::network::{Network, Op};
use nonresc_ir::stream::{Activation, PoolKind, Stream};

use crate::design::{NetworkDesign, Options};
use crate::known;
use crate::pass::{Function, Pass, Property};
use crate::plan::{Carry, Planned, Site};
use crate::residual::Skips;
use crate::target::Target;
use builder::Builder;

/// The pass, for the table.
pub(crate) const PASS: Pass = Pass::lowering("lower", "from operators to actors and channels", run)
    .needs(&[Property::NormalForm, Property::SkipsKnown, Property::Planned])
    .gives(&[Property::Streaming])
    .function(Function::Same);

fn run(design: &NetworkDesign, options: &Options) -> Result<Stream, Diagnostics> {
    let (sites, carries) = match &design.planned {
        Some(planned) => (&planned.sites[..], &planned.carries[..]),
        None => (&[][..], &[][..]),
    };
    lower(&design.network, &Skipped { skips: design.live_skips(), sites, carries }, &options.target)
}

/// What is known of a network's skips.
#[derive(Clone, Copy, Debug)]
pub struct Skipped<'a> {
    /// Which operands of sums are skips, so that their channels carry the skips' numbers.
    pub skips: &'a Skips,
    /// Which are served by a convolution beside them.
    pub sites: &'a [Site],
    /// Which convolutions hand on what skips carried.
    pub carries: &'a [Carry],
}

impl<'a> Skipped<'a> {
    /// All of them kept.
    pub fn kept(skips: &'a Skips) -> Self {
        Skipped { skips, sites: &[], carries: &[] }
    }
}

impl<'a> From<&'a Planned> for Skipped<'a> {
    fn from(planned: &'a Planned) -> Self {
        Skipped { skips: &planned.skips, sites: &planned.sites, carries: &planned.carries }
    }
}

/// The stream of `network`, unfolded: one multiplier an actor, one number a beat.
///
/// `skips` says which operands of sums are skips, so that their channels carry the skips' numbers. Widths come from
/// the network's quantisation where it has one, else from `target`. `sites` says which skips are served by a convolution
/// beside them. Remarks, such as what the host has to do, are the stream's notes.
///
/// # Errors
/// Every operator that hardware cannot take, by its ONNX name.
pub fn lower(network: &Network, skipped: &Skipped<'_>, target: &Target) -> Result<Stream, Diagnostics> {
    let Some(order) = network.topological() else {
        return Err(refuse::cycle().into());
    };
    let host = edges::host_nodes(network, &order);
    let mut builder = Builder::new(network, skipped.skips, skipped.carries, target);
    for &node in &order {
        if !host.contains(&node) {
            operator(&mut builder, node);
        }
    }
    edges::outputs(&mut builder, &host);
    let shared = serve::serve(&mut builder, skipped.sites);
    let stream = channels::connect(builder, &shared)?;
    if stream.topological().is_none() {
        return Err(refuse::circle(skipped).into());
    }
    Ok(stream)
}

fn operator(b: &mut Builder<'_>, node: NodeId) {
    if let Some(map) = builder::map_of(b.network, node.into())
        && refuse::too_large(map, 0)
        && !known::is_constant(b.network, node.into())
    {
        return refuse::size(b, node, map);
    }
    match b.network.op(node) {
        Op::Const(_) => {}
        Op::Input(_) => edges::input(b, node),
        Op::Conv(a) => matvec::conv(b, node, a),
        Op::Dense(_) => matvec::dense(b, node),
        Op::Add(_) => sum::add(b, node),
        Op::Relu(_) => activation::activate(b, node, Activation::Relu),
        Op::Clip(a) => activation::activate(b, node, Activation::Clip { min: a.min, max: a.max }),
        Op::LeakyRelu(a) => activation::activate(b, node, Activation::LeakyRelu { alpha: a.alpha }),
        Op::MaxPool(a) => pool::max(b, node, a),
        Op::AvgPool(a) => pool::mean(b, node, a),
        Op::GlobalAvgPool(_) => pool::global(b, node, PoolKind::Average { include_pad: false }),
        Op::GlobalMaxPool(_) => pool::global(b, node, PoolKind::Max),
        Op::Slice(a) => select::slice(b, node, a),
        Op::Pad(a) => select::pad(b, node, a),
        Op::Reshape(_) => shape::reshape(b, node),
        Op::Quantise(a) => shape::quantise(b, node, a),
        Op::Dequantise(_) => shape::dequantise(b, node),
        Op::MatMul(_)
        | Op::BatchNorm(_)
        | Op::Sub(_)
        | Op::Mul(_)
        | Op::Div(_)
        | Op::ReduceMean(_)
        | Op::Concat(_)
        | Op::Transpose(_)
        | Op::Softmax(_)
        | Op::Cast(_)
        | Op::IntConv(_)
        | Op::IntDense(_)
        | Op::IntSumPool(_)
        | Op::Requantise(_)
        | nonresc_ir::training_op!() => refuse::operator(b, node),
    }
}
