//! Random memories, each alone, as the hardware's own modules: what they are bound to, and text for a synthesiser.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nonresc_backends::rtl::{Known, Part, Rtl, TOP, channel_name, synthesise};
use nonresc_ir::id::{ActorId, ChannelId};
use nonresc_passes::area::{Memory, Role};
use nonresc_passes::bind::{Candidate, Primitive, candidates};
use nonresc_passes::device::Family;

use crate::seed::Seed;

/// A memory that is made of blocks.
#[derive(Clone, Debug)]
struct Alone {
    /// Its instance.
    pub name: String,
    /// What is needed.
    pub memory: Memory,
    /// Blocks of which kind, and how many.
    pub bound: Candidate,
}

const SOURCES: [(&str, &str); 3] = [
    ("rom.sv", include_str!("../../backends/rtl/rom.sv")),
    ("storage.sv", include_str!("../../backends/rtl/storage.sv")),
    ("walk.sv", include_str!("../../backends/rtl/walk.sv")),
];

/// So many memories of a family, constants and FIFOs in turn, and a design that holds nothing else.
///
/// # Panics
/// Never: each memory can be made of blocks.
fn alone(seed: u64, count: usize, family: Family) -> (Vec<Alone>, Rtl) {
    let mut seed = Seed(seed);
    let all: Vec<Alone> = (0..count).map(|k| drawn(&mut seed, k, family)).collect();
    let mut files: BTreeMap<String, String> =
        SOURCES.iter().map(|&(file, text)| (file.to_owned(), text.to_owned())).collect();
    let (mut ports, mut instances) = (vec!["input logic clk".to_owned()], String::new());
    for Alone { name, memory, bound } in &all {
        let style = if bound.primitive == Primitive::UltraRam { "ultra" } else { "block" };
        let (bits, words) = (memory.width, memory.words);
        let address = (u64::BITS - (words - 1).leading_zeros()).max(1);
        ports.push(format!("input logic [{}:0] {name}_at", address - 1));
        ports.push(format!("output logic [{}:0] {name}_word", bits - 1));
        if memory.constant {
            files.insert(format!("{name}.hex"), image(&mut seed, words, bits));
            let _ = writeln!(
                instances,
                "    rom #(.WIDTH({bits}), .WORDS({words}), .ADDRESS({address}), .STAGES(2), .STYLE(\"{style}\"), \
                 .IMAGE(\"{name}.hex\")) {name} (.clk(clk), .address({name}_at), .word({name}_word));"
            );
        } else {
            ports.push(format!("input logic [{}:0] {name}_written", bits - 1));
            ports.push(format!("input logic {name}_write, {name}_reset"));
            let _ = writeln!(
                instances,
                "    storage #(.BITS({bits}), .ADDRESS({address}), .SPAN({words}), .STYLE(\"{style}\")) {name} (\
                 .clk(clk), .reset({name}_reset), .write({name}_write), .write_data({name}_written), \
                 .read_address({name}_at), .read_data({name}_word));"
            );
        }
    }
    let text = format!("module {TOP} (\n    {}\n);\n{instances}endmodule\n", ports.join(",\n    "));
    files.insert(format!("{TOP}.sv"), text);
    let parts = all
        .iter()
        .map(|one| (one.name.clone(), Part { contents: format!("{one:?}"), multipliers: 0 }))
        .collect();
    (all, Rtl { files, pins: Vec::new(), parts, settling: 0 })
}

/// Which of so many memories Yosys makes of other blocks than predicted.
///
/// # Panics
/// Where Yosys is missing, or there is no room for its folder.
pub fn made_otherwise(seed: u64, count: usize, family: Family) -> Vec<String> {
    let (all, rtl) = alone(seed, count, family);
    let folder = tempfile::tempdir().unwrap();
    let found = synthesise(&rtl, family, folder.path(), &mut Known::default()).unwrap();
    let differs = |one: &Alone| {
        let (cells, usage) = (&found.parts[&one.name], &one.bound.usage);
        let made = (cells.blocks(), cells.urams);
        (made != (usage.bram18, usage.urams)).then(|| format!("{}: {cells:?} of {one:?}", family.name()))
    };
    all.iter().filter_map(differs).collect()
}

fn drawn(seed: &mut Seed, number: usize, family: Family) -> Alone {
    let constant = number.is_multiple_of(2);
    let deepest = [600, 2_500, 7_000][seed.below(3)];
    let words = seed.between(65, deepest) as u64;
    let width = seed.between(1, if deepest > 2_500 { 40 } else { 100 }) as u64;
    let role = if constant { Role::Weights(ActorId(0)) } else { Role::Fifo(ChannelId(0)) };
    let memory = Memory::single(role, words, width, constant);
    let is_large = !constant && seed.chance(30);
    let ways = candidates(&memory, family);
    let of = |primitive| ways.iter().find(|way| way.primitive == primitive).copied();
    let bound = of(Primitive::UltraRam).filter(|_| is_large).or_else(|| of(Primitive::Block)).unwrap();
    Alone { name: channel_name(ChannelId(number as u32)), memory, bound }
}

/// Random words, in hexadecimal.
fn image(seed: &mut Seed, words: u64, bits: u64) -> String {
    let digits = bits.div_ceil(4);
    let top = (1u64 << (bits - 4 * (digits - 1))) - 1;
    let mut text = String::new();
    for _ in 0..words {
        let _ = write!(text, "{:x}", seed.bits() & top);
        (1..digits).for_each(|_| {
            let _ = write!(text, "{:x}", seed.bits() & 15);
        });
        text.push('\n');
    }
    text
}
