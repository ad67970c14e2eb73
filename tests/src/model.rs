//! ONNX models made by hand, for tests that need no more than one thing of a file.

use nonresc_ir::onnx::messages::attribute_proto::AttributeType;
use nonresc_ir::onnx::messages::tensor_proto::DataType;
use nonresc_ir::onnx::messages::tensor_shape_proto::{Dimension, dimension};
use nonresc_ir::onnx::messages::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, type_proto,
};
use prost::Message;

/// An extent of a graph input.
#[derive(Clone, Copy, Debug)]
pub enum Extent {
    /// A number.
    Known(i64),
    /// A name.
    Open(&'static str),
}

/// A float tensor's declaration.
pub fn info(name: &str, extents: &[Extent]) -> ValueInfoProto {
    let value = |e: &Extent| match *e {
        Extent::Known(n) => dimension::Value::DimValue(n),
        Extent::Open(name) => dimension::Value::DimParam(name.into()),
    };
    let dim = extents.iter().map(|e| Dimension { value: Some(value(e)), ..Dimension::default() }).collect();
    let tensor =
        type_proto::Tensor { elem_type: Some(DataType::Float as i32), shape: Some(TensorShapeProto { dim }) };
    let value = Some(type_proto::Value::TensorType(tensor));
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { value, ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

/// A node called after its result.
pub fn node(op: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        name: Some(format!("n_{output}")),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        attribute: attributes,
        ..NodeProto::default()
    }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(kind as i32), ..AttributeProto::default() }
}

/// A list of whole numbers as an attribute.
pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name, AttributeType::Ints) }
}

/// A whole number as an attribute.
pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, AttributeType::Int) }
}

/// A number as an attribute.
pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..attribute(name, AttributeType::Float) }
}

/// Float numbers; of a constant pattern, since most tests ask for types alone.
pub fn weights(name: &str, dims: &[i64]) -> TensorProto {
    let len = dims.iter().product::<i64>();
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Float as i32),
        float_data: (0..len).map(|i| (i % 7) as f32 * 0.25 - 0.5).collect(),
        ..TensorProto::default()
    }
}

/// Whole numbers, as shapes are.
pub fn whole(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: vec![values.len() as i64],
        data_type: Some(DataType::Int64 as i32),
        int64_data: values.to_vec(),
        ..TensorProto::default()
    }
}

/// A model at opset 13 with input `x` of N x 3 x 8 x 8 and one output.
pub fn model(nodes: Vec<NodeProto>, initializer: Vec<TensorProto>, output: &str) -> ModelProto {
    let input = [Extent::Open("N"), Extent::Known(3), Extent::Known(8), Extent::Known(8)];
    let graph = GraphProto {
        name: Some("g".into()),
        node: nodes,
        initializer,
        input: vec![info("x", &input)],
        output: vec![ValueInfoProto { name: Some(output.into()), ..ValueInfoProto::default() }],
        ..GraphProto::default()
    };
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(13) }],
        graph: Some(graph),
        ..ModelProto::default()
    }
}

/// A small residual network: a stem, a block with batch norm and a skip, a pool, a dense layer.
pub fn residual() -> ModelProto {
    let same = || vec![ints("kernel_shape", &[3, 3]), ints("pads", &[1, 1, 1, 1])];
    let nodes = vec![
        node("Conv", &["x", "w0", "b0"], "c0", same()),
        node("Relu", &["c0"], "r0", vec![]),
        node("Conv", &["r0", "w1"], "c1", same()),
        node("BatchNormalization", &["c1", "g1", "h1", "m1", "v1"], "n1", vec![float("epsilon", 1e-5)]),
        node("Relu", &["n1"], "r1", vec![]),
        node("Conv", &["r1", "w2", "b0"], "c2", same()),
        node("Add", &["c2", "r0"], "a", vec![]),
        node("Relu", &["a"], "r2", vec![]),
        node("GlobalAveragePool", &["r2"], "p", vec![]),
        node("Flatten", &["p"], "f", vec![int("axis", 1)]),
        node("Gemm", &["f", "w3", "b3"], "y", vec![int("transB", 1)]),
    ];
    let mut variance = weights("v1", &[4]);
    variance.float_data = vec![1.0, 0.5, 2.0, 1.5];
    let initializer = vec![
        weights("w0", &[4, 3, 3, 3]),
        weights("b0", &[4]),
        weights("w1", &[4, 4, 3, 3]),
        weights("g1", &[4]),
        weights("h1", &[4]),
        weights("m1", &[4]),
        variance,
        weights("w2", &[4, 4, 3, 3]),
        weights("w3", &[5, 4]),
        weights("b3", &[5]),
    ];
    model(nodes, initializer, "y")
}

/// The bytes of a file.
pub fn bytes(model: &ModelProto) -> Vec<u8> {
    model.encode_to_vec()
}
