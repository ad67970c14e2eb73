//! What matrix-vector actors and pools do in their phases beside what the phase list says: which pixels are read, where
//! they go.
//!
//! The lists say when beats are needed and released; hardware also has to know which beats these are.

use std::ops::Range;

use crate::network::Pair;

/// A fetch phase of the held form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The phase, counted from the frame's first.
    pub phase: u64,
    /// Row of the map that is read; with a bank a kernel row that of the first of them, which may lie above the map.
    pub row: i64,
    /// Column of the map.
    pub column: usize,
    /// Beat of the pixel.
    pub beat: usize,
    /// Where it is staged; nowhere where the tap alone wants it.
    pub staged: Option<Staged>,
}

/// A place in the staging registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Kernel row; 0 where all of them are fetched at once.
    pub tap: usize,
    /// Which of the columns that the advance brings.
    pub column: usize,
    /// Slot.
    pub slot: usize,
}

/// A load of the held form's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The phase, counted from the frame's first.
    pub phase: u64,
    /// The slot that is loaded.
    pub slot: usize,
    /// Bit `i` is set where kernel row i lies on the map.
    pub rows: u64,
    /// Bit `i` is set where the i-th column that is brought lies on the map.
    pub columns: u64,
    /// Whether a row of output begins, so that no column of the window stays.
    pub clear: bool,
    /// Whether a pixel's window is complete, so that it is computed in the phases behind.
    pub completes: bool,
}

/// A frame of the held form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldActions {
    /// Fetches, ascending.
    pub fetches: Vec<Fetched>,
    /// Loads, ascending.
    pub loads: Vec<Loaded>,
    /// Phases of computing behind a load that completes a pixel.
    pub own: u64,
    /// The same of a projection beside.
    pub beside: u64,
}

/// Phases of the direct form, one behind the other, that read the same taps beat by beat: where the first tap lies, and
/// which of them lie on the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered {
    /// The first phase, counted from the frame's first.
    pub phase: u64,
    /// Row of the first tap, which may lie above the map.
    pub row: i64,
    /// Column of the first tap, which may lie left of the map.
    pub column: i64,
    /// Beats of the pixels: one a phase.
    pub beats: Range<usize>,
    /// Bit `i` is set where the i-th row of taps lies on the map and in the kernel.
    pub rows: u64,
    /// Bit `i` is set where the i-th column of taps lies on the map and in the kernel.
    pub columns: u64,
}

/// What is folded at a row or column of a pool: bit `i` of each mask stands for the output with index `i` modulo the
/// slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// Outputs whose window has a tap here.
    pub slots: u128,
    /// Of these, those with their first tap on the map here.
    pub first: u128,
    /// Of these, those with their last one.
    pub last: u128,
}

/// A frame of a pool with a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolActions {
    /// Rows and columns of output that are open at once.
    pub slots: Pair,
    /// For each row of the map.
    pub rows: Vec<Covered>,
    /// For each column of the map.
    pub columns: Vec<Covered>,
    /// Whether some window lies in the padding alone.
    pub empty: bool,
    /// Whether some window lies in the padding in part.
    pub padded: bool,
}
