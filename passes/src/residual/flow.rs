//! The nodes that depend on an input and reach an output, in order: who dominates whom, which nodes lie before
//! which, and how many convolutions the longest path between two of them has.
//!
//! No sum and no skip here. Constants take no part: a path is one that data takes.

use std::collections::BTreeSet;

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::Network;
use petgraph::algo::dominators::simple_fast;
use petgraph::graph::{DiGraph, NodeIndex};

use super::step::Step;

/// A node by its place in canonical order, behind its operands. Place 0 is a root in front of all inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(usize);

/// The root, which is no node.
pub(super) const ROOT: Place = Place(0);

/// Convolutions of a path; ordered by their number, then by how many of them see more than one pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Length {
    /// Convolutions and dense layers.
    pub(super) convolutions: usize,
    /// Those whose window is larger than one pixel.
    pub(super) wide: usize,
}

impl Length {
    fn of(step: Step) -> Self {
        match step {
            Step::Narrow => Length { convolutions: 1, wide: 0 },
            Step::Wide => Length { convolutions: 1, wide: 1 },
            _ => Length::default(),
        }
    }

    fn and(self, other: Length) -> Length {
        Length { convolutions: self.convolutions + other.convolutions, wide: self.wide + other.wide }
    }
}

/// One node among the others.
#[derive(Debug, Default)]
struct Spot {
    /// Nothing for the root.
    node: Option<NodeId>,
    operands: Vec<Place>,
    /// One entry a use.
    readers: Vec<Place>,
    length: Length,
    /// The immediate dominator; the root's is the root.
    dominator: Option<Place>,
    /// How many dominators lie above.
    depth: usize,
}

/// The nodes of a network that data flows through.
pub(super) struct Flow<'a> {
    network: &'a Network,
    spots: Vec<Spot>,
    /// By the index of a node's id.
    places: Vec<Option<Place>>,
}

impl<'a> Flow<'a> {
    /// The flow of `network`; nothing where it has a cycle.
    pub(super) fn of(network: &'a Network) -> Option<Self> {
        let order = network.topological()?;
        let n_ids = order.iter().map(|n| n.index() + 1).max().unwrap_or(0);
        let mut flow = Flow { network, spots: vec![Spot::default()], places: vec![None; n_ids] };
        let inputs: BTreeSet<NodeId> = network.inputs().iter().map(|i| i.node).collect();
        let live = live(network, n_ids);
        for node in order.into_iter().filter(|n| live[n.index()]) {
            let mut operands: Vec<Place> =
                network.operands(node).into_iter().filter_map(|v| flow.place(v.node)).collect();
            if inputs.contains(&node) {
                operands.push(ROOT);
            }
            if operands.is_empty() {
                continue;
            }
            let place = Place(flow.spots.len());
            flow.places[node.index()] = Some(place);
            for &Place(operand) in &operands {
                flow.spots[operand].readers.push(place);
            }
            operands.sort_unstable();
            operands.dedup();
            let length = Length::of(Step::of(network, node));
            flow.spots.push(Spot { node: Some(node), operands, length, ..Spot::default() });
        }
        flow.dominate();
        Some(flow)
    }

    fn dominate(&mut self) {
        let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(self.spots.len(), self.spots.len());
        for _ in &self.spots {
            graph.add_node(());
        }
        for (reader, spot) in self.spots.iter().enumerate() {
            for &Place(operand) in &spot.operands {
                graph.add_edge(NodeIndex::new(operand), NodeIndex::new(reader), ());
            }
        }
        let dominators = simple_fast(&graph, NodeIndex::new(0));
        // A dominator stands before what it dominates, so that its own depth is known.
        for i in 1..self.spots.len() {
            let above = dominators.immediate_dominator(NodeIndex::new(i)).map_or(0, NodeIndex::index);
            self.spots[i].dominator = Some(Place(above));
            self.spots[i].depth = self.spots[above].depth + 1;
        }
    }

    /// The network.
    pub(super) fn network(&self) -> &'a Network {
        self.network
    }

    /// All places but the root, operands before readers.
    pub(super) fn all(&self) -> impl Iterator<Item = Place> + use<> {
        (1..self.spots.len()).map(Place)
    }

    /// The place of a node, where data flows through it.
    pub(super) fn place(&self, node: NodeId) -> Option<Place> {
        self.places.get(node.index()).copied().flatten()
    }

    /// The node at a place other than the root.
    pub(super) fn node(&self, place: Place) -> NodeId {
        self.spots[place.0].node.expect("the root is asked for no node")
    }

    /// The result of the node at a place other than the root; operators that data flows through have one.
    pub(super) fn value(&self, place: Place) -> Value {
        self.node(place).into()
    }

    /// The operands of a place that data flows through, ascending, each once.
    pub(super) fn operands(&self, place: Place) -> &[Place] {
        &self.spots[place.0].operands
    }

    /// Who reads a place, ascending, one entry a use.
    pub(super) fn readers(&self, place: Place) -> &[Place] {
        &self.spots[place.0].readers
    }

    /// The convolutions that the place itself is: none or one.
    pub(super) fn length(&self, place: Place) -> Length {
        self.spots[place.0].length
    }

    /// The last place that every path to `a` and every path to `b` passes.
    pub(super) fn common_dominator(&self, a: Place, b: Place) -> Place {
        let up = |p: Place| self.spots[p.0].dominator.unwrap_or(ROOT);
        let (mut a, mut b) = (a, b);
        while a != b {
            let (depth_a, depth_b) = (self.spots[a.0].depth, self.spots[b.0].depth);
            if depth_a >= depth_b {
                a = up(a);
            }
            if depth_b >= depth_a {
                b = up(b);
            }
        }
        a
    }

    /// The longest paths from `from` to every place up to `last`, by convolutions behind `from`.
    pub(super) fn longest(&self, from: Place, last: Place) -> Reach<Length> {
        let mut reach = Reach { from, of: vec![None; (last.0 + 1).saturating_sub(from.0)] };
        if let Some(first) = reach.of.first_mut() {
            *first = Some(Length::default());
        }
        for place in (from.0 + 1..=last.0).map(Place) {
            let before = self.operands(place).iter().filter_map(|&operand| reach.get(operand)).max();
            reach.of[place.0 - from.0] = before.map(|before| before.and(self.length(place)));
        }
        reach
    }

    /// The places from `from` on that `to` depends on, itself included.
    pub(super) fn before(&self, to: Place, from: Place) -> Reach<()> {
        let mut reach = Reach { from, of: vec![None; (to.0 + 1).saturating_sub(from.0)] };
        if let Some(last) = reach.of.last_mut() {
            *last = Some(());
        }
        for place in (from.0..=to.0).rev().map(Place) {
            if reach.get(place).is_some() {
                for &operand in self.operands(place).iter().filter(|&&operand| operand >= from) {
                    reach.of[operand.0 - from.0] = Some(());
                }
            }
        }
        reach
    }
}

/// What is known of the places of a stretch, nothing for those that are not reached.
pub(super) struct Reach<T> {
    from: Place,
    of: Vec<Option<T>>,
}

impl<T: Copy> Reach<T> {
    /// What is known of `place`.
    pub(super) fn get(&self, place: Place) -> Option<T> {
        place.0.checked_sub(self.from.0).and_then(|i| self.of.get(i).copied().flatten())
    }

    /// Whether `place` is reached.
    pub(super) fn has(&self, place: Place) -> bool {
        self.get(place).is_some()
    }

    /// The places that are reached, descending.
    pub(super) fn descending(&self) -> impl Iterator<Item = Place> + '_ {
        let reached = self.of.iter().enumerate().rev().filter(|(_, known)| known.is_some());
        reached.map(|(i, _)| Place(self.from.0 + i))
    }
}

/// Whether some output depends on a node, by the index of its id.
fn live(network: &Network, n_ids: usize) -> Vec<bool> {
    let mut live = vec![false; n_ids];
    let mut pending: Vec<NodeId> = network.outputs().iter().map(|o| o.value.node).collect();
    while let Some(node) = pending.pop() {
        if !std::mem::replace(&mut live[node.index()], true) {
            pending.extend(network.operands(node).into_iter().map(|v| v.node));
        }
    }
    live
}
