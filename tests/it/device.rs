//! The table of devices against the totals that vendors print beside the counts, and files of a user's own.

use nonresc_passes::device::{Device, Family};

/// Block, distributed and large-block memory as the vendors' tables give them: Mbit, rounded to one place
/// (Kbit for the 7 series and ECP5).
const VENDOR_TOTALS: &[(&str, f64, Option<f64>, f64, f64)] = &[
    // name, block, distributed, UltraRAM, unit in bits
    ("xc7z020", 5040.0, None, 0.0, 1024.0),
    ("xc7a100t", 4860.0, Some(1188.0), 0.0, 1024.0),
    ("xc7a200t", 13140.0, Some(2888.0), 0.0, 1024.0),
    ("xczu3eg", 7.6, Some(1.8), 0.0, 1048576.0),
    ("xck26", 5.1, Some(3.5), 18.0, 1048576.0),
    ("xczu7ev", 11.0, Some(6.2), 27.0, 1048576.0),
    ("xcu250", 94.5, Some(48.3), 360.0, 1048576.0),
    ("LFE5U-85F", 3744.0, None, 0.0, 1024.0),
];

#[test]
fn counts_agree_with_the_vendors_totals() {
    for &(name, block, distributed, uram, unit) in VENDOR_TOTALS {
        let device = Device::find(name).unwrap();
        let have = device.limits.unwrap();
        let close =
            |bits: f64, total: f64| (bits / unit - total).abs() <= if unit > 2000.0 { 0.06 } else { 0.5 };
        assert!(close(have.bram18 as f64 * 18.0 * 1024.0, block), "{name}: block RAM");
        assert!(close(have.urams as f64 * 288.0 * 1024.0, uram), "{name}: UltraRAM");
        if let Some(total) = distributed {
            let kbit = have.memory_luts as f64 * 64.0;
            assert!((kbit / unit / total - 1.0).abs() < 0.03, "{name}: distributed RAM");
        }
        let ffs_a_lut = if device.family == Family::Ecp5 { 1 } else { 2 };
        assert_eq!(have.ffs, have.luts * ffs_a_lut, "{name}: flip-flops a LUT");
        assert!(have.memory_luts < have.luts, "{name}");
        assert!(!device.source.is_empty() && device.clock_mhz >= 50.0, "{name}");
    }
    assert_eq!(Device::all().len(), VENDOR_TOTALS.len() + 1, "each row has its totals here");
}

#[test]
fn distributed_memory_of_the_ecp5_is_one_ram_a_block_of_eight_luts() {
    let have = Device::find("lfe5u-85f").unwrap().limits.unwrap();
    assert_eq!(have.memory_luts / 6 * 64, 669_120, "669 Kbit by the data sheet");
}

#[test]
fn names_are_found_in_any_case_and_near_ones_suggested() {
    assert_eq!(Device::find("XCK26").unwrap().name, "xck26");
    assert_eq!(Device::find("None").unwrap().limits, None);
    let message = Device::find("xck27").unwrap_err().to_string();
    assert!(message.contains("did you mean xck26?"), "{message}");
    for (board, part) in
        [("kv260", "xck26 "), ("ZCU-104", "xczu7ev "), ("pynq", "xc7z020 "), ("Ultra96", "xczu3eg ")]
    {
        let message = Device::find(board).unwrap_err().to_string();
        assert!(message.contains(&format!("{part}is the part of")), "{message}");
    }
    let message = Device::find("stratix").unwrap_err().to_string();
    assert!(!message.contains("did you mean") && message.contains("LFE5U-85F"), "{message}");
}

const OWN: &str = "name = \"my-part\"\nfamily = \"7-series\"\nluts = 1000\nmemory_luts = 400\nffs = 2000\n\
                   dsps = 10\nbram18 = 4\nclock_mhz = 125\n";

#[test]
fn a_file_of_the_users_own_is_read() {
    let device = Device::parse(OWN, "own.toml").unwrap();
    let have = device.limits.unwrap();
    assert_eq!((device.name.as_str(), device.clock_mhz, have.luts, have.urams), ("my-part", 125.0, 1000, 0));
}

#[test]
fn all_faults_of_a_file_are_told_at_once() {
    let text = "name = \"\"\nfamily = \"8-series\"\nluts = -1\nmemory_luts = 400\nffs = 2.5\ndsps = 10\n\
                bram18 = 4\nclock_mhz = 0\ncolour = 3\n";
    insta::with_settings!({snapshot_path => "../snapshots/device", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("faults_of_a_file", Device::parse(text, "own.toml").unwrap_err());
    });
}

#[test]
fn a_file_that_is_no_toml_is_refused() {
    let message = Device::parse("name = = 3", "own.toml").unwrap_err().to_string();
    assert!(message.starts_with("error[device/syntax]"), "{message}");
}

#[test]
fn a_part_without_large_blocks_cannot_have_any() {
    let message = Device::parse(&format!("{OWN}urams = 3\n"), "own.toml").unwrap_err().to_string();
    assert!(message.contains("has no such blocks"), "{message}");
}
