//! The parts of a node's line behind its operands: attributes, types, names.

use std::collections::BTreeMap;

use super::cursor::Cursor;
use crate::diagnostic::Diagnostic;
use crate::names::Names;
use crate::network::{Element, MAX_ELEMENTS, MAX_RANK, Op, Shape, ValueType};

/// `key=value` up to the type, the names or the end; each is read alone, so that a fault has its place.
pub(super) fn attributes(c: &mut Cursor<'_>, name: &str) -> Result<Op, Diagnostic> {
    let mut read: BTreeMap<&str, String> = BTreeMap::new();
    while !c.is_end() && !c.sees(':') && !c.sees('"') {
        let place = c.clone();
        let key = c.word();
        if key.is_empty() {
            return Err(place.expected("an attribute as key=value, a type behind ':', or names in quotes"));
        }
        c.want('=')?;
        let value = c.value();
        Op::from_text(name, &[(key, &value)]).map_err(|why| place.fault(why))?;
        if read.insert(key, value.into_owned()).is_some() {
            return Err(place.fault(format!("{key} is there already")));
        }
    }
    let all: Vec<(&str, &str)> = read.iter().map(|(k, v)| (*k, v.as_str())).collect();
    Op::from_text(name, &all).map_err(|why| c.fault(why))
}

/// The types behind a colon; nothing without a colon.
pub(super) fn types(c: &mut Cursor<'_>) -> Result<Option<Vec<ValueType>>, Diagnostic> {
    if !c.takes(':') {
        return Ok(None);
    }
    let mut types = Vec::new();
    loop {
        let place = c.clone();
        let element: Element = c.word().parse().map_err(|why: String| place.fault(why))?;
        let place = c.clone();
        let shape = shape(c.word()).ok_or_else(|| {
            place.expected("a shape as 1x3x32x32 or scalar, of a size that a memory can hold")
        })?;
        types.push(ValueType { element, shape });
        if !c.takes(',') {
            return Ok(Some(types));
        }
    }
}

fn shape(text: &str) -> Option<Shape> {
    if text == "scalar" {
        return Some(Shape::default());
    }
    if text.split('x').nth(MAX_RANK).is_some() {
        return None;
    }
    let shape = Shape(text.split('x').map(|d| d.parse().ok()).collect::<Option<_>>()?);
    shape.checked_len().is_some_and(|len| len <= MAX_ELEMENTS).then_some(shape)
}

/// Names in quotes up to the end of the line.
pub(super) fn names(c: &mut Cursor<'_>) -> Result<Names, Diagnostic> {
    let mut names = Vec::new();
    while c.sees('"') {
        names.push(c.name()?);
    }
    c.want_end("a name in quotes or the end of the line")?;
    Ok(names.into_iter().collect())
}
