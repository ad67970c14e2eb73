//! The only room that knows ONNX: files become networks here, and networks files.
//!
//! Past this room nobody sees a protobuf message or an operator set version.

mod data;
pub mod export;
pub mod import;
pub mod messages;
