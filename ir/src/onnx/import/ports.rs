//! The graph's inputs and outputs as its user knows them: element, extents, batch.

use super::super::data::element;
use super::super::messages::tensor_proto::DataType;
use super::super::messages::tensor_shape_proto::dimension::Value as Extent;
use super::super::messages::{ValueInfoProto, type_proto};
use super::structure::quoted;
use super::{ImportOptions, Level};
use crate::diagnostic::Diagnostic;
use crate::network::{Batch, Element, Shape, ValueType};

/// Most elements that a frame may have, and most frames that a file may fix: beyond any image, and small
/// enough that cycle counts made of them fit 64 bits.
pub(super) const MAX_FRAME: usize = 1 << 31;
const MAX_BATCH: i64 = 1 << 20;

/// An extent as a file declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Declared {
    Known(i64),
    Symbol(String),
    Open,
}

/// Element and extents as a file declares them; no extents where it leaves the rank open.
#[derive(Clone, Debug)]
pub(super) struct DeclaredType {
    pub(super) element: Element,
    pub(super) dims: Option<Vec<Declared>>,
}

/// What a declaration says, or why it cannot be a tensor of ours.
pub(super) fn declared(info: &ValueInfoProto) -> Result<DeclaredType, String> {
    let tensor = match info.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(type_proto::Value::TensorType(tensor)) => tensor,
        Some(type_proto::Value::SequenceType(_)) => return Err("it is a sequence, not a tensor".into()),
        Some(type_proto::Value::MapType(_)) => return Err("it is a map, not a tensor".into()),
        Some(type_proto::Value::OptionalType(_)) => return Err("it is optional, not a tensor".into()),
        Some(_) => return Err("it is no dense tensor".into()),
        None => return Err("its type is not declared".into()),
    };
    let element = element(tensor.elem_type())?;
    if tensor.elem_type() == DataType::Bfloat16 as i32 {
        return Err("its type is BFLOAT16, which activations cannot have here".into());
    }
    let dims = tensor.shape.as_ref().map(|shape| {
        let extent = |d: Option<&Extent>| match d {
            Some(Extent::DimValue(n)) => Declared::Known(*n),
            Some(Extent::DimParam(name)) if !name.is_empty() => Declared::Symbol(name.clone()),
            _ => Declared::Open,
        };
        shape.dim.iter().map(|d| extent(d.value.as_ref())).collect()
    });
    Ok(DeclaredType { element, dims })
}

/// An input whose extents are all known.
pub(super) struct Input {
    /// Canonical type, axis 0 holding the frames of a fixed batch, 1 for a dynamic one.
    pub(super) ty: ValueType,
    pub(super) batch: Batch,
}

/// The type of an input; the user's extents fill what the file leaves open.
pub(super) fn input(info: &ValueInfoProto, options: &ImportOptions) -> Result<Input, Diagnostic> {
    let what = || format!("graph input {}", quoted(info.name()));
    let fault = |why: String, remedy: &str| Diagnostic::new("import/input", what(), why, remedy);
    let declared = declared(info).map_err(|why| {
        fault(
            why,
            "give a model whose input is a tensor of pixels (float32, uint8, int8, float16 or float64)",
        )
    })?;
    match options.level {
        Level::Operator => operator_input(declared).map_err(|why| fault(why, "fix the input's extents")),
        Level::Network => network_input(declared, options.input_shape.as_deref(), fault),
    }
}

fn operator_input(declared: DeclaredType) -> Result<Input, String> {
    let dims = declared.dims.ok_or("its extents are not declared")?;
    let known = |d: &Declared| match d {
        Declared::Known(n) => usize::try_from(*n).map_err(|_| format!("its extent {n} is negative")),
        _ => Err("one of its extents is open".to_string()),
    };
    let shape = Shape(dims.iter().map(known).collect::<Result<_, _>>()?);
    match shape.checked_len() {
        Some(1..=MAX_FRAME) => {
            Ok(Input { ty: ValueType::new(declared.element, shape), batch: Batch::Absent })
        }
        _ => Err(format!("its extents {shape} hold no elements, or more than any image")),
    }
}

fn network_input(
    declared: DeclaredType,
    given: Option<&[usize]>,
    fault: impl Fn(String, &str) -> Diagnostic,
) -> Result<Input, Diagnostic> {
    const FLAG: &str =
        "say them: --input-shape 3x32x32 (channels x height x width, or the file's own layout)";
    let dims = match (declared.dims, given) {
        (Some(dims), _) => dims,
        (None, Some(given)) => {
            let mut dims = vec![Declared::Open; given.len()];
            if given.len() < 4 {
                dims.push(Declared::Open);
            }
            dims
        }
        (None, None) => return Err(fault("the file does not give its extents".into(), FLAG)),
    };
    let Some((first, rest)) = dims.split_first() else {
        return Err(fault("it is a scalar, not a batch of images".into(), "give a model of images"));
    };
    let batch =
        batch(first).map_err(|why| fault(why, "fix the batch to a small number, or leave it open"))?;
    let given = match given {
        Some(given) if given.len() == rest.len() => Some(given),
        Some(given) if given.len() == dims.len() => Some(&given[1..]),
        Some(given) => {
            let why = format!("--input-shape gives {} extents, but a frame has {}", given.len(), rest.len());
            return Err(fault(why, FLAG));
        }
        None => None,
    };
    let extents = frame(rest, given).map_err(|(why, open)| {
        fault(why, if open { FLAG } else { "give a model, or an --input-shape, of a plain image size" })
    })?;
    let frames = if let Batch::Fixed(n) = batch { n } else { 1 };
    let shape = Shape([vec![frames], extents].concat());
    Ok(Input { ty: ValueType::new(declared.element, shape), batch })
}

fn batch(first: &Declared) -> Result<Batch, String> {
    match first {
        Declared::Known(n @ 1..=MAX_BATCH) => Ok(Batch::Fixed(*n as usize)),
        Declared::Known(n) => Err(format!("its batch (axis 0) is {n}")),
        Declared::Symbol(name) => Ok(Batch::Dynamic(Some(name.clone()))),
        Declared::Open => Ok(Batch::Dynamic(None)),
    }
}

/// Extents of a frame, or why there are none and whether that is because some are open.
fn frame(dims: &[Declared], given: Option<&[usize]>) -> Result<Vec<usize>, (String, bool)> {
    let mut open = Vec::new();
    let mut extents = Vec::new();
    for (i, dim) in dims.iter().enumerate() {
        match (dim, given.map(|g| g[i])) {
            (Declared::Known(n), _) if *n < 1 => {
                return Err((format!("axis {} has extent {n}", i + 1), false));
            }
            (Declared::Known(n), Some(g)) if *n != g as i64 => {
                return Err((format!("axis {} is {n} in the file, but {g} in --input-shape", i + 1), false));
            }
            (Declared::Known(n), _) => extents.push(*n as usize),
            (_, Some(0)) => return Err((format!("--input-shape gives axis {} no extent", i + 1), false)),
            (_, Some(g)) => extents.push(g),
            (Declared::Symbol(name), None) => open.push(quoted(name)),
            (Declared::Open, None) => open.push(format!("of axis {}", i + 1)),
        }
    }
    if !open.is_empty() {
        let why =
            format!("its extents {} are open, and buffers cannot be sized without them", open.join(", "));
        return Err((why, true));
    }
    match Shape(extents.clone()).checked_len() {
        Some(1..=MAX_FRAME) => Ok(extents),
        _ => Err((format!("a frame of {} has more elements than any image", Shape(extents)), false)),
    }
}
