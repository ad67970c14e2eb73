//! The hardware spike: streams built of the modules in `tests/rtl`, simulated with Verilator, held against start
//! times and the plain convolution. Counts and phases are the model's lists; addresses, masks and folds beside them
//! are derived here, by code of its own. No product code beyond `ir` may enter.

mod bench;
mod build;
pub mod cases;
pub mod design;
mod held;
mod image;
pub mod modules;
mod run;
mod top;

pub use bench::{Bench, least};
pub use build::{Patch, Tool};
pub use held::Mistake;
pub use image::{Word, image};
pub use run::{Falsified, Findings, Run, Seen};
