//! The memories of a stream: channels, weights, biases, factors, programs, private memory of actors, each with the ports
//! that its readers need. What they are made of is not known here.
//!
//! Ports: a held window with a port a kernel row, and a direct window, read banks side by side (row modulo banks,
//! column modulo banks). Every reader beyond the first has a copy, since all primitives are taken with one write and
//! one read port.

use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::network::Sides;
use nonresc_ir::stream::{Channel, Form, Kind, MatVec, Pool, PoolKind, Reader, Stream, pool_actions};

use super::actor::{Widths, accumulator_bits, pool_bits, sum_bits};
use super::inside::{Inside, Varying, Within};
use crate::arithmetic::{Folded, Rounded, Source};
use crate::control::{Layout, SINK_PLACES, Storage};
use crate::images;

/// What a memory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A channel that is read in order.
    Fifo(ChannelId),
    /// A channel that a window is read from.
    LineBuffer(ChannelId),
    /// A matrix-vector's weights.
    Weights(ActorId),
    /// A matrix-vector's biases.
    Bias(ActorId),
    /// Partial results of an actor.
    Private(ActorId),
    /// The words of an actor's control.
    Program(ActorId),
    /// Where each of these words is followed by which: read in the cycle in which it is needed.
    Flow(ActorId),
    /// What the counters of an actor's control begin with.
    Start(ActorId),
    /// Factors and offsets of an actor's way to codes.
    Factors(ActorId),
}

impl Role {
    /// What such memories hold, in the plural.
    pub fn content(self) -> &'static str {
        match self {
            Role::Fifo(_) => "FIFOs",
            Role::LineBuffer(_) => "line buffers",
            Role::Weights(_) => "weights",
            Role::Bias(_) => "biases",
            Role::Private(_) => "partial results",
            Role::Factors(_) => "factors",
            Role::Program(_) | Role::Flow(_) | Role::Start(_) => "programs",
        }
    }

    /// The channel that it is, if it is one.
    pub fn channel(self) -> Option<ChannelId> {
        match self {
            Role::Fifo(id) | Role::LineBuffer(id) => Some(id),
            _ => None,
        }
    }

    /// The actor that holds it, if it is no channel.
    pub fn actor(self) -> Option<ActorId> {
        match self {
            Role::Fifo(_) | Role::LineBuffer(_) => None,
            Role::Weights(id) | Role::Bias(id) | Role::Private(id) | Role::Factors(id) => Some(id),
            Role::Program(id) | Role::Flow(id) | Role::Start(id) => Some(id),
        }
    }
}

/// When a word is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// A cycle behind its address.
    Registered,
    /// In the cycle of its address: no block has such a port.
    AtOnce,
    /// All words in every cycle.
    AllAtOnce,
}

/// A memory: how many words, how wide, read through how many ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What it is for.
    pub role: Role,
    /// Bits of a word.
    pub width: u64,
    /// Bits of them that differ between words, where the contents never change: no memory is made of the others.
    pub varying: u64,
    /// Those of them that are no copies of each other.
    pub functions: u64,
    /// LUTs of six inputs that make it, where that was counted word for word.
    pub luts: Option<u64>,
    /// Words that are needed.
    pub words: u64,
    /// Banks that are read side by side.
    pub banks: u64,
    /// Words of a bank.
    pub bank_words: u64,
    /// Readers, each with a copy of all banks where the primitive has one read port.
    pub readers: u64,
    /// Whether it is read in the order in which it was written, by one reader.
    pub in_order: bool,
    /// Whether its contents never change.
    pub constant: bool,
    /// When a word is there.
    pub read: Read,
}

impl Memory {
    /// A memory of one bank and one reader; what is written is read in order.
    pub fn single(role: Role, words: u64, width: u64, constant: bool) -> Memory {
        let in_order = !constant;
        Memory {
            role,
            width,
            varying: width,
            functions: width,
            luts: None,
            words,
            banks: 1,
            bank_words: words,
            readers: 1,
            in_order,
            constant,
            read: Read::Registered,
        }
    }

    /// The same with so many bits that differ, where that is known.
    fn where_varying(self, varying: Option<Varying>) -> Memory {
        match varying {
            Some(Varying { bits, functions }) => Memory { varying: bits, functions, ..self },
            None => self,
        }
    }

    /// Bits that are needed.
    pub fn bits(&self) -> u64 {
        self.words * self.width
    }
}

/// How a reader reads its channel.
struct Access {
    row_banks: u64,
    column_banks: u64,
    in_order: bool,
    window: bool,
}

impl Access {
    const IN_ORDER: Access = Access { row_banks: 1, column_banks: 1, in_order: true, window: false };

    fn of(stream: &Stream, reader: Reader) -> Access {
        match &stream.actor(reader.actor).kind {
            Kind::MatVec(a) if reader.input == 0 => Access::matrix_vector(a),
            Kind::Select(a) => {
                let all = a.stride == nonresc_ir::network::Pair::ONE && a.input.pixels() == a.output.pixels();
                Access { in_order: all, ..Access::IN_ORDER }
            }
            Kind::Pool(a) => {
                let all = a.window.stride.h <= a.window.kernel.h && a.window.stride.w <= a.window.kernel.w;
                Access { in_order: all, ..Access::IN_ORDER }
            }
            _ => Access::IN_ORDER,
        }
    }

    fn matrix_vector(a: &MatVec) -> Access {
        let (kernel, stride) = (a.window.kernel, a.window.stride);
        let point = kernel.h * kernel.w == 1;
        let dense = point && stride.h * stride.w == 1 && a.window.pad == Sides::ZERO;
        match a.fold.form {
            Form::Stationary => Access::IN_ORDER,
            Form::Held { .. } => Access {
                row_banks: a.fold.ports.max(1) as u64,
                in_order: dense,
                window: !point,
                ..Access::IN_ORDER
            },
            Form::Direct { taps } => Access {
                row_banks: a.window.side_by_side(taps).h as u64,
                column_banks: a.window.side_by_side(taps).w as u64,
                in_order: false,
                window: !point,
            },
        }
    }
}

/// Words of one of `rows` x `columns` banks where `depth` consecutive beats of rows of `row_beats` beats are kept:
/// the most of them that can lie in one row modulo `rows`, a column's share of those.
pub fn bank_words(depth: u64, row_beats: u64, pixel_beats: u64, rows: u64, columns: u64) -> u64 {
    let lap = rows * row_beats;
    let words = depth / lap * row_beats + (depth % lap).min(row_beats);
    if columns == 1 { words } else { (words / pixel_beats).div_ceil(columns).max(1) * pixel_beats }
}

fn channel_memory(stream: &Stream, id: ChannelId, channel: &Channel, depth: u64) -> Memory {
    let all: Vec<Access> = channel.readers.iter().map(|&r| Access::of(stream, r)).collect();
    let rows = all.iter().map(|a| a.row_banks).max().unwrap_or(1);
    let columns = all.iter().map(|a| a.column_banks).max().unwrap_or(1);
    let pixel = channel.map.beats(channel.lanes) as u64;
    let row = channel.map.width as u64 * pixel;
    let least = || bank_words(depth, row, pixel, rows, columns);
    Memory {
        role: if all.iter().any(|a| a.window) { Role::LineBuffer(id) } else { Role::Fifo(id) },
        width: channel.word_bits(),
        varying: channel.word_bits(),
        functions: channel.word_bits(),
        luts: None,
        words: depth,
        banks: rows * columns,
        bank_words: Layout::of(stream, id, Storage::Addressed).map_or_else(least, |l| l.span as u64),
        readers: all.len() as u64,
        in_order: all.len() == 1 && all[0].in_order,
        constant: false,
        read: Read::Registered,
    }
}

/// A matrix-vector's weights: SIMD x PE of them a word, one word a phase of computing.
pub fn weights(actor: ActorId, a: &MatVec) -> Memory {
    let words = (a.input_folds() * a.output_folds()) as u64;
    let width = (a.fold.simd * a.fold.pe) as u64 * u64::from(a.weight_bits);
    Memory::single(Role::Weights(actor), words, width, true)
}

/// The weights of a projection beside, as [`weights`].
pub fn weights_beside(actor: ActorId, a: &MatVec) -> Option<Memory> {
    let p = a.projection()?;
    let words = (p.input_folds(a.input.channels) * p.output_folds()) as u64;
    let width = (p.simd * p.pe) as u64 * u64::from(p.weight_bits);
    Some(Memory::single(Role::Weights(actor), words, width, true))
}

/// Sums that a layer whose window is the whole map keeps: a bank for each of PE.
pub fn partial_sums(actor: ActorId, a: &MatVec, accumulator: u64) -> Option<Memory> {
    let wanted = a.fold.form == Form::Stationary && a.output_folds() > 1;
    wanted.then(|| at_once(actor, a.fold.pe as u64, a.output_folds() as u64, accumulator, 1))
}

/// A memory of partial results of several banks, each with a word in the cycle of its address.
fn at_once(actor: ActorId, banks: u64, bank_words: u64, width: u64, readers: u64) -> Memory {
    let all = Memory::single(Role::Private(actor), banks * bank_words, width, false);
    Memory { banks, bank_words, readers, in_order: false, read: Read::AtOnce, ..all }
}

/// All memories of a stream: channels that have a depth in the order of their ids, then what actors hold; programs and
/// factors as far as it is known what is `inside`.
pub fn memories(stream: &Stream, inside: Option<&Inside>) -> Vec<Memory> {
    let mut all: Vec<Memory> = stream
        .channels()
        .filter_map(|id| {
            let channel = stream.channel(id);
            channel.depth.map(|depth| channel_memory(stream, id, channel, depth))
        })
        .collect();
    for id in stream.actors() {
        let inside = inside.and_then(|inside| inside.of_actor(id));
        let (w, unknown) = (Widths::of(stream, id), Within::default());
        let inside = inside.unwrap_or(&unknown);
        held(&mut all, stream, id, w, inside);
        factors(&mut all, stream, id, w, inside);
        control(&mut all, id, inside);
    }
    all
}

/// Weights, biases, partial results.
fn held(all: &mut Vec<Memory>, stream: &Stream, id: ActorId, w: Widths, inside: &Within) {
    let ways = inside.ways.as_ref();
    match &stream.actor(id).kind {
        Kind::MatVec(a) => {
            let bias = |folds: usize, pe: usize, accumulator: u64| {
                Memory::single(Role::Bias(id), folds as u64, pe as u64 * accumulator, true)
            };
            let own = ways.map_or_else(|| accumulator_bits(a, w.bits_in), |ways| ways.accumulator as u64);
            all.push(weights(id, a).where_varying(inside.varying[0]));
            // Sums begin with something where zero points are taken off as well.
            if a.bias || ways.is_some() {
                all.push(bias(a.output_folds(), a.fold.pe, own).where_varying(inside.varying[1]));
            }
            if let Some(p) = a.projection() {
                let sum = || sum_bits(p.weight_bits, w.bits_in, a.input.channels);
                let beside = ways.map_or_else(sum, |ways| ways.beside_accumulator as u64);
                all.extend(weights_beside(id, a).map(|m| m.where_varying(inside.varying[2])));
                if p.bias || ways.is_some() {
                    all.push(bias(p.output_folds(), p.pe, beside).where_varying(inside.varying[3]));
                }
            }
            all.extend(partial_sums(id, a, own));
        }
        Kind::GlobalPool(a) => {
            let estimate = || pool_bits(a.kind, a.input.pixels() as u64, w.bits_in);
            let bits = ways.map_or_else(estimate, |ways| ways.accumulator as u64);
            let (lanes, beats) = (w.lanes_in as u64, a.input.beats(w.lanes_in) as u64);
            let share = w.lanes_in / w.lanes_out;
            // One port folds, one gives; where lanes do not share evenly all are given from registers.
            let memory = at_once(id, lanes, beats, bits, 2);
            all.push(match share.is_power_of_two() && w.lanes_in.is_multiple_of(w.lanes_out) {
                true => memory,
                false => Memory { read: Read::AllAtOnce, readers: 1, ..memory },
            });
        }
        Kind::Pool(a) => pool(all, id, a, w, inside),
        // What the pin holds.
        Kind::Sink(_) => {
            let width = w.lanes_in as u64 * w.bits_in + 1;
            all.push(at_once(id, 1, SINK_PLACES, width, 1));
        }
        Kind::Source(_) | Kind::Sum(_) | Kind::Select(_) | Kind::Activate { .. } | Kind::Convert(_) => {}
    }
}

/// Partial results along a row, then those down the columns: a bank for each slot of windows that overlap.
fn pool(all: &mut Vec<Memory>, id: ActorId, a: &Pool, w: Widths, inside: &Within) {
    let slots = pool_actions(a).slots;
    let beats = a.input.beats(w.lanes_in);
    let plain = || match a.kind {
        PoolKind::Max => Folded::new(a, &Source::Largest, w.bits_in as usize, true),
        PoolKind::Average { .. } => {
            Folded::new(a, &Source::Sums { zero: 0, bits: 0 }, w.bits_in as usize, true)
        }
    };
    let Some(folded) = inside.ways.as_ref().and_then(|ways| ways.folded).or_else(plain) else { return };
    let kernel = a.window.kernel;
    let mut push = |banks: usize, bank_words: usize, bits: usize, readers: u64| {
        let memory = at_once(id, banks as u64, bank_words as u64, (w.lanes_in * bits) as u64, readers);
        all.push(Memory { read: Read::Registered, ..memory });
    };
    if kernel.w > 1 {
        push(slots.w, beats, folded.along, 1);
    }
    if kernel.h > 1 || inside.given.later {
        // Where lanes differ, each beat of a pixel has a memory of its own.
        let (parts, within) = if w.lanes_in == w.lanes_out { (1, beats) } else { (beats, 1) };
        let words = a.output.width.div_ceil(slots.w) * within;
        push(slots.w * slots.h * parts, words, folded.kept, 1 + u64::from(inside.given.apart));
    }
}

/// Factors and offsets: those of the result's own codes, the last ones, those of a projection beside.
fn factors(all: &mut Vec<Memory>, stream: &Stream, id: ActorId, w: Widths, inside: &Within) {
    let Some(ways) = &inside.ways else { return };
    let mut push = |way: &Option<Rounded>, lanes: usize| {
        if let Some(way) = way {
            let image = images::factors(way, lanes);
            let memory =
                Memory::single(Role::Factors(id), image.len() as u64, (lanes * way.entry()) as u64, true);
            all.push(memory.where_varying(Some(Varying::of(&image))));
        }
    };
    push(&ways.inner, w.lanes_out);
    push(&ways.last, w.lanes_out);
    if stream.actor(id).kind.outputs() > 1 {
        push(&ways.beside, w.lanes_second);
    }
}

/// The images of a control.
fn control(all: &mut Vec<Memory>, id: ActorId, inside: &Within) {
    let Some(sizes) = &inside.control else { return };
    let program = Memory::single(Role::Program(id), sizes.words, sizes.word_bits, true);
    let functions = sizes.functions_in(0..sizes.word_bits);
    all.push(Memory { varying: sizes.varying[0], functions, luts: Some(sizes.luts[0]), ..program });
    let flow = Memory::single(Role::Flow(id), sizes.words, sizes.flow_bits, true);
    // Where no loop has several passes, nothing reads it.
    let luts = if sizes.has_loops() { sizes.luts[1] } else { 0 };
    all.push(Memory { varying: sizes.varying[1], luts: Some(luts), read: Read::AtOnce, ..flow });
    let start = Memory::single(Role::Start(id), 1, sizes.start_bits, true);
    all.push(Memory { read: Read::AllAtOnce, ..start });
}
