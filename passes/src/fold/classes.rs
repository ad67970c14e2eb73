//! Which channels must have equal lanes, and which lanes a class of them can have.
//!
//! Equal lanes: the summands and the result of a sum (merged or not), all channels of one output, the two sides of
//! an activation or a pool, what a tap reads and gives. All readers of a channel have its lanes by nature.

use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::stream::{Kind, Second, Stream};

/// Channels of equal lanes.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// Its channels.
    pub(super) channels: Vec<ChannelId>,
    /// Actors at any end of them.
    pub(super) actors: Vec<ActorId>,
    /// Lanes that it can have: the fewest numbers with padding first, then the fewest lanes.
    pub(super) lanes: Vec<usize>,
}

impl Class {
    /// All channels of the widest map side by side, or what comes nearest.
    pub(super) fn most(&self) -> usize {
        self.lanes.iter().copied().max().unwrap_or(1)
    }
}

/// The classes of a stream, in the order of their first channel, and the class of each channel.
pub(super) fn classes(stream: &Stream) -> (Vec<Class>, Vec<usize>) {
    let channels: Vec<ChannelId> = stream.channels().collect();
    let mut parent: Vec<usize> = (0..channels.len()).collect();
    let mut offsets: Vec<(usize, usize)> = Vec::new();
    for actor in stream.actors() {
        let outputs = stream.outputs(actor, 0);
        let mut equal: Vec<ChannelId> = outputs;
        let mut second: Vec<ChannelId> = stream.outputs(actor, 1);
        match &stream.actor(actor).kind {
            Kind::MatVec(a) => {
                if let Some(add) = a.add {
                    equal.extend(stream.input(actor, 1));
                    offsets.extend(equal.first().map(|c| (c.index(), add.offset)));
                }
                if let Some(Second::Tap { .. }) = a.second {
                    second.extend(stream.input(actor, 0));
                }
            }
            Kind::Sum(a) => {
                equal.extend(stream.input(actor, 0));
                equal.extend(stream.input(actor, 1));
                offsets.extend(equal.first().map(|c| (c.index(), a.offset)));
            }
            Kind::Activate { .. } | Kind::Pool(_) => equal.extend(stream.input(actor, 0)),
            Kind::Source(_) | Kind::Sink(_) | Kind::GlobalPool(_) | Kind::Select(_) | Kind::Convert(_) => {}
        }
        for pair in equal.windows(2).chain(second.windows(2)) {
            let (a, b) = (root(&parent, pair[0].index()), root(&parent, pair[1].index()));
            parent[a.max(b)] = a.min(b);
        }
    }

    let mut class_of = vec![usize::MAX; channels.len()];
    let mut classes: Vec<Class> = Vec::new();
    for &id in &channels {
        let top = root(&parent, id.index());
        if class_of[top] == usize::MAX {
            class_of[top] = classes.len();
            classes.push(Class { channels: Vec::new(), actors: Vec::new(), lanes: Vec::new() });
        }
        let class = class_of[top];
        class_of[id.index()] = class;
        let channel = stream.channel(id);
        classes[class].channels.push(id);
        classes[class].actors.push(channel.writer);
        classes[class].actors.extend(channel.readers.iter().map(|r| r.actor));
    }
    let mut whole = vec![Vec::new(); classes.len()];
    for (channel, offset) in offsets {
        whole[class_of[channel]].push(offset);
    }
    for (class, whole) in classes.iter_mut().zip(&whole) {
        class.actors.sort();
        class.actors.dedup();
        class.lanes = lanes(stream, &class.channels, whole);
    }
    (classes, class_of)
}

fn root(parent: &[usize], mut i: usize) -> usize {
    while parent[i] != i {
        i = parent[i];
    }
    i
}

/// Every useful number of lanes: none that needs as many beats as a smaller one, and all offsets in whole lanes.
fn lanes(stream: &Stream, channels: &[ChannelId], offsets: &[usize]) -> Vec<usize> {
    let maps: Vec<_> = channels.iter().map(|&c| stream.channel(c).map).collect();
    let widest = maps.iter().map(|m| m.channels).max().unwrap_or(1);
    let mut all: Vec<usize> = Vec::new();
    let mut beats = widest;
    while beats >= 1 {
        let lanes = widest.div_ceil(beats);
        if offsets.iter().all(|offset| offset.is_multiple_of(lanes)) && all.last() != Some(&lanes) {
            all.push(lanes);
        }
        // One less than these lanes need.
        beats = widest.div_ceil(lanes) - 1;
    }
    if all.is_empty() {
        all.push(1);
    }
    let carried = |lanes: usize| maps.iter().map(|m| m.pixels() * m.beats(lanes) * lanes).sum::<usize>();
    all.sort_by_key(|&lanes| (carried(lanes), lanes));
    all
}
