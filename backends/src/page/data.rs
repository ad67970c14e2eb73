//! What the page's pictures need and `schedule.json` does not hold: names, what becomes of skips, reasons in words.

use nonresc_ir::id::{ActorId, NodeId};
use nonresc_ir::names::Names;
use nonresc_passes::area::Role;
use nonresc_passes::bind::{Binding, actor_label};
use nonresc_passes::cost::Variant;
use nonresc_passes::design::StreamDesign;
use nonresc_passes::fifo::{Sizing, occupancy, why};
use nonresc_passes::plan::Rewrite;
use serde::Serialize;

use super::Content;

/// Stretches of time that occupancy is told in: as fine as a picture shows.
const STRETCHES: u64 = 90;

/// The second block of data.
#[derive(Serialize)]
pub(super) struct More {
    /// The model's file.
    model: String,
    /// The device's block RAM.
    pub(super) block_ram: &'static str,
    /// The device's large blocks, where it has some.
    pub(super) large_block: Option<&'static str>,
    /// A name for each actor, in the order of the schedule.
    pub(super) labels: Vec<String>,
    /// The skips of the network as given.
    pub(super) skips: Vec<Skip>,
    /// The skips by the numbers that channels of the design carry: number, label in the network as given.
    carried: Vec<(usize, String)>,
    /// Of each memory of the schedule's `memories`: whose it is and what it holds.
    pub(super) memories: Vec<(u32, &'static str)>,
    /// Why each channel is as deep as it is, in the order of the schedule.
    pub(super) whys: Vec<Why>,
    /// Steps of circles of waiting, in words, each once.
    steps: Vec<String>,
    /// How full channels are until the first frame has left, where that is not too much to find out.
    occupancy: Option<Held>,
}

/// How full channels are.
#[derive(Serialize)]
struct Held {
    /// Clocks from reset on, which the stretches divide.
    clocks: u64,
    /// For each channel, the most words in each stretch.
    most: Vec<Vec<u64>>,
}

/// A skip of the network as given.
#[derive(Serialize)]
pub(super) struct Skip {
    pub(super) label: String,
    pub(super) shape: String,
    pub(super) names: Vec<String>,
    /// Ids of the actors that hold its two ends, where the design still has them.
    source: Option<u32>,
    join: Option<u32>,
    /// As plans write it.
    pub(super) rewrite: &'static str,
    /// What became of it, in a word.
    pub(super) became: &'static str,
    /// Whether the function stays.
    pub(super) same_function: bool,
}

/// Why a channel is as deep as it is.
#[derive(Serialize)]
pub(super) struct Why {
    pub(super) sentence: String,
    /// The circle of waiting: places in `steps`, and how often each comes.
    circle: Vec<(usize, usize)>,
}

impl More {
    pub(super) fn new(content: &Content<'_>, sizing: &Sizing, binding: &Binding) -> More {
        let design = content.design;
        let stream = &design.stream;
        let mut steps: Vec<String> = Vec::new();
        let mut place = |words: String| {
            steps.iter().position(|known| *known == words).unwrap_or_else(|| {
                steps.push(words);
                steps.len() - 1
            })
        };
        let whys = sizing.channels.iter().map(|depth| {
            let why = why(stream, depth);
            let circle = why.circle.into_iter().map(|step| (place(step.words), step.times)).collect();
            Why { sentence: why.sentence, circle }
        });
        let whys = whys.collect();
        let own = |role: Role| Some((role.actor()?.0, role.content()));
        More {
            model: content.model.to_string(),
            block_ram: binding.device.family.block_name(),
            large_block: binding.device.family.uram().map(|_| "URAM288"),
            labels: stream.actors().map(|id| actor_label(stream, id)).collect(),
            skips: skips(content),
            carried: carried(content),
            memories: binding.memories.iter().filter_map(|bound| own(bound.memory.role)).collect(),
            whys,
            steps,
            occupancy: occupancy(design, STRETCHES).map(|o| Held { clocks: o.clocks, most: o.most }),
        }
    }
}

fn skips(content: &Content<'_>) -> Vec<Skip> {
    let network = &content.given.network;
    let names_of = |node: NodeId| &network.node(node).names;
    let skip = |skip: &nonresc_passes::residual::Skip| {
        let rewrite = content.plan.map_or(Rewrite::Keep, |plan| plan.rewrite(&skip.label));
        Skip {
            label: skip.label.clone(),
            shape: skip.shape.to_string(),
            names: skip.names.iter().map(str::to_string).collect(),
            source: holder(content.design, names_of(skip.source.node)).map(|id| id.0),
            join: holder(content.design, &skip.names).map(|id| id.0),
            rewrite: rewrite.name(),
            became: Variant::All(rewrite).name(),
            same_function: rewrite.keeps_function(),
        }
    };
    content.given.skips.iter().map(skip).collect()
}

/// The actor that does what the nodes of these names did.
fn holder(design: &StreamDesign, names: &Names) -> Option<ActorId> {
    let stream = &design.stream;
    let has = |id: &ActorId| names.iter().any(|name| stream.actor(*id).names.iter().any(|own| own == name));
    stream.actors().find(has)
}

/// Channels carry numbers of the skips of the network that was lowered; after retraining that has fewer than the network
/// that was given. The names of their sums are the same.
fn carried(content: &Content<'_>) -> Vec<(usize, String)> {
    let ends = |skip: &nonresc_passes::residual::Skip| (skip.names.first().map(str::to_string), skip.operand);
    let given = |own: &nonresc_passes::residual::Skip| {
        let found = content.given.skips.iter().find(|skip| ends(skip) == ends(own));
        (own.number, found.unwrap_or(own).label.clone())
    };
    content.design.source.live_skips().iter().map(given).collect()
}
