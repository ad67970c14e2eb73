//! What is being done while it takes long, on a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::exit;

/// A line on standard error that says what is done; it is gone when this is dropped.
pub(super) struct Doing {
    done: Option<Sender<()>>,
    teller: Option<JoinHandle<()>>,
}

/// Says what is done from its first second on, and how many there were; nothing where standard error is no terminal.
pub(super) fn doing(what: &'static str) -> Doing {
    if exit::is_quiet() || !io::stderr().is_terminal() {
        return Doing { done: None, teller: None };
    }
    let (done, waiting) = mpsc::channel();
    let tell = move || {
        let mut seconds = 0;
        // Where nobody reads it there is nobody to tell.
        while waiting.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
            seconds += 1;
            let _ = write!(io::stderr().lock(), "\r{what}, {seconds} s");
        }
        if seconds > 0 {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    };
    Doing { done: Some(done), teller: Some(thread::spawn(tell)) }
}

impl Drop for Doing {
    fn drop(&mut self) {
        drop(self.done.take());
        if let Some(teller) = self.teller.take() {
            let _ = teller.join();
        }
    }
}
