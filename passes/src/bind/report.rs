//! A binding for people: the table of memories and actors, and the itemised refusal where a device is too small.

use std::fmt;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::id::ActorId;
use nonresc_ir::stream::{Kind, Stream};

use super::{Binding, Usage};
use crate::area::Role;
use crate::device::{Family, Limits};

/// The name of an actor for people: the first of those that users know it by, or its kind and id.
pub fn actor_label(stream: &Stream, actor: ActorId) -> String {
    let named = stream.actor(actor);
    let kind = match named.kind {
        Kind::Source(_) => "source",
        Kind::Sink(_) => "sink",
        Kind::MatVec(_) => "matrix-vector",
        Kind::Pool(_) => "pool",
        Kind::GlobalPool(_) => "global pool",
        Kind::Sum(_) => "sum",
        Kind::Select(_) => "select",
        Kind::Activate { .. } => "activate",
        Kind::Convert(_) => "convert",
    };
    named.names.first().map_or_else(|| format!("{kind} {actor}"), str::to_string)
}

/// Whom a memory serves.
pub(super) fn memory_label(stream: &Stream, role: Role) -> String {
    match role {
        Role::Fifo(id) | Role::LineBuffer(id) => {
            let channel = stream.channel(id);
            let readers: Vec<String> = channel.readers.iter().map(|r| actor_label(stream, r.actor)).collect();
            let skip = channel.skip.map_or_else(String::new, |n| format!("skip {n}: "));
            format!("{skip}{} -> {}", actor_label(stream, channel.writer), readers.join(", "))
        }
        Role::Weights(actor) => format!("weights of {}", actor_label(stream, actor)),
        Role::Bias(actor) => format!("biases of {}", actor_label(stream, actor)),
        Role::Private(actor) => format!("partial results of {}", actor_label(stream, actor)),
        Role::Factors(actor) => format!("factors of {}", actor_label(stream, actor)),
        Role::Program(actor) => format!("program of {}", actor_label(stream, actor)),
        Role::Flow(actor) => format!("flow of {}", actor_label(stream, actor)),
        Role::Start(actor) => format!("start of {}", actor_label(stream, actor)),
    }
}

/// One resource of a device: its name, what of it is taken, what there is, how to get by with less.
pub(crate) struct Resource {
    pub(crate) name: &'static str,
    estimate: bool,
    taken: fn(&Usage) -> u64,
    pub(crate) have: u64,
    remedy: &'static str,
}

/// What `limits` has too little of for `usage`, and how much of each is needed.
pub(crate) fn lacking(family: Family, limits: &Limits, usage: &Usage) -> Vec<(Resource, u64)> {
    let needed = |resource: Resource| {
        let needed = (resource.taken)(usage);
        (resource, needed)
    };
    resources(family, limits).into_iter().map(needed).filter(|(r, needed)| *needed > r.have).collect()
}

fn resources(family: Family, have: &Limits) -> Vec<Resource> {
    let slower = "allow more cycles a frame (a lower --fps; without it the fastest that fits is made), narrower numbers \
                  (--bits), or a larger device";
    vec![
        Resource { name: "LUT", estimate: true, taken: |u| u.luts, have: have.luts, remedy: slower },
        Resource {
            name: "LUT as memory",
            estimate: false,
            taken: |u| u.memory_luts,
            have: have.memory_luts,
            remedy: "remove or shorten skips, use narrower numbers (--bits), or a larger device",
        },
        Resource { name: "FF", estimate: true, taken: |u| u.ffs, have: have.ffs, remedy: slower },
        Resource { name: "DSP", estimate: false, taken: |u| u.dsps, have: have.dsps, remedy: slower },
        Resource {
            name: family.block_name(),
            estimate: false,
            taken: |u| u.bram18,
            have: have.bram18,
            remedy: "use narrower numbers (--bits), allow more cycles a frame (deeper, narrower memories), remove \
                     or shorten skips, or use a larger device",
        },
        Resource {
            name: "URAM288",
            estimate: false,
            taken: |u| u.urams,
            have: have.urams,
            remedy: "use a larger device",
        },
    ]
}

/// A refusal for each resource that the device has too little of.
pub(crate) fn over_use(binding: &Binding) -> Diagnostics {
    let mut faults = Diagnostics::default();
    let Some(limits) = &binding.device.limits else { return faults };
    for (resource, needed) in lacking(binding.device.family, limits, &binding.total) {
        let Resource { name, have, remedy, .. } = resource;
        let estimate = if resource.estimate { " (estimate)" } else { "" };
        let what = format!("the design needs {needed} {name}{estimate}, {} has {have}", binding.device.name);
        faults.push(Diagnostic::new("bind/over", what, itemised(binding, &resource, needed), remedy));
    }
    faults
}

/// The memories and actors that take some of the resource, the most first, behind what dominates; those below a hundredth
/// of all in one line.
fn itemised(binding: &Binding, resource: &Resource, needed: u64) -> String {
    let mut items: Vec<(u64, String)> = Vec::new();
    let mut shares = [
        ("channels", 0),
        ("weights and biases", 0),
        ("partial results", 0),
        ("programs and factors", 0),
        ("actors", 0),
    ];
    for bound in &binding.memories {
        let taken = (resource.taken)(&bound.made_of.usage);
        let share = match bound.memory.role {
            Role::Fifo(_) | Role::LineBuffer(_) => 0,
            Role::Weights(_) | Role::Bias(_) => 1,
            Role::Private(_) => 2,
            Role::Factors(_) | Role::Program(_) | Role::Flow(_) | Role::Start(_) => 3,
        };
        shares[share].1 += taken;
        let shape = bound.made_of.shape.map_or_else(String::new, |s| format!(" {}x{}", s.depth, s.width));
        let (words, width) = (bound.memory.words, bound.memory.width);
        items.push((
            taken,
            format!("{}: {words} x {width} bits in {}{shape}", bound.label, bound.made_of.primitive),
        ));
    }
    for bound in &binding.actors {
        let usage = Usage::from(bound.area);
        shares[4].1 += (resource.taken)(&usage);
        items.push(((resource.taken)(&usage), format!("{}: data path and control", bound.label)));
    }
    items.retain(|item| item.0 > 0);
    items.sort_by_key(|item| std::cmp::Reverse(item.0));
    let mut largest = shares[0];
    for share in shares {
        if share.1 > largest.1 {
            largest = share;
        }
    }
    let mut text =
        format!("{} take most of it: {} of {needed} ({} %)", largest.0, largest.1, largest.1 * 100 / needed);
    let small = items.split_off(items.partition_point(|(taken, _)| taken * 100 >= needed));
    match small.len() {
        0 | 1 => items.extend(small),
        n => items.push((small.iter().map(|(taken, _)| taken).sum(), format!("{n} others, each below 1 %"))),
    }
    for (taken, item) in items {
        text.push_str(&format!("\n       {taken:>8}  {item}"));
    }
    text
}

/// Memories and totals as a table.
impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["memory", "needed", "allocated", "bits", "made of", "count"];
        let mut rows = vec![header.map(str::to_string)];
        for Bound { memory, label, made_of } in &self.memories {
            let banks = match memory.banks * if made_of.shape.is_some() { memory.readers } else { 1 } {
                1 => String::new(),
                n => format!(" ({n} banks)"),
            };
            let shape = made_of.shape.map_or_else(String::new, |s| format!(" {}x{}", s.depth, s.width));
            rows.push([
                label.clone(),
                memory.words.to_string(),
                made_of.allocated_words.to_string(),
                memory.width.to_string(),
                format!("{}{shape}{banks}", made_of.primitive),
                made_of.count.to_string(),
            ]);
        }
        let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        for r in &rows {
            let line = format!(
                "{:w0$}  {:>w1$}  {:>w2$}  {:>w3$}  {:w4$}  {:>w5$}",
                r[0],
                r[1],
                r[2],
                r[3],
                r[4],
                r[5],
                w0 = widths[0],
                w1 = widths[1],
                w2 = widths[2],
                w3 = widths[3],
                w4 = widths[4],
                w5 = widths[5]
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        let t = &self.total;
        writeln!(
            f,
            "LUT {} (estimate), of it memory {}; FF {} (estimate); DSP {}; {} {}; UltraRAM {}",
            t.luts,
            t.memory_luts,
            t.ffs,
            t.dsps,
            self.device.family.block_name(),
            t.bram18,
            t.urams
        )?;
        let b = &self.bits;
        write!(
            f,
            "bits: FIFO {} (skips {}), line buffers {}, window {}, staging {}, constants {}, partial results {}",
            b.fifo, b.skip, b.line_buffer, b.window, b.staging, b.constants, b.private
        )
    }
}

use super::Bound;
