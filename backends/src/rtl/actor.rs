//! The instance of an actor: its module, parameters, program and images, by its kind.

use std::collections::BTreeMap;

use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::stream::{Activation, Channel, Form, GlobalPool, Kind, Map, PhaseList, Stream, phases};
use nonresc_passes::area::Role;
use nonresc_passes::arithmetic::{Arithmetic, Output, Rescale, Source};
use nonresc_passes::bind::Binding;

use super::instance::Parameters;
use super::loops::LEVELS;
use super::memory::{At, Memory, style};
use super::numbers::Rounded;
use super::pixelwise;
use super::program::{Micro, Program, Start, Step, ahead, steps};
use super::word::unsigned;

/// Why there is no hardware, and what to do.
pub(super) type Refusal = (String, &'static str);

/// What an actor is made of.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) module: &'static str,
    pub(super) parameters: Parameters,
    /// Images, by the names of their files.
    pub(super) images: BTreeMap<String, String>,
}

/// An actor being made.
pub(super) struct Making<'a> {
    pub(super) stream: &'a Stream,
    pub(super) arithmetic: &'a Arithmetic,
    /// What memories are made of.
    pub(super) bound: Option<&'a Binding>,
    pub(super) actor: ActorId,
    /// The name of its instance, and of its files.
    pub(super) name: &'a str,
    pub(super) memories: &'a BTreeMap<ChannelId, Memory>,
    pub(super) made: Made,
}

/// The links of an actor: each reader of each channel of output 0, then of output 1.
pub(super) fn links(stream: &Stream, actor: ActorId) -> Vec<(ChannelId, usize)> {
    let of = |output| stream.outputs(actor, output).into_iter();
    let readers = |c: ChannelId| (0..stream.channel(c).readers.len()).map(move |r| (c, r));
    of(0).chain(of(1)).flat_map(readers).collect()
}

impl Making<'_> {
    pub(super) fn make(mut self) -> Result<Made, Refusal> {
        let (stream, actor) = (self.stream, self.actor);
        let list = phases(stream, actor);
        let steps = steps(&list);
        match &stream.actor(actor).kind {
            Kind::Source(_) => self.source(steps, &list),
            Kind::Sink(_) => self.sink(steps, &list),
            Kind::MatVec(a) => match a.fold.form {
                Form::Held { .. } => self.held(a, steps, &list)?,
                Form::Direct { taps } => self.direct(a, taps, steps, &list)?,
                Form::Stationary => self.stationary(a, steps, &list)?,
            },
            Kind::GlobalPool(a) => self.fold_map(a, steps, &list)?,
            Kind::Sum(a) => self.sum(a.output, steps, &list)?,
            Kind::Select(a) => {
                let kept = a.output.channels.saturating_sub(a.zeros_before);
                let kept = kept.min(a.input.channels.saturating_sub(a.first_channel));
                let kept = a.first_channel..a.first_channel + kept;
                self.regroup(a.input, a.output.channels, a.zeros_before, kept, false, steps, &list)?;
            }
            Kind::Convert(map) => {
                self.regroup(*map, map.channels, 0, 0..map.channels, false, steps, &list)?
            }
            Kind::Activate { activation: Activation::LeakyRelu { .. }, .. } => {
                return Err(("a leaky relu has no hardware".into(), "use relu"));
            }
            Kind::Activate { map, .. } => {
                self.regroup(*map, map.channels, 0, 0..map.channels, true, steps, &list)?
            }
            Kind::Pool(a) => self.pool(a, steps, &list)?,
        }
        Ok(self.made)
    }

    pub(super) fn input(&self, i: u16) -> &Channel {
        let id = self.stream.input(self.actor, i);
        self.stream.channel(id.unwrap_or(ChannelId(0)))
    }

    pub(super) fn memory(&self, i: u16) -> Memory {
        let id = self.stream.input(self.actor, i);
        self.memories[&id.unwrap_or(ChannelId(0))]
    }

    pub(super) fn output(&self, i: u16) -> Option<&Channel> {
        self.stream.outputs(self.actor, i).first().map(|&c| self.stream.channel(c))
    }

    pub(super) fn computed(&self) -> Result<&Output, Refusal> {
        let report = "report this as a fault of nonresc";
        self.arithmetic.of(self.actor).ok_or_else(|| ("its numbers are not known".into(), report))
    }

    pub(super) fn number(&mut self, name: impl Into<String>, value: impl std::fmt::Display) {
        self.made.parameters.number(name, value);
    }

    pub(super) fn file(&mut self, parameter: &str, kind: &str, text: String) {
        let file = format!("{}.{kind}.hex", self.name);
        self.made.parameters.file(parameter, &file);
        self.made.images.insert(file, text);
    }

    /// The control: what it begins with, its program, its sizes.
    pub(super) fn program(&mut self, steps: &[Step], list: &PhaseList, micro: usize, pin: Option<u64>) {
        let (stream, actor) = (self.stream, self.actor);
        let kind = &stream.actor(actor).kind;
        let mut start = Start::default();
        for i in 0..kind.inputs() {
            start.visible.push(list.preset(i).unread_tail);
            start.depth.push(self.input(i).depth.unwrap_or(1));
        }
        let links = links(stream, actor);
        for &(channel, reader) in &links {
            let reader = stream.channel(channel).readers[reader];
            let (list, depth) = (phases(stream, reader.actor), stream.channel(channel).depth.unwrap_or(1));
            start.places.push(depth + list.preset(reader.input).unread_head);
            start.most = start.most.max(depth + ahead(&list, reader.input));
        }
        start.first = links.iter().filter(|(c, _)| stream.channel(*c).output == 0).count();
        match (kind, pin) {
            (Kind::Source(_), Some(places)) => {
                start.visible.push(0);
                start.depth.push(places);
            }
            (Kind::Sink(_), Some(places)) => {
                start.places.push(places);
                start.first = 1;
            }
            _ => {}
        }
        let outputs = if kind.outputs() > 1 { 2 } else { 1 };
        let program = Program::new(steps, micro, outputs, &start);
        self.number("PROGRAM", program.words);
        self.number("LEVELS", LEVELS);
        self.number("REPEAT", program.repeat);
        self.number("RUN", program.run);
        self.number("TAKE", program.take);
        self.number("SLACK", program.slack);
        if !matches!(kind, Kind::Sink(_)) {
            self.number("LINKS", links.len());
        }
        if matches!(kind, Kind::MatVec(_)) {
            self.number("SECOND", start.first);
        }
        let [words, flow, begin] = program.images;
        self.file("IMAGE", "program", words);
        self.file("FLOW", "flow", flow);
        self.file("START", "start", begin);
    }

    /// The memory that input 0 reads, for readers that take what they are told to.
    pub(super) fn gathers(&mut self, memory: &Memory, first: Option<At>) {
        let first = first.map_or((0, 0, 0), |at| memory.place(at));
        self.number("FIRST_ROW", first.0);
        self.number("FIRST_COLUMN", first.1);
        self.number("FIRST_PLACE", first.2);
        self.reads(memory);
    }

    pub(super) fn reads(&mut self, memory: &Memory) {
        self.number("ROWS", memory.banks.h);
        self.number("COLUMNS", memory.banks.w);
        self.number("ROW_WORDS", memory.row_words);
        self.number("IN_BEATS", memory.beats);
        self.number("ADDRESS", memory.address);
        self.number("SPAN", memory.span);
    }

    pub(super) fn takes_skip(&mut self) {
        let (bits, signed) = (self.input(1).bits, self.input(1).signed);
        self.number("SKIP", bits);
        self.number("SKIP_SIGNED", u8::from(signed));
        let memory = self.memory(1);
        self.number("SKIP_ROWS", memory.banks.h);
        self.number("SKIP_COLUMNS", memory.banks.w);
        self.number("SKIP_WIDTH", memory.width);
        self.number("SKIP_BEATS", memory.beats);
        self.number("SKIP_ROW_WORDS", memory.row_words);
        self.number("SKIP_ADDRESS", memory.address);
        self.number("SKIP_SPAN", memory.span);
    }

    fn ends_frame(steps: &mut [Step]) {
        if let Some(last) = steps.iter_mut().rev().find(|step| step.gives > 0 || step.need[0] > 0) {
            Micro(last).set(0, 1, 1);
        }
    }

    /// The pin is one more input of one beat a phase that gives.
    fn source(&mut self, mut steps: Vec<Step>, list: &PhaseList) {
        self.made.module = "source";
        for step in steps.iter_mut().filter(|step| step.gives > 0) {
            (step.need[0], step.free[0]) = (1, 1);
        }
        Self::ends_frame(&mut steps);
        let bits = self.output(0).map_or(8, |c| c.word_bits());
        self.number("BITS", bits);
        self.program(&steps, list, 1, Some(2));
    }

    /// The pin is one more output.
    fn sink(&mut self, mut steps: Vec<Step>, list: &PhaseList) {
        self.made.module = "sink";
        for step in steps.iter_mut().filter(|step| step.need[0] > 0) {
            step.gives = 1;
        }
        Self::ends_frame(&mut steps);
        let memory = self.memory(0);
        self.number("BITS", memory.bits);
        self.number("WIDTH", memory.width);
        self.reads(&memory);
        self.program(&steps, list, 1, Some(4));
    }

    /// What synthesis makes a memory of that the actor holds; of several of a role the one with that number.
    pub(super) fn style(&mut self, name: &str, role: Role, number: usize) {
        let all = self.bound.map_or(&[][..], |bound| &bound.memories);
        let found = all.iter().filter(|bound| bound.memory.role == role).nth(number);
        self.made.parameters.file(name, found.map_or("auto", |bound| style(bound.made_of.primitive)));
    }

    pub(super) fn input_numbers(&mut self) {
        let (lanes, bits, signed) = (self.input(0).lanes, self.input(0).bits, self.input(0).signed);
        self.number("LANES", lanes);
        self.number("BITS", bits);
        self.number("SIGNED", u8::from(signed));
    }

    /// A code as the bits of a number of input 0.
    pub(super) fn code(&self, zero: i64) -> String {
        let bits = self.input(0).bits;
        format!("{bits}'d{}", zero & ((1i64 << bits) - 1))
    }

    /// The way to codes of an actor that is not a matrix-vector; `own` bits come to it.
    fn rounds(&mut self, own: usize, lanes: usize) -> Result<(), Refusal> {
        let rescale = self.computed()?.rescale.clone();
        self.codes(&rescale, own, lanes);
        Ok(())
    }

    /// The last way to codes of output 0: of the actor's own result, `own` bits wide, and of input 1 where it is added.
    pub(super) fn codes(&mut self, rescale: &Rescale, own: usize, lanes: usize) {
        let skip = self.stream.input(self.actor, 1).map_or(1, |c| self.stream.channel(c).bits as usize + 1);
        let rounded = Rounded::new(rescale, own, skip);
        self.number("CLAMP", u8::from(rounded.clamps()));
        rounded.parameters(&mut self.made.parameters, "", "OUT_ZERO");
        self.file("SCALES", "scales", rounded.image(lanes));
    }

    #[allow(clippy::too_many_arguments, reason = "what a select, a convert and an activation differ in")]
    fn regroup(
        &mut self,
        map: Map,
        outputs: usize,
        before: usize,
        kept: std::ops::Range<usize>,
        round: bool,
        mut steps: Vec<Step>,
        list: &PhaseList,
    ) -> Result<(), Refusal> {
        self.made.module = "regroup";
        let memory = self.memory(0);
        let first = pixelwise::fill(&mut steps, list, map, &memory, 1);
        self.input_numbers();
        let lanes = self.input(0).lanes;
        let read = if kept.is_empty() { 1 } else { (kept.end - 1) / lanes + 1 - kept.start / lanes };
        let zero = match self.computed()?.source {
            Source::Codes { zero } => zero,
            _ => 0,
        };
        let zero = self.code(zero);
        self.number("ZERO", zero);
        self.number("BEATS", read);
        self.number("READ", unsigned(read as u64 - 1));
        self.number("OFFSET", kept.start % lanes);
        self.number("BEFORE", before);
        self.number("KEPT", kept.len());
        let (lanes_out, bits_out) = self.output(0).map_or((1, 8), |c| (c.lanes, c.bits));
        self.number("OUTPUTS", outputs);
        self.number("OUT_LANES", lanes_out);
        self.number("OUT_BITS", bits_out);
        self.number("BEAT", unsigned(outputs.div_ceil(lanes_out) as u64 - 1));
        self.number("ROUND", u8::from(round));
        if round {
            let own = self.input(0).bits as usize + 1;
            self.rounds(own, lanes_out)?;
        }
        self.gathers(&memory, first);
        self.program(&steps, list, 9 + memory.address, None);
        Ok(())
    }

    fn fold_map(&mut self, a: &GlobalPool, mut steps: Vec<Step>, list: &PhaseList) -> Result<(), Refusal> {
        self.made.module = "fold_map";
        let memory = self.memory(0);
        let first = pixelwise::fill(&mut steps, list, a.input, &memory, 2);
        let beats = memory.beats;
        for (phase, _) in pixelwise::reads(&steps, list).into_iter().take(beats) {
            Micro(&mut steps[phase]).set(1, 1, 1);
        }
        self.input_numbers();
        let bits = self.input(0).bits as usize;
        let pixels = a.input.pixels();
        let (largest, zero, acc) = match self.computed()?.source {
            Source::Largest => (1, 0, bits + 1),
            Source::Sums { zero, .. } => {
                (0, zero, bits + 2 + pixels.next_power_of_two().trailing_zeros() as usize)
            }
            _ => return Err(("it is no pool of whole numbers".into(), "report this with the model")),
        };
        self.number("LARGEST", largest);
        self.number("CHANNELS", a.input.channels);
        self.style("PARTIAL_STYLE", Role::Private(self.actor), 0);
        self.number("BEATS", beats);
        self.number("READ", unsigned(beats as u64 - 1));
        self.number("ACC", acc);
        let (lanes_out, bits_out) = self.output(0).map_or((1, 8), |c| (c.lanes, c.bits));
        self.number("OUT_LANES", lanes_out);
        self.number("OUT_BITS", bits_out);
        self.number("BEAT", unsigned(a.input.channels.div_ceil(lanes_out) as u64 - 1));
        let mut rescale = self.computed()?.rescale.clone();
        for (offset, factor) in rescale.offset.iter_mut().zip(&rescale.own) {
            *offset -= factor * zero * pixels as i64;
        }
        self.codes(&rescale, acc, lanes_out);
        self.gathers(&memory, first);
        self.program(&steps, list, 10 + memory.address, None);
        Ok(())
    }

    fn sum(&mut self, map: Map, mut steps: Vec<Step>, list: &PhaseList) -> Result<(), Refusal> {
        self.made.module = "sum";
        for step in &mut steps {
            let (read, take) = (u64::from(step.need[0] > 0), u64::from(step.need[1] > 0));
            let mut micro = Micro(step);
            micro.set(0, 1, read);
            micro.set(1, 1, take);
        }
        self.input_numbers();
        self.takes_skip();
        let (lanes, bits_out) = self.output(0).map_or((1, 8), |c| (c.lanes, c.bits));
        self.number("OUTPUTS", map.channels);
        self.number("OUT_BITS", bits_out);
        self.number("BEAT", unsigned(map.channels.div_ceil(lanes) as u64 - 1));
        let own = self.input(0).bits as usize + 1;
        self.rounds(own, lanes)?;
        let memory = self.memory(0);
        self.number("WIDTH", memory.width);
        self.reads(&memory);
        self.program(&steps, list, 2, None);
        Ok(())
    }
}
