//! Element types and tensors as ONNX messages, numbers as little-endian bytes.

use prost::bytes::Bytes;

use crate::network::Element;
use crate::onnx::messages::TensorProto;
use crate::onnx::messages::tensor_proto::DataType;
use crate::tensor::Tensor;

/// The ONNX name of an element type; integers of other widths than the machine's have none here.
pub(super) fn data_type(element: Element) -> Option<DataType> {
    Some(match element {
        Element::F16 => DataType::Float16,
        Element::F32 => DataType::Float,
        Element::F64 => DataType::Double,
        Element::Bool => DataType::Bool,
        Element::Int { bits: 8, signed: true } => DataType::Int8,
        Element::Int { bits: 8, signed: false } => DataType::Uint8,
        Element::Int { bits: 16, signed: true } => DataType::Int16,
        Element::Int { bits: 16, signed: false } => DataType::Uint16,
        Element::Int { bits: 32, signed: true } => DataType::Int32,
        Element::Int { bits: 32, signed: false } => DataType::Uint32,
        Element::Int { bits: 64, signed: true } => DataType::Int64,
        Element::Int { bits: 64, signed: false } => DataType::Uint64,
        Element::Int { .. } => return None,
    })
}

/// The element type in which numbers of an element lie in a file: integers of other widths than the machine's in the
/// next wider one.
pub(super) fn stored(element: Element) -> Element {
    match element {
        Element::Int { bits, signed } => Element::Int { bits: bits.next_power_of_two().max(8), signed },
        Element::F16 | Element::F32 | Element::F64 | Element::Bool => element,
    }
}

/// A tensor under a name; nothing where its element has no ONNX type.
pub(super) fn message(name: &str, tensor: &Tensor) -> Option<TensorProto> {
    let data_type = data_type(stored(tensor.element()))?;
    Some(TensorProto {
        dims: tensor.shape().0.iter().map(|&d| d as i64).collect(),
        data_type: Some(data_type as i32),
        name: Some(name.into()),
        raw_data: Some(Bytes::from(tensor.to_le_bytes())),
        ..TensorProto::default()
    })
}

/// A scalar of an element type, rounded to it; nothing where an integer cannot hold the value.
pub(super) fn scalar(element: Element, value: f64) -> Option<Tensor> {
    Tensor::from_f64(element, [], &[value])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Data;

    #[test]
    fn bytes_are_little_endian() {
        let tensor = Tensor::new(Element::I32, [2], Data::I32(vec![1, -2])).expect("two numbers");
        let message = message("t", &tensor).expect("an ONNX type");
        assert_eq!(message.raw_data.expect("bytes")[..], [1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff]);
        assert_eq!(message.dims, [2]);
    }
}
