//! The types that a file declares for its tensors, held against those that were found.

use super::super::messages::{GraphProto, ValueInfoProto};
use super::Level;
use super::importer::{Importer, Item};
use super::ports::{Declared, DeclaredType, declared};
use super::structure::quoted;
use crate::diagnostic::Diagnostic;
use crate::network::{Shape, ValueType};

/// Adds a fault for each declaration that the graph does not keep.
pub(super) fn check<'m>(importer: &mut Importer<'m>, graph: &'m GraphProto) {
    let outputs = graph.output.iter().map(|o| ("graph output", o));
    let inner = graph.value_info.iter().map(|v| ("tensor", v));
    for (what, info) in outputs.chain(inner) {
        // A declaration that cannot be read is no promise.
        let Ok(promised) = declared(info) else { continue };
        let found = match importer.known(info) {
            Some(found) => found,
            None => continue,
        };
        if let Some(why) = differs(&promised, &found, importer.level, importer.frames) {
            importer.fault(Diagnostic::new(
                "import/declared",
                format!("{what} {}", quoted(info.name())),
                why,
                "run shape inference on the file again, or export it again",
            ));
        }
    }
}

impl<'m> Importer<'m> {
    /// The type of a tensor that the walk has met.
    fn known(&self, info: &'m ValueInfoProto) -> Option<ValueType> {
        match self.met(info.name())? {
            Item::Const(t) => Some(ValueType::new(t.element(), t.shape().clone())),
            Item::Value { value, .. } => Some(self.network.ty(*value).clone()),
            Item::Unknown { .. } => None,
        }
    }
}

fn differs(promised: &DeclaredType, found: &ValueType, level: Level, frames: usize) -> Option<String> {
    if promised.element != found.element {
        return Some(format!("it is declared as {}, but is {}", promised.element, found.element));
    }
    let dims = promised.dims.as_ref()?;
    if dims.len() != found.shape.rank() {
        return Some(format!(
            "it is declared with rank {}, but has shape {} of rank {}",
            dims.len(),
            found.shape,
            found.shape.rank()
        ));
    }
    for (axis, (dim, &extent)) in dims.iter().zip(&found.shape.0).enumerate() {
        // With a dynamic batch, one frame stands for any number on axis 0.
        if level == Level::Network && axis == 0 && frames == 1 {
            continue;
        }
        if let Declared::Known(n) = dim
            && *n != extent as i64
        {
            return Some(format!(
                "its axis {axis} is declared as {n}, but is {extent} (its shape is {})",
                Shape(found.shape.0.clone())
            ));
        }
    }
    None
}
