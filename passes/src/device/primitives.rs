//! The primitives of each family: shapes and ports of memories, what a DSP block multiplies, prices in LUTs.
//! No counts of a part here.
//!
//! Sources: AMD UG473 and UG573 (block RAM, UltraRAM), UG474 and UG574 (LUT RAM, shift registers), UG479 and
//! UG579 (DSP), Lattice FPGA-TN-02204 and FPGA-DS-02012 (EBR, distributed RAM, multipliers).

/// Depth in words and width in bits of a memory in one of its modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Words.
    pub depth: u64,
    /// Bits of a word.
    pub width: u64,
}

impl Shape {
    const fn new(depth: u64, width: u64) -> Self {
        Shape { depth, width }
    }

    /// How many of them side by side and one after another hold `depth` words of `width` bits.
    pub fn count(self, depth: u64, width: u64) -> u64 {
        depth.div_ceil(self.depth) * width.div_ceil(self.width)
    }
}

/// A LUT RAM with one write and one read port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LutRam {
    /// What it holds.
    pub shape: Shape,
    /// LUTs that it takes.
    pub luts: u64,
}

/// A family of parts with the same primitives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// AMD 7 series: LUT6, DSP48E1, RAMB18E1.
    Series7,
    /// AMD UltraScale+: LUT6, DSP48E2, RAMB18E2, URAM288.
    UltraScalePlus,
    /// Lattice ECP5: LUT4, MULT18X18D, EBR.
    Ecp5,
}

/// What a DSP block multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DspKind {
    /// The primitive's name.
    pub name: &'static str,
    /// Bits of the wide signed operand.
    pub wide: u32,
    /// Bits of the narrow signed operand.
    pub narrow: u32,
    /// Bits of a product that is worth a block; of fewer, synthesis makes LUTs.
    pub least: u32,
}

impl DspKind {
    /// Whether two products of one code by two weights share a block.
    ///
    /// A product takes the bits of both, and so far apart lie the weights, in the wide operand with a bit more for the
    /// upper one's sign (for the arithmetic of packing: AMD WP486); a code needs another bit to be signed.
    pub fn pairs(self, weight_bits: u64, code_bits: u64) -> bool {
        code_bits + 2 * weight_bits < u64::from(self.wide) && code_bits < u64::from(self.narrow)
    }
}

const BRAM18: [Shape; 6] = [
    Shape::new(512, 36),
    Shape::new(1024, 18),
    Shape::new(2048, 9),
    Shape::new(4096, 4),
    Shape::new(8192, 2),
    Shape::new(16384, 1),
];

impl Family {
    /// All families.
    pub const ALL: [Family; 3] = [Family::Series7, Family::UltraScalePlus, Family::Ecp5];

    /// The name as written in a device file.
    pub fn name(self) -> &'static str {
        match self {
            Family::Series7 => "7-series",
            Family::UltraScalePlus => "ultrascale-plus",
            Family::Ecp5 => "ecp5",
        }
    }

    /// The family of that name in any case.
    pub fn find(name: &str) -> Option<Family> {
        Family::ALL.into_iter().find(|f| f.name().eq_ignore_ascii_case(name))
    }

    /// The multiplier block.
    pub fn dsp(self) -> DspKind {
        match self {
            Family::Series7 => DspKind { name: "DSP48E1", wide: 25, narrow: 18, least: 9 },
            Family::UltraScalePlus => DspKind { name: "DSP48E2", wide: 27, narrow: 18, least: 9 },
            Family::Ecp5 => DspKind { name: "MULT18X18D", wide: 18, narrow: 18, least: 0 },
        }
    }

    /// Inputs of a LUT.
    pub fn lut_inputs(self) -> u32 {
        match self {
            Family::Series7 | Family::UltraScalePlus => 6,
            Family::Ecp5 => 4,
        }
    }

    /// LUTs of a shift register of `depth` bits with a movable tap; nothing where the family has none.
    ///
    /// A LUT holds 32 bits, or two registers of 16; beyond 128 the taps need LUTs as multiplexers.
    pub fn srl_luts(self, depth: u64, width: u64) -> Option<u64> {
        match self {
            Family::Series7 | Family::UltraScalePlus if depth <= 16 => Some(width.div_ceil(2)),
            Family::Series7 | Family::UltraScalePlus => {
                let halves = depth / 32 * 2 + (depth % 32).div_ceil(16);
                Some((width * halves).div_ceil(2) + width * self.mux_luts(depth.div_ceil(128)))
            }
            Family::Ecp5 => None,
        }
    }

    /// The LUT RAMs with one write and one read port, least depth first.
    pub fn lut_rams(self) -> &'static [LutRam] {
        const SERIES7: [LutRam; 2] =
            [LutRam { shape: Shape::new(32, 6), luts: 4 }, LutRam { shape: Shape::new(64, 3), luts: 4 }];
        const ULTRASCALE: [LutRam; 2] =
            [LutRam { shape: Shape::new(32, 14), luts: 8 }, LutRam { shape: Shape::new(64, 7), luts: 8 }];
        // One a PFU: two slices of RAM and one that carries the write address.
        const ECP5: [LutRam; 1] = [LutRam { shape: Shape::new(16, 4), luts: 6 }];
        match self {
            Family::Series7 => &SERIES7,
            Family::UltraScalePlus => &ULTRASCALE,
            Family::Ecp5 => &ECP5,
        }
    }

    /// The modes of a block RAM of 18,432 bits with one write and one read port.
    pub fn block_shapes(self) -> &'static [Shape] {
        &BRAM18
    }

    /// The name of that block RAM.
    pub fn block_name(self) -> &'static str {
        match self {
            Family::Series7 => "RAMB18E1",
            Family::UltraScalePlus => "RAMB18E2",
            Family::Ecp5 => "EBR",
        }
    }

    /// The large block without initial contents, where there is one.
    pub fn uram(self) -> Option<Shape> {
        match self {
            Family::UltraScalePlus => Some(Shape::new(4096, 72)),
            Family::Series7 | Family::Ecp5 => None,
        }
    }

    /// LUTs of one bit of a multiplexer with `ways` inputs.
    ///
    /// A LUT6 is a 4:1 multiplexer, four of them make 16:1 with the slice's wide multiplexers; a LUT4 with the
    /// PFU's own makes 2:1 a LUT up to 16:1.
    pub fn mux_luts(self, ways: u64) -> u64 {
        let per_lut = match self.lut_inputs() {
            6 => 4,
            _ => 2,
        };
        match ways {
            0 | 1 => 0,
            2..=16 => ways.div_ceil(per_lut),
            _ => {
                (ways / 16) * 16 / per_lut
                    + self.mux_luts(ways % 16).max(u64::from(ways % 16 == 1))
                    + self.mux_luts(ways.div_ceil(16))
            }
        }
    }

    /// LUTs of `width` functions of an address of `depth` words, as Yosys makes them: a LUT gives one function, and wide
    /// multiplexers join whole powers of two of LUTs.
    pub fn table_luts(self, depth: u64, width: u64) -> u64 {
        let joined = if self.lut_inputs() == 6 { 4 } else { 8 };
        match depth.div_ceil(1 << self.lut_inputs()) {
            _ if depth <= 1 => 0,
            tables if tables <= joined => width * tables.next_power_of_two(),
            tables => width * (tables + self.mux_luts(tables.div_ceil(joined))),
        }
    }

    /// Roughly the LUTs of `width` functions of an address of `depth` words: constants without a memory.
    ///
    /// A LUT6 gives two functions of five inputs or one of six; larger ones are joined by multiplexers.
    pub fn rom_luts(self, depth: u64, width: u64) -> u64 {
        let words = 1 << self.lut_inputs();
        match depth {
            0 | 1 => 0,
            d if self.lut_inputs() == 6 && d <= 32 => width.div_ceil(2),
            d if d <= words => width,
            d => {
                // Wide multiplexers of the slice join four LUTs; what is beyond takes LUTs.
                let luts = d.div_ceil(words);
                width * (luts + self.mux_luts(luts.div_ceil(4)))
            }
        }
    }
}
