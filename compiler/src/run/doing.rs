//! What is being done while it takes long, on a terminal.

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::exit;

/// A line on standard error that says what is done; it is gone when this is dropped.
pub(super) struct Doing(Option<(Sender<()>, JoinHandle<()>)>);

/// Says what is done from its first second on, and how many there were; nothing where standard error is no terminal.
pub(super) fn doing(what: &'static str) -> Doing {
    if exit::is_quiet() || !io::stderr().is_terminal() {
        return Doing(None);
    }
    let (done, waiting) = mpsc::channel();
    let tell = move || {
        let mut seconds = 0;
        while waiting.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
            seconds += 1;
            exit::tell(format!("\r{what}, {seconds} s"));
        }
        if seconds > 0 {
            exit::tell("\r\x1b[K");
        }
    };
    Doing(Some((done, thread::spawn(tell))))
}

impl Drop for Doing {
    fn drop(&mut self) {
        if let Some((done, teller)) = self.0.take() {
            drop(done);
            let _ = teller.join();
        }
    }
}
