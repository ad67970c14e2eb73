//! The two levels of nonresc's intermediate representation, and everything that reads, prints, checks
//! and evaluates them.
//!
//! - [`network`]: operators joined by values; what an ONNX file means.
//! - [`stream`]: actors joined by channels; what the hardware does, clock by clock.
//! - [`onnx`]: the only room that knows ONNX; files in, files out.
//! - [`text`]: networks as lines that people and the parser read.
//!
//! No pass, device, clock rate or command line here.

pub mod diagnostic;
pub mod eval;
pub mod id;
pub mod names;
pub mod network;
pub mod onnx;
pub mod stream;
pub mod tensor;
pub mod text;
