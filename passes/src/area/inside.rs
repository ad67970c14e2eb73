//! What is known of the inside of actors once channels have depths: how large programs are, and how wide numbers are.

use std::collections::BTreeMap;

use nonresc_ir::id::ActorId;
use nonresc_ir::stream::{Kind, Stream};

use crate::arithmetic::{Arithmetic, Output, Ways};
use crate::control::{Given, LEVELS, Layout, Program, Storage, control, unsigned};
use crate::images::{self, Word, varying};

/// What a control runs, as far as what it is made of hangs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlSizes {
    /// Words of the program, and of its flow.
    pub words: u64,
    /// Bits of a word.
    pub word_bits: u64,
    /// Bits of a word's flow.
    pub flow_bits: u64,
    /// Bits of all that counters begin with.
    pub start_bits: u64,
    /// Bits that differ between words of the program, and of its flow.
    pub varying: [u64; 2],
    /// For each bit of a word, whether it differs and is no copy of one before it.
    pub functions: Vec<bool>,
    /// LUTs of six inputs that make the program, and its flow.
    pub luts: [u64; 2],
    /// LUTs that make of a flow's kind what it says.
    pub kind_luts: u64,
    /// Bits of the counts of passes of loops that have several.
    pub loops: Vec<u64>,
    /// Inputs.
    pub inputs: u64,
    /// Outputs.
    pub outputs: u64,
    /// Bits of a micro word.
    pub micro: u64,
    /// Bits of a count of repetitions.
    pub run: u64,
    /// Bits of a need or free.
    pub take: u64,
    /// Bits of a counter.
    pub slack: u64,
    /// Counters.
    pub counters: u64,
}

impl ControlSizes {
    /// The sizes of a program.
    pub fn of(program: &Program) -> ControlSizes {
        let [words, flows, _] = images::control(program);
        let kinds = &program.kinds;
        let most = |level: usize| kinds.iter().filter_map(|kind| kind[level]).max().unwrap_or(0);
        let passes = (0..LEVELS).map(most).filter(|&passes| passes > 0);
        ControlSizes {
            words: program.words.len() as u64,
            word_bits: program.word_bits() as u64,
            flow_bits: program.flow_bits() as u64,
            start_bits: program.start_bits() as u64,
            varying: [varying(&words), varying(&flows)],
            functions: images::functions(&words),
            luts: [images::luts(&words), images::luts(&flows)],
            kind_luts: images::luts(&images::kinds(program)),
            loops: passes.map(|passes| unsigned(passes) as u64).collect(),
            inputs: program.inputs as u64,
            outputs: program.outputs as u64,
            micro: program.micro as u64,
            run: program.run as u64,
            take: program.take as u64,
            slack: program.slack as u64,
            counters: program.starts.len() as u64,
        }
    }

    /// Whether a word behind another is anything but the next one.
    pub fn has_loops(&self) -> bool {
        self.words > 1 && !self.loops.is_empty()
    }

    /// Bits of a word from one to another that differ, copies counted once.
    pub fn functions_in(&self, bits: std::ops::Range<u64>) -> u64 {
        let bits = self.functions.iter().skip(bits.start as usize).take((bits.end - bits.start) as usize);
        bits.filter(|differs| **differs).count() as u64
    }

    /// The place of the micro word in a word.
    pub fn micro_at(&self) -> u64 {
        2 * self.inputs * self.take + self.outputs
    }
}

/// Bits of a constant memory that differ between its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Varying {
    /// All of them.
    pub bits: u64,
    /// Copies counted once.
    pub functions: u64,
}

impl Varying {
    /// Those of an image.
    pub fn of(image: &[Word]) -> Varying {
        let functions = images::functions(image).into_iter().filter(|differs| *differs).count() as u64;
        Varying { bits: varying(image), functions }
    }
}

/// What is known of the inside of an actor.
#[derive(Clone, Debug, Default)]
pub struct Within {
    /// Its control; nothing where there is no hardware for it.
    pub control: Option<ControlSizes>,
    /// How a pool with a window gives.
    pub given: Given,
    /// Its numbers; nothing in networks of floats.
    pub ways: Option<Ways>,
    /// Bits that differ between words of its weights and biases, and of those of a projection beside.
    pub varying: [Option<Varying>; 4],
    /// Whether its weights, and those of a projection beside, are lent: [`images::Weights::lent`].
    pub lent: [bool; 2],
}

/// What is known of the inside of all actors.
#[derive(Clone, Debug, Default)]
pub struct Inside(BTreeMap<ActorId, Within>);

impl Inside {
    /// The inside of the actors of a stream whose channels have depths.
    pub fn of(stream: &Stream, arithmetic: Option<&Arithmetic>) -> Inside {
        let layout = |id| Layout::of(stream, id, Storage::Addressed).map(|layout| (id, layout));
        let layouts = stream.channels().filter_map(layout).collect();
        let within = |id| {
            let control = control(stream, id, &layouts).ok();
            let constants = arithmetic.and_then(|arithmetic| constants(stream, id, arithmetic));
            let (varying, lent) = constants.unwrap_or_default();
            Within {
                control: control.as_ref().map(|control| ControlSizes::of(&control.program())),
                given: control.map(|control| control.given).unwrap_or_default(),
                varying,
                lent,
                ways: arithmetic.and_then(|arithmetic| Ways::of(stream, id, arithmetic)),
            }
        };
        Inside(stream.actors().map(|id| (id, within(id))).collect())
    }

    /// What is known of an actor.
    pub fn of_actor(&self, id: ActorId) -> Option<&Within> {
        self.0.get(&id)
    }
}

/// What is known of an actor's constants: [`Within::varying`] and [`Within::lent`].
type Constants = ([Option<Varying>; 4], [bool; 2]);

/// Those of a layer.
fn constants(stream: &Stream, id: ActorId, arithmetic: &Arithmetic) -> Option<Constants> {
    let Kind::MatVec(a) = &stream.actor(id).kind else { return None };
    let ways = Ways::of(stream, id, arithmetic)?;
    let own = arithmetic.of(id).and_then(Output::products);
    let beside = arithmetic.beside(id).and_then(Output::products).zip(a.projection());
    let lanes = stream.input(id, 0).map_or(1, |c| stream.channel(c).lanes);
    let weights = [
        own.map(|own| images::weights(a, own, lanes)),
        beside.map(|(products, p)| images::weights_beside(a, p, products)),
    ];
    let of = |place: usize| weights[place].as_ref().map(|weights| Varying::of(&weights.words));
    let varying = [
        of(0),
        own.map(|own| Varying::of(&images::bias(own, a.fold.pe, ways.accumulator))),
        of(1),
        beside.map(|(p, beside)| Varying::of(&images::bias(p, beside.pe, ways.beside_accumulator))),
    ];
    Some((varying, weights.each_ref().map(|weights| weights.as_ref().is_some_and(|weights| weights.lent))))
}
