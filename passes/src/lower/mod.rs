//! From a network in normal form to actors and channels, one file an operator family.

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::network::Network;
use nonresc_ir::stream::Stream;

use crate::design::{NetworkDesign, Options};
use crate::pass::{Function, Pass, Property};
use crate::residual::Skips;
use crate::target::Target;

/// The pass, for the table.
pub(crate) const PASS: Pass = Pass::lowering("lower", "from operators to actors and channels", run)
    .needs(&[Property::NormalForm, Property::SkipsKnown, Property::Planned])
    .gives(&[Property::Streaming])
    .function(Function::Same);

fn run(design: &NetworkDesign, options: &Options) -> Result<Stream, Diagnostics> {
    lower(&design.network, design.live_skips(), &options.target)
}

/// The stream of `network`: one actor an operator, unfolded.
///
/// # Errors
/// Every operator that has no actor.
pub fn lower(_network: &Network, _skips: &Skips, _target: &Target) -> Result<Stream, Diagnostics> {
    Err(Diagnostic::new("lower/absent", "lower", "this pass is not there yet", "use --stop-after plan")
        .into())
}
