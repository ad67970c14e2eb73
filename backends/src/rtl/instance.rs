//! Text of an instance: parameters and ports by name.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

/// The parameters of an instance, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// A number.
    pub(super) fn number(&mut self, name: impl Into<String>, value: impl Display) {
        self.0.push((name.into(), value.to_string()));
    }

    /// A file's name, or another word.
    pub(super) fn file(&mut self, name: impl Into<String>, file: &str) {
        self.0.push((name.into(), format!("\"{file}\"")));
    }

    /// A module with these parameters as a text that is equal where all of it is, images by what is in them.
    pub(super) fn contents(&self, module: &str, images: &BTreeMap<String, String>) -> String {
        let mut text = module.to_owned();
        for (name, value) in &self.0 {
            let value = images.get(value.trim_matches('"')).unwrap_or(value);
            let _ = write!(text, "\n{name} {value}");
        }
        text
    }
}

/// An instance of a module.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) module: &'static str,
    pub(super) name: String,
    /// What the instance is, for a comment in front of it.
    pub(super) remark: String,
    pub(super) parameters: Parameters,
    pub(super) ports: Vec<(&'static str, String)>,
}

impl Instance {
    /// The text, four spaces in.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for line in self.remark.lines() {
            let _ = writeln!(text, "    // {line}");
        }
        let _ = write!(text, "    {}", self.module);
        if !self.parameters.0.is_empty() {
            let all = self.parameters.0.iter().map(|(name, value)| format!(".{name}({value})"));
            let _ = write!(text, " #(\n{}    )", wrapped(all));
        }
        let all = self.ports.iter().map(|(name, wire)| format!(".{name}({wire})"));
        let _ = writeln!(text, " {} (\n{}    );", self.name, wrapped(all));
        text
    }
}

/// Items in lines of at most 110 characters, eight spaces in.
fn wrapped(items: impl Iterator<Item = String>) -> String {
    let (mut text, mut line) = (String::new(), String::new());
    let mut items = items.peekable();
    while let Some(item) = items.next() {
        let item = if items.peek().is_some() { item + ", " } else { item };
        if line.len() + item.len() > 102 && !line.is_empty() {
            let _ = writeln!(text, "        {}", line.trim_end());
            line.clear();
        }
        line += &item;
    }
    let _ = writeln!(text, "        {}", line.trim_end());
    text
}
