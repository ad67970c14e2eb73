//! The page's tables: every figure of the schedule that a view shows, for those who see no pictures.

use nonresc_passes::cost;
use nonresc_passes::distill::history::History;
use nonresc_passes::numerals::{grouped, kbit};

use super::Content;
use super::data::More;
use super::html::{Cell, Columns, Table, facts};
use crate::schedule::{Amount, Memory};

/// Figures at a glance.
pub(super) fn summary(content: &Content<'_>, more: &More) -> String {
    let s = content.schedule;
    let t = &s.timing;
    let fact = |field, term, data: String, shown: String| (field, term, data, shown);
    let whole = |field, term, n: u64| fact(field, term, n.to_string(), grouped(n));
    let microseconds = (t.last_output_clock + 1) as f64 / s.target.clock_mhz;
    let proven = s.channels.iter().filter(|c| c.evidence.proven).count();
    let bits = format!("w{}a{}", s.target.weight_bits, s.target.activation_bits);
    let accuracy: Vec<&str> =
        s.notes.iter().filter(|n| n.code == "retrain/accuracy").map(|n| n.what.as_str()).collect();
    let accuracy = if accuracy.is_empty() { "not measured by this run".into() } else { accuracy.join("; ") };
    let share = 100.0 * t.products_per_frame as f64 / t.product_slots.max(1) as f64;
    let frames = match t.interval_frames {
        1 => "cycles a frame".to_string(),
        n => format!("cycles for {n} frames"),
    };
    let bound = more.labels.get(t.bottleneck as usize).cloned().unwrap_or_default();
    let rate = grouped(t.frames_per_second as u64);
    let depths = format!("{proven} of {}", s.channels.len());
    facts(&[
        fact("frames_per_second", "frames a second", t.frames_per_second.to_string(), rate),
        whole("interval_clocks", &frames, t.interval_clocks),
        fact("bottleneck", "bound by", t.bottleneck.to_string(), bound),
        whole("first_output_clock", "cycle of the first output", t.first_output_clock),
        whole("last_output_clock", "cycle of the last output", t.last_output_clock),
        fact("latency_us", "latency", microseconds.to_string(), time(microseconds)),
        fact("device", "device", s.target.device.clone(), s.target.device.clone()),
        fact("clock_mhz", "clock", s.target.clock_mhz.to_string(), format!("{} MHz", s.target.clock_mhz)),
        fact("bits", "bits of weights, activations", bits.clone(), bits),
        fact("fifos", "FIFOs", s.target.fifos.into(), s.target.fifos.into()),
        fact("proven", "depths proven the least", proven.to_string(), depths),
        fact("busy", "multipliers busy", share.to_string(), format!("{share:.1} %")),
        fact("accuracy", "accuracy", String::new(), accuracy),
    ])
}

/// A time in microseconds, or in milliseconds where those would be many.
fn time(microseconds: f64) -> String {
    match microseconds {
        ..1e4 => format!("{microseconds:.1} µs"),
        _ => format!("{:.2} ms", microseconds / 1e3),
    }
}

/// What is taken of the device.
pub(super) fn resources(content: &Content<'_>, more: &More) -> String {
    let r = &content.schedule.resources;
    let row = |(field, name): (&'static str, String), of: fn(&Amount) -> u64| {
        let have = r.available.as_ref().map(of);
        let share = match have {
            Some(have) if have > 0 => Cell::Share(of(&r.taken), have),
            _ => Cell::Empty,
        };
        (
            ("resource", field.to_string()),
            vec![Cell::text(name), Cell::number(of(&r.taken)), Cell::maybe(have), share],
        )
    };
    let rows = amounts(more).into_iter().map(|(field, name, of)| row((field, name), of)).collect();
    let columns: Columns<'_> =
        &[("resource", "<resource"), ("taken", "taken"), ("available", "of"), ("share", "share")];
    Table { id: "resources-table", caption: "What the design takes of the device", columns, rows }.html()
}

/// A resource: its field, its name, and what an amount has of it.
type Resource = (&'static str, String, fn(&Amount) -> u64);

/// The resources that the device has.
fn amounts(more: &More) -> Vec<Resource> {
    let mut all: Vec<Resource> = vec![
        ("luts", "LUT (estimate)".into(), |a| a.luts),
        ("memory_luts", "LUT as memory".into(), |a| a.memory_luts),
        ("ffs", "FF (estimate)".into(), |a| a.ffs),
        ("dsps", "DSP".into(), |a| a.dsps),
        ("bram18", more.block_ram.into(), |a| a.bram18),
    ];
    all.extend(more.large_block.map(|name| ("urams", name.to_string(), (|a| a.urams) as fn(&Amount) -> u64)));
    all
}

/// What takes it: actors, and memories by what they hold.
pub(super) fn uses(content: &Content<'_>, more: &More) -> String {
    let s = content.schedule;
    let mut by: Vec<(&str, Amount)> = Vec::new();
    let mut add = |kind: &'static str, a: Amount| {
        let index = by.iter().position(|(known, _)| *known == kind).unwrap_or_else(|| {
            by.push((kind, Amount::default()));
            by.len() - 1
        });
        by[index].1 += a;
    };
    for actor in &s.actors {
        let a = &actor.area;
        let of_actor = Amount {
            luts: a.luts,
            memory_luts: a.memory_luts,
            ffs: a.ffs,
            dsps: a.dsps,
            ..Amount::default()
        };
        add("actors", of_actor);
    }
    for channel in &s.channels {
        let kind = match (channel.skip, channel.use_) {
            (Some(_), _) => "skips",
            (None, "line buffer") => "line buffers",
            (None, _) => "other FIFOs",
        };
        add(kind, channel.memory.as_ref().map(|m| m.taken).unwrap_or_default());
    }
    for (memory, (_, kind)) in s.memories.iter().zip(&more.memories) {
        add(kind, memory.taken);
    }
    let resources = amounts(more);
    let mut columns = vec![("use", "<use")];
    columns.extend(resources.iter().map(|(field, name, _)| (*field, name.as_str())));
    let cells = |kind: &str, a: &Amount| {
        let mut cells = vec![Cell::text(kind)];
        cells.extend(resources.iter().map(|(_, _, of)| Cell::number(of(a))));
        (("use", kind.to_string()), cells)
    };
    let rows = by.iter().map(|(kind, a)| cells(kind, a)).collect();
    Table { id: "uses-table", caption: "What takes it", columns: &columns, rows }.html()
}

/// Every actor.
pub(super) fn actors(content: &Content<'_>, more: &More) -> String {
    let columns: Columns<'_> = &[
        ("label", "<actor"),
        ("kind", "<kind"),
        ("pe", "PE"),
        ("simd", "SIMD"),
        ("form", "<form"),
        ("lanes_in", "lanes in"),
        ("lanes_out", "out"),
        ("dsps", "DSP"),
        ("phases", "cycles"),
        ("first_clock", "first"),
        ("last_clock", "last"),
        ("products", "products"),
        ("names", "<ONNX names"),
    ];
    let row = |(actor, label): (&crate::schedule::Actor, &String)| {
        let fold = actor.fold.as_ref();
        let cells = vec![
            Cell::text(label),
            Cell::text(actor.kind),
            Cell::maybe(fold.map(|f| f.pe as u64)),
            Cell::maybe(fold.map(|f| f.simd as u64)),
            Cell::text(fold.map_or("", |f| f.form)),
            Cell::number(actor.lanes_in as u64),
            Cell::number(actor.lanes_out as u64),
            Cell::number(actor.area.dsps),
            Cell::number(actor.phases),
            Cell::number(actor.first_clock),
            Cell::number(actor.last_clock),
            Cell::number(actor.products),
            Cell::text(actor.names.join(", ")),
        ];
        (("actor", actor.id.to_string()), cells)
    };
    let rows = content.schedule.actors.iter().zip(&more.labels).map(row).collect();
    Table {
        id: "actors-table",
        caption: "All actors: folding, cycles, when each is at work on the first frame",
        columns,
        rows,
    }
    .html()
}

/// What a memory is made of.
fn made_of(memory: &Memory) -> String {
    let shape = memory.shape.as_ref().map_or_else(String::new, |shape| format!(" {shape}"));
    format!("{} {}{shape}", memory.count, memory.primitive)
}

/// Every channel.
pub(super) fn channels(content: &Content<'_>, more: &More) -> String {
    let columns: Columns<'_> = &[
        ("channel", "<channel"),
        ("use", "<use"),
        ("needed_words", "depth"),
        ("peak_words", "peak"),
        ("allocated_words", "held"),
        ("word_bits", "bits"),
        ("bits", "kbit"),
        ("beats", "beats a frame"),
        ("made_of", "<made of"),
        ("evidence", "<why not less"),
    ];
    let row = |(c, why): (&crate::schedule::Channel, &super::data::Why)| {
        let name = |id: u32| more.labels.get(id as usize).map_or("", String::as_str);
        let readers: Vec<&str> = c.readers.iter().map(|(id, _)| name(*id)).collect();
        let word = c.lanes as u64 * u64::from(c.bits);
        let used = if c.skip.is_some() { "skip" } else { c.use_ };
        let cells = vec![
            Cell::text(format!("{} → {}", name(c.writer), readers.join(", "))),
            Cell::text(used),
            Cell::number(c.needed_words),
            Cell::number(c.peak_words),
            Cell::maybe(c.memory.as_ref().map(|m| m.allocated_words)),
            Cell::number(word),
            Cell::kbit(c.needed_words * word),
            Cell::number(c.beats),
            Cell::text(c.memory.as_ref().map_or_else(String::new, made_of)),
            Cell::text(why.sentence.trim_end_matches(':')),
        ];
        (("channel", c.id.to_string()), cells)
    };
    let rows = content.schedule.channels.iter().zip(&more.whys).map(row).collect();
    Table {
        id: "channels-table",
        caption: "All channels: words needed, held at most, and why not less",
        columns,
        rows,
    }
    .html()
}

/// Every memory, those of channels first.
pub(super) fn memories(content: &Content<'_>, more: &More) -> String {
    let columns: Columns<'_> = &[
        ("label", "<memory"),
        ("holds", "<holds"),
        ("primitive", "<primitive"),
        ("shape", "<mode"),
        ("count", "count"),
        ("needed_words", "words"),
        ("allocated_words", "of"),
        ("full", "full"),
        ("width_bits", "bits"),
        ("banks", "banks"),
        ("luts", "LUT"),
        ("ffs", "FF"),
        ("bram18", "RAMB18"),
        ("urams", "URAM"),
    ];
    let row = |id: (&'static str, String), holds: &str, m: &Memory| {
        let cells = vec![
            Cell::text(&m.label),
            Cell::text(holds),
            Cell::text(&m.primitive),
            Cell::text(m.shape.as_deref().unwrap_or("")),
            Cell::number(m.count),
            Cell::number(m.needed_words),
            Cell::number(m.allocated_words),
            if m.allocated_words == 0 { Cell::Empty } else { Cell::Share(m.needed_words, m.allocated_words) },
            Cell::number(m.width_bits),
            Cell::number(m.banks),
            Cell::number(m.taken.luts),
            Cell::number(m.taken.ffs),
            Cell::number(m.taken.bram18),
            Cell::number(m.taken.urams),
        ];
        (id, cells)
    };
    let s = content.schedule;
    let of_channels = s.channels.iter().filter_map(|c| {
        let holds = if c.skip.is_some() { "skip" } else { c.use_ };
        Some(row(("channel", c.id.to_string()), holds, c.memory.as_ref()?))
    });
    let own = s.memories.iter().zip(&more.memories).enumerate();
    let own = own.map(|(i, (m, (_, holds)))| row(("memory", i.to_string()), holds, m));
    let rows = of_channels.chain(own).collect();
    Table {
        id: "memories-table",
        caption: "All memories, what each is made of and how full it is",
        columns,
        rows,
    }
    .html()
}

/// What the skips cost: whole designs.
pub(super) fn rewrites(content: &Content<'_>, more: &More) -> String {
    let Some(report) = &content.schedule.skip_report else { return String::new() };
    let columns = [
        ("skips", "<skips"),
        ("fifos", "<FIFOs"),
        ("fifo_bits", "FIFO kbit"),
        ("skip_bits", "of skips"),
        ("line_buffer_bits", "lines kbit"),
        ("allocated_bits", "held kbit"),
        ("register_bits", "regs kbit"),
        ("bram18", more.block_ram),
        ("memory_luts", "mem LUT"),
        ("luts", "LUT (est.)"),
        ("dsps", "DSP"),
        ("interval_clocks", "cycles"),
        ("latency_clocks", "latency"),
        ("accuracy", "top-1 %"),
        ("remark", "<remark"),
    ];
    // Known behind a retraining alone.
    let known = report.rows.iter().any(|row| row.accuracy.is_some());
    let columns: Vec<_> = columns.into_iter().filter(|(field, _)| known || *field != "accuracy").collect();
    let rows = report.rows.iter().enumerate().map(|(i, row)| {
        let one = row.only.and_then(|number| report.skips.iter().find(|skip| skip.number == number));
        let label = one.map(|skip| skip.label.as_str());
        let skips = cost::fate(row.skips, label, row.rewritten, report.skips.len());
        let mut cells = vec![Cell::text(skips), Cell::text(row.fifos)];
        match &row.figures {
            Some(f) => cells.extend([
                Cell::kbit(f.fifo_bits),
                Cell::kbit(f.skip_bits),
                Cell::kbit(f.line_buffer_bits),
                Cell::kbit(f.allocated_bits),
                Cell::kbit(f.register_bits),
                Cell::number(f.taken.bram18),
                Cell::number(f.taken.memory_luts),
                Cell::number(f.taken.luts),
                Cell::number(f.taken.dsps),
                Cell::Figure(f.interval_clocks.to_string(), grouped(f.interval_clocks.round() as u64)),
                Cell::number(f.latency_clocks),
            ]),
            None => cells.extend((0..11).map(|_| Cell::Empty)),
        }
        if known {
            cells.push(row.accuracy.map_or(Cell::Empty, |share| {
                Cell::Figure(share.to_string(), format!("{:.2}", 100.0 * share))
            }));
        }
        let over = row.figures.as_ref().and_then(|f| f.over.as_ref());
        cells.push(Cell::text(match (over, &row.refused) {
            (Some(over), _) => format!("does not fit: {over}"),
            (None, refused) => refused.clone().unwrap_or_default(),
        }));
        (("row", i.to_string()), cells)
    });
    let caption =
        "Whole designs at least as fast as this one, by what becomes of the skips and how FIFOs are sized";
    Table { id: "rewrites-table", caption, columns: &columns, rows: rows.collect() }.html()
}

/// Each skip: what it is, what becomes of it, and its words where it is kept.
pub(super) fn skips(content: &Content<'_>, more: &More) -> String {
    let columns: Columns<'_> = &[
        ("label", "<skip"),
        ("names", "<sum"),
        ("shape", "<shape"),
        ("plan", "<in this design"),
        ("function", "<function"),
        ("least_running_words", "runs with"),
        ("needed_words", "full rate"),
        ("allocated_words", "held"),
        ("frame_words", "frame"),
        ("word_bits", "bits"),
        ("made_of", "<made of"),
    ];
    let report = content.schedule.skip_report.as_ref();
    let mut rows = Vec::new();
    for (i, skip) in more.skips.iter().enumerate() {
        let head = || -> Vec<Cell> {
            let function = if skip.same_function { "same" } else { "another" };
            let names = skip.names.join(", ");
            [&skip.label, &names, &skip.shape, skip.became, function].map(Cell::text).into()
        };
        let channels = report.and_then(|r| r.skips.get(i)).map_or(&[][..], |s| &s.channels);
        for c in channels {
            let mut cells = head();
            cells.extend([
                Cell::maybe(c.least_running_words),
                Cell::number(c.needed_words),
                Cell::number(c.allocated_words),
                Cell::number(c.frame_words),
                Cell::number(c.word_bits),
                Cell::text(&c.made_of),
            ]);
            rows.push((("skip", skip.label.clone()), cells));
        }
        if channels.is_empty() {
            let mut cells = head();
            cells.extend((0..5).map(|_| Cell::Empty));
            cells.push(Cell::text("no channel of its own"));
            rows.push((("skip", skip.label.clone()), cells));
        }
    }
    let caption = "Each skip: what becomes of it, and the words that it needs where it is kept";
    Table { id: "skips-table", caption, columns, rows }.html()
}

/// The epochs of a training.
pub(super) fn epochs(name: &str, history: &History) -> String {
    let share = |share: f64| Cell::Figure(share.to_string(), format!("{:.2} %", 100.0 * share));
    let columns: Columns<'_> = &[
        ("epoch", "epoch"),
        ("loss", "loss"),
        ("training", "training"),
        ("validation", "validation"),
        ("test", "test"),
        ("removed", "<without skips"),
        ("notes", "<notes"),
    ];
    let row = |row: &nonresc_passes::distill::history::Row| {
        let cells = vec![
            Cell::number(row.epoch as u64),
            Cell::Figure(row.loss.to_string(), format!("{:.4}", row.loss)),
            share(row.training),
            share(row.validation),
            row.test.map_or(Cell::Empty, share),
            Cell::text(row.removed.join(", ")),
            Cell::text(row.notes.join("; ")),
        ];
        (("epoch", row.epoch.to_string()), cells)
    };
    let rows = history.rows().iter().map(row).collect();
    Table { id: &format!("{name}-table"), caption: "Accuracy by epoch", columns, rows }.html()
}

/// The bits that are needed, in a sentence.
pub(super) fn bits(content: &Content<'_>) -> String {
    let r = &content.schedule.resources;
    format!(
        "Needed bits, in kbit: FIFOs {} (skips {}), line buffers {}, window registers {}, constants {}, partial results {}.",
        kbit(r.fifo_bits),
        kbit(r.skip_bits),
        kbit(r.line_buffer_bits),
        kbit(r.window_bits + r.staging_bits),
        kbit(r.constant_bits),
        kbit(r.private_bits)
    )
}
