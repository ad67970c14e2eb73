//! Tables of HTML. Text is escaped here and nowhere else, so that a user's names stay names.

use std::fmt::Write as _;

use nonresc_passes::markup::escaped;
use nonresc_passes::numerals::{grouped, kbit};

/// Characters from which on text may go over several lines.
const LONG: usize = 40;

/// A cell of a table.
pub(super) enum Cell {
    /// Text, by which rows are sorted too.
    Text(String),
    /// A figure as data, and as people read it.
    Figure(String, String),
    /// A share of a whole, as a bar and in percent.
    Share(u64, u64),
    /// Nothing to be said.
    Empty,
}

impl Cell {
    /// Text.
    pub(super) fn text(text: impl Into<String>) -> Cell {
        Cell::Text(text.into())
    }

    /// A whole number.
    pub(super) fn number(n: u64) -> Cell {
        Cell::Figure(n.to_string(), grouped(n))
    }

    /// A whole number, where there is one.
    pub(super) fn maybe(n: Option<u64>) -> Cell {
        n.map_or(Cell::Empty, Cell::number)
    }

    /// Bits as kbit.
    pub(super) fn kbit(bits: u64) -> Cell {
        Cell::Figure(bits.to_string(), kbit(bits))
    }
}

/// Columns: the field that a column shows, and its heading. A heading that begins with `<` is that of text.
pub(super) type Columns<'a> = &'a [(&'a str, &'a str)];

/// A row: of what it is and its id, such as `("actor", "3")`, and its cells, of which the first names it.
pub(super) type Row<'a> = ((&'a str, String), Vec<Cell>);

/// A table.
pub(super) struct Table<'a> {
    /// Its id.
    pub(super) id: &'a str,
    /// What it shows.
    pub(super) caption: &'a str,
    /// Its columns.
    pub(super) columns: Columns<'a>,
    /// Its rows.
    pub(super) rows: Vec<Row<'a>>,
}

impl Table<'_> {
    /// The table in a frame that can be scrolled sideways.
    pub(super) fn html(&self) -> String {
        let mut out = format!(
            "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">\n<table id=\"{}\">\n<caption>{}</caption>\n\
             <thead><tr>",
            escaped(self.caption),
            self.id,
            escaped(self.caption)
        );
        for (field, heading) in self.columns {
            let (class, heading) = match heading.strip_prefix('<') {
                Some(heading) => ("", heading),
                None => (" class=\"n\"", *heading),
            };
            let _ = write!(out, "<th scope=\"col\"{class} data-field=\"{field}\">{}</th>", escaped(heading));
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        for ((of, id), cells) in &self.rows {
            let _ = write!(out, "<tr data-{of}=\"{}\">", escaped(id));
            for (i, cell) in cells.iter().enumerate() {
                cell.html(&mut out, i == 0);
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody>\n</table>\n</div>\n");
        out
    }
}

impl Cell {
    fn html(&self, out: &mut String, names_the_row: bool) {
        let (open, close) = if names_the_row { ("<th scope=\"row\"", "</th>") } else { ("<td", "</td>") };
        let _ = match self {
            Cell::Text(text) => {
                let class = if text.chars().count() > LONG { " class=\"t\"" } else { "" };
                write!(out, "{open}{class}>{}{close}", escaped(text))
            }
            Cell::Figure(data, shown) => {
                write!(out, "{open} class=\"n\" data-v=\"{}\">{}{close}", escaped(data), escaped(shown))
            }
            Cell::Share(part, whole) => {
                let percent = format!("{:.1}", 100.0 * *part as f64 / (*whole).max(1) as f64);
                write!(
                    out,
                    "{open} class=\"n\" data-v=\"{percent}\"><span class=\"bar\"><i style=\"width:{}%\"></i></span>\
                     <span class=\"percent\">{percent} %</span>{close}",
                    if *part > *whole { "100" } else { &percent }
                )
            }
            Cell::Empty => write!(out, "{open}>{close}"),
        };
    }
}

/// A list of terms and what is said of them; each term with the field that it shows and its data.
pub(super) fn facts(facts: &[(&str, &str, String, String)]) -> String {
    let mut out = String::from("<dl class=\"facts\">\n");
    for (field, term, data, shown) in facts {
        let _ = writeln!(
            out,
            "<div><dt>{}</dt><dd data-field=\"{field}\" data-v=\"{}\">{}</dd></div>",
            escaped(term),
            escaped(data),
            escaped(shown)
        );
    }
    out.push_str("</dl>\n");
    out
}

/// JSON that may stand in an element of HTML: no tag can begin in it, and it says the same.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).expect("strings, numbers and lists alone");
    text.replace('<', "\\u003c")
}
