//! The design in Yosys: what it takes of the device's family, in all and by instance of the top.
//!
//! Each actor and each channel is made of its own, so that its cells can be counted; within it the hierarchy is
//! flattened. What Yosys writes is read from its `stat` command as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::id::ChannelId;
use nonresc_passes::device::Family;
use rayon::iter::{ParallelBridge, ParallelIterator};

use super::{Rtl, TOP};
use crate::transient;

/// Cells of a part of a design.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cells {
    /// LUTs as logic.
    pub logic_luts: u64,
    /// LUTs as RAM, and half LUTs as shift registers of up to 16 bits.
    half_memory_luts: u64,
    /// Flip-flops.
    pub ffs: u64,
    /// DSP blocks.
    pub dsps: u64,
    /// Block RAMs of 18,432 bits that stand alone.
    pub bram18: u64,
    /// Pairs of them as one memory.
    pub bram36: u64,
    /// Large blocks.
    pub urams: u64,
}

impl Cells {
    /// LUTs that are memory.
    pub fn memory_luts(&self) -> u64 {
        self.half_memory_luts.div_ceil(2)
    }

    /// All LUTs.
    pub fn luts(&self) -> u64 {
        self.logic_luts + self.memory_luts()
    }

    /// Block RAMs, a pair as two.
    pub fn blocks(&self) -> u64 {
        self.bram18 + 2 * self.bram36
    }

    /// Counts `number` cells of a type; types that are no resource of their own (carry chains, wide multiplexers,
    /// inverters that flip-flops and LUTs take in) are left out.
    fn count(&mut self, kind: &str, number: u64) {
        let halves = match kind {
            "SRL16E" | "SRLC16E" => 1,
            "SRLC32E" | "RAM32X1S" | "RAM64X1S" => 2,
            "RAM32X1D" | "RAM64X1D" | "RAM128X1S" => 4,
            "RAM32M" | "RAM64M" | "RAM128X1D" | "RAM256X1S" => 8,
            // Two slices of RAM, and one that carries the write address.
            "TRELLIS_DPR16X4" => 12,
            "RAM32M16" | "RAM64M8" | "RAM256X1D" | "RAM512X1S" | "RAM32X16DR8" | "RAM64X8SW" => 16,
            _ => 0,
        };
        self.half_memory_luts += number * halves;
        match kind {
            "LUT1" | "LUT2" | "LUT3" | "LUT4" | "LUT5" | "LUT6" | "LUT6_2" => self.logic_luts += number,
            "CCU2C" => self.logic_luts += 2 * number,
            "FDRE" | "FDSE" | "FDCE" | "FDPE" | "TRELLIS_FF" => self.ffs += number,
            "DSP48E1" | "DSP48E2" | "MULT18X18D" => self.dsps += number,
            "RAMB18E1" | "RAMB18E2" | "DP16KD" | "PDPW16KD" => self.bram18 += number,
            "RAMB36E1" | "RAMB36E2" => self.bram36 += number,
            "URAM288" | "URAM288_BASE" => self.urams += number,
            _ => {}
        }
    }
}

impl std::ops::AddAssign for Cells {
    fn add_assign(&mut self, other: Cells) {
        self.logic_luts += other.logic_luts;
        self.half_memory_luts += other.half_memory_luts;
        self.ffs += other.ffs;
        self.dsps += other.dsps;
        self.bram18 += other.bram18;
        self.bram36 += other.bram36;
        self.urams += other.urams;
    }
}

/// What a design takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synthesised {
    /// All of it.
    pub total: Cells,
    /// By the instances of the top: those of [`super::names`], and [`channel_name`]s.
    pub parts: BTreeMap<String, Cells>,
}

/// Parts that have been synthesised, by what they are made of: the same part of another design need not be made again.
#[derive(Clone, Debug, Default)]
pub struct Known(BTreeMap<(Family, String), Cells>);

/// The instance of a channel.
pub fn channel_name(id: ChannelId) -> String {
    format!("c{}", id.index())
}

/// The command of Yosys for a family: of a core, without the pads and clock buffers of a chip.
pub(super) fn command(family: Family) -> &'static str {
    match family {
        Family::Series7 => "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf",
        Family::UltraScalePlus => "synth_xilinx -family xcup -flatten -noiopad -noclkbuf",
        Family::Ecp5 => "synth_ecp5",
    }
}

fn failed(why: impl Into<String>) -> Diagnostic {
    let remedy = "report this as a fault of nonresc; versions from 0.23 on are known to work";
    Diagnostic::new("synthesis/yosys", "Yosys refuses the design", why, remedy)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Diagnostic {
    let remedy = "make room, or allow writing there";
    Diagnostic::new("synthesis/folder", path.display().to_string(), error.to_string(), remedy)
}

/// Synthesises a design with Yosys, in a folder that is its own, with as many processes side by side as rayon has
/// threads. Parts that are `known`, and equal parts of the design, are counted without being made again.
///
/// # Errors
/// Yosys missing; a design that it refuses.
pub fn synthesise(
    rtl: &Rtl,
    family: Family,
    folder: &Path,
    known: &mut Known,
) -> Result<Synthesised, Diagnostic> {
    for (file, text) in &rtl.files {
        let path = folder.join(file);
        fs::write(&path, text).map_err(|e| unwritable(&path, &e))?;
    }
    let mut first: BTreeMap<&String, &String> = BTreeMap::new();
    for (name, part) in &rtl.parts {
        if !known.0.contains_key(&(family, part.contents.clone())) {
            first.entry(&part.contents).or_insert(name);
        }
    }
    let groups = groups(rtl, first.into_values());
    // One after the other as processes become free: those that take the longest come first.
    let each = groups.iter().enumerate().par_bridge();
    let made: Vec<_> = each.map(|(i, group)| (i, run(rtl, family, folder, i, group))).collect();
    let made: BTreeMap<usize, _> = made.into_iter().collect();

    let mut found = Synthesised::default();
    for ((i, made), group) in made.into_iter().zip(&groups) {
        let mut made = made?;
        if i == 0 {
            found.total += made.beside;
        }
        for &name in group {
            let cells = made.parts.remove(name).unwrap_or_default();
            known.0.insert((family, rtl.parts[name].contents.clone()), cells);
        }
    }
    for (name, part) in &rtl.parts {
        let cells = known.0[&(family, part.contents.clone())];
        found.total += cells;
        found.parts.insert(name.clone(), cells);
    }
    Ok(found)
}

/// Products side by side that are worth a process of their own, whose start takes as long as about ten of them.
const WORTH_A_PROCESS: u64 = 32;

/// The parts that are made by one process each, the largest first; at least one, if with nothing to make.
fn groups<'a>(rtl: &Rtl, parts: impl Iterator<Item = &'a String>) -> Vec<Vec<&'a String>> {
    let size = |name: &String| rtl.parts[name].multipliers;
    let mut parts: Vec<&String> = parts.collect();
    parts.sort_by_key(|name| std::cmp::Reverse(size(name)));
    let (mut groups, mut filled) = (vec![Vec::new()], 0);
    for name in parts {
        if filled >= WORTH_A_PROCESS {
            groups.push(Vec::new());
            filled = 0;
        }
        groups.last_mut().expect("it begins with one").push(name);
        filled += size(name);
    }
    groups
}

/// Makes one group of parts.
fn run(
    rtl: &Rtl,
    family: Family,
    folder: &Path,
    number: usize,
    group: &[&String],
) -> Result<Counted, Diagnostic> {
    let [script, statistics] = [format!("synthesis_{number}.ys"), format!("stat_{number}.txt")];
    let path = folder.join(&script);
    fs::write(&path, text(rtl, family, group, &statistics)).map_err(|e| unwritable(&path, &e))?;
    let mut yosys = Command::new("yosys");
    yosys.args(["-q", &script]).current_dir(folder);
    let output = transient::output(&mut yosys, folder).map_err(|e| {
        let remedy = "install the package yosys of your system (0.23 or later)";
        Diagnostic::new("tool/absent", "yosys", e.to_string(), remedy)
    })?;
    if !output.status.success() {
        let all = [output.stderr, output.stdout].concat();
        let text = String::from_utf8_lossy(&all).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("Warning")).take(20).collect();
        let said = if lines.is_empty() { output.status.to_string() } else { lines.join("\n") };
        return Err(failed(said));
    }
    let path = folder.join(&statistics);
    let text = fs::read_to_string(&path).map_err(|e| unwritable(&path, &e))?;
    counted(&text).ok_or_else(|| failed("its statistics are not what they were"))
}

/// The script that makes a group of parts, each of its own; the others are taken out.
fn text(rtl: &Rtl, family: Family, group: &[&String], statistics: &str) -> String {
    let sources = rtl.files.keys().filter(|file| file.ends_with(".sv")).map(String::as_str);
    let sources: Vec<&str> = sources.collect();
    let mut text = format!("read_verilog -sv -defer {}\n", sources.join(" "));
    let _ = writeln!(text, "hierarchy -check -top {TOP}\nuniquify");
    for name in rtl.parts.keys() {
        match group.contains(&name) {
            // What is taken out leaves outputs of others that nothing reads.
            true => {
                let _ = writeln!(text, "setattr -mod -set keep_hierarchy 1 {TOP}.{name}");
            }
            false => {
                let _ = writeln!(text, "blackbox {TOP}.{name}");
            }
        }
    }
    let _ = writeln!(text, "{} -top {TOP}\ntee -q -o {statistics} stat", command(family));
    text
}

/// What one run of Yosys makes.
#[derive(Debug, Default, PartialEq)]
struct Counted {
    /// Cells of the top that are in none of its parts.
    beside: Cells,
    parts: BTreeMap<String, Cells>,
}

/// The counts of `stat`: a section a module, `=== NAME ===`, and a line a type of cell.
fn counted(text: &str) -> Option<Counted> {
    let mut all = Counted::default();
    let mut section = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("=== ").and_then(|rest| rest.strip_suffix(" ===")) {
            section = (name == TOP || name.starts_with(TOP)).then_some(name);
            continue;
        }
        let (Some(name), Some((kind, number))) = (section, line.trim().rsplit_once(' ')) else { continue };
        let (kind, Ok(number)) = (kind.trim_end(), number.parse()) else { continue };
        let mut cells = Cells::default();
        cells.count(kind, number);
        match name.strip_prefix(TOP).and_then(|rest| rest.strip_prefix('.')) {
            Some(part) => *all.parts.entry(part.to_owned()).or_default() += cells,
            None => all.beside += cells,
        }
    }
    text.contains(TOP).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::super::Part;
    use super::*;

    #[test]
    fn statistics_are_counted_by_instance() {
        let text = "\n=== nonresc_top ===\n\n   Number of cells:   7\n     LUT3    5\n     nonresc_top.c0    1\n     \
                    nonresc_top.a0_in    1\n\n=== nonresc_top.c0 ===\n\n     RAMB36E2    2\n     SRL16E     3\n\
                    \n=== nonresc_top.a0_in ===\n\n     DSP48E2   4\n     FDRE   9\n     CARRY4  2\n\
                    \n=== design hierarchy ===\n\n   nonresc_top    1\n\n     LUT3    5\n     FDRE   9\n";
        let found = counted(text).expect("it has parts");
        let (channel, actor) = (found.parts["c0"], found.parts["a0_in"]);
        assert_eq!((channel.bram36, channel.blocks(), channel.memory_luts()), (2, 4, 2));
        assert_eq!((actor.dsps, actor.ffs, actor.luts()), (4, 9, 0));
        assert_eq!((found.beside.luts(), found.beside.ffs, found.beside.dsps), (5, 0, 0));
    }

    #[test]
    fn large_parts_have_a_process_of_their_own_and_small_ones_share_one() {
        let sizes = [("c0", 0), ("a0", 20), ("a1", 40), ("a2", 8), ("a3", 33), ("a4", 12), ("c1", 0)];
        let part = |multipliers| Part { contents: String::new(), multipliers };
        let parts = sizes.iter().map(|&(name, size)| (name.to_owned(), part(size))).collect();
        let rtl = Rtl { parts, ..Rtl::default() };
        assert_eq!(
            groups(&rtl, rtl.parts.keys()),
            [vec!["a1"], vec!["a3"], vec!["a0", "a4"], vec!["a2", "c0", "c1"]]
        );
        assert_eq!(groups(&rtl, [].into_iter()), [Vec::<&String>::new()]);
    }

    #[test]
    fn what_is_no_statistic_is_refused() {
        assert_eq!(counted("Number of cells: 3\n"), None);
    }
}
