//! Weights beside the text: a safetensors file whose tensors are called by their digests.

use std::collections::BTreeMap;
use std::sync::Arc;

use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use super::numbers;
use crate::network::{Element, Network, Op, Shape, tensor_digest};
use crate::tensor::{Data, Tensor};

/// What the text calls a constant: half of the BLAKE3 digest of its element, shape and numbers.
pub(super) fn key(tensor: &Tensor) -> String {
    let mut digits = tensor_digest(tensor);
    digits.truncate(32);
    digits
}

/// The numbers that [`print`](super::print()) names by digest, as the bytes of a safetensors file; equal tensors
/// are in it once. The same network gives the same bytes.
///
/// # Panics
/// Never: a tensor has as many numbers as its shape says.
pub fn weights(network: &Network) -> Vec<u8> {
    let mut tensors = BTreeMap::new();
    for node in network.node_ids() {
        if let Op::Const(tensor) = network.op(node)
            && numbers::list(tensor).is_none()
        {
            tensors.entry(key(tensor)).or_insert_with(|| (tensor, tensor.to_le_bytes()));
        }
    }
    let views = tensors.iter().map(|(key, (tensor, bytes))| {
        let view = TensorView::new(dtype(tensor.data()), tensor.shape().0.clone(), bytes);
        (key, view.expect("a tensor has as many numbers as its shape says"))
    });
    serialize(views.collect::<Vec<_>>(), None).expect("keys are distinct, and a header of them is small")
}

fn dtype(data: &Data) -> Dtype {
    match data {
        Data::F16(_) => Dtype::F16,
        Data::F32(_) => Dtype::F32,
        Data::F64(_) => Dtype::F64,
        Data::I8(_) => Dtype::I8,
        Data::U8(_) => Dtype::U8,
        Data::I16(_) => Dtype::I16,
        Data::U16(_) => Dtype::U16,
        Data::I32(_) => Dtype::I32,
        Data::U32(_) => Dtype::U32,
        Data::I64(_) => Dtype::I64,
        Data::U64(_) => Dtype::U64,
        Data::Bool(_) => Dtype::BOOL,
    }
}

/// A sidecar that is being read: each tensor is made once, however many constants are called so.
pub(super) struct Sidecar<'b> {
    file: SafeTensors<'b>,
    made: BTreeMap<String, Arc<Tensor>>,
}

impl<'b> Sidecar<'b> {
    pub(super) fn open(bytes: &'b [u8]) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|e| format!("it is no safetensors file: {e}"))?;
        Ok(Sidecar { file, made: BTreeMap::new() })
    }

    /// The tensor that the text calls `key`, held against the type and the digest that the text gives.
    pub(super) fn tensor(
        &mut self,
        key: &str,
        element: Element,
        shape: &Shape,
    ) -> Result<Arc<Tensor>, String> {
        let tensor = match self.made.get(key) {
            Some(tensor) => tensor.clone(),
            None => {
                let view = self.file.tensor(key).map_err(|_| "the sidecar has no tensor of this digest")?;
                let tensor = Arc::new(made(&view, element)?);
                if self::key(&tensor) != key {
                    return Err("the sidecar's numbers have another digest".into());
                }
                self.made.insert(key.to_string(), tensor.clone());
                tensor
            }
        };
        if tensor.element() == element && tensor.shape() == shape {
            return Ok(tensor);
        }
        Err(format!("the sidecar has {} {} under this digest", tensor.element(), tensor.shape()))
    }
}

fn made(view: &TensorView<'_>, element: Element) -> Result<Tensor, String> {
    let bytes = view.data();
    macro_rules! numbers {
        ($variant:ident, $ty:ty) => {
            Data::$variant(bytes.as_chunks().0.iter().map(|c| <$ty>::from_le_bytes(*c)).collect())
        };
    }
    let data = match view.dtype() {
        Dtype::F16 => numbers!(F16, f16),
        Dtype::F32 => numbers!(F32, f32),
        Dtype::F64 => numbers!(F64, f64),
        Dtype::I8 => numbers!(I8, i8),
        Dtype::U8 => numbers!(U8, u8),
        Dtype::I16 => numbers!(I16, i16),
        Dtype::U16 => numbers!(U16, u16),
        Dtype::I32 => numbers!(I32, i32),
        Dtype::U32 => numbers!(U32, u32),
        Dtype::I64 => numbers!(I64, i64),
        Dtype::U64 => numbers!(U64, u64),
        Dtype::BOOL => Data::Bool(bytes.iter().map(|&b| b != 0).collect()),
        other => return Err(format!("the sidecar has numbers of type {other:?}, which no constant has")),
    };
    Tensor::new(element, view.shape(), data)
        .ok_or_else(|| format!("the sidecar has numbers of type {:?} for {element}", view.dtype()))
}
