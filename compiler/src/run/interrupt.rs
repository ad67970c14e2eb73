//! Signals that end a run: at once, with nothing temporary left, or behind the next step of a training that keeps its
//! state.
//!
//! A signal that was ignored when the process began, as by `nohup`, stays so.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// The signal that asked a training to stop; 0 for none.
static ASKED: AtomicI32 = AtomicI32::new(0);

/// Whether a training would keep its state and stop if it were asked.
static CAN_STOP: AtomicBool = AtomicBool::new(false);

/// While this lives the first signal asks for a stop, and only the second ends the process.
pub(super) struct Stoppable(());

impl Stoppable {
    pub(super) fn new() -> Stoppable {
        CAN_STOP.store(true, Ordering::SeqCst);
        Stoppable(())
    }
}

impl Drop for Stoppable {
    fn drop(&mut self) {
        CAN_STOP.store(false, Ordering::SeqCst);
    }
}

/// The exit code of a run that was asked to stop.
pub(super) fn asked() -> Option<u8> {
    match ASKED.load(Ordering::SeqCst) {
        0 => None,
        signal => Some(code(signal)),
    }
}

/// The exit code that shells have for a process that a signal ended.
fn code(signal: i32) -> u8 {
    (128 + signal) as u8
}

/// Watches for signals from the return of this on.
#[cfg(unix)]
pub(super) fn watch() {
    use nonresc_backends::transient;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    use crate::exit;

    let (watches, watched) = std::sync::mpsc::channel();
    let watching = move || {
        let ignored = ignored();
        let wanted = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
        // Where there is no handler the system's own acts: it ends the process.
        let Ok(mut signals) = Signals::new(wanted) else { return };
        let _ = watches.send(());
        for signal in signals.forever() {
            let first = ASKED.swap(signal, Ordering::SeqCst) == 0;
            if first && CAN_STOP.load(Ordering::SeqCst) {
                if !exit::is_quiet() {
                    exit::tell("\nstopping behind this step; once more stops at once\n");
                }
                continue;
            }
            transient::abandon();
            std::process::exit(code(signal).into());
        }
    };
    // Without a thread signals act as the system has it.
    if std::thread::Builder::new().name("signals".into()).spawn(watching).is_ok() {
        // Nothing temporary is made before; there is nothing to wait for where there is no handler.
        let _ = watched.recv();
    }
}

#[cfg(not(unix))]
pub(super) fn watch() {}

/// The signals that are ignored, the first in the lowest bit; Linux says, others are taken to ignore none.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
