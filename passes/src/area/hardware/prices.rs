//! LUTs where they cannot be counted off the text of a module: what is asked for, and the figure of each thing, fitted to
//! what Yosys makes of random networks. `cargo bench -p nonresc-tests --bench area -- refit` makes the [`table`](super::table)
//! anew.

use super::table::TABLE;
use crate::device::Family;

/// What LUTs are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// A bit of a counter of beats or places: two adders, the first of them of three operands.
    CounterBit,
    /// A number that counts up to a constant and begins anew.
    Tally,
    /// A bit of it.
    TallyBit,
    /// A loop of a program: its decisions.
    Loop,
    /// A bit of its count of passes.
    LoopBit,
    /// A count of repetitions of a program's word, and when the next word comes.
    Run,
    /// A bit of it.
    RunBit,
    /// A bit of the place in a program.
    PlaceBit,
    /// A bit of what comes behind a word, of up to two loops.
    NextBit,
    /// A bit of what comes behind a word, of more loops.
    NextBitOfMore,
    /// A LUT of six inputs of the table of what a flow's kind says.
    Kind,
    /// The counters of beats and pixels beside places in banks.
    Banked,
    /// A bit of the place of a writer or reader in banks.
    BankedBit,
    /// A bit of a place that goes round at no power of two.
    RoundBit,
    /// A bit of the fraction where ties are told.
    TieBit,
    /// A bit of a code that is moved by its zero point.
    CodeBit,
    /// A bit of a code that limits replace.
    LimitedBit,
    /// A bit that is compared with limits.
    ComparedBit,
    /// A bit of the adders between the parts of a product that is larger than a block.
    SplitBit,
    /// A bit of the counters of what a pool gives.
    GivenBit,
    /// A bit of a choice between two.
    Choose2,
    /// A bit of a choice among three or four.
    Choose4,
    /// A bit of a choice among five: Yosys makes multiplexers of other numbers than powers of two worse than the slices' own.
    Choose5,
    /// A bit of a choice among six.
    Choose6,
    /// A bit of a choice among seven or eight.
    Choose8,
    /// A bit of one of nine to sixteen.
    OneOf16,
    /// A bit of one of 17 to 32.
    OneOf32,
    /// A bit of one of more.
    OneOfMore,
}

impl Price {
    /// All of them, in the table's order.
    pub const ALL: [Price; 28] = [
        Price::CounterBit,
        Price::Tally,
        Price::TallyBit,
        Price::Loop,
        Price::LoopBit,
        Price::Run,
        Price::RunBit,
        Price::PlaceBit,
        Price::NextBit,
        Price::NextBitOfMore,
        Price::Kind,
        Price::Banked,
        Price::BankedBit,
        Price::RoundBit,
        Price::TieBit,
        Price::CodeBit,
        Price::LimitedBit,
        Price::ComparedBit,
        Price::SplitBit,
        Price::GivenBit,
        Price::Choose2,
        Price::Choose4,
        Price::Choose5,
        Price::Choose6,
        Price::Choose8,
        Price::OneOf16,
        Price::OneOf32,
        Price::OneOfMore,
    ];

    /// LUTs of a family.
    pub fn luts(self, family: Family) -> f64 {
        TABLE[self as usize][usize::from(family.lut_inputs() == 4)]
    }

    /// LUTs of a family as logic alone would have it: what a fit stays near to where networks say little.
    pub fn expected(self, family: Family) -> f64 {
        let [six, four] = match self {
            Price::CounterBit => [1.7, 3.0],
            Price::Tally => [1.0, 2.0],
            Price::TallyBit => [0.5, 1.0],
            Price::Loop => [3.0, 6.0],
            Price::LoopBit => [1.5, 3.0],
            Price::Run => [4.0, 8.0],
            Price::RunBit => [1.0, 2.0],
            Price::PlaceBit => [0.7, 1.5],
            Price::NextBit => [1.5, 3.0],
            Price::NextBitOfMore => [2.5, 5.0],
            Price::Kind => [1.0, 3.0],
            Price::Banked => [50.0, 100.0],
            Price::BankedBit => [8.0, 16.0],
            Price::RoundBit => [2.5, 5.0],
            Price::TieBit => [0.1, 0.2],
            Price::CodeBit | Price::LimitedBit => [0.5, 1.0],
            Price::ComparedBit => [0.2, 0.4],
            Price::SplitBit => [0.7, 1.0],
            Price::GivenBit => [1.2, 2.4],
            Price::Choose2 => [1.0, 1.0],
            Price::Choose4 => [1.0, 2.0],
            Price::Choose5 => [4.0, 5.0],
            Price::Choose6 => [8.0, 8.0],
            Price::Choose8 => [3.0, 6.0],
            Price::OneOf16 => [0.4, 0.9],
            Price::OneOf32 => [0.6, 0.9],
            Price::OneOfMore => [0.4, 0.9],
        };
        if family.lut_inputs() == 4 { four } else { six }
    }
}

/// The LUTs of a part of a design: those that are counted, and how often each thing is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bill {
    /// Adders and gates of a bit each, products in LUTs, shift registers.
    pub counted: u64,
    asked: [f64; Price::ALL.len()],
}

impl Bill {
    /// Asks for something so often.
    pub(super) fn ask(&mut self, price: Price, often: f64) {
        self.asked[price as usize] += often;
    }

    /// How often something is asked for.
    pub fn asked(&self, price: Price) -> f64 {
        self.asked[price as usize]
    }

    /// LUTs of a family.
    pub fn luts(&self, family: Family) -> u64 {
        let priced: f64 = Price::ALL.iter().map(|&price| self.asked(price) * price.luts(family)).sum();
        priced.round() as u64 + self.counted
    }

    /// So many bits that are chosen among so many.
    pub(super) fn choose(&mut self, bits: u64, ways: u64) {
        let each = bits as f64;
        let all = (bits * ways) as f64;
        match ways {
            0 | 1 => {}
            2 => self.ask(Price::Choose2, each),
            3 | 4 => self.ask(Price::Choose4, each),
            5 => self.ask(Price::Choose5, each),
            6 => self.ask(Price::Choose6, each),
            7 | 8 => self.ask(Price::Choose8, each),
            9..=16 => self.ask(Price::OneOf16, all),
            17..=32 => self.ask(Price::OneOf32, all),
            _ => self.ask(Price::OneOfMore, all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_listed_in_the_order_of_their_numbers() {
        for (number, price) in Price::ALL.into_iter().enumerate() {
            assert_eq!(price as usize, number);
        }
    }
}
