//! Rows of text in aligned columns.

/// A table: its header, its rows, which columns are numbers, and the widest that names may be.
pub(crate) struct Columns<const N: usize> {
    header: [&'static str; N],
    /// Names stand left, numbers right.
    left: [bool; N],
    shown: [bool; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Columns<N> {
    /// A table without rows; a header that begins with `<` is that of names, which stand on the left.
    pub(crate) fn new(header: [&'static str; N]) -> Self {
        let left = header.map(|h| h.starts_with('<'));
        Columns {
            header: header.map(|h| h.trim_start_matches('<')),
            left,
            shown: [true; N],
            rows: Vec::new(),
        }
    }

    /// Leaves out a column behind the first.
    pub(crate) fn hide(&mut self, column: usize) {
        self.shown[column] = false;
    }

    pub(crate) fn row(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    /// The table in at most `most` characters a line: what is too wide is taken from the first column.
    pub(crate) fn text(&self, most: usize) -> String {
        let mut widths: [usize; N] = std::array::from_fn(|i| {
            let cells = self.rows.iter().map(|row| row[i].chars().count());
            cells.max().unwrap_or(0).max(self.header[i].chars().count())
        });
        let shown: Vec<usize> = (0..N).filter(|&i| self.shown[i]).collect();
        let gaps = shown.iter().skip(1).map(|&i| self.gap(i).len());
        let all: usize = shown.iter().map(|&i| widths[i]).sum::<usize>() + gaps.sum::<usize>();
        widths[0] = widths[0].saturating_sub(all.saturating_sub(most)).max(8.min(widths[0]));
        let mut text = String::new();
        let header = self.header.map(str::to_string);
        for row in std::iter::once(&header).chain(&self.rows) {
            let mut line = String::new();
            for &i in &shown {
                if i > 0 {
                    line.push_str(self.gap(i));
                }
                line.push_str(&padded(&row[i], widths[i], self.left[i]));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// Names keep their distance; numbers stand close.
    fn gap(&self, i: usize) -> &'static str {
        if self.left[i] || self.left[i - 1] { "  " } else { " " }
    }
}

fn padded(cell: &str, width: usize, left: bool) -> String {
    let length = cell.chars().count();
    match length.cmp(&width) {
        std::cmp::Ordering::Greater => shortened(cell, width),
        _ if left => format!("{cell}{}", " ".repeat(width - length)),
        _ => format!("{}{cell}", " ".repeat(width - length)),
    }
}

/// The end of a name says more than its beginning.
fn shortened(cell: &str, width: usize) -> String {
    let skip = cell.chars().count() + 1 - width.max(1);
    std::iter::once('…').chain(cell.chars().skip(skip)).collect()
}

/// A sentence in lines of at most `most` characters, those behind the first indented by `indent`.
pub(crate) fn wrapped(sentence: &str, most: usize, indent: usize) -> String {
    let mut text = String::new();
    let mut length = 0;
    for word in sentence.split_whitespace() {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > most {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            length = indent;
        } else if length > 0 {
            text.push(' ');
            length += 1;
        }
        text.push_str(word);
        length += word_length;
    }
    text.push('\n');
    text
}
