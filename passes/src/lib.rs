//! The passes: from an imported network to a sized and bound stream.
//!
//! - [`design`]: what flows through them; [`pass`]: what a pass is; [`table`]: all of them, in order.
//! - [`manager`]: runs them; [`trial`]: runs them on a copy; [`cost`]: what skips cost, [`choose`]:
//!   which rewrite they get, both by trials.
//! - on networks: [`normalise`], [`residual`], [`plan`]; between the levels: [`lower`];
//!   on streams: [`width`], [`fold`], [`fifo`], [`bind`].
//! - [`arithmetic`]: what each actor computes, as whole numbers; [`control`]: what the control of each runs;
//!   [`images`]: what is in the constant memories of both.
//! - [`quantise`]: networks of floats to networks of codes.
//! - [`engine`]: fast evaluation; [`data`]: labelled images; [`accuracy`]: how often a network is right on them;
//!   [`target`], [`device`]: what is designed for.
//! - [`distill`]: networks are trained again while their skips go; [`random`]: seeded numbers; [`nearest`]: what a word
//!   was meant to be.
//!
//! Passes do not call each other; the manager runs them in the order of one table.

pub mod accuracy;
pub mod area;
pub mod arithmetic;
pub mod bind;
pub mod choose;
pub mod control;
pub mod cost;
pub mod data;
pub mod design;
pub mod device;
pub mod distill;
pub mod engine;
pub mod fifo;
pub mod fold;
pub mod images;
pub mod integers;
mod known;
pub mod layers;
pub mod lower;
pub mod manager;
pub mod markup;
pub mod nearest;
pub mod normalise;
pub mod numerals;
pub mod pass;
pub mod plan;
pub mod quantise;
pub mod random;
mod range;
pub mod residual;
pub mod table;
pub mod target;
pub mod trial;
pub mod width;
