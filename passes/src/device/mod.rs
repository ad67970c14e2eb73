//! Devices: what a part has, from one table with sources, or from a user's TOML file.

/// A part: how much of each primitive it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// The part's name.
    pub name: String,
}
