//! The memories of a stream: channels, weights, biases, private memory of actors, each with the ports that its
//! readers need. What they are made of is not known here.
//!
//! Ports: a held window with a port a kernel row, and a direct window, read banks side by side (row modulo banks,
//! column modulo banks). Every reader beyond the first has a copy, since all primitives are taken with one write and
//! one read port.

use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_ir::network::Sides;
use nonresc_ir::stream::{Channel, Form, Kind, MatVec, Reader, Stream};

use super::actor::{Widths, accumulator_bits, pool_bits, sum_bits};

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
}

/// A memory: how many words, how wide, read through how many ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What it is for.
    pub role: Role,
    /// Bits of a word.
    pub width: u64,
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
}

impl Memory {
    fn single(role: Role, words: u64, width: u64, constant: bool) -> Memory {
        let in_order = !constant;
        Memory { role, width, words, banks: 1, bank_words: words, readers: 1, in_order, constant }
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
    Memory {
        role: if all.iter().any(|a| a.window) { Role::LineBuffer(id) } else { Role::Fifo(id) },
        width: channel.word_bits(),
        words: depth,
        banks: rows * columns,
        bank_words: bank_words(depth, row, pixel, rows, columns),
        readers: all.len() as u64,
        in_order: all.len() == 1 && all[0].in_order,
        constant: false,
    }
}

/// A matrix-vector's weights: SIMD x PE of them a word, one word a phase of computing.
pub fn weights(actor: ActorId, a: &MatVec) -> Memory {
    let words = (a.input_folds() * a.output_folds()) as u64;
    let width = (a.fold.simd * a.fold.pe) as u64 * u64::from(a.weight_bits);
    Memory::single(Role::Weights(actor), words, width, true)
}

/// A matrix-vector's biases: PE of them a word, one word an output fold.
pub fn bias(actor: ActorId, a: &MatVec, bits_in: u64) -> Option<Memory> {
    let width = a.fold.pe as u64 * accumulator_bits(a, bits_in);
    a.bias.then(|| Memory::single(Role::Bias(actor), a.output_folds() as u64, width, true))
}

/// The weights of a projection beside, as [`weights`].
pub fn weights_beside(actor: ActorId, a: &MatVec) -> Option<Memory> {
    let p = a.projection()?;
    let words = (p.input_folds(a.input.channels) * p.output_folds()) as u64;
    let width = (p.simd * p.pe) as u64 * u64::from(p.weight_bits);
    Some(Memory::single(Role::Weights(actor), words, width, true))
}

/// The biases of a projection beside, as [`bias`].
pub fn bias_beside(actor: ActorId, a: &MatVec, bits_in: u64) -> Option<Memory> {
    let p = a.projection().filter(|p| p.bias)?;
    let width = p.pe as u64 * sum_bits(p.weight_bits, bits_in, a.input.channels);
    Some(Memory::single(Role::Bias(actor), p.output_folds() as u64, width, true))
}

/// What an actor remembers between phases beside its registers.
pub fn private(actor: ActorId, kind: &Kind, w: Widths) -> Option<Memory> {
    let (words, width) = match kind {
        Kind::Pool(a) => {
            let open = a.window.kernel.h.div_ceil(a.window.stride.h.max(1));
            let words = open * a.output.width * a.input.beats(w.lanes_in);
            let taps = (a.window.kernel.h * a.window.kernel.w) as u64;
            (words as u64, w.lanes_in as u64 * pool_bits(a.kind, taps, w.bits_in))
        }
        Kind::GlobalPool(a) => {
            let bits = pool_bits(a.kind, a.input.pixels() as u64, w.bits_in);
            (a.input.beats(w.lanes_in) as u64, w.lanes_in as u64 * bits)
        }
        Kind::MatVec(a) if a.fold.form == Form::Stationary => {
            (a.output_folds() as u64, a.fold.pe as u64 * accumulator_bits(a, w.bits_in))
        }
        _ => return None,
    };
    Some(Memory::single(Role::Private(actor), words, width, false))
}

/// All memories of a stream: channels that have a depth in the order of their ids, then what actors hold.
pub fn memories(stream: &Stream) -> Vec<Memory> {
    let mut all: Vec<Memory> = stream
        .channels()
        .filter_map(|id| {
            let channel = stream.channel(id);
            channel.depth.map(|depth| channel_memory(stream, id, channel, depth))
        })
        .collect();
    for id in stream.actors() {
        let kind = &stream.actor(id).kind;
        let w = Widths::of(stream, id);
        if let Kind::MatVec(a) = kind {
            all.push(weights(id, a));
            all.extend(bias(id, a, w.bits_in));
            all.extend(weights_beside(id, a));
            all.extend(bias_beside(id, a, w.bits_in));
        }
        all.extend(private(id, kind, w));
    }
    all
}
