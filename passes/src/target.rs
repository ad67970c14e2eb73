//! What a design is made for: the device, its clock, the wanted rate, the widths. Shared by all stream passes.

use std::ops::RangeInclusive;

use crate::device::Device;

/// How fast the design must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// As fast as fits the device.
    Fastest,
    /// At least so many frames a second.
    Fps(f64),
    /// At most so many cycles a frame.
    Cycles(u64),
}

impl Rate {
    /// Cycles that a frame may take at `clock_mhz`; nothing where it is to be as fast as may be.
    pub fn cycles(self, clock_mhz: f64) -> Option<f64> {
        match self {
            Rate::Fastest => None,
            Rate::Fps(fps) => Some(clock_mhz * 1e6 / fps),
            Rate::Cycles(cycles) => Some(cycles as f64),
        }
    }
}

/// Widths of numbers in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    /// Of a weight.
    pub weights: u32,
    /// Of an activation.
    pub activations: u32,
}

impl Bits {
    /// Widths that a weight or an activation can have.
    pub const RANGE: RangeInclusive<u32> = 1..=16;
}

/// `w8a8`.
impl std::fmt::Display for Bits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "w{}a{}", self.weights, self.activations)
    }
}

/// The options that several passes share.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The device, or an unlimited one.
    pub device: Device,
    /// Clock in MHz.
    pub clock_mhz: f64,
    /// How fast the design must be.
    pub rate: Rate,
    /// Widths of numbers.
    pub bits: Bits,
    /// Seed of everything random.
    pub seed: u64,
}

impl Target {
    /// The fastest design of 8 bits that fits a device, at its usual clock.
    pub fn of(device: Device) -> Target {
        let bits = Bits { weights: 8, activations: 8 };
        Target { clock_mhz: device.clock_mhz, device, rate: Rate::Fastest, bits, seed: 0 }
    }

    /// Frames a second where a frame takes so many cycles.
    pub fn fps(&self, cycles: f64) -> f64 {
        self.clock_mhz * 1e6 / cycles
    }
}
