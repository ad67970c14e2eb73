//! The lines above the nodes: what the user sees of the network, and what is done to raw pixels.

use std::fmt::Write as _;

use super::cursor::Cursor;
use super::quote::quote;
use crate::diagnostic::Diagnostic;
use crate::network::{Batch, Element, Network, Preprocess, ValueType};

/// Prints preprocessing, inputs and outputs.
pub(super) fn print(text: &mut String, network: &Network) {
    if let Some(p) = network.preprocess() {
        let list = |numbers: &[f64]| {
            let items: Vec<String> = numbers.iter().map(|x| format!("{x:?}")).collect();
            format!("[{}]", items.join(","))
        };
        let _ = writeln!(text, "preprocess scale={:?} mean={} std={}", p.scale, list(&p.mean), list(&p.std));
    }
    for p in network.inputs() {
        let ty = network.ty(p.node.into());
        let _ = write!(text, "input {} {}", quote(&p.name), p.node);
        port(text, ty, p.element, &p.perm, &p.batch);
    }
    for p in network.outputs() {
        let ty = network.ty(p.value);
        let _ = write!(text, "output {} {}", quote(&p.name), p.value);
        port(text, ty, p.element, &p.perm, &p.batch);
    }
}

fn port(text: &mut String, ty: &ValueType, element: Element, perm: &[usize], batch: &Batch) {
    if element != ty.element {
        let _ = write!(text, " element={element}");
    }
    if !perm.iter().copied().eq(0..ty.shape.rank()) {
        let axes: Vec<String> = perm.iter().map(ToString::to_string).collect();
        let _ = write!(text, " axes=[{}]", axes.join(","));
    }
    let _ = match batch {
        Batch::Dynamic(None) => writeln!(text),
        Batch::Dynamic(Some(symbol)) => writeln!(text, " batch={}", quote(symbol)),
        Batch::Fixed(frames) => writeln!(text, " batch={frames}"),
        Batch::Absent => writeln!(text, " batch=none"),
    };
}

/// A line `input` or `output` as it was read; its value is looked up when all nodes are known.
pub(super) struct Port<'t> {
    /// Where the value stands in the line.
    pub(super) place: Cursor<'t>,
    pub(super) name: String,
    pub(super) node: u32,
    pub(super) port: u16,
    element: Option<Element>,
    perm: Option<Vec<usize>>,
    pub(super) batch: Batch,
}

impl<'t> Port<'t> {
    /// Reads what is behind the word `input` or `output`.
    pub(super) fn read(c: &mut Cursor<'t>) -> Result<Self, Diagnostic> {
        let name = c.name()?;
        let place = c.clone();
        let (node, port) = c.reference("a value as %0")?;
        let mut read =
            Port { place, name, node, port, element: None, perm: None, batch: Batch::Dynamic(None) };
        let mut seen = Vec::new();
        while !c.is_end() {
            let place = c.clone();
            let key = c.word();
            if !["element", "axes", "batch"].contains(&key) || seen.contains(&key) {
                return Err(place.expected("element=, axes= or batch=, each once"));
            }
            seen.push(key);
            c.want('=')?;
            let place = c.clone();
            match key {
                "element" => {
                    read.element = Some(c.value().parse().map_err(|why: String| place.fault(why))?);
                }
                "axes" => read.perm = Some(list(c, "axes as [0,2,3,1]")?),
                _ if c.sees('"') => read.batch = Batch::Dynamic(Some(c.name()?)),
                _ => {
                    read.batch = match &*c.value() {
                        "none" => Batch::Absent,
                        frames => Batch::Fixed(
                            frames
                                .parse()
                                .map_err(|_| place.expected("frames, none, or a name in quotes"))?,
                        ),
                    }
                }
            }
        }
        Ok(read)
    }

    /// The user's element and axes, given the value's type.
    pub(super) fn layout(&self, ty: &ValueType) -> (Element, Vec<usize>) {
        let perm = || (0..ty.shape.rank()).collect();
        (self.element.unwrap_or(ty.element), self.perm.clone().unwrap_or_else(perm))
    }
}

/// Reads what is behind the word `preprocess`.
pub(super) fn preprocess(c: &mut Cursor<'_>) -> Result<Preprocess, Diagnostic> {
    let mut number = |key: &str| {
        let place = c.clone();
        if c.word() != key {
            return Err(place.expected(&format!("{key}=")));
        }
        c.want('=')?;
        let numbers = if c.sees('[') {
            list(c, "numbers as [0.5,0.5]")?
        } else {
            let place = c.clone();
            vec![c.value().parse::<f64>().map_err(|_| place.expected("a number"))?]
        };
        Ok(numbers)
    };
    let (scale, mean, std) = (number("scale")?, number("mean")?, number("std")?);
    c.want_end("the end of the line")?;
    match scale[..] {
        [scale] => Ok(Preprocess { scale, mean, std }),
        _ => Err(c.expected("one number for scale")),
    }
}

fn list<T: std::str::FromStr>(c: &mut Cursor<'_>, expected: &str) -> Result<Vec<T>, Diagnostic> {
    let place = c.clone();
    let value = c.value();
    let wrong = || place.expected(expected);
    let inner = value.strip_prefix('[').and_then(|v| v.strip_suffix(']')).ok_or_else(wrong)?;
    if inner.is_empty() {
        return Ok(Vec::new());
    }
    inner.split(',').map(|item| item.parse().map_err(|_| wrong())).collect()
}
