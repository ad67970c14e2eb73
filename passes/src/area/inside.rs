//! What is known of the inside of actors once channels have depths: how large programs are, and how wide numbers are.

use std::collections::BTreeMap;

use nonresc_ir::id::ActorId;
use nonresc_ir::stream::{Kind, Stream};

use crate::arithmetic::{Arithmetic, Output, Source, Ways};
use crate::control::{Given, Layout, Program, Storage, control};
use crate::images::{self, varying};

/// Words and bits of a control's images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl ControlSizes {
    /// The sizes of a program.
    pub fn of(program: &Program) -> ControlSizes {
        let [words, flows, _] = images::control(program);
        ControlSizes {
            words: program.words.len() as u64,
            word_bits: program.word_bits() as u64,
            flow_bits: program.flow_bits() as u64,
            start_bits: program.start_bits() as u64,
            varying: [varying(&words), varying(&flows)],
        }
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
    pub varying: [Option<u64>; 4],
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
            Within {
                control: control.as_ref().map(|control| ControlSizes::of(&control.program())),
                given: control.map(|control| control.given).unwrap_or_default(),
                varying: arithmetic.map_or([None; 4], |arithmetic| of_weights(stream, id, arithmetic)),
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

/// Bits that differ between the words of weights, biases, and those of a projection beside.
fn of_weights(stream: &Stream, id: ActorId, arithmetic: &Arithmetic) -> [Option<u64>; 4] {
    let Kind::MatVec(a) = &stream.actor(id).kind else { return [None; 4] };
    let Some(ways) = Ways::of(stream, id, arithmetic) else { return [None; 4] };
    let products = |output: Option<&'_ Output>| match output.map(|output| &output.source) {
        Some(Source::Products(products)) => Some(products.clone()),
        _ => None,
    };
    let lanes = stream.input(id, 0).map_or(1, |c| stream.channel(c).lanes);
    let own = products(arithmetic.of(id));
    let beside = products(arithmetic.beside(id)).zip(a.projection());
    [
        own.as_ref().map(|own| varying(&images::weights(a, own, lanes))),
        own.as_ref().map(|own| varying(&images::bias(own, a.fold.pe, ways.accumulator))),
        beside.as_ref().map(|(p, _)| varying(&images::weights_beside(a, p))),
        beside.as_ref().map(|(p, beside)| varying(&images::bias(p, beside.pe, ways.beside_accumulator))),
    ]
}
