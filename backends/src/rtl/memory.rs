//! Where the beats of a channel lie in its memory: banks by row and column, and words in a bank.

use nonresc_ir::id::ChannelId;
use nonresc_ir::network::Pair;
use nonresc_ir::stream::{Form, Kind, Reader, Stream};
use nonresc_passes::bind::{Bound, Primitive};

/// A channel's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// Banks by row and by column.
    pub(super) banks: Pair,
    /// Pixels a row of the map.
    pub(super) width: usize,
    /// Beats a pixel.
    pub(super) beats: usize,
    /// Words that a row takes in a bank.
    pub(super) row_words: usize,
    /// Address bits of a bank.
    pub(super) address: usize,
    /// Words of a bank: behind the last one comes the first.
    pub(super) span: usize,
    /// Words of the shift registers that it is made of; none where it is addressed.
    pub(super) shift: usize,
    /// What synthesis makes it of.
    pub(super) style: &'static str,
    /// Bits of a word.
    pub(super) bits: usize,
}

/// Rows and columns that a reader reads side by side.
pub(super) fn ports(stream: &Stream, reader: Reader) -> Pair {
    match &stream.actor(reader.actor).kind {
        Kind::MatVec(a) if reader.input == 0 => match a.fold.form {
            Form::Held { .. } => Pair { h: a.fold.ports.max(1), w: 1 },
            Form::Direct { taps } => a.window.side_by_side(taps),
            Form::Stationary => Pair::ONE,
        },
        _ => Pair::ONE,
    }
}

/// The word by which synthesis knows a primitive.
pub(super) fn style(primitive: Primitive) -> &'static str {
    match primitive {
        Primitive::Wires | Primitive::Registers | Primitive::ShiftRegister => "registers",
        Primitive::LutRam => "distributed",
        Primitive::LogicRom => "logic",
        Primitive::Block => "block",
        Primitive::UltraRam => "ultra",
    }
}

impl Memory {
    /// The memory of a channel with a depth, as bound; nothing where its readers read it side by side in different ways.
    pub(super) fn of(stream: &Stream, id: ChannelId, bound: Option<&Bound>) -> Option<Memory> {
        let channel = stream.channel(id);
        let all: Vec<Pair> = channel.readers.iter().map(|&reader| ports(stream, reader)).collect();
        let h = all.iter().map(|p| p.h).max().unwrap_or(1);
        let w = all.iter().map(|p| p.w).max().unwrap_or(1);
        if all.iter().any(|p| (p.h != 1 && p.h != h) || (p.w != 1 && p.w != w)) {
            return None;
        }
        let (width, beats) = (channel.map.width, channel.map.beats(channel.lanes));
        let row_words = width.div_ceil(w) * beats;
        let bits = channel.lanes * channel.bits as usize;
        let primitive = bound.map(|bound| bound.made_of.primitive);
        let (banks, style) = (Pair { h, w }, primitive.map_or("auto", style));
        let mut memory =
            Memory { banks, width, beats, row_words, address: 1, span: 1, shift: 0, bits, style };
        memory.span = memory.bank_words(channel.depth.unwrap_or(1) as usize);
        memory.address = (memory.span.max(2) - 1).ilog2() as usize + 1;
        let whole = 1 << memory.address;
        match primitive {
            // Without a binding the text of a design does not hang on depths.
            None => memory.span = whole,
            Some(Primitive::ShiftRegister) if banks == Pair::ONE && all.len() == 1 => {
                (memory.shift, memory.span) = (memory.span, whole);
            }
            Some(_) => {}
        }
        Some(memory)
    }

    /// Words of a bank between the first and the last, both included, of any `depth` beats in a row.
    fn bank_words(&self, depth: usize) -> usize {
        if self.banks == Pair::ONE {
            return depth;
        }
        // The first bank's beats over enough rows, in order, with their words.
        let row = self.width * self.beats;
        let rows = depth.div_ceil(row) + 2 * self.banks.h + 1;
        let places: Vec<(usize, usize)> = (0..rows)
            .step_by(self.banks.h)
            .flat_map(|y| {
                let pixels = (0..self.width).step_by(self.banks.w);
                pixels.flat_map(move |x| (0..self.beats).map(move |b| (y, x, b)))
            })
            .map(|(y, x, b)| {
                let word = y / self.banks.h * self.row_words + x / self.banks.w * self.beats + b;
                ((y * self.width + x) * self.beats + b, word)
            })
            .collect();
        let (mut last, mut most) = (0, 1);
        for &(beat, word) in places.iter().take_while(|place| place.0 < self.banks.h * row) {
            while last + 1 < places.len() && places[last + 1].0 < beat + depth {
                last += 1;
            }
            most = most.max(places[last].1 - word + 1);
        }
        most
    }

    /// The bank and the word of a beat: row (counted over frames), column, beat of the pixel; each may be negative.
    pub(super) fn place(&self, at: At) -> (usize, usize, u64) {
        let (h, w) = (self.banks.h as i64, self.banks.w as i64);
        let word = at.row.div_euclid(h) * self.row_words as i64
            + at.column.div_euclid(w) * self.beats as i64
            + at.beat as i64;
        (at.row.rem_euclid(h) as usize, at.column.rem_euclid(w) as usize, self.wrapped(word))
    }

    /// What takes a reader from one place to the next: banks down, banks to the right, words along.
    fn step(&self, from: At, to: At) -> (usize, usize, u64) {
        let (h, w) = (self.banks.h as i64, self.banks.w as i64);
        let (rows, columns) = (to.row - from.row, to.column - from.column);
        let words = rows.div_euclid(h) * self.row_words as i64
            + columns.div_euclid(w) * self.beats as i64
            + (to.beat as i64 - from.beat as i64);
        (rows.rem_euclid(h) as usize, columns.rem_euclid(w) as usize, self.wrapped(words))
    }

    /// The step behind each of a frame's reads, the last one to the first of the next frame, `rows` below.
    pub(super) fn steps(&self, reads: &[At], rows: usize) -> Vec<(usize, usize, u64)> {
        let behind = reads.iter().skip(1).copied();
        let again = reads.first().map(|first| At { row: first.row + rows as i64, ..*first });
        reads.iter().zip(behind.chain(again)).map(|(&from, to)| self.step(from, to)).collect()
    }

    fn wrapped(&self, word: i64) -> u64 {
        word.rem_euclid(self.span as i64) as u64
    }
}

/// A beat by its pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) row: i64,
    pub(super) column: i64,
    pub(super) beat: usize,
}
