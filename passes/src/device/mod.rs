//! Devices: what a part has and which primitives it is made of, from one table with sources, or from a user's
//! TOML file. No design and no search here; the text of a user's file comes in, the file is read elsewhere.

mod primitives;
mod table;

pub use primitives::{DspKind, Family, LutRam, Shape};

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};

use crate::nearest::likely;

/// How much a part has of each resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Look-up tables, of as many inputs as the family's have.
    pub luts: u64,
    /// Those of them that can be shift registers or RAM.
    pub memory_luts: u64,
    /// Flip-flops.
    pub ffs: u64,
    /// DSP blocks.
    pub dsps: u64,
    /// Block RAMs of 18,432 bits (halves of a RAMB36, or EBRs).
    pub bram18: u64,
    /// Blocks of 4,096 x 72 bits.
    pub urams: u64,
}

/// A part: its family and how much of each primitive it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// The part's name.
    pub name: String,
    /// Boards that carry it, for people.
    pub boards: String,
    /// What its primitives are.
    pub family: Family,
    /// What it has; nothing where planning is to be without limits.
    pub limits: Option<Limits>,
    /// Clock in MHz where the user names none.
    pub clock_mhz: f64,
    /// The document that the counts come from.
    pub source: String,
}

impl Device {
    /// The part of that name in any case, or `none`.
    ///
    /// # Errors
    /// An unknown name, with the nearest known one.
    pub fn find(name: &str) -> Result<Device, Diagnostics> {
        let all = Device::all();
        if let Some(found) = all.iter().find(|d| d.name.eq_ignore_ascii_case(name.trim())) {
            return Ok(found.clone());
        }
        let names: Vec<&str> = all.iter().map(|d| d.name.as_str()).collect();
        let on_board = all.iter().find(|device| device.is_on(name));
        let hint = match (on_board, likely(name.trim(), names.iter().copied())) {
            (Some(device), _) => format!("{} is the part of {}. ", device.name, device.boards),
            (None, Some(nearest)) => format!("did you mean {nearest}? "),
            (None, None) => String::new(),
        };
        Err(Diagnostic::new(
            "device/unknown",
            format!("device \"{name}\""),
            "no part of that name is in the table of devices",
            format!("{hint}known: {}; or give a TOML file that describes your part", names.join(", ")),
        )
        .into())
    }

    /// Whether a board that carries the part is called so, or begins so.
    fn is_on(&self, board: &str) -> bool {
        let plain =
            |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        let (boards, board) = (plain(&self.boards), plain(board));
        board.len() >= 4 && boards.contains(&board)
    }

    /// All known parts, `none` last.
    pub fn all() -> Vec<Device> {
        let mut all = table::builtin();
        all.push(Device::unlimited());
        all
    }

    /// No limits at all: the primitives of UltraScale+, as many as wanted.
    pub fn unlimited() -> Device {
        Device {
            name: "none".into(),
            boards: String::new(),
            family: Family::UltraScalePlus,
            limits: None,
            clock_mhz: 250.0,
            source: "no part: UltraScale+ primitives without limits".into(),
        }
    }

    /// A part from a user's TOML file; `file` is its name for messages.
    ///
    /// # Errors
    /// All faults at once: text that is no TOML, unknown or missing keys, counts out of range.
    pub fn parse(text: &str, file: &str) -> Result<Device, Diagnostics> {
        table::parse(text, file)
    }
}
