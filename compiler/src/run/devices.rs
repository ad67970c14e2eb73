//! `nonresc devices`: the parts that are known by name.

use nonresc_passes::device::{Device, Limits};
use nonresc_passes::numerals::grouped;
use serde::Serialize;

use crate::args::{Devices, Format};
use crate::columns::Columns;
use crate::exit::{self, Failure};

/// Prints the table of devices.
///
/// # Errors
/// Where standard output cannot be written.
pub(super) fn devices(args: &Devices) -> Result<(), Failure> {
    let devices = Device::all();
    let text = match args.format {
        Format::Text => text(&devices),
        Format::Json => {
            exit::document(&Document { version: 1, devices: devices.iter().map(Row::from).collect() })
        }
    };
    exit::print(text)
}

fn text(devices: &[Device]) -> String {
    let header = ["<device", "<DSP block", "LUT", "LUTRAM", "FF", "DSP", "BRAM18", "URAM", "MHz", "<boards"];
    let mut table = Columns::new(header);
    for device in devices {
        let limit = |of: fn(Limits) -> u64| device.limits.map_or("-".into(), |limits| grouped(of(limits)));
        table.row([
            device.name.clone(),
            device.family.dsp().name.into(),
            limit(|l| l.luts),
            limit(|l| l.memory_luts),
            limit(|l| l.ffs),
            limit(|l| l.dsps),
            limit(|l| l.bram18),
            limit(|l| l.urams),
            format!("{:.0}", device.clock_mhz),
            device.boards.clone(),
        ]);
    }
    table.text(100)
        + "\nLUTRAM: LUTs that can be memory. BRAM18: blocks of 18,432 bits (a RAMB36 is two; an EBR is one).\n\
           MHz: the clock where --clock names none. Sources of the counts: --format json. A part of your own is\n\
           a .toml file: --device FILE.\n"
}

/// The document that `--format json` prints.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    devices: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    boards: &'a str,
    family: &'a str,
    luts: Option<u64>,
    memory_luts: Option<u64>,
    ffs: Option<u64>,
    dsps: Option<u64>,
    bram18: Option<u64>,
    urams: Option<u64>,
    clock_mhz: f64,
    source: &'a str,
}

impl<'a> From<&'a Device> for Row<'a> {
    fn from(device: &'a Device) -> Row<'a> {
        let limits = device.limits;
        Row {
            name: &device.name,
            boards: &device.boards,
            family: device.family.name(),
            luts: limits.map(|l| l.luts),
            memory_luts: limits.map(|l| l.memory_luts),
            ffs: limits.map(|l| l.ffs),
            dsps: limits.map(|l| l.dsps),
            bram18: limits.map(|l| l.bram18),
            urams: limits.map(|l| l.urams),
            clock_mhz: device.clock_mhz,
            source: &device.source,
        }
    }
}
