//! A design with its phase lists, its memories and its simulator; what the plain recurrence says of it.

use std::path::PathBuf;

use nonresc_ir::id::ActorId;
use nonresc_ir::stream;

use super::build::{Patch, Tool};
use super::design::{Design, Part};
use super::held::{self, Step};
use super::top::top;
use crate::reference::start_times::{self as model, Phase, Pin, Take};
use crate::stalled::expanded;

/// Places that a memory has at the least beyond those that a test asks for.
const SPARE: u64 = 6;

/// Where a design's links and settings are.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Address bits of each wire's banks.
    pub(super) address: Vec<usize>,
    /// For each part: wire and reader of each link.
    pub(super) links: Vec<Vec<(usize, usize)>>,
    pub(super) depth_slot: Vec<usize>,
    pub(super) preset_slot: Vec<usize>,
}

/// The lists of a part.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    /// What the micro words say.
    pub(super) steps: Vec<Step>,
    /// The phases of a frame.
    pub(super) phases: Vec<Phase>,
    /// Beats behind the last one that is read.
    pub(super) tail: usize,
}

/// A design and its simulator.
#[derive(Debug)]
pub struct Bench {
    pub(super) design: Design,
    pub(super) lists: Vec<Lists>,
    pub(super) layout: Layout,
    pub(super) program: PathBuf,
    /// Places that each wire's memory has.
    pub capacity: Vec<u64>,
}

impl Design {
    /// Phases of the slowest part's frame: no interval is shorter.
    pub fn slowest(&self) -> u64 {
        lists(self).iter().map(|list| list.phases.len() as u64).max().unwrap_or(1)
    }
}

impl Bench {
    /// Builds a design whose wires have memories for at least `places`.
    pub fn new(tool: &Tool, design: Design, places: &[u64]) -> Self {
        Bench::patched(tool, design, places, None)
    }

    /// The same with a change in a module's text.
    pub fn patched(tool: &Tool, design: Design, places: &[u64], patch: Option<Patch>) -> Self {
        let lists = lists(&design);
        let mut layout = layout(&design);
        let mut capacity = Vec::new();
        for (w, places) in places.iter().enumerate() {
            let (address, all) = memory(&design, w, places + SPARE);
            layout.address[w] = address;
            capacity.push(all);
        }
        let phases: Vec<usize> = lists.iter().map(|l| l.phases.len()).collect();
        let program = tool.build(&top(&design, &layout, &phases), patch);
        Bench { layout, lists, program, capacity, design }
    }

    /// The name of the design.
    pub fn name(&self) -> &str {
        &self.design.name
    }

    /// Phases of a part's frame.
    pub fn phases(&self, part: usize) -> usize {
        self.lists[part].phases.len()
    }

    /// Start times by the plain recurrence, as far as they come.
    pub fn model(&self, depths: &[u64], frames: usize, pins: &Pins) -> Vec<Vec<u64>> {
        starts(&self.design, &self.lists, depths, frames, pins)
    }
}

/// When the pins are willing: the feeder to offer a beat, the taker to take one; both are, behind the ends.
#[derive(Clone, Debug, Default)]
pub struct Pins {
    /// The feeder offers a beat from such a cycle on, and keeps offering it.
    pub willing: Vec<bool>,
    /// The taker takes in such cycles alone.
    pub ready: Vec<bool>,
}

/// Least depths with which `frames` frames come out, and take no more than `interval` cycles each at the end where
/// that is given: each wire in turn as short as it may be, those behind it as long as they were.
pub fn least(design: &Design, frames: usize, interval: Option<u64>) -> Vec<u64> {
    let lists = lists(design);
    let sink = design.parts.len() - 1;
    let enough = |depths: &[u64]| {
        let starts = starts(design, &lists, depths, frames, &Pins::default());
        let length = lists[sink].phases.len();
        let out = &starts[sink];
        out.len() >= frames * length
            && interval.is_none_or(|t| out[frames * length - 1] - out[(frames - 1) * length - 1] <= t)
    };
    let mut depths: Vec<u64> = design.wires.iter().map(|w| w.beats().1 as u64 * 2).collect();
    assert!(enough(&depths), "{}: no depth is enough", design.name);
    for w in 0..depths.len() {
        let (mut low, mut high) = (0, depths[w]);
        while low + 1 < high {
            depths[w] = (low + high) / 2;
            if enough(&depths) { high = depths[w] } else { low = depths[w] }
        }
        depths[w] = high;
    }
    depths
}

/// The lists of all parts: those of this folder's own rules, which must be the model's where the model has one.
fn lists(design: &Design) -> Vec<Lists> {
    let stream = design.stream();
    let beat = Phase { takes: vec![Take { need: 1, free: 1 }], gives: vec![true] };
    let mut all = Vec::new();
    for (p, part) in design.parts.iter().enumerate() {
        let lists = match part {
            Part::Layer(a) => {
                let (steps, tail) = held::steps(a);
                let phases = steps.iter().map(|s| s.phase.clone()).collect();
                Lists { steps, phases, tail }
            }
            // Their pins are one more input and one more output.
            Part::Source => {
                Lists { phases: vec![beat.clone(); design.wires[0].beats().1], ..Lists::default() }
            }
            Part::Sink => {
                let wire = &design.wires[design.input(p, 0)];
                Lists { phases: vec![beat.clone(); wire.beats().1], ..Lists::default() }
            }
        };
        let list = stream::phases(&stream, ActorId(p as u32));
        if let Part::Layer(_) = part {
            let own = &lists.phases[0];
            let phases = expanded(&list, own.takes.len(), own.gives.len());
            let differs = phases.iter().zip(&lists.phases).position(|(model, own)| model != own);
            assert_eq!(phases.len(), lists.phases.len(), "{}: part {p}: phases", design.name);
            assert_eq!(differs, None, "{}: part {p}: the first phase that differs", design.name);
            assert_eq!(list.preset(0).unread_tail, lists.tail as u64, "{}: part {p}", design.name);
            assert_eq!(list.preset(0).unread_head, 0, "{}: part {p}", design.name);
        }
        assert_eq!(list.len() as usize, lists.phases.len(), "{}: part {p}: phases", design.name);
        all.push(lists);
    }
    all
}

/// The plain recurrence over a design between its pins; start times of one frame more than are asked for.
fn starts(d: &Design, lists: &[Lists], depths: &[u64], frames: usize, pins: &Pins) -> Vec<Vec<u64>> {
    let n = d.parts.len();
    let mut actors: Vec<model::Actor> = lists
        .iter()
        .map(|list| model::Actor {
            phases: list.phases.clone(),
            preset: (0..list.phases[0].takes.len())
                .map(|i| (if i == 0 { list.tail as u64 } else { 0 }, 0))
                .collect(),
            pin: Pin::None,
        })
        .collect();
    let mut channels: Vec<model::Channel> = d
        .wires
        .iter()
        .zip(depths)
        .map(|(wire, &depth)| model::Channel {
            writer: wire.writer,
            readers: wire.readers.clone(),
            stages: stages(d, wire.writer),
            depth,
        })
        .collect();
    let beats = (frames * lists[0].phases.len()) as u64;
    let give = Phase { takes: vec![], gives: vec![true] };
    let take = Phase { takes: vec![Take { need: 1, free: 1 }], gives: vec![] };
    let feeder = Pin::Feeder(pins.willing.clone(), beats);
    actors.push(model::Actor { phases: vec![give], preset: vec![], pin: feeder });
    let taker = Pin::Taker(pins.ready.clone());
    actors.push(model::Actor { phases: vec![take], preset: vec![(0, 0)], pin: taker });
    channels.push(model::Channel { writer: (n, 0), readers: vec![(0, 0)], stages: 0, depth: 2 });
    channels.push(model::Channel { writer: (n - 1, 0), readers: vec![(n + 1, 0)], stages: 1, depth: 4 });
    // The pins have a frame of one phase: more frames than anything needs.
    let longest = lists.iter().map(|l| l.phases.len()).max().unwrap_or(1) * (frames + 1);
    let limit: Vec<usize> = lists.iter().map(|l| l.phases.len() * (frames + 1)).collect();
    let mut starts = model::start_times(&actors, &channels, &|a| limit.get(a).copied().unwrap_or(longest));
    starts.truncate(n);
    starts
}

/// Register stages from a part's phase to the storage that one of its outputs writes: the model's table.
fn stages(d: &Design, (part, output): (usize, usize)) -> u64 {
    u64::from(stream::stages(&d.stream(), ActorId(part as u32), output as u16))
}

fn layout(d: &Design) -> Layout {
    let n = d.parts.len();
    let mut links = vec![Vec::new(); n];
    for output in 0..2 {
        for (w, wire) in d.wires.iter().enumerate().filter(|(_, w)| w.writer.1 == output) {
            links[wire.writer.0].extend((0..wire.readers.len()).map(|r| (w, r)));
        }
    }
    let (mut depth_slot, mut preset_slot, mut slot) = (vec![], vec![], 0);
    for part in &links {
        depth_slot.push(slot);
        slot += part.len();
        preset_slot.push(slot);
        slot += 2;
    }
    assert!(slot <= 64, "more settings than the top has");
    Layout { address: vec![1; d.wires.len()], links, depth_slot, preset_slot }
}

/// Address bits of a wire's banks for `places`, and the places that the memory has then.
fn memory(d: &Design, w: usize, places: u64) -> (usize, u64) {
    let (banks, row) = (d.banks(w) as u64, d.wires[w].beats().0 as u64);
    let words = |places: u64| match banks {
        1 => places,
        _ => places / (banks * row) * row + (places % (banks * row)).min(row),
    };
    let address = (1..16).find(|a| 1 << a >= words(places)).expect("a small memory");
    let all = (places..).take_while(|&more| words(more) <= 1 << address).take(64).last().unwrap_or(places);
    (address, all)
}
