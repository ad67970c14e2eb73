//! What streams of tests are made for, where no device matters.

use nonresc_passes::device::Device;
use nonresc_passes::target::{Rate, Target};

/// No device's limits, w8a8, 100 MHz.
pub fn unlimited(rate: Rate) -> Target {
    let device = Device::find("none").unwrap();
    Target { clock_mhz: 100.0, rate, ..Target::of(device) }
}
