//! What synthesis makes of the design, beside what was predicted.

use nonresc_backends::rtl::{Known, Synthesised, channel_name, names, rtl, synthesise as run};
use nonresc_passes::arithmetic::arithmetic;
use nonresc_passes::bind::{Binding, Usage};
use nonresc_passes::design::StreamDesign;
use nonresc_passes::integers::{Rule, integers};

use super::doing::doing;
use super::hardware::folder;
use crate::columns::Columns;
use crate::exit::{self, Failure};

/// Synthesises the design with Yosys and prints what it takes.
///
/// # Errors
/// Networks of floats; actors without hardware; a missing tool; a design that it refuses.
pub(super) fn synthesise(design: &StreamDesign) -> Result<(), Failure> {
    let Some(binding) = &design.binding else { return Ok(()) };
    let found = synthesised(design, binding, &mut Known::default())?;
    exit::print(printed(design, binding, &found))
}

/// What Yosys makes of a design.
///
/// # Errors
/// As [`synthesise`].
pub(super) fn synthesised(
    design: &StreamDesign,
    binding: &Binding,
    known: &mut Known,
) -> Result<Synthesised, Failure> {
    let integers = integers(&design.source.network, Rule::AsGiven)?;
    let made = rtl(&design.stream, &arithmetic(&design.stream, &integers)?, Some(binding))?;
    let folder = folder("synthesis/folder")?;
    let _synthesising = doing("synthesising with Yosys");
    Ok(run(&made, binding.device.family, folder.path(), known)?)
}

fn printed(design: &StreamDesign, binding: &Binding, found: &Synthesised) -> String {
    let family = binding.device.family;
    let mut text = format!("\nSynthesised with Yosys for {}, without place and route\n\n", family.name());
    let mut table = Columns::new(["<", "predicted", "synthesised", "ratio"]);
    let (predicted, cells) = (&binding.total, &found.total);
    let mut row = |name: &str, predicted: u64, made: u64| {
        let ratio = match predicted {
            0 => "-".to_owned(),
            _ => format!("{:.2}", made as f64 / predicted as f64),
        };
        table.row([name.to_owned(), predicted.to_string(), made.to_string(), ratio]);
    };
    row("LUT", predicted.luts, cells.luts());
    row("  as memory", predicted.memory_luts, cells.memory_luts());
    row("FF", predicted.ffs, cells.ffs);
    row(family.dsp().name, predicted.dsps, cells.dsps);
    row(family.block_name(), predicted.bram18, cells.blocks());
    if family.uram().is_some() {
        row("URAM288", predicted.urams, cells.urams);
    }
    text += &table.text(100);
    if cells.bram36 > 0 {
        text +=
            &format!("{} of the block RAMs are in pairs ({} of 36 kbit)\n", 2 * cells.bram36, cells.bram36);
    }
    text += "\n";

    let mut table = Columns::new([
        "<part", "LUT~", "LUT", "mem~", "mem", "FF~", "FF", "DSP~", "DSP", "BRAM18~", "BRAM18", "URAM~",
        "URAM",
    ]);
    let mut line = |name: &str, instance: &str, usage: &Usage| {
        let cells = found.parts.get(instance).copied().unwrap_or_default();
        table.row([
            name.to_owned(),
            usage.luts.to_string(),
            cells.luts().to_string(),
            usage.memory_luts.to_string(),
            cells.memory_luts().to_string(),
            usage.ffs.to_string(),
            cells.ffs.to_string(),
            usage.dsps.to_string(),
            cells.dsps.to_string(),
            usage.bram18.to_string(),
            cells.blocks().to_string(),
            usage.urams.to_string(),
            cells.urams.to_string(),
        ]);
    };
    let instances = names(&design.stream);
    for bound in &binding.actors {
        if let Some(instance) = instances.get(&bound.actor) {
            line(&bound.label, instance, &binding.of_actor(bound.actor));
        }
    }
    let mut otherwise = Vec::new();
    for bound in &binding.memories {
        let Some(id) = bound.memory.role.channel() else { continue };
        let usage = bound.made_of.usage;
        line(&bound.label, &channel_name(id), &usage);
        let cells = found.parts.get(&channel_name(id)).copied().unwrap_or_default();
        if (cells.blocks(), cells.urams) != (usage.bram18, usage.urams) {
            otherwise.push(bound.label.as_str());
        }
    }
    text += &table.text(110);
    for label in otherwise {
        text += &format!("not made as bound: {label}\n");
    }
    text + "mem: LUTs that are memory; ~: predicted\n"
}
