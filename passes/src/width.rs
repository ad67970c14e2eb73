//! Exact widths of channels and weights: those of the whole numbers that they are.
//!
//! Needs: a stream. Gives: for a quantised network, channels as wide as the codes and sums of its integer network are,
//! sums with the range that their weights and biases allow. A network of floats keeps the widths that it was lowered
//! with, and so do channels of numbers that integers are not made of. Keeps the function.

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::network::Element;
use nonresc_ir::stream::{Kind, Second};

use crate::arithmetic::arithmetic;
use crate::design::{Options, StreamDesign};
use crate::integers;
use crate::pass::{Function, Pass, Property};

/// The pass, for the table.
pub(crate) const PASS: Pass = Pass::on_stream("width", "exact widths of channels and weights", run)
    .needs(&[Property::Streaming])
    .gives(&[Property::Widths])
    .function(Function::Same);

fn run(design: &mut StreamDesign, _: &Options) -> Result<(), Diagnostics> {
    // What integers are not made of is refused where hardware is asked for, not where it is estimated.
    let Ok(made) = integers::without_proofs(&design.source.network) else { return Ok(()) };
    let stream = &mut design.stream;
    let channels: Vec<_> = stream.channels().collect();
    for id in channels {
        let value = stream.channel(id).value.and_then(|value| made.of(value));
        if let Some(Element::Int { bits, signed }) = value.map(|value| made.network.ty(value).element) {
            let channel = stream.channel_mut(id);
            (channel.bits, channel.signed) = (bits.into(), signed);
        }
    }
    let Ok(numbers) = arithmetic(stream, &made) else { return Ok(()) };
    let actors: Vec<_> = stream.actors().collect();
    for id in actors {
        let [own, beside] = numbers.weight_bits(id);
        if let Kind::MatVec(a) = &mut stream.actor_mut(id).kind {
            a.weight_bits = own.unwrap_or(a.weight_bits);
            if let Some(Second::Projection(p)) = &mut a.second {
                p.weight_bits = beside.unwrap_or(p.weight_bits);
            }
        }
    }
    Ok(())
}
