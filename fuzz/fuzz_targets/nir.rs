//! Any bytes as a network's text, with its weights behind the first zero byte: a network that prints and reads back
//! as itself, or an error; never a panic, a hang or runaway memory.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nonresc_ir::network::digest;
use nonresc_ir::text::{parse, print, weights};

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default());
    match parse(&text, parts.next()) {
        Ok(network) => {
            let (text, numbers) = (print(&network), weights(&network));
            let again = parse(&text, Some(&numbers)).expect("what is printed reads back");
            assert_eq!(print(&again), text);
            assert_eq!(weights(&again), numbers);
            assert_eq!(digest(&again), digest(&network));
        }
        Err(faults) => assert!(!faults.is_empty() && !faults.to_string().is_empty()),
    }
});
