//! How parallel each actor is: PE, SIMD, lanes, form and ports, for a rate on a device.

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::stream::Stream;

use crate::design::{Options, StreamDesign};
use crate::pass::{Function, Pass, Property};
use crate::target::Target;

/// The pass, for the table.
pub(crate) const PASS: Pass =
    Pass::on_stream("fold", "parallelism of each actor: PE, SIMD, lanes, form, ports", run)
        .needs(&[Property::Streaming])
        .gives(&[Property::Folded])
        .function(Function::Same);

fn run(design: &mut StreamDesign, options: &Options) -> Result<(), Diagnostics> {
    design.folding = Some(fold(&mut design.stream, &options.target)?);
    Ok(())
}

/// Why the stream is folded as it is.
#[derive(Clone, Debug)]
pub struct Folding {}

/// Folds every actor and sets the lanes of every channel.
///
/// # Errors
/// What no folding can reach on the device.
pub fn fold(_stream: &mut Stream, _target: &Target) -> Result<Folding, Diagnostics> {
    Err(Diagnostic::new("fold/absent", "fold", "this pass is not there yet", "use --stop-after lower").into())
}
