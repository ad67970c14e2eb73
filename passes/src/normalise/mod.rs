//! The normal form of a network: one rule a file, applied until none matches.
//!
//! What: every spelling of a residual network becomes one. In normal form, activations are N C H W, and a
//! network whose integers are not its own holds only these:
//! - `conv` and `dense` with constant weights and a bias where one is needed; nothing affine beside them;
//!   weights that the file gives as integer codes are `dequantise` of constants,
//! - `relu`, `clip`, `leaky_relu`; `add` of two activations; `max_pool`, `avg_pool` and their global forms,
//! - `slice` and `pad` where pixels or channels are dropped or zeros stand in for them (option A of the
//!   residual paper), the slice first; `concat`,
//! - `reshape` in front of a dense layer, to one axis of features in C H W order, or at an output;
//!   `softmax` at an output.
//!
//! Layouts, casts and scalings at the edges have become facts of the ports and of
//! [`Preprocess`](nonresc_ir::network::Preprocess). `quantise` and `dequantise` of activations stay where they
//! are, but for equal ones behind a fork, which are one in front of it. What has no rule stays as it is, and lowering says so.
//!
//! Needs: nothing. Gives: normal form. Function: the same, up to rounding of folded weights.
//!
//! Before and after:
//! ```text
//! %3 = conv %0 %1 pad=[1,1,1,1]              %2 = conv %0 %1' %b pad=[1,1,1,1]
//! %8 = batch_norm %3 %4 %5 %6 %7
//! ```

mod activation;
mod affine;
mod affine_as_conv;
mod affine_of_arithmetic;
mod constant;
mod crop_pad;
mod dense_order;
mod equal;
mod fold_affine;
mod fold_pad;
mod idle;
mod input_port;
mod linear;
mod mean;
mod merge_affine;
mod merge_moves;
mod narrow_codes;
mod nonnegative;
mod output_port;
mod preprocess;
mod product_as_dense;
mod rewrite;
mod sink_pad;
mod sink_reshape;
mod sink_transpose;
mod sum;
mod whole_pool;
mod zero_bias;
mod zero_concat;

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::names::Names;
use nonresc_ir::network::{Edit, Network};

use crate::design::{NetworkDesign, Options};
use crate::pass::{Function, Pass, Property};
use rewrite::Rule;

/// The pass, for the table.
pub(crate) const PASS: Pass =
    Pass::on_network("normalise", "one form for every spelling: conv, relu, add, pools, dense", run)
        .gives(&[Property::NormalForm])
        .function(Function::Same);

fn run(design: &mut NetworkDesign, _options: &Options) -> Result<(), Diagnostics> {
    design.applied = normalise(&mut design.network)?;
    Ok(())
}

/// A rule that was applied, and to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The rule's name.
    pub rule: &'static str,
    /// The ONNX names of the node that it matched.
    pub names: Names,
}

/// All rules, in the order in which they are tried on a node.
const RULES: &[Rule] = &[
    Rule::new("move-codes", constant::move_codes),
    Rule::new("fold-constant", constant::fold),
    Rule::new("drop-idle", idle::drop),
    Rule::new("zero-bias", zero_bias::drop),
    Rule::new("input-layout", input_port::layout),
    Rule::new("input-cast", input_port::cast),
    Rule::new("output-layout", output_port::layout),
    Rule::new("output-cast", output_port::cast),
    Rule::new("merge-transposes", merge_moves::transposes),
    Rule::new("merge-reshapes", merge_moves::reshapes),
    Rule::new("merge-slices", merge_moves::slices),
    Rule::new("merge-pads", merge_moves::pads),
    Rule::new("crop-pad", crop_pad::crop),
    Rule::new("sink-transpose", sink_transpose::sink),
    Rule::new("sink-reshape", sink_reshape::sink),
    Rule::new("product-as-dense", product_as_dense::recognise),
    Rule::new("dense-order", dense_order::reorder),
    Rule::new("preprocess", preprocess::take),
    Rule::new("affine-of-arithmetic", affine_of_arithmetic::recognise),
    Rule::new("double", sum::double),
    Rule::new("difference", sum::difference),
    Rule::new("merge-affine", merge_affine::merge),
    Rule::new("fold-affine-back", fold_affine::back),
    Rule::new("fold-affine-forward", fold_affine::forward),
    Rule::new("narrow-codes", narrow_codes::narrow),
    Rule::new("merge-activations", activation::merge),
    Rule::new("clip-as-relu", activation::clip_as_relu),
    Rule::new("merge-equal", equal::merge),
    Rule::new("hoist-equal", equal::hoist),
    Rule::new("sink-pad", sink_pad::sink),
    Rule::new("fold-pad", fold_pad::fold),
    Rule::new("zero-concat", zero_concat::pad),
    Rule::new("mean-as-pool", mean::pool),
    Rule::new("whole-pool", whole_pool::global),
];

/// What is tried as well once the others have come to rest: an affine map that found no weights to go into.
const LAST: &[Rule] = &[Rule::new("affine-as-conv", affine_as_conv::convolve)];

/// The names of all rules, in the order in which they are tried.
pub fn rules() -> impl Iterator<Item = &'static str> {
    RULES.iter().chain(LAST).map(Rule::name)
}

/// Brings `network` into normal form; says what was done, in order.
///
/// # Errors
/// Where an edit is refused, which is a fault of a rule.
pub fn normalise(network: &mut Network) -> Result<Vec<Applied>, Diagnostics> {
    let mut applied = Vec::new();
    let mut edit = Edit::new(network);
    rewrite::to_fixed_point(&mut edit, RULES, &mut applied)?;
    rewrite::to_fixed_point(&mut edit, &[RULES, LAST].concat(), &mut applied)?;
    edit.remove_dead();
    Ok(applied)
}
