//! The instance of an actor: its module, parameters, program and images, by its kind.

use std::collections::BTreeMap;

use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::stream::{Activation, Channel, Form, GlobalPool, Kind, Map, Stream};
use nonresc_passes::area::Role;
use nonresc_passes::arithmetic::{Arithmetic, Output, Rounded, Source, Ways};
use nonresc_passes::bind::Binding;
use nonresc_passes::control::{Control, LEVELS, Layout, Refusal, control, links, unsigned};
use nonresc_passes::images::{self, Word};

use super::instance::Parameters;
use super::memory::style;
use super::numbers;
use super::word::{image, literal};

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
    pub(super) memories: &'a BTreeMap<ChannelId, Layout>,
    pub(super) made: Made,
}

impl Making<'_> {
    pub(super) fn make(mut self) -> Result<Made, Refusal> {
        let (stream, actor) = (self.stream, self.actor);
        let control = control(stream, actor, self.memories)?;
        match &stream.actor(actor).kind {
            Kind::Source(_) => self.source(&control),
            Kind::Sink(_) => self.sink(&control),
            Kind::MatVec(a) => match a.fold.form {
                Form::Held { .. } => self.held(a, &control)?,
                Form::Direct { taps } => self.direct(a, taps, &control)?,
                Form::Stationary => self.stationary(a, &control)?,
            },
            Kind::GlobalPool(a) => self.fold_map(a, &control)?,
            Kind::Sum(a) => self.sum(a.output, &control)?,
            Kind::Select(a) => {
                let kept = a.output.channels.saturating_sub(a.zeros_before);
                let kept = kept.min(a.input.channels.saturating_sub(a.first_channel));
                let kept = a.first_channel..a.first_channel + kept;
                self.regroup(a.output.channels, a.zeros_before, kept, false, &control)?;
            }
            Kind::Convert(map) => self.regroup(map.channels, 0, 0..map.channels, false, &control)?,
            Kind::Activate { activation: Activation::LeakyRelu { .. }, .. } => {
                return Err(("a leaky relu has no hardware".into(), "use relu"));
            }
            Kind::Activate { map, .. } => self.regroup(map.channels, 0, 0..map.channels, true, &control)?,
            Kind::Pool(a) => self.pool(a, &control)?,
        }
        Ok(self.made)
    }

    pub(super) fn input(&self, i: u16) -> &Channel {
        let id = self.stream.input(self.actor, i);
        self.stream.channel(id.unwrap_or(ChannelId(0)))
    }

    pub(super) fn memory(&self, i: u16) -> Layout {
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

    pub(super) fn file(&mut self, parameter: &str, kind: &str, words: Vec<Word>) {
        let file = format!("{}.{kind}.hex", self.name);
        self.made.parameters.file(parameter, &file);
        self.made.images.insert(file, image(words));
    }

    /// The control: its program and its sizes.
    pub(super) fn program(&mut self, control: &Control) {
        let kind = &self.stream.actor(self.actor).kind;
        let program = control.program();
        self.number("PROGRAM", program.words.len());
        self.number("LEVELS", LEVELS);
        self.number("REPEAT", program.repeat);
        self.number("RUN", program.run);
        self.number("TAKE", program.take);
        self.number("SLACK", program.slack);
        if !matches!(kind, Kind::Sink(_)) {
            self.number("LINKS", links(self.stream, self.actor).len());
        }
        if matches!(kind, Kind::MatVec(_)) {
            self.number("SECOND", control.start.first);
        }
        self.style("PROGRAM_STYLE", Role::Program(self.actor), 0);
        let (kinds, loops) = (program.kinds.len(), images::loops(&program));
        self.number("KINDS", kinds);
        self.number("LOOPS", literal(&loops));
        let [words, flow, begin] = images::control(&program);
        self.file("IMAGE", "program", words);
        self.file("FLOW", "flow", flow);
        self.file("START", "start", begin);
    }

    /// The memory that input 0 reads, for readers that take what they are told to.
    pub(super) fn gathers(&mut self, memory: &Layout, control: &Control) {
        let first = control.first.map_or((0, 0, 0), |at| memory.place(at));
        self.number("FIRST_ROW", first.0);
        self.number("FIRST_COLUMN", first.1);
        self.number("FIRST_PLACE", first.2);
        self.reads(memory);
    }

    pub(super) fn reads(&mut self, memory: &Layout) {
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

    fn source(&mut self, control: &Control) {
        self.made.module = "source";
        let bits = self.output(0).map_or(8, |c| c.word_bits());
        self.number("BITS", bits);
        self.program(control);
    }

    fn sink(&mut self, control: &Control) {
        self.made.module = "sink";
        let memory = self.memory(0);
        self.number("BITS", memory.bits);
        self.number("WIDTH", memory.width);
        self.style("PLACES_STYLE", Role::Private(self.actor), 0);
        self.reads(&memory);
        self.program(control);
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

    /// How wide its numbers are.
    pub(super) fn ways(&self) -> Result<Ways, Refusal> {
        let report = "report this as a fault of nonresc";
        Ways::of(self.stream, self.actor, self.arithmetic)
            .ok_or_else(|| ("its numbers are not known".into(), report))
    }

    /// The last way to codes of output 0, of which the memory is that of factors with this number.
    pub(super) fn codes(
        &mut self,
        way: Option<&Rounded>,
        lanes: usize,
        number: usize,
    ) -> Result<(), Refusal> {
        let Some(way) = way else {
            return Err(("its way to codes is not known".into(), "report this as a fault of nonresc"));
        };
        self.number("CLAMP", u8::from(way.limits.is_some()));
        numbers::parameters(way, &mut self.made.parameters, "", "OUT_ZERO");
        self.style("SCALE_STYLE", Role::Factors(self.actor), number);
        self.file("SCALES", "scales", images::factors(way, lanes));
        Ok(())
    }

    fn regroup(
        &mut self,
        outputs: usize,
        before: usize,
        kept: std::ops::Range<usize>,
        round: bool,
        control: &Control,
    ) -> Result<(), Refusal> {
        self.made.module = "regroup";
        let memory = self.memory(0);
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
            let ways = self.ways()?;
            self.codes(ways.last.as_ref(), lanes_out, 0)?;
        }
        self.gathers(&memory, control);
        self.program(control);
        Ok(())
    }

    fn fold_map(&mut self, a: &GlobalPool, control: &Control) -> Result<(), Refusal> {
        self.made.module = "fold_map";
        let (memory, ways) = (self.memory(0), self.ways()?);
        self.input_numbers();
        self.number("LARGEST", u8::from(self.computed()?.source == Source::Largest));
        self.number("CHANNELS", a.input.channels);
        self.style("PARTIAL_STYLE", Role::Private(self.actor), 0);
        self.number("BEATS", memory.beats);
        self.number("READ", unsigned(memory.beats as u64 - 1));
        self.number("ACC", ways.accumulator);
        let (lanes_out, bits_out) = self.output(0).map_or((1, 8), |c| (c.lanes, c.bits));
        self.number("OUT_LANES", lanes_out);
        self.number("OUT_BITS", bits_out);
        self.number("BEAT", unsigned(a.input.channels.div_ceil(lanes_out) as u64 - 1));
        self.codes(ways.last.as_ref(), lanes_out, 0)?;
        self.gathers(&memory, control);
        self.program(control);
        Ok(())
    }

    fn sum(&mut self, map: Map, control: &Control) -> Result<(), Refusal> {
        self.made.module = "sum";
        self.input_numbers();
        self.takes_skip();
        let (lanes, bits_out) = self.output(0).map_or((1, 8), |c| (c.lanes, c.bits));
        self.number("OUTPUTS", map.channels);
        self.number("OUT_BITS", bits_out);
        self.number("BEAT", unsigned(map.channels.div_ceil(lanes) as u64 - 1));
        let ways = self.ways()?;
        self.codes(ways.last.as_ref(), lanes, 0)?;
        let memory = self.memory(0);
        self.number("WIDTH", memory.width);
        self.reads(&memory);
        self.program(control);
        Ok(())
    }
}
