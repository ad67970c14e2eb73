//! Any bytes as a file of data: arrays in `.npy` or `.npz`, labelled images, the state of a training; numbers or an
//! error, never a panic, a hang or runaway memory.
//!
//! The first byte says as what.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nonresc_passes::data::{Dataset, Fit, Request, Split, arrays};
use nonresc_passes::distill::checkpoint::Checkpoint;

/// Files of this process, by extension.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("nonresc-fuzz-data-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    folder
});

fuzz_target!(|bytes: &[u8]| {
    let Some((&form, rest)) = bytes.split_first() else { return };
    let path = FOLDER.join(["x.npy", "x.npz", "x.bin", "x.state"][usize::from(form & 3)]);
    std::fs::write(&path, rest).expect("there is room");
    match form & 3 {
        3 => match Checkpoint::read(&path) {
            Ok(read) => {
                let again = read.to_bytes().expect("what was read can be written");
                assert_eq!(Checkpoint::from_bytes(&again).as_ref(), Ok(&read));
            }
            Err(fault) => assert!(!fault.why.is_empty()),
        },
        kind => {
            if kind < 2 && let Err(fault) = arrays::read(&path) {
                assert!(!fault.why.is_empty());
            }
            let frame = [3, 2, 2].map(|extent| if form & 4 == 0 { extent } else { 32.min(extent * 16) });
            let request = Request { path, labels: None, fit: Fit::default(), limit: None, split: Split::Test };
            match Dataset::open(&request, frame) {
                Ok(data) => {
                    let _ = data.frames(0..data.len().min(2));
                }
                Err(faults) => assert!(!faults.is_empty()),
            }
        }
    }
});
