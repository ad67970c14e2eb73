//! What is in the constant memories of actors, word for word.
//!
//! Needs: a folded stream, the numbers of its actors ([`crate::arithmetic`]) and what their controls run
//! ([`crate::control`]). Read by `area` (how wide memories are in truth) and by the hardware's text.
//!
//! - [`numbers`]: weights, biases, factors; [`program`]: controls; [`word`]: words; [`mod@functions`]: words as functions
//!   of their address.

mod functions;
mod numbers;
mod program;
mod word;

pub use functions::{functions, luts};
pub use numbers::{Weights, bias, chooses_lanes, factors, weights, weights_beside};
pub use program::{control, kinds, loops};
pub use word::{Word, varying};
