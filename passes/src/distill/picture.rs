//! The picture of a training: accuracies over epochs, as one SVG that needs nothing else.
//!
//! Lines differ in their dashes and not in colour, and all is drawn in the colour of the text around it, so that it can
//! be read on light and dark, in print, and by those who tell no colours apart. A title and a description say it in
//! words.

use std::fmt::Write as _;

use super::history::Row;
use crate::markup::escaped;

// Width and height of the picture, and where the axes cross and end, in its own units.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 704.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 336.0;
/// Labels of epochs, at most.
const MOST_LABELS: usize = 12;
/// Skips of one epoch that are named; more are counted.
const MOST_NAMED: usize = 4;
/// A share of this is between two lines across.
const STEP: f64 = 0.1;

/// A line: its name, its dashes, and what it shows of a row.
type Line = (&'static str, &'static str, fn(&Row) -> Option<f64>);

const LINES: [Line; 3] = [
    ("training", "2 4", |row| Some(row.training)),
    ("validation", "none", |row| Some(row.validation)),
    ("test", "10 4", |row| row.test),
];

/// From rows to places.
struct Scale {
    epochs: f64,
    low: f64,
    high: f64,
}

impl Scale {
    /// Tenths around all shares that are shown.
    fn new(rows: &[Row]) -> Scale {
        let shares = || rows.iter().flat_map(|row| LINES.map(|line| shown(&line, row))).flatten();
        let (least, most) = (shares().fold(1.0, f64::min), shares().fold(0.0, f64::max));
        // Shares have six decimals, and a tenth is none of the machine's numbers.
        let steps = |share: f64| (share * 1e6).round() / (STEP * 1e6).round();
        let (low, high) = (steps(least).floor() * STEP, steps(most).ceil() * STEP);
        let (low, high) = if low < high { (low, high) } else { (0.0, 1.0) };
        Scale { epochs: rows.iter().map(|row| row.epoch).max().unwrap_or(0).max(1) as f64, low, high }
    }

    fn x(&self, epoch: usize) -> f64 {
        LEFT + (RIGHT - LEFT) * epoch as f64 / self.epochs
    }

    fn y(&self, share: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * (share - self.low) / (self.high - self.low)
    }
}

/// The share that a line shows of a row, where it is one.
fn shown((_, _, of): &Line, row: &Row) -> Option<f64> {
    of(row).filter(|share| (0.0..=1.0).contains(share))
}

/// The whole file; `id` begins the ids in it.
pub(super) fn svg(rows: &[Row], id: &str) -> String {
    let scale = Scale::new(rows);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-labelledby=\"{id}-title {id}-text\" font-family=\"sans-serif\" font-size=\"12\" \
         fill=\"currentColor\">\n\
         <title id=\"{id}-title\">Accuracy over the epochs of training</title>\n\
         <desc id=\"{id}-text\">{}</desc>\n\
         <style>svg:root{{color:#222}}@media(prefers-color-scheme:dark){{svg:root{{color:#ddd}}}}</style>\n",
        escaped(&words(rows))
    );
    axes(&mut svg, &scale);
    removals(&mut svg, rows, &scale);
    let mut x = LEFT;
    for line in LINES.iter().filter(|line| rows.iter().any(|row| shown(line, row).is_some())) {
        let (name, dashes, _) = line;
        let stroke =
            format!("fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"");
        let _ =
            writeln!(svg, "<path d=\"M{x} 20h32\" {stroke}/><text x=\"{}\" y=\"24\">{name}</text>", x + 38.0);
        x += 130.0;
        let _ = writeln!(svg, "<path d=\"{}\" {stroke} stroke-linecap=\"round\"/>", path(line, rows, &scale));
    }
    svg + "</svg>\n"
}

/// A line through all rows that have a share; one alone is a dot.
fn path(line: &Line, rows: &[Row], scale: &Scale) -> String {
    let points: Vec<String> = rows
        .iter()
        .filter_map(|row| shown(line, row).map(|share| (row.epoch, share)))
        .map(|(epoch, share)| format!("{:.1} {:.1}", scale.x(epoch), scale.y(share)))
        .collect();
    format!("M{}{}", points.join("L"), if points.len() == 1 { "h0" } else { "" })
}

fn axes(svg: &mut String, scale: &Scale) {
    let lines = ((scale.high - scale.low) / STEP).round() as usize;
    for i in 0..=lines {
        let share = scale.low + i as f64 * STEP;
        let y = scale.y(share);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"currentColor\" stroke-opacity=\"0.2\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} %</text>",
            LEFT - 8.0,
            y + 4.0,
            share * 100.0
        );
    }
    let epochs = scale.epochs as usize;
    let every = round_step(epochs.div_ceil(MOST_LABELS));
    for epoch in (0..=epochs).step_by(every) {
        let (x, y) = (scale.x(epoch), BOTTOM + 16.0);
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{epoch}</text>");
    }
    let (x, y) = ((LEFT + RIGHT) / 2.0, BOTTOM + 36.0);
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">epochs</text>");
}

/// The least of 1, 2, 5, 10, 20, 50, ... that is not below `step`.
fn round_step(step: usize) -> usize {
    let mut unit = 1usize;
    loop {
        if let Some(found) = [1, 2, 5].map(|n| unit.saturating_mul(n)).into_iter().find(|&n| n >= step) {
            return found;
        }
        unit = unit.saturating_mul(10);
    }
}

/// An upright line for each epoch behind which skips went, its label along its foot, where curves are seldom.
fn removals(svg: &mut String, rows: &[Row], scale: &Scale) {
    for (epoch, labels) in went(rows) {
        let (x, y) = (scale.x(epoch), BOTTOM - 4.0);
        let label = escaped(&gone(&labels));
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.1} {TOP}V{BOTTOM}\" stroke=\"currentColor\" stroke-opacity=\"0.6\" \
             stroke-dasharray=\"1 3\"/>\
             <text transform=\"translate({:.1} {y:.1}) rotate(-90)\" font-size=\"11\">{label}</text>",
            x + 12.0
        );
    }
}

/// The skips that went, and how many epochs were over then: those that a row has been trained without, and the row before
/// it not yet.
fn went(rows: &[Row]) -> Vec<(usize, Vec<String>)> {
    let before = std::iter::once(&[][..]).chain(rows.iter().map(|row| &row.removed[..]));
    let new = |(row, before): (&Row, &[String])| {
        let labels = row.removed.iter().filter(|label| !before.contains(label)).cloned().collect();
        (row.epoch.saturating_sub(1), labels)
    };
    rows.iter().zip(before).map(new).filter(|(_, labels): &(usize, Vec<String>)| !labels.is_empty()).collect()
}

/// Which skips went, in few words.
fn gone(removed: &[String]) -> String {
    match removed {
        [one] => format!("skip {one} goes"),
        some if some.len() <= MOST_NAMED => format!("skips {} go", some.join(", ")),
        many => format!("{} skips go", many.len()),
    }
}

/// The picture in words.
fn words(rows: &[Row]) -> String {
    let [first, .., last] = rows else { return "No more than one epoch is over.".into() };
    let percent = |row: &Row| format!("{:.2} %", row.validation * 100.0);
    let best = rows.iter().rev().max_by(|a, b| a.validation.total_cmp(&b.validation)).unwrap_or(last);
    let mut text = format!(
        "Validation accuracy goes from {} at epoch {} to {} at epoch {}; the best is {} at epoch {}.",
        percent(first),
        first.epoch,
        percent(last),
        last.epoch,
        percent(best),
        best.epoch
    );
    for (epoch, labels) in went(rows) {
        let _ = write!(text, " At epoch {epoch}, {}.", gone(&labels));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Row, Scale, round_step, svg};

    fn rows() -> Vec<Row> {
        let row = |epoch: usize, validation, removed: &[&str]| Row {
            epoch,
            validation,
            training: 0.75,
            removed: removed.iter().map(|s| s.to_string()).collect(),
            ..Row::default()
        };
        let last = ["1", "<2>", "3", "4", "5", "6", "7", "8"];
        vec![row(0, 0.9, &[]), row(1, 0.5, &["1"]), row(2, 0.8, &["1", "<2>", "3"]), row(4, 0.8, &last)]
    }

    /// Every `attribute="..."` behind `mark`.
    fn attributes<'a>(text: &'a str, mark: &str) -> Vec<&'a str> {
        text.split(mark).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn lines_go_through_the_accuracies() {
        let text = svg(&rows(), "history");
        // From 50 % at y = 336 to 90 % at y = 64; epoch 4 is at x = 704.
        assert!(text.contains("d=\"M56.0 64.0L218.0 336.0L380.0 132.0L704.0 132.0\""), "{text}");
        assert!(text.contains(">training<") && text.contains(">validation<") && !text.contains(">test<"));
        assert!(text.contains(">50 %<") && text.contains(">90 %<") && !text.contains(">100 %<"));
        let mut tested = rows();
        tested[2].test = Some(0.7);
        assert!(svg(&tested, "history").contains("d=\"M380.0 200.0h0\""));
    }

    #[test]
    fn removals_are_labelled_lines() {
        let text = svg(&rows(), "history");
        for (line, label) in [
            ("M56.0 64V336", " rotate(-90)\" font-size=\"11\">skip 1 goes<"),
            ("M218.0 64V336", ">skips &lt;2&gt;, 3 go<"),
            ("M542.0 64V336", ">5 skips go<"),
        ] {
            assert!(text.contains(line) && text.contains(label), "{line} {label}\n{text}");
        }
    }

    #[test]
    fn it_is_said_in_words_and_has_no_colour_of_its_own() {
        let text = svg(&rows(), "history");
        assert!(
            text.contains(
                "goes from 90.00 % at epoch 0 to 80.00 % at epoch 4; the best is 90.00 % at epoch 0."
            )
        );
        assert!(
            text.contains(
                "At epoch 0, skip 1 goes. At epoch 1, skips &lt;2&gt;, 3 go. At epoch 3, 5 skips go."
            )
        );
        assert!(attributes(&text, "stroke=\"").iter().all(|&stroke| stroke == "currentColor"));
        assert_eq!(attributes(&text, "aria-labelledby=\""), ["history-title history-text"]);
        assert_eq!(attributes(&text, " id=\""), ["history-title", "history-text"]);
    }

    #[test]
    fn no_epoch_and_numbers_that_are_none_are_drawn() {
        let none = Row { training: f64::NAN, validation: -1.0, ..Row::default() };
        for rows in [vec![], vec![none.clone()], vec![none, Row { epoch: usize::MAX, ..Row::default() }]] {
            let text = svg(&rows, "history");
            assert!(text.ends_with("</svg>\n") && !text.contains("NaN") && !text.contains("inf"), "{text}");
        }
    }

    #[test]
    fn the_scale_ends_at_the_tenths_around_the_shares() {
        let ends = |least, most| {
            let row = Row { validation: least, training: most, ..Row::default() };
            let scale = Scale::new(&[row]);
            [scale.low, scale.high].map(|end| (end * 10.0).round())
        };
        for tenths in 0..10 {
            let [least, most] = [tenths, tenths + 1].map(|t| f64::from(t) / 10.0);
            assert_eq!(ends(least, most), [f64::from(tenths), f64::from(tenths + 1)]);
            assert_eq!(ends(least + 1e-6, most - 1e-6), [f64::from(tenths), f64::from(tenths + 1)]);
        }
    }

    #[test]
    fn labels_are_at_round_epochs() {
        assert_eq!([0, 1, 2, 3, 5, 6, 11, 51].map(round_step), [1, 1, 2, 5, 5, 10, 20, 100]);
    }
}
