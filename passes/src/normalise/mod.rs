//! The normal form of a network: one rule a file, applied until none matches.

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::names::Names;
use nonresc_ir::network::Network;

use crate::design::{NetworkDesign, Options};
use crate::pass::{Function, Pass, Property};

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

/// Brings `network` into normal form; says what was done, in order.
///
/// # Errors
/// Where an edit is refused, which is a fault of a rule.
pub fn normalise(_network: &mut Network) -> Result<Vec<Applied>, Diagnostics> {
    Err(Diagnostic::new("normalise/absent", "normalise", "this pass is not there yet", "use --dump-ir")
        .into())
}
