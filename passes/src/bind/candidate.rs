//! What a memory can be made of, and what each way takes: primitives by their real shapes, copies for readers
//! beyond the port, multiplexers behind what lies one after another, and the channel's control.
//!
//! The writer's place is the channel's own; readers' addresses and credits are those of actors, and are counted there. What
//! an address takes was read off channels that Yosys 0.23 made.

use std::fmt;

use crate::area::{Area, Memory, Read, Role, ceil_log2};
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

impl From<Area> for Usage {
    fn from(area: Area) -> Usage {
        let Area { luts, memory_luts, ffs, dsps, .. } = area;
        Usage { luts, memory_luts, ffs, dsps, ..Usage::default() }
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

/// The place of a channel's writer; what actors hold has its address from them.
fn place(m: &Memory) -> Usage {
    if m.role.channel().is_none() {
        return Usage::default();
    }
    let address = ceil_log2(m.bank_words.max(2));
    match m.banks {
        1 => Usage { luts: address, ffs: address, ..Usage::default() },
        // Places of row and pixel beside it, and their counters.
        banks => Usage { luts: 8 * address + 44 + banks, ffs: 4 * address + 40, ..Usage::default() },
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
    let mut usage = Usage { luts: select, ffs: bits, ..Usage::default() };
    if is_channel {
        // What is read, and where is written.
        usage.ffs += m.readers * m.width + ceil_log2(m.words);
        usage.luts += if m.words > 1 { m.words + u64::from(m.words > 2) } else { 0 };
    }
    Some(plain(Primitive::Registers, bits, m.words, usage))
}

fn shift_register(m: &Memory, family: Family) -> Option<Candidate> {
    if !m.in_order || m.banks > 1 {
        return None;
    }
    let luts = family.srl_luts(m.words, m.width)?;
    let allocated = if m.words <= 16 { 16 } else { m.words.next_multiple_of(32) };
    let address = ceil_log2(m.words.max(2));
    // How far the writer has come since is a difference; Yosys makes chains of one or two words of flip-flops.
    let own = match m.words {
        0..=2 => Usage { luts: m.width, ffs: (m.words + 1) * m.width, ..Usage::default() },
        3..=4 => Usage { luts: luts + 1, memory_luts: luts, ffs: m.width, ..Usage::default() },
        _ => Usage { luts: luts + address, memory_luts: luts, ffs: m.width, ..Usage::default() },
    };
    Some(plain(Primitive::ShiftRegister, luts, allocated, with(place(m), own)))
}

fn lut_ram(m: &Memory, family: Family) -> Option<Candidate> {
    let copies = m.banks * m.readers;
    let best = family.lut_rams().iter().map(|ram| {
        let luts = copies * ram.shape.count(m.bank_words, m.width) * ram.luts;
        let ways = m.bank_words.div_ceil(ram.shape.depth);
        let select = copies * m.width * family.mux_luts(ways);
        let words = ways * ram.shape.depth * m.banks;
        let ffs = if m.read == Read::Registered { copies * m.width } else { 0 };
        let own = Usage { luts: luts + select, memory_luts: luts, ffs, ..Usage::default() };
        let usage = with(place(m), own);
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
    let counted = m.luts.filter(|_| family.lut_inputs() == 6);
    let luts = counted.unwrap_or_else(|| family.table_luts(m.words, m.functions));
    let ffs = match m.role {
        Role::Weights(_) => m.functions + ceil_log2(m.words),
        // The word behind has its registers in the control.
        Role::Program(_) => ceil_log2(m.words),
        Role::Flow(_) | Role::Start(_) => 0,
        _ => m.functions,
    };
    plain(Primitive::LogicRom, luts, m.words, Usage { luts, ffs, ..Usage::default() })
}

/// Bits of a block that are written by themselves.
const BYTE: u64 = 9;

/// Blocks of a bank in this mode. Where words lie deeper than one block, those at the same place of each depth are read at
/// once, and share the width of blocks: bit by bit where nothing is written, else byte by byte.
fn blocks(shape: Shape, m: &Memory) -> u64 {
    let unit = match m.constant {
        true => 1,
        false => BYTE.min(shape.width),
    };
    let ways = m.bank_words.div_ceil(shape.depth);
    (ways * m.varying.div_ceil(unit)).div_ceil(shape.width / unit)
}

fn block(m: &Memory, family: Family) -> Candidate {
    let copies = m.banks * m.readers;
    let of = |shape: Shape| {
        let count = copies * blocks(shape, m);
        let ways = m.bank_words.div_ceil(shape.depth);
        let luts = copies * m.varying * family.mux_luts(ways);
        // Weights have a register behind the block.
        let ffs = if matches!(m.role, Role::Weights(_)) { m.functions } else { 0 };
        let own = Usage { luts, bram18: count, ffs, ..Usage::default() };
        Candidate {
            primitive: Primitive::Block,
            shape: Some(shape),
            count,
            allocated_words: ways * shape.depth * m.banks,
            usage: with(place(m), own),
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
    let count = copies * blocks(shape, m);
    let ways = m.bank_words.div_ceil(shape.depth);
    let own = Usage { luts: copies * m.width * family.mux_luts(ways), urams: count, ..Usage::default() };
    Some(Candidate {
        primitive: Primitive::UltraRam,
        shape: Some(shape),
        count,
        allocated_words: ways * shape.depth * m.banks,
        usage: with(place(m), own),
    })
}
