//! The text form of networks (`.nir`): one line a node, in canonical order, for people and for the parser.
//!
//! ```text
//! nir 1
//! input "image" %0 batch="N"
//! output "logits" %4 batch="N"
//!
//! %0 = input : f32 1x3x32x32 "image"
//! %1 = const blake3:4878ca0425c739fa427f7eda20fe845f : f32 16x3x3x3
//! %2 = const [0.5,-1.0,0.0,0.25] : f32 4
//! %3 = conv %0, %1, %2 pad=[1,1,1,1] : f32 1x16x32x32 "conv1" "bn1"
//! %4 = relu %3 : f32 1x16x32x32 "relu1"
//! ```
//!
//! [`print()`] gives the text, [`weights`] the numbers that it names by digest, [`parse`] reads both back. The
//! grammar is in `docs/nir.md`. Bytes in, bytes out: no file is opened here.

mod cursor;
mod interface;
mod numbers;
mod parse;
mod phrases;
mod print;
mod quote;
mod sidecar;

pub use parse::parse;
pub use print::print;
pub use sidecar::weights;

/// The version of the form, on its first line.
const HEADER: &str = "nir 1";
