//! The network's inputs and outputs as streams of beats: what a host must send and what it gets.

use nonresc_ir::id::ActorId;
use nonresc_ir::network::Preprocess;
use nonresc_ir::stream::{Channel, Kind};
use nonresc_passes::design::StreamDesign;
use serde::Serialize;

/// One AXI4-Stream.
#[derive(Clone, Debug, Serialize)]
pub struct Port {
    /// The user's name for the input or output.
    pub name: String,
    /// Id of the source or sink.
    pub actor: u32,
    /// Channels x height x width of a frame.
    pub map: String,
    /// Order of numbers: pixels row by row, each in beats of `lanes` channels, lane 0 in the lowest bits.
    pub order: &'static str,
    /// Numbers a beat.
    pub lanes: usize,
    /// Bits of a number.
    pub bits: u32,
    /// Whether numbers are signed (two's complement).
    pub signed: bool,
    /// Bits of TDATA: lanes x bits, in whole bytes, the least byte first.
    pub tdata_bits: usize,
    /// Beats a frame; the last carries TLAST.
    pub beats: u64,
    /// Lanes of each pixel's last beat that hold nothing.
    pub filler_lanes: usize,
    /// What the host does to raw pixels first: `(x * scale - mean) / std`.
    pub preprocess: Option<HostPreprocess>,
}

/// Preprocessing that the host does, per channel.
#[derive(Clone, Debug, Serialize)]
pub struct HostPreprocess {
    /// Factor on the raw pixel.
    pub scale: f64,
    /// Subtracted after the factor.
    pub mean: Vec<f64>,
    /// Divided by.
    pub std: Vec<f64>,
}

impl From<&Preprocess> for HostPreprocess {
    fn from(p: &Preprocess) -> Self {
        HostPreprocess { scale: p.scale, mean: p.mean.clone(), std: p.std.clone() }
    }
}

pub(super) fn inputs(design: &StreamDesign) -> Vec<Port> {
    let stream = &design.stream;
    let sources = stream.actors().filter(|&id| matches!(stream.actor(id).kind, Kind::Source(_)));
    let preprocess = design.source.network.preprocess().map(HostPreprocess::from);
    sources
        .enumerate()
        .filter_map(|(i, id)| {
            let channel = stream.channel(*stream.outputs(id, 0).first()?);
            let preprocess = if i == 0 { preprocess.clone() } else { None };
            Some(Port { preprocess, ..port(design, id, channel) })
        })
        .collect()
}

pub(super) fn outputs(design: &StreamDesign) -> Vec<Port> {
    let stream = &design.stream;
    let sinks = stream.actors().filter(|&id| matches!(stream.actor(id).kind, Kind::Sink(_)));
    sinks.filter_map(|id| Some(port(design, id, stream.channel(stream.input(id, 0)?)))).collect()
}

fn port(design: &StreamDesign, actor: ActorId, channel: &Channel) -> Port {
    let bits = channel.lanes * channel.bits as usize;
    Port {
        name: design.stream.actor(actor).names.to_string(),
        actor: actor.0,
        map: channel.map.to_string(),
        order: "rows, columns, channels",
        lanes: channel.lanes,
        bits: channel.bits,
        signed: channel.signed,
        tdata_bits: bits.next_multiple_of(8),
        beats: channel.beats(),
        filler_lanes: channel.map.beats(channel.lanes) * channel.lanes - channel.map.channels,
        preprocess: None,
    }
}
