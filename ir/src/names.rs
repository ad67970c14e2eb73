//! The names that users know a node by: the ONNX names it came from.
//!
//! Names are for people. No code looks a node up by name except to answer a user who typed one.

use std::collections::BTreeSet;
use std::fmt;

/// The ONNX names behind one node, in order of arrival, without repetition.
///
/// A rewrite that makes one node of several merges their names, so that a message about the result
/// still says where it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<String>);

impl Names {
    /// The names of a node that came from one ONNX node.
    pub fn one(name: impl Into<String>) -> Self {
        let name = name.into();
        if name.is_empty() { Names(Vec::new()) } else { Names(vec![name]) }
    }

    /// Adds the names of `other` that are not here yet.
    pub fn merge(&mut self, other: &Names) {
        for name in &other.0 {
            if !self.0.contains(name) {
                self.0.push(name.clone());
            }
        }
    }

    /// All names, first come first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The name to show where there is room for one, or nothing for a nameless node.
    pub fn first(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }

    /// Whether the node has no name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<String> for Names {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        let mut seen = BTreeSet::new();
        let new = |name: &String| !name.is_empty() && seen.insert(name.clone());
        Names(names.into_iter().filter(new).collect())
    }
}

/// Names joined by ` + `; `(unnamed)` where there is none.
impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("(unnamed)") } else { f.write_str(&self.0.join(" + ")) }
    }
}
