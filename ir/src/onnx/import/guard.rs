//! The bytes before they are decoded: is this an ONNX model at all, whole, and no larger in memory than it
//! may be?
//!
//! Decoding a message of two bytes makes a structure of some hundred, so a hostile file could claim memory
//! far beyond its own size. The wire is walked once without allocating: nesting, lengths and the size of the
//! decoded structures are known before prost sees a byte. Nothing is said here about what the model means.

use std::mem::size_of;

use prost::Message;
use prost::bytes::Bytes;

use super::super::messages::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, SparseTensorProto,
    StringStringEntryProto, TensorAnnotation, TensorProto, TensorShapeProto, TrainingInfoProto, TypeProto,
    ValueInfoProto, tensor_shape_proto,
};

/// Decoded structures may take this many bytes for each byte of the file, and `SLACK` more.
const GROWTH: usize = 24;
const SLACK: usize = 4 << 20;
/// Deepest nesting of messages that is looked into; prost stops at the same depth.
const MAX_DEPTH: usize = 90;

/// The kinds of messages that hold other messages or strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Sparse,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Dimension,
    Sequence,
    Opset,
    Entry,
    Annotation,
    Training,
    Function,
    /// A string or bytes: a header and its text.
    Text,
    /// Packed numbers, at most eight bytes in memory for one in the file.
    Packed,
}

impl Kind {
    /// What stands in a length-delimited field; `None` where the schema has no such field.
    fn child(self, field: u64) -> Option<Kind> {
        use Kind::*;
        Some(match (self, field) {
            (Model, 7) => Graph,
            (Model, 8) => Opset,
            (Model, 14) | (Graph, 16) | (Node, 9) | (Tensor, 13 | 16) | (ValueInfo, 4) => Entry,
            (Function, 14) | (Annotation, 2) => Entry,
            (Model, 20) => Training,
            (Model, 25) => Function,
            (Graph, 1) | (Function, 7) => Node,
            (Graph, 5) | (Attribute, 5 | 10) | (Sparse, 1 | 2) => Tensor,
            (Graph, 15) | (Attribute, 22 | 23) => Sparse,
            (Graph, 11..=13) | (Function, 12) => ValueInfo,
            (Graph, 14) => Annotation,
            (Node, 5) | (Function, 11) => Attribute,
            (Attribute, 6 | 11) | (Training, 1 | 2) => Graph,
            (Attribute, 14 | 15) | (ValueInfo, 2) => Type,
            (Type, 1 | 8) => TensorType,
            (Type, 4 | 5 | 9) => Sequence,
            (Sequence, 1 | 2) => Type,
            (TensorType, 2) => Shape,
            (Shape, 1) => Dimension,
            (Function, 9) => Opset,
            (Training, 3 | 4) => Entry,
            (Attribute, 7 | 8) | (Tensor, 1 | 4 | 5 | 7 | 10 | 11) | (Sparse, 3) => Packed,
            (Text | Packed, _) => return None,
            _ => Text,
        })
    }

    /// Bytes of the decoded structure itself.
    fn size(self) -> usize {
        match self {
            Kind::Model => size_of::<ModelProto>(),
            Kind::Graph => size_of::<GraphProto>(),
            Kind::Node => size_of::<NodeProto>(),
            Kind::Attribute => size_of::<AttributeProto>(),
            Kind::Tensor => size_of::<TensorProto>(),
            Kind::Sparse => size_of::<SparseTensorProto>(),
            Kind::ValueInfo => size_of::<ValueInfoProto>(),
            Kind::Type | Kind::TensorType | Kind::Sequence => size_of::<TypeProto>(),
            Kind::Shape => size_of::<TensorShapeProto>(),
            Kind::Dimension => size_of::<tensor_shape_proto::Dimension>(),
            Kind::Opset => size_of::<OperatorSetIdProto>(),
            Kind::Entry => size_of::<StringStringEntryProto>(),
            Kind::Annotation => size_of::<TensorAnnotation>(),
            Kind::Training => size_of::<TrainingInfoProto>(),
            Kind::Function => size_of::<FunctionProto>(),
            Kind::Text => size_of::<Bytes>(),
            Kind::Packed => 0,
        }
    }
}

/// The model in `bytes`, or in plain words why they hold none.
pub(super) fn decode(bytes: Bytes) -> Result<ModelProto, String> {
    if bytes.is_empty() {
        return Err("it is empty".into());
    }
    let limit = bytes.len().saturating_mul(GROWTH).saturating_add(SLACK);
    let decoded = walk(&bytes)?;
    if decoded > limit {
        return Err(format!(
            "its {} bytes would take {decoded} in memory: the structure is made of empty parts",
            bytes.len()
        ));
    }
    let model = ModelProto::decode(bytes).map_err(|e| e.to_string())?;
    if model == ModelProto::default() {
        return Err("it holds none of the fields of a model".into());
    }
    Ok(model)
}

/// Bytes that the decoded structures take, or why the wire cannot be read.
fn walk(bytes: &[u8]) -> Result<usize, String> {
    let mut total = 0usize;
    let mut at = 0usize;
    let mut open: Vec<(Kind, usize)> = vec![(Kind::Model, bytes.len())];
    while let Some(&(kind, end)) = open.last() {
        if at == end {
            open.pop();
            continue;
        }
        let key = varint(bytes, &mut at, end)?;
        let field = key >> 3;
        if field == 0 || key > u64::from(u32::MAX) {
            return Err(format!("there is no field {field} (at byte {at})"));
        }
        match key & 7 {
            0 => {
                varint(bytes, &mut at, end)?;
                // A list of numbers may come one number a field; each takes at most 8 bytes in memory.
                total = total.saturating_add(8);
            }
            1 => skip(&mut at, end, 8)?,
            5 => skip(&mut at, end, 4)?,
            2 => {
                let length = varint(bytes, &mut at, end)?;
                let start = at;
                skip(&mut at, end, length)?;
                let Some(child) = kind.child(field) else { continue };
                total = total.saturating_add(child.size());
                match child {
                    Kind::Text => total = total.saturating_add(at - start),
                    Kind::Packed => total = total.saturating_add((at - start).saturating_mul(8)),
                    _ if open.len() >= MAX_DEPTH => {
                        return Err(format!("its messages are nested more than {MAX_DEPTH} deep"));
                    }
                    _ => {
                        open.push((child, at));
                        at = start;
                    }
                }
            }
            wire => return Err(format!("wire type {wire} at byte {at} is none that ONNX has")),
        }
    }
    Ok(total)
}

fn skip(at: &mut usize, end: usize, length: u64) -> Result<(), String> {
    match usize::try_from(length).ok().and_then(|n| at.checked_add(n)) {
        Some(next) if next <= end => {
            *at = next;
            Ok(())
        }
        _ => Err(format!("it is cut off: {length} bytes are promised at byte {at}, {} are there", end - *at)),
    }
}

fn varint(bytes: &[u8], at: &mut usize, end: usize) -> Result<u64, String> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let Some(&byte) = bytes[..end].get(*at) else {
            return Err(format!("it is cut off inside of a number at byte {at}"));
        };
        *at += 1;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(format!("a number at byte {at} is longer than ten bytes"))
}
