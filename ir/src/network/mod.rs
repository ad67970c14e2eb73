//! The network level: operators joined by values, as an ONNX file means them.
//!
//! No ONNX message, file, clock or device here. Networks change only through [`Edit`].

mod attr;
mod edit;
mod graph;
mod hash;
mod infer;
mod op;
mod order;
mod training;
mod types;
mod verify;

pub use edit::{Edit, EditError};
pub use graph::{Batch, InputPort, Network, Node, OutputPort, Preprocess};
pub use hash::{digest, tensor_digest};
pub use infer::{MAX_ELEMENTS, MAX_RANK, infer};
pub(crate) use infer::{broadcast, infer_any};
pub use op::*;
pub use order::canonicalise;
pub use types::{Element, Pair, Rounding, Shape, Sides, ValueType};
pub use verify::{verify, verify_live};
