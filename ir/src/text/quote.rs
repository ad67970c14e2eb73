//! Names in quotes. Whatever a file calls a thing stands on one line and reads back to the same characters.

use std::fmt::Write as _;

/// Whether a character would hide what is on the line: controls, line separators, marks that turn the
/// direction of writing, the byte order mark.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A name in quotes; `\"`, `\\`, `\n`, `\t`, `\r` and `\u{7f}` stand for what cannot stand there itself.
pub(crate) fn quote(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    text.push('"');
    for c in name.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if is_hidden(c) => {
                let _ = write!(text, "\\u{{{:x}}}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// The name behind the opening quote at the start of `text`, and how many bytes it took with both quotes; else
/// how many bytes were well, and what was expected there.
pub(super) fn unquote(text: &str) -> Result<(String, usize), (usize, &'static str)> {
    let mut name = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((name, at + 1)),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => name.push('\n'),
                Some('t') => name.push('\t'),
                Some('r') => name.push('\r'),
                Some(c @ ('"' | '\\')) => name.push(c),
                Some('u') => {
                    let wrong = (at, "a character as \\u{7f}, in hexadecimal digits");
                    let rest = text[at + 2..].strip_prefix('{').ok_or(wrong)?;
                    let digits = &rest[..rest.find('}').ok_or(wrong)?];
                    let number = u32::from_str_radix(digits, 16).map_err(|_| wrong)?;
                    name.push(char::from_u32(number).ok_or(wrong)?);
                    // The opening brace, the digits, the closing brace; all of them single bytes.
                    chars.nth(digits.len() + 1);
                }
                _ => return Err((at, "one of \\\" \\\\ \\n \\t \\r \\u{7f} behind a backslash")),
            },
            c => name.push(c),
        }
    }
    Err((text.len(), "a closing quote"))
}

#[cfg(test)]
mod tests {
    use super::{quote, unquote};

    #[test]
    fn every_name_reads_back() {
        for name in ["", "conv1", "a\"b\\c", "\n\t\r\0\u{7f}\u{202e}\u{feff}", "größe/畳み込み", "\\u{41}"]
        {
            let text = quote(name);
            assert!(text.chars().all(|c| !super::is_hidden(c)), "{text}");
            assert_eq!(unquote(&text), Ok((name.to_string(), text.len())));
        }
    }

    #[test]
    fn faults_have_a_place() {
        for (text, at) in
            [("\"abc", 4), ("\"a\\x\"", 2), ("\"\\u{110000}\"", 1), ("\"\\u{}\"", 1), ("\"\\u41\"", 1)]
        {
            assert_eq!(unquote(text).map_err(|e| e.0), Err(at), "{text}");
        }
    }
}
