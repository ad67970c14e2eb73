//! What a memory can be made of, and what each way takes: primitives by their real shapes, copies for readers
//! beyond the port, multiplexers behind what lies one after another, and the channel's control.
//!
//! Control prices are fits to channels that Yosys 0.23 made (depth 1: 2 LUT; shift register 32 deep: 14 LUT and
//! 13 FF beside the word's register; LUT RAM 64 deep: 17 and 23; block RAM 512 deep: 20 and 32).

use std::fmt;

use crate::area::{Memory, Read, ceil_log2};
use crate::device::{Family, Shape};

/// A kind of storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Primitive {
    /// A constant of one word: wires.
    Wires,
    /// Flip-flops.
    Registers,
    /// LUTs as shift registers.
    ShiftRegister,
    /// LUTs as RAM.
    LutRam,
    /// Constants as functions of an address, in LUTs.
    LogicRom,
    /// Block RAM of 18,432 bits.
    Block,
    /// The large block.
    UltraRam,
}

impl fmt::Display for Primitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Primitive::Wires => "wires",
            Primitive::Registers => "registers",
            Primitive::ShiftRegister => "SRL",
            Primitive::LutRam => "LUTRAM",
            Primitive::LogicRom => "logic ROM",
            Primitive::Block => "block RAM",
            Primitive::UltraRam => "UltraRAM",
        })
    }
}

/// What is taken of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// LUTs, those that are memory included (estimate).
    pub luts: u64,
    /// LUTs that are memory.
    pub memory_luts: u64,
    /// Flip-flops (estimate).
    pub ffs: u64,
    /// DSP blocks.
    pub dsps: u64,
    /// Block RAMs of 18,432 bits.
    pub bram18: u64,
    /// Large blocks.
    pub urams: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Usage) {
        self.luts += other.luts;
        self.memory_luts += other.memory_luts;
        self.ffs += other.ffs;
        self.dsps += other.dsps;
        self.bram18 += other.bram18;
        self.urams += other.urams;
    }
}

/// One way to make a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Of what.
    pub primitive: Primitive,
    /// The primitive's mode, where it has modes.
    pub shape: Option<Shape>,
    /// How many primitives (LUTs or flip-flops where it is made of these), copies included.
    pub count: u64,
    /// Words that these hold, of one copy.
    pub allocated_words: u64,
    /// What it takes with its control.
    pub usage: Usage,
}

/// Registers hold at most so many words: beyond, every family's LUT RAM is smaller.
const MOST_REGISTER_WORDS: u64 = 4;

/// All ways to make a memory, least primitive first; never empty.
pub fn candidates(m: &Memory, family: Family) -> Vec<Candidate> {
    if m.constant {
        if m.words <= 1 || m.varying == 0 || m.read == Read::AllAtOnce {
            return vec![plain(Primitive::Wires, 0, m.words, Usage::default())];
        }
        return match m.read {
            Read::Registered => vec![logic_rom(m, family), block(m, family)],
            Read::AtOnce | Read::AllAtOnce => vec![logic_rom(m, family)],
        };
    }
    if m.read == Read::AllAtOnce {
        let usage = Usage { ffs: m.bits(), ..Usage::default() };
        return vec![plain(Primitive::Registers, m.bits(), m.words, usage)];
    }
    let mut all = Vec::with_capacity(5);
    all.extend(registers(m, family));
    all.extend(shift_register(m, family));
    all.extend(lut_ram(m, family));
    if m.read == Read::Registered {
        all.push(block(m, family));
        all.extend(ultra_ram(m, family));
    }
    all
}

fn plain(primitive: Primitive, count: u64, allocated_words: u64, usage: Usage) -> Candidate {
    Candidate { primitive, shape: None, count, allocated_words, usage }
}

/// Credit counters of a channel, one a reader, and the pointers of its storage.
fn control(m: &Memory, pointers: u64) -> Usage {
    if m.role.channel().is_none() {
        let bits = ceil_log2(m.words) * pointers;
        return Usage { luts: bits, ffs: bits, ..Usage::default() };
    }
    let depth = m.words;
    if depth == 1 {
        return Usage { luts: 2 * m.readers, ffs: 2 * m.readers, ..Usage::default() };
    }
    let credit = ceil_log2(depth + 1);
    let address = ceil_log2(depth) * pointers;
    Usage {
        luts: (m.readers * 5 * credit).div_ceil(4) + address.div_ceil(2),
        ffs: m.readers * (credit + 1) + address,
        ..Usage::default()
    }
}

fn with(mut usage: Usage, more: Usage) -> Usage {
    usage += more;
    usage
}

fn registers(m: &Memory, family: Family) -> Option<Candidate> {
    let is_channel = m.role.channel().is_some();
    if m.bank_words > MOST_REGISTER_WORDS || (m.banks > 1 && is_channel) {
        return None;
    }
    let bits = m.bits();
    let select = m.readers * m.banks * m.width * family.mux_luts(m.bank_words);
    let usage = with(control(m, 0), Usage { luts: select, ffs: bits, ..Usage::default() });
    Some(plain(Primitive::Registers, bits, m.words, usage))
}

fn shift_register(m: &Memory, family: Family) -> Option<Candidate> {
    if !m.in_order || m.banks > 1 {
        return None;
    }
    let luts = family.srl_luts(m.words, m.width)?;
    let allocated = if m.words <= 16 { 16 } else { m.words.next_multiple_of(32) };
    let own = Usage { luts, memory_luts: luts, ffs: m.width, ..Usage::default() };
    Some(plain(Primitive::ShiftRegister, luts, allocated, with(control(m, 1), own)))
}

fn lut_ram(m: &Memory, family: Family) -> Option<Candidate> {
    let copies = m.banks * m.readers;
    let best = family.lut_rams().iter().map(|ram| {
        let luts = copies * ram.shape.count(m.bank_words, m.width) * ram.luts;
        let ways = m.bank_words.div_ceil(ram.shape.depth);
        let select = copies * m.width * family.mux_luts(ways);
        let words = ways * ram.shape.depth * m.banks;
        let own = Usage { luts: luts + select, memory_luts: luts, ffs: copies * m.width, ..Usage::default() };
        let usage = with(control(m, 1 + m.readers), own);
        Candidate {
            primitive: Primitive::LutRam,
            shape: Some(ram.shape),
            count: luts / ram.luts,
            allocated_words: words,
            usage,
        }
    });
    best.min_by_key(|c| c.usage.luts)
}

fn logic_rom(m: &Memory, family: Family) -> Candidate {
    let luts = family.rom_luts(m.words, m.varying);
    let usage = with(control(m, 1), Usage { luts, ffs: m.varying, ..Usage::default() });
    plain(Primitive::LogicRom, luts, m.words, usage)
}

fn block(m: &Memory, family: Family) -> Candidate {
    let copies = m.banks * m.readers;
    let of = |shape: Shape| {
        let count = copies * shape.count(m.bank_words, m.varying);
        let ways = m.bank_words.div_ceil(shape.depth);
        let luts = copies * m.varying * family.mux_luts(ways);
        let own = Usage { luts, bram18: count, ..Usage::default() };
        Candidate {
            primitive: Primitive::Block,
            shape: Some(shape),
            count,
            allocated_words: ways * shape.depth * m.banks,
            usage: with(control(m, 1 + m.readers), own),
        }
    };
    let mut shapes = family.block_shapes().iter().map(|&shape| of(shape));
    let first = shapes.next().expect("every family has block RAM");
    shapes.fold(first, |best, c| {
        let key = |c: &Candidate| (c.count, c.usage.luts, c.allocated_words);
        if key(&c) < key(&best) { c } else { best }
    })
}

fn ultra_ram(m: &Memory, family: Family) -> Option<Candidate> {
    let shape = family.uram()?;
    let copies = m.banks * m.readers;
    let count = copies * shape.count(m.bank_words, m.width);
    let ways = m.bank_words.div_ceil(shape.depth);
    let own = Usage { luts: copies * m.width * family.mux_luts(ways), urams: count, ..Usage::default() };
    Some(Candidate {
        primitive: Primitive::UltraRam,
        shape: Some(shape),
        count,
        allocated_words: ways * shape.depth * m.banks,
        usage: with(control(m, 1 + m.readers), own),
    })
}
