//! The stream under construction: which actor gives each value, who reads it, what was refused.
//!
//! No operator is known here.

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::{ActorId, NodeId, Value};
use nonresc_ir::network::{Network, Op};
use nonresc_ir::stream::{Actor, Carry, Kind, Map, Reader, Select, Stream, Window};

use super::refuse;
use crate::known;
use crate::plan;
use crate::residual::Skips;
use crate::target::{Bits, Target};

/// How wide the numbers of a value are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Width {
    pub(super) bits: u32,
    pub(super) signed: bool,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) actor: ActorId,
    /// What the actor gives.
    pub(super) map: Map,
    /// Zero channels behind those of the map that no actor gives.
    pub(super) zeros: usize,
    /// Whether the network sees the map as one axis of numbers: channel, row, column.
    pub(super) flat: bool,
    pub(super) width: Width,
    /// The value whose numbers are given, the last quantiser's where there is one.
    pub(super) value: Option<Value>,
}

/// A reader of a place, and the skip that it carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) from: ActorId,
    pub(super) output: u16,
    pub(super) width: Width,
    pub(super) value: Option<Value>,
    pub(super) reader: Reader,
    pub(super) skip: Option<usize>,
}

/// Widest sums that integers are made for.
const MOST_BITS: u32 = 48;

/// Whether a node rounds activations.
fn rounds(network: &Network, node: NodeId) -> bool {
    matches!(network.op(node), Op::Quantise(_)) && !known::is_constant(network, network.operands(node)[0])
}

/// The stream under construction.
pub(super) struct Builder<'a> {
    pub(super) network: &'a Network,
    pub(super) skips: &'a Skips,
    carries: &'a [plan::Carry],
    pub(super) bits: Bits,
    /// Whether quantisers say where values are rounded; what none marks is then as wide as it comes to be.
    quantised: bool,
    pub(super) stream: Stream,
    pub(super) reads: Vec<Read>,
    pub(super) faults: Diagnostics,
    /// Actors whose work others have taken over.
    pub(super) gone: Vec<ActorId>,
    places: BTreeMap<Value, Place>,
    /// Matrix-vectors on the longest way to an actor, itself included.
    depths: Vec<usize>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        network: &'a Network,
        skips: &'a Skips,
        carries: &'a [plan::Carry],
        target: &Target,
    ) -> Self {
        Builder {
            network,
            skips,
            carries,
            bits: target.bits,
            quantised: network.node_ids().any(|node| rounds(network, node)),
            stream: Stream::new(),
            reads: Vec::new(),
            faults: Diagnostics::default(),
            gone: Vec::new(),
            places: BTreeMap::new(),
            depths: Vec::new(),
        }
    }

    /// Adds an actor for `node`; nothing is read yet.
    pub(super) fn actor(&mut self, node: NodeId, kind: Kind) -> ActorId {
        let depth = usize::from(matches!(kind, Kind::MatVec(_)));
        self.depths.push(depth);
        self.stream.add(Actor { names: self.network.node(node).names.clone(), kind })
    }

    /// `actor` reads a place at its input `input`.
    pub(super) fn read(&mut self, actor: ActorId, input: u16, place: Place, skip: Option<usize>) {
        let reader = Reader { actor, input };
        self.reads.push(Read {
            from: place.actor,
            output: 0,
            width: place.width,
            value: place.value,
            reader,
            skip,
        });
        let own = usize::from(matches!(self.stream.actor(actor).kind, Kind::MatVec(_)));
        let depth = self.depths[place.actor.index()] + own;
        self.depths[actor.index()] = self.depths[actor.index()].max(depth);
    }

    /// Matrix-vectors on the longest way to an actor, itself included.
    pub(super) fn depth(&self, actor: ActorId) -> usize {
        self.depths[actor.index()]
    }

    /// What a convolution carries through.
    pub(super) fn carry(&self, conv: NodeId) -> Carry {
        let carry = self.carries.iter().find(|carry| carry.conv == conv);
        carry.map_or(Carry::NONE, |c| Carry { passed: c.passed, taken: c.carried, offset: c.offset })
    }

    /// The names of `node` go to an actor that does its work too.
    pub(super) fn merge_names(&mut self, actor: ActorId, node: NodeId) {
        self.stream.actor_mut(actor).names.merge(&self.network.node(node).names);
    }

    /// Where a value comes from. After a refusal a source stands in for what could not be built, so that the faults
    /// behind it are found too.
    pub(super) fn place(&mut self, value: Value) -> Place {
        if let Some(place) = self.places.get(&value) {
            return *place;
        }
        if self.faults.is_empty() {
            self.faults.push(refuse::unknown_operand(self.network, value.node));
        }
        let map = map_of(self.network, value).unwrap_or(Map { channels: 1, height: 1, width: 1 });
        let actor = self.actor(value.node, Kind::Source(map));
        self.set(
            value,
            Place { actor, map, zeros: 0, flat: false, width: self.width(true), value: Some(value) },
        )
    }

    /// Says where a value comes from, whose own numbers the place's actor gives.
    pub(super) fn set(&mut self, value: Value, place: Place) -> Place {
        self.moved(value, Place { value: Some(value), ..place })
    }

    /// Says where a value comes from that is another's numbers in another shape.
    pub(super) fn moved(&mut self, value: Value, place: Place) -> Place {
        self.places.insert(value, place);
        place
    }

    /// A place all of whose channels are given: what it lacks is given by an actor of its own.
    pub(super) fn whole(&mut self, value: Value) -> Place {
        let place = self.place(value);
        if place.zeros == 0 {
            return place;
        }
        let output = Map { channels: place.map.channels + place.zeros, ..place.map };
        let (start, stride) = (nonresc_ir::network::Pair::ZERO, Window::POINT.stride);
        let kind = Kind::Select(Select {
            input: place.map,
            output,
            start,
            stride,
            first_channel: 0,
            zeros_before: 0,
        });
        let actor = self.actor(value.node, kind);
        self.read(actor, 0, place, None);
        self.set(value, Place { actor, map: output, zeros: 0, ..place })
    }

    /// A value that `actor` gives whole, as wide as activations are.
    pub(super) fn give(&mut self, node: NodeId, actor: ActorId, signed: bool) -> Place {
        let map = self.stream.actor(actor).kind.output_map(0);
        let width = self.width(signed);
        self.set(node.into(), Place { actor, map, zeros: 0, flat: false, width, value: Some(node.into()) })
    }

    /// The width of activations that no quantiser marks.
    pub(super) fn width(&self, signed: bool) -> Width {
        Width { bits: self.bits.activations, signed }
    }

    /// The width of a sum that is at most so many times as large as an operand of this width: all of it where
    /// quantisers say where values are rounded, else as [`Builder::width`].
    pub(super) fn sum_width(&self, operand: Width, times: u64, signed: bool) -> Width {
        if !self.quantised {
            return self.width(signed);
        }
        let more = u64::BITS - times.saturating_sub(1).leading_zeros() + u32::from(signed && !operand.signed);
        Width { bits: (operand.bits + more).min(MOST_BITS), signed }
    }

    /// The one operator that reads a value, marks looked through, and at which operand; nothing where several do or
    /// where it is an output.
    pub(super) fn sole_reader(&self, value: Value) -> Option<(NodeId, u16)> {
        let mut value = value;
        loop {
            let &[user] = &self.network.users(value)[..] else { return None };
            if self.network.is_output(value) {
                return None;
            }
            match self.network.op(user.0) {
                Op::Quantise(_) | Op::Dequantise(_) if user.1 == 0 => value = user.0.into(),
                _ => return Some(user),
            }
        }
    }

    /// The value that is marked, where `value` is behind quantise and dequantise.
    pub(super) fn unmarked(&self, value: Value) -> Value {
        let mut value = value;
        while matches!(self.network.op(value.node), Op::Quantise(_) | Op::Dequantise(_)) {
            value = self.network.operands(value.node)[0];
        }
        value
    }

    /// Whether two quantisers or dequantisers have the same scale and zero point, and codes of the same kind.
    pub(super) fn same_codes(&self, one: Value, other: Value) -> bool {
        let network = self.network;
        let parameters = |value: Value| {
            let operands = network.operands(value.node);
            operands[1..].iter().map(|&of| network.constant(of).cloned()).collect::<Vec<_>>()
        };
        let codes = |value: Value| match network.op(value.node) {
            Op::Dequantise(_) => network.ty(network.operands(value.node)[0]).element,
            _ => network.ty(value).element,
        };
        codes(one) == codes(other) && parameters(one) == parameters(other)
    }

    /// Whether `node` alone reads `value`, marks looked through, at whatever depth of marks `value` lies.
    pub(super) fn read_by_alone(&self, value: Value, node: NodeId) -> bool {
        self.sole_reader(self.unmarked(value)).is_some_and(|(reader, _)| reader == node)
    }

    /// Notes a fault.
    pub(super) fn refuse(&mut self, fault: Diagnostic) {
        self.faults.push(fault);
    }
}

/// The map of a value: N C H W, or N C as one pixel.
pub(super) fn map_of(network: &Network, value: Value) -> Option<Map> {
    match network.ty(value).shape.0[..] {
        [_, channels, height, width] => Some(Map { channels, height, width }),
        [_, channels] => Some(Map { channels, height: 1, width: 1 }),
        _ => None,
    }
}

/// Columns from a window's first tap to its last, or as many as no map has.
pub(super) fn reach(window: &Window) -> usize {
    (window.kernel.w.max(1) - 1).saturating_mul(window.dilation.w)
}
