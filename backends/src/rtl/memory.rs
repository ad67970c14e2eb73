//! The memory of a channel as it is bound: its layout, and the word by which synthesis knows what it is made of.

use nonresc_ir::id::ChannelId;
use nonresc_ir::stream::Stream;
use nonresc_passes::bind::{Binding, Primitive};
use nonresc_passes::control::{Layout, Storage};

/// The word by which synthesis knows a primitive.
pub(super) fn style(primitive: Primitive) -> &'static str {
    match primitive {
        Primitive::Registers | Primitive::ShiftRegister => "registers",
        Primitive::LutRam => "distributed",
        Primitive::Wires | Primitive::LogicRom => "logic",
        Primitive::Block => "block",
        Primitive::UltraRam => "ultra",
    }
}

/// The layout of a channel, and its style; nothing where its readers read it side by side in different ways.
pub(super) fn channel(
    stream: &Stream,
    id: ChannelId,
    bound: Option<&Binding>,
) -> Option<(Layout, &'static str)> {
    let primitive = bound.and_then(|bound| bound.channel(id)).map(|bound| bound.made_of.primitive);
    let storage = match primitive {
        // Without a binding the text of a design does not hang on depths.
        None => Storage::Open,
        Some(Primitive::ShiftRegister) => Storage::Chain,
        Some(_) => Storage::Addressed,
    };
    Some((Layout::of(stream, id, storage)?, primitive.map_or("auto", style)))
}
