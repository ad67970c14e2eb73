//! Depths of channels from the timing contract, with evidence.

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::stream::Stream;

use crate::design::{Options, StreamDesign};
use crate::pass::{Function, Pass, Property};

/// The pass, for the table.
pub(crate) const PASS: Pass = Pass::on_stream("fifo", "exact depth of every channel, with evidence", run)
    .needs(&[Property::Folded])
    .gives(&[Property::Sized])
    .function(Function::Same);

fn run(design: &mut StreamDesign, options: &Options) -> Result<(), Diagnostics> {
    design.sizing = Some(size(&mut design.stream, &options.fifo)?);
    Ok(())
}

/// How channels are sized.
#[derive(Clone, Debug, Default)]
pub struct FifoOptions {}

/// Depths, interval and their evidence.
#[derive(Clone, Debug)]
pub struct Sizing {}

/// Sizes every channel.
///
/// # Errors
/// Where no depth lets the stream run.
pub fn size(_stream: &mut Stream, _options: &FifoOptions) -> Result<Sizing, Diagnostics> {
    Err(Diagnostic::new("fifo/absent", "fifo", "this pass is not there yet", "use --stop-after fold").into())
}
