//! What the tests share: references that share no code with what they test, the corpora, models made by hand.

#![allow(clippy::unwrap_used, reason = "a test that unwraps fails with the fault")]

pub mod allocation;
pub mod corpus;
pub mod disguise;
pub mod dom;
pub mod double;
pub mod gradient;
pub mod hardware;
pub mod least_squares;
pub mod memories;
pub mod model;
pub mod networks;
pub mod ported;
pub mod quantised;
pub mod random;
pub mod reference;
pub mod rtl;
pub mod seed;
pub mod shuffle;
pub mod stalled;
pub mod streams;
pub mod target;
