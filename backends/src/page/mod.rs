//! `report.html`: a finished design as one page that needs nothing else: no network, no other file.
//!
//! The page holds `schedule.json` as data (its `cycle` lists apart, which may be long), and beside it what the pictures
//! need and the schedule does not hold ([`data`]). The tables are written here and are there without JavaScript; the
//! pictures are drawn from the data by the scripts beside this file, so that every figure is one of the schedule.
//! Nothing is decided or estimated here; sums and shares are all that is computed.
//!
//! A user's names stand in the page as text alone: escaped in tables ([`html`]), free of `<` in the data, and set as
//! text by the scripts. The page's own policy lets it load nothing.

mod data;
mod html;
mod tables;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_passes::design::{NetworkDesign, StreamDesign};
use nonresc_passes::distill::history::History;
use nonresc_passes::markup::escaped;
use nonresc_passes::plan::Plan;

use crate::schedule::{self, Schedule};
use data::More;

const TEMPLATE: &str = include_str!("template.html");
const STYLE: &str = include_str!("style.css");
/// In their order: what they share, then a file a view, then the start.
const SCRIPTS: [&str; 6] = [
    include_str!("shared.js"),
    include_str!("graph.js"),
    include_str!("timeline.js"),
    include_str!("fifos.js"),
    include_str!("memories.js"),
    include_str!("page.js"),
];

/// What a page is about.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// The model's file name.
    pub model: &'a str,
    /// The schedule of `design`.
    pub schedule: &'a Schedule,
    /// The finished design.
    pub design: &'a StreamDesign,
    /// The network as it was given, in normal form, its skips known.
    pub given: &'a NetworkDesign,
    /// What becomes of its skips; all are kept without one.
    pub plan: Option<&'a Plan>,
    /// The trainings of this run, by the names of their files.
    pub trainings: &'a [(&'static str, History)],
}

/// The page.
///
/// # Errors
/// Where the design was stopped before its memories were bound.
pub fn page(content: &Content<'_>) -> Result<String, Diagnostic> {
    let design = content.design;
    let (Some(sizing), Some(binding)) = (&design.sizing, &design.binding) else {
        return Err(schedule::unfinished("the page"));
    };
    let more = More::new(content, sizing, binding);
    let target = &content.schedule.target;
    let heading = format!(
        "on {} at {} MHz, w{}a{}, FIFOs {}",
        target.device, target.clock_mhz, target.weight_bits, target.activation_bits, target.fifos
    );
    let parts = [
        ("style", STYLE.to_string()),
        ("script", SCRIPTS.concat()),
        ("model", escaped(content.model)),
        ("heading", escaped(&heading)),
        ("summary", tables::summary(content, &more)),
        ("resources", tables::resources(content, &more)),
        ("actors", tables::actors(content, &more)),
        ("channels", tables::channels(content, &more)),
        ("bits", tables::bits(content)),
        ("uses", tables::uses(content, &more)),
        ("memories", tables::memories(content, &more)),
        ("rewrites", tables::rewrites(content, &more)),
        ("skips", tables::skips(content, &more)),
        ("training-link", training_link(content).to_string()),
        ("training", training(content)),
        ("notes", notes(content)),
        ("digest", escaped(&content.schedule.network)),
        ("generator", escaped(&content.schedule.generator)),
        ("schedule", html::json(&without_cycles(content.schedule))),
        ("more", html::json(&more)),
    ];
    Ok(filled(TEMPLATE, &parts))
}

/// The template with its `{{name}}`s replaced, in one go: what is put in is not looked at again.
fn filled(template: &str, parts: &[(&str, String)]) -> String {
    let mut pieces = template.split("{{");
    let mut out = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or((piece, ""));
        let part = parts.iter().find(|(known, _)| *known == name);
        out.push_str(part.map_or("", |(_, text)| text));
        out.push_str(rest);
    }
    out
}

/// Cycles of waiting are told by their different steps; a network of 150 blocks has cycles of a hundred thousand.
fn without_cycles(schedule: &Schedule) -> Schedule {
    let mut schedule = schedule.clone();
    schedule.channels.iter_mut().for_each(|channel| channel.evidence.cycle.clear());
    schedule
}

fn training_link(content: &Content<'_>) -> &'static str {
    if content.trainings.is_empty() { "" } else { "<li><a href=\"#training\">Retraining</a></li>\n" }
}

fn training(content: &Content<'_>) -> String {
    if content.trainings.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<section id=\"training\" aria-labelledby=\"training-h\">\n<h2 id=\"training-h\">Retraining</h2>\n",
    );
    for (name, history) in content.trainings {
        let head = if name.ends_with("qat") { "In codes" } else { "As floats" };
        out.push_str(&format!(
            "<h3>{head}</h3>\n<figure class=\"history\">{}</figure>\n{}",
            history.svg_within(name),
            tables::epochs(name, history)
        ));
    }
    out + "</section>\n"
}

fn notes(content: &Content<'_>) -> String {
    let notes = &content.schedule.notes;
    if notes.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<section id=\"notes\" aria-labelledby=\"notes-h\">\n<h2 id=\"notes-h\">Notes</h2>\n<ul>\n",
    );
    for note in notes {
        let parts = [&note.what, &note.why, &note.remedy];
        let said: Vec<&str> = parts.iter().map(|s| s.as_str()).filter(|s| !s.is_empty()).collect();
        out.push_str(&format!("<li>{}</li>\n", escaped(&said.join("; "))));
    }
    out + "</ul>\n</section>\n"
}
