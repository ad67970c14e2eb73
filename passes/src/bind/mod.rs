//! Memories onto the device's primitives by their real shapes.

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::stream::Stream;

use crate::design::{Options, StreamDesign};
use crate::pass::{Function, Pass, Property};
use crate::target::Target;

/// The pass, for the table.
pub(crate) const PASS: Pass = Pass::on_stream("bind", "memories onto the device's primitives", run)
    .needs(&[Property::Sized])
    .gives(&[Property::Bound])
    .function(Function::ReadOnly);

fn run(design: &mut StreamDesign, options: &Options) -> Result<(), Diagnostics> {
    design.binding = Some(bind(&design.stream, &options.target)?);
    Ok(())
}

/// Memories and what they take of the device.
#[derive(Clone, Debug)]
pub struct Binding {}

/// Binds every memory of the stream.
///
/// # Errors
/// What the device has too little of, itemised.
pub fn bind(_stream: &Stream, _target: &Target) -> Result<Binding, Diagnostics> {
    Err(Diagnostic::new("bind/absent", "bind", "this pass is not there yet", "use --stop-after fifo").into())
}
