//! The backends: a finished design as files. A backend checks what it needs and then writes; it decides nothing
//! that a pass could.

pub mod dot;
pub mod out;
pub mod out_file;
pub mod rtl;
pub mod schedule;
