//! Where the beats of a channel lie in its memory: banks by row and column, and words in a bank.

use nonresc_ir::id::ChannelId;
use nonresc_ir::network::Pair;
use nonresc_ir::stream::{Form, Kind, Reader, Stream};

/// How a channel is stored, as far as addresses hang on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// It is not known: nothing hangs on the depth but the bits of an address.
    Open,
    /// Words with an address.
    Addressed,
    /// Shift registers.
    Chain,
}

/// A channel's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Banks by row and by column.
    pub banks: Pair,
    /// Pixels a row of the map.
    pub width: usize,
    /// Beats a pixel.
    pub beats: usize,
    /// Words that a row takes in a bank.
    pub row_words: usize,
    /// Address bits of a bank.
    pub address: usize,
    /// Words of a bank: behind the last one comes the first.
    pub span: usize,
    /// Words of the shift registers that it is made of; none where it is addressed.
    pub shift: usize,
    /// Bits of a word.
    pub bits: usize,
}

/// Rows and columns that a reader reads side by side.
fn ports(stream: &Stream, reader: Reader) -> Pair {
    match &stream.actor(reader.actor).kind {
        Kind::MatVec(a) if reader.input == 0 => match a.fold.form {
            Form::Held { .. } => Pair { h: a.fold.ports.max(1), w: 1 },
            Form::Direct { taps } => a.window.side_by_side(taps),
            Form::Stationary => Pair::ONE,
        },
        _ => Pair::ONE,
    }
}

impl Layout {
    /// The layout of a channel with a depth; nothing where its readers read it side by side in different ways.
    pub fn of(stream: &Stream, id: ChannelId, storage: Storage) -> Option<Layout> {
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
        let banks = Pair { h, w };
        let mut layout = Layout { banks, width, beats, row_words, address: 1, span: 1, shift: 0, bits };
        layout.span = layout.bank_words(channel.depth.unwrap_or(1) as usize);
        layout.address = (layout.span.max(2) - 1).ilog2() as usize + 1;
        let whole = 1 << layout.address;
        match storage {
            Storage::Open => layout.span = whole,
            Storage::Chain if banks == Pair::ONE && all.len() == 1 => {
                (layout.shift, layout.span) = (layout.span, whole);
            }
            Storage::Chain | Storage::Addressed => {}
        }
        Some(layout)
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
    pub fn place(&self, at: At) -> (usize, usize, u64) {
        let (h, w) = (self.banks.h as i64, self.banks.w as i64);
        let word = at.row.div_euclid(h) * self.row_words as i64
            + at.column.div_euclid(w) * self.beats as i64
            + at.beat as i64;
        (at.row.rem_euclid(h) as usize, at.column.rem_euclid(w) as usize, self.wrapped(word))
    }

    /// What takes a reader from one place to the next: banks down, banks to the right, words along.
    pub(super) fn step(&self, from: At, to: At) -> (usize, usize, u64) {
        let (h, w) = (self.banks.h as i64, self.banks.w as i64);
        let (rows, columns) = (to.row - from.row, to.column - from.column);
        let words = rows.div_euclid(h) * self.row_words as i64
            + columns.div_euclid(w) * self.beats as i64
            + (to.beat as i64 - from.beat as i64);
        (rows.rem_euclid(h) as usize, columns.rem_euclid(w) as usize, self.wrapped(words))
    }

    /// A frame's reads, each with its first and its last place by `ends` and the step behind that: of the last read to
    /// the first of the next frame, `rows` below.
    pub(super) fn steps<R>(
        &self,
        reads: impl Iterator<Item = R>,
        ends: impl Fn(&R) -> (At, At),
        rows: usize,
    ) -> impl Iterator<Item = (R, (usize, usize, u64))> {
        let mut reads = reads.peekable();
        let again = reads.peek().map(|read| ends(read).0);
        let again = again.map(|first| At { row: first.row + rows as i64, ..first });
        std::iter::from_fn(move || {
            let read = reads.next()?;
            let to = reads.peek().map(|next| ends(next).0).or(again)?;
            let step = self.step(ends(&read).1, to);
            Some((read, step))
        })
    }

    fn wrapped(&self, word: i64) -> u64 {
        word.rem_euclid(self.span as i64) as u64
    }
}

/// A beat by its pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The row, counted over frames.
    pub row: i64,
    /// The column.
    pub column: i64,
    /// The beat of the pixel.
    pub beat: usize,
}
