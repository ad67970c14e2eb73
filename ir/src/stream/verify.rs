//! The invariants of streams, numbered. A pass that breaks one is at fault, never the user's file.
//!
//! - **S01** channels lead from actor to actor without a cycle.
//! - **S02** each input of an actor is read through one channel, each output is written to one at least; a channel
//!   has a reader; no port is there that the kind does not have.
//! - **S03** a channel's map is what its writer gives and what its readers read.
//! - **S04** no extent, lane, bit, kernel, stride or dilation is 0.
//! - **S05** an output's map is what the window or rectangle gives on the input's.
//! - **S06** groups divide the channels on both sides.
//! - **S07** a fold lies within its actor: PE within the outputs, SIMD within a window, one port or one a kernel row,
//!   taps within the kernel, the stationary form only over the whole map.
//! - **S08** all channels of one output have the same lanes, since one phase gives to all of them.
//! - **S09** summands have the lanes of the sum; what is added lies within it, at an offset of whole lanes.
//! - **S10** the beats of a channel's frame and the phases of a pixel fit 32 bits, a map at most [`MAX_PIXELS`].
//! - **S11** every beat is written once a frame, and every reader frees every place once a frame.
//! - **S12** a depth, where there is one, is at least 1.
//! - **S13** a second output is given by the held form alone: a tap where every pixel passes its kernel row once, in
//!   the lanes that are read; a projection whose fold lies within it.
//! - **S14** channels are carried by the held form alone, without groups, from a pixel within its window; what is added
//!   lies within the output, and what is passed is what is taken, or as many of the input's.
//!
//! S11 is asked of the phase lists, and only where all others hold.

use super::actor::{Carry, Fold, Form, Kind, Map, MatVec, Second, Select, Window};
use super::graph::{Channel, Stream};
use super::phases::phases;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::id::{ActorId, ChannelId};
use crate::network::{Pair, Sides};

/// The most pixels of a map: 4,096 x 4,096.
pub const MAX_PIXELS: usize = 1 << 24;

/// Whether all invariants hold.
///
/// # Errors
/// Every place at which one does not, with its number in the code.
pub fn verify(stream: &Stream) -> Result<(), Diagnostics> {
    let mut check = Check { stream, faults: Diagnostics::default() };
    for id in stream.channels() {
        check.channel(id);
    }
    for id in stream.actors() {
        check.ports(id);
        check.actor(id);
    }
    if check.faults.is_empty() && stream.topological().is_none() {
        check.faults.push(fault("stream/S01", "the stream".into(), "its channels lead in a circle".into()));
    }
    if check.faults.is_empty() {
        check.lanes();
    }
    if check.faults.is_empty() {
        check.balance();
    }
    check.faults.or(())
}

fn fault(code: &'static str, what: String, why: String) -> Diagnostic {
    Diagnostic::new(code, what, why, "a pass broke the stream: please report it with the model")
}

struct Check<'a> {
    stream: &'a Stream,
    faults: Diagnostics,
}

impl Check<'_> {
    fn actor_fault(&mut self, code: &'static str, id: ActorId, why: impl Into<String>) {
        let what = format!("actor {id} \"{}\"", self.stream.actor(id).names);
        self.faults.push(fault(code, what, why.into()));
    }

    fn channel_fault(&mut self, code: &'static str, id: ChannelId, why: impl Into<String>) {
        self.faults.push(fault(code, format!("channel {id}"), why.into()));
    }

    fn channel(&mut self, id: ChannelId) {
        let channel = self.stream.channel(id);
        if channel.readers.is_empty() {
            self.channel_fault("stream/S02", id, "nobody reads it");
        }
        let writer = &self.stream.actor(channel.writer).kind;
        if channel.output >= writer.outputs() {
            self.channel_fault("stream/S02", id, format!("its writer has no output {}", channel.output));
        } else if writer.output_map(channel.output) != channel.map {
            let given = writer.output_map(channel.output);
            let why = format!("it carries {}, its writer gives {given}", channel.map);
            self.channel_fault("stream/S03", id, why);
        }
        for reader in &channel.readers {
            let kind = &self.stream.actor(reader.actor).kind;
            if reader.input >= kind.inputs() {
                let why = format!("its reader {} has no input {}", reader.actor, reader.input);
                self.channel_fault("stream/S02", id, why);
            } else if kind.input_map(reader.input) != channel.map {
                let map = kind.input_map(reader.input);
                let why = format!("it carries {}, its reader {} reads {map}", channel.map, reader.actor);
                self.channel_fault("stream/S03", id, why);
            }
        }
        if channel.lanes == 0 || channel.bits == 0 {
            self.channel_fault("stream/S04", id, "it has no lanes, or numbers of no bits");
        } else if beats(channel).is_none_or(|beats| beats >= 1 << 32) {
            self.channel_fault("stream/S10", id, "its beats of a frame do not fit 32 bits");
        }
        if channel.depth == Some(0) {
            self.channel_fault("stream/S12", id, "it has no places");
        }
    }

    fn ports(&mut self, id: ActorId) {
        let kind = &self.stream.actor(id).kind;
        let readers = || self.stream.channels().flat_map(|c| &self.stream.channel(c).readers);
        for input in 0..kind.inputs() {
            let channels = readers().filter(|r| (r.actor, r.input) == (id, input)).count();
            if channels != 1 {
                self.actor_fault("stream/S02", id, format!("{channels} channels lead to its input {input}"));
            }
        }
        for output in 0..kind.outputs() {
            if self.stream.outputs(id, output).is_empty() {
                self.actor_fault("stream/S02", id, format!("no channel takes its output {output}"));
            }
        }
    }

    fn actor(&mut self, id: ActorId) {
        let kind = &self.stream.actor(id).kind;
        let maps = (0..kind.inputs())
            .map(|i| kind.input_map(i))
            .chain((0..kind.outputs()).map(|i| kind.output_map(i)));
        for map in maps {
            if map.channels == 0 || map.height == 0 || map.width == 0 {
                self.actor_fault("stream/S04", id, format!("a map of {map} is empty"));
            } else if map.height.checked_mul(map.width).is_none_or(|pixels| pixels > MAX_PIXELS) {
                self.actor_fault("stream/S10", id, format!("a map of {map} has too many pixels"));
            }
        }
        match kind {
            Kind::MatVec(a) => self.matrix_vector(id, a),
            Kind::Pool(a) => {
                if a.input.channels != a.output.channels {
                    self.actor_fault("stream/S05", id, "it gives other channels than it reads");
                }
                self.window(id, a.input, a.output, &a.window, Last::Begins);
            }
            Kind::Select(a) => self.select(id, a),
            Kind::Sum(a) => self.summand(id, a.output, a.channels, a.offset, &[0, 1]),
            Kind::Source(_)
            | Kind::Sink(_)
            | Kind::GlobalPool(_)
            | Kind::Activate { .. }
            | Kind::Convert(_) => {}
        }
    }

    fn matrix_vector(&mut self, id: ActorId, a: &MatVec) {
        if a.carry.passed >= a.output.channels || a.carry.taken >= a.input.channels {
            return self.actor_fault("stream/S14", id, "it carries all of its channels");
        }
        self.window(id, a.input, a.output, &a.window, Last::Ends);
        let divides = |channels: usize| a.groups > 0 && channels.is_multiple_of(a.groups);
        if !divides(a.input.channels) || !divides(a.output.channels) {
            let why = format!("{} groups do not divide {} and {}", a.groups, a.input, a.output);
            return self.actor_fault("stream/S06", id, why);
        }
        if let Err(why) = fold(a) {
            self.actor_fault("stream/S07", id, why);
        } else if a.input_folds().checked_mul(a.output_folds()).is_none_or(|phases| phases >= 1 << 32) {
            self.actor_fault("stream/S10", id, "the phases of a pixel do not fit 32 bits");
        }
        if let Some(add) = a.add {
            self.summand(id, a.output, add.channels, add.offset, &[1]);
        }
        if a.carry != Carry::NONE
            && let Err(why) = carried(a)
        {
            self.actor_fault("stream/S14", id, why);
        }
        if let Some(second) = &a.second
            && let Err(why) = served(a, second)
        {
            self.actor_fault("stream/S13", id, why);
        }
    }

    fn window(&mut self, id: ActorId, input: Map, output: Map, window: &Window, last: Last) {
        let Window { kernel, stride, pad, dilation } = *window;
        let Sides { top, left, bottom, right } = pad;
        if [kernel, stride, dilation].iter().any(|p| p.h == 0 || p.w == 0) {
            return self.actor_fault("stream/S04", id, "a kernel, stride or dilation is 0");
        }
        let rows = [input.height, top, bottom, kernel.h, stride.h, dilation.h, output.height];
        let columns = [input.width, left, right, kernel.w, stride.w, dilation.w, output.width];
        for (axis, [extent, before, after, taps, stride, dilation, places]) in
            [("rows", rows), ("columns", columns)]
        {
            let fits = (|| {
                let padded = extent.checked_add(before)?.checked_add(after)?;
                let reach = (taps - 1).checked_mul(dilation)?.checked_add(1)?;
                let whole = padded.checked_sub(reach).map_or(0, |room| room / stride + 1);
                Some(match last {
                    Last::Ends => places == whole,
                    Last::Begins => places >= whole && places.checked_sub(1)?.checked_mul(stride)? < padded,
                })
            })();
            if fits != Some(true) {
                let why = format!("a window of {window} does not give {places} {axis} on {input}");
                self.actor_fault("stream/S05", id, why);
            }
        }
    }

    fn select(&mut self, id: ActorId, a: &Select) {
        if a.stride.h == 0 || a.stride.w == 0 {
            return self.actor_fault("stream/S04", id, "a stride is 0");
        }
        let inside = |start: usize, stride: usize, places: usize, extent: usize| {
            let last = places.checked_sub(1).and_then(|n| n.checked_mul(stride)?.checked_add(start));
            last.is_some_and(|last| last < extent)
        };
        let rows = inside(a.start.h, a.stride.h, a.output.height, a.input.height);
        let columns = inside(a.start.w, a.stride.w, a.output.width, a.input.width);
        if !rows || !columns {
            self.actor_fault("stream/S05", id, "its rectangle leaves the map");
        }
        if a.first_channel >= a.input.channels || a.zeros_before >= a.output.channels {
            self.actor_fault("stream/S05", id, "it keeps no channel");
        }
    }

    /// `inputs` have the lanes of the output, and what is added lies within it.
    fn summand(&mut self, id: ActorId, output: Map, channels: usize, offset: usize, inputs: &[u16]) {
        if offset.checked_add(channels).is_none_or(|end| end > output.channels) {
            let why = format!("{channels} channels at {offset} do not lie within {}", output.channels);
            self.actor_fault("stream/S09", id, why);
        }
        let lanes = |c: ChannelId| self.stream.channel(c).lanes;
        let Some(out) = self.stream.outputs(id, 0).first().map(|&c| lanes(c)) else { return };
        let others = inputs.iter().filter_map(|&i| self.stream.input(id, i));
        if let Some(other) = others.map(lanes).find(|&other| other != out) {
            self.actor_fault("stream/S09", id, format!("a summand has {other} lanes, the sum {out}"));
        }
        if out > 0 && !offset.is_multiple_of(out) {
            self.actor_fault("stream/S09", id, format!("offset {offset} is not in whole lanes of {out}"));
        }
    }

    fn lanes(&mut self) {
        for id in self.stream.actors() {
            let kind = &self.stream.actor(id).kind;
            if let Kind::MatVec(MatVec { second: Some(Second::Tap { .. }), .. }) = kind {
                let [given, read] = [self.stream.outputs(id, 1).first().copied(), self.stream.input(id, 0)]
                    .map(|c| c.map(|c| self.stream.channel(c).lanes));
                if given != read {
                    self.actor_fault("stream/S13", id, "its tap is given in other lanes than it reads");
                }
            }
            for output in 0..kind.outputs() {
                let lanes: Vec<usize> =
                    self.stream.outputs(id, output).iter().map(|&c| self.stream.channel(c).lanes).collect();
                if lanes.windows(2).any(|pair| pair[0] != pair[1]) {
                    self.actor_fault(
                        "stream/S08",
                        id,
                        format!("output {output} is given in {lanes:?} lanes"),
                    );
                }
            }
        }
    }

    fn balance(&mut self) {
        for id in self.stream.actors() {
            let list = phases(self.stream, id);
            let kind = &self.stream.actor(id).kind;
            for output in 0..kind.outputs() {
                for channel in self.stream.outputs(id, output) {
                    let (given, beats) = (list.given(output), self.stream.channel(channel).beats());
                    if given != beats {
                        let why = format!("its writer gives {given} of {beats} beats a frame");
                        self.channel_fault("stream/S11", channel, why);
                    }
                }
            }
            for input in 0..kind.inputs() {
                let Some(channel) = self.stream.input(id, input) else { continue };
                let ((need, free), beats) = (list.taken(input), self.stream.channel(channel).beats());
                if (need, free) != (beats, beats) {
                    let why = format!("{id} waits for {need} and frees {free} of {beats} beats a frame");
                    self.channel_fault("stream/S11", channel, why);
                }
            }
        }
    }
}

/// Where the last window lies.
#[derive(Clone, Copy)]
enum Last {
    /// Wholly within the padded map, as far as there is room.
    Ends,
    /// It begins there, and may hang over: pools that round their size up.
    Begins,
}

fn beats(channel: &Channel) -> Option<usize> {
    let pixels = channel.map.height.checked_mul(channel.map.width)?;
    pixels.checked_mul(channel.map.beats(channel.lanes))
}

fn carried(a: &MatVec) -> Result<(), String> {
    let Carry { passed, taken, offset } = a.carry;
    if !matches!(a.fold.form, Form::Held { .. }) || a.groups != 1 || a.window.own_tap().is_none() {
        return Err("it carries channels without holding their pixel".into());
    }
    let source = if taken == 0 { a.input.channels } else { taken };
    let passes = passed == 0 || passed == source;
    let adds = passed > 0 || offset.checked_add(taken).is_some_and(|end| end <= a.output.channels);
    if passes && adds { Ok(()) } else { Err(format!("it passes {passed} and adds {taken} at {offset}")) }
}

fn served(a: &MatVec, second: &Second) -> Result<(), String> {
    if !matches!(a.fold.form, Form::Held { .. }) {
        return Err("a second output is given by another form than the held one".into());
    }
    match second {
        Second::Tap { row } => {
            let w = &a.window;
            let (last_row, last_column) =
                ((a.output.height - 1) * w.stride.h, (a.output.width - 1) * w.stride.w);
            let on_map = last_row < a.input.height && last_column < a.input.width;
            match a.tap_lag(*row) {
                Some(_) if on_map => Ok(()),
                _ => Err(format!("not every pixel passes kernel row {row} of a window of {w}")),
            }
        }
        Second::Projection(p) => {
            let within = |n: usize, most: usize| (1..=most).contains(&n);
            let input = a.input.channels;
            if a.window.own_tap().is_none() {
                Err(format!("a window of {} does not hold the pixel that is projected", a.window))
            } else if a.groups == 0 || !within(p.pe, p.channels) || !within(p.simd, input) {
                Err(format!("PE {} or SIMD {} of its projection is not within it", p.pe, p.simd))
            } else {
                Ok(())
            }
        }
    }
}

fn fold(a: &MatVec) -> Result<(), String> {
    let Fold { pe, simd, form, ports, multiplier: _ } = a.fold;
    let Pair { h, w } = a.window.kernel;
    let taps_of_kernel = h.saturating_mul(w);
    let within = |what: &str, n: usize, most: usize| {
        if (1..=most).contains(&n) { Ok(()) } else { Err(format!("{what} {n} is not within 1 to {most}")) }
    };
    within("PE", pe, a.computed())?;
    within("SIMD", simd, taps_of_kernel.saturating_mul((a.input.channels - a.carry.taken) / a.groups))?;
    if ports != 1 && ports != h {
        return Err(format!("{ports} ports are neither one nor one for each of {h} kernel rows"));
    }
    match form {
        Form::Held { slots } => within("staging of advances", slots, usize::MAX),
        Form::Direct { taps } => {
            within("taps", taps, taps_of_kernel)?;
            if simd.is_multiple_of(taps) { Ok(()) } else { Err(format!("SIMD {simd} is not in {taps} taps")) }
        }
        Form::Stationary => {
            let whole = (h, w) == (a.input.height, a.input.width) && a.window.pad == Sides::ZERO;
            if whole && a.groups == 1 && a.output.pixels() == 1 {
                Ok(())
            } else {
                Err("the stationary form wants a window over the whole map".into())
            }
        }
    }
}
