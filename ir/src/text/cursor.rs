//! A place in one line of text: tokens go out, or a message of where it is, what was found and what expected.

use std::borrow::Cow;

use super::quote::{quote, unquote};
use crate::diagnostic::Diagnostic;

/// Characters of a token that a message shows.
const SHOWN: usize = 40;

const REMEDY: &str = "write the line as docs/nir.md has it, or dump the network again";

/// A line and how far it has been read.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'t> {
    line: &'t str,
    number: usize,
    at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(line: &'t str, number: usize) -> Self {
        let mut cursor = Cursor { line, number, at: 0 };
        cursor.space();
        cursor
    }

    /// The line's number, from 1.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    fn rest(&self) -> &'t str {
        &self.line[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    fn skip(&mut self, bytes: usize) {
        self.at += bytes;
        self.space();
    }

    /// Whether nothing is left but a comment.
    pub(super) fn is_end(&self) -> bool {
        self.rest().is_empty() || self.rest().starts_with('#')
    }

    /// Whether the next character is `c`.
    pub(super) fn sees(&self, c: char) -> bool {
        self.rest().starts_with(c)
    }

    /// Goes past `c` where it comes next.
    pub(super) fn takes(&mut self, c: char) -> bool {
        let there = self.sees(c);
        if there {
            self.skip(c.len_utf8());
        }
        there
    }

    /// Goes past `c`, which must come next.
    pub(super) fn want(&mut self, c: char) -> Result<(), Diagnostic> {
        if self.takes(c) { Ok(()) } else { Err(self.expected(&format!("'{c}'"))) }
    }

    /// Nothing may be left but a comment.
    pub(super) fn want_end(&self, expected: &str) -> Result<(), Diagnostic> {
        if self.is_end() { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// Letters, digits, `_` and `.`, possibly none.
    pub(super) fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
        self.skip(len);
        &rest[..len]
    }

    /// A list in brackets without its spaces, or everything up to the next space.
    pub(super) fn value(&mut self) -> Cow<'t, str> {
        let rest = self.rest();
        let list = if rest.starts_with('[') { rest.find(']').map(|end| end + 1) } else { None };
        let len = list.or_else(|| rest.find([' ', '\t', '#'])).unwrap_or(rest.len());
        self.skip(len);
        let value = &rest[..len];
        if list.is_some() && value.contains([' ', '\t']) {
            Cow::Owned(value.replace([' ', '\t'], ""))
        } else {
            Cow::Borrowed(value)
        }
    }

    /// A name in quotes.
    pub(super) fn name(&mut self) -> Result<String, Diagnostic> {
        if !self.sees('"') {
            return Err(self.expected("a name in quotes"));
        }
        let (name, len) = unquote(self.rest()).map_err(|(good, expected)| {
            let mut place = self.clone();
            place.at += good;
            place.expected(expected)
        })?;
        self.skip(len);
        Ok(name)
    }

    /// `%12` or `%12.1`: a node's number and the number of its result.
    pub(super) fn reference(&mut self, expected: &str) -> Result<(u32, u16), Diagnostic> {
        let start = self.clone();
        let number = |text: &str| -> Option<u32> {
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if plain { text.parse().ok() } else { None }
        };
        let found = if self.takes('%') { self.word() } else { "" };
        let (node, port) = found.split_once('.').unwrap_or((found, "0"));
        let port = number(port).and_then(|p| u16::try_from(p).ok());
        number(node).zip(port).ok_or_else(|| start.expected(expected))
    }

    /// The message for this place.
    pub(super) fn expected(&self, what: &str) -> Diagnostic {
        self.fault(format!("expected {what}"))
    }

    /// A message for this place with a reason of its own.
    pub(super) fn fault(&self, why: String) -> Diagnostic {
        let token = self.rest().split([' ', '\t', ',', ':']).next().unwrap_or_default();
        let found = match (self.rest().chars().next(), token) {
            (None, _) => "the end of the line".to_string(),
            (Some(c), "") => quote(&c.to_string()),
            _ => shown(token),
        };
        Diagnostic::new("text/syntax", self.place(&format!("found {found}")), why, REMEDY)
    }

    /// What is at this place, for messages.
    pub(super) fn place(&self, what: &str) -> String {
        let column = self.line[..self.at].chars().count() + 1;
        format!("line {}, column {column}: {what}", self.number)
    }
}

/// A token in quotes, or its beginning.
pub(super) fn shown(token: &str) -> String {
    if token.chars().nth(SHOWN).is_none() {
        return quote(token);
    }
    format!("{} ...", quote(&token.chars().take(SHOWN).collect::<String>()))
}
