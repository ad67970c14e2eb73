//! How a training goes, on standard error.

use std::io::{self, IsTerminal as _};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use nonresc_passes::distill::recipe::Recipe;
use nonresc_passes::distill::trainer::Progress;

use super::interrupt;
use crate::exit;

/// What is told on standard error: a line an epoch, and on a terminal one that changes.
pub(super) struct Told {
    begin: Instant,
    shown: Instant,
    epochs: usize,
    images: usize,
    terminal: bool,
}

impl Told {
    /// Of a training that begins.
    pub(super) fn new(recipe: &Recipe, images: usize) -> Told {
        let now = Instant::now();
        let terminal = io::stderr().is_terminal();
        Told { begin: now, shown: now, epochs: recipe.epochs, images, terminal }
    }

    /// Tells of progress; breaks where somebody wants it to stop.
    pub(super) fn tell(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
        if interrupt::asked().is_some() {
            return ControlFlow::Break(());
        }
        if exit::is_quiet() {
            return ControlFlow::Continue(());
        }
        let text = match progress {
            Progress::Step { epoch, steps: (done, of), loss, accuracy } => {
                if !self.terminal || (self.shown.elapsed() < Duration::from_millis(200) && done != of) {
                    return ControlFlow::Continue(());
                }
                self.shown = Instant::now();
                let share = (*epoch as f64 + *done as f64 / *of as f64) / self.epochs as f64;
                let took = self.begin.elapsed().as_secs_f64();
                let images = share * (self.epochs * self.images) as f64;
                format!(
                    "\repoch {}/{} step {done}/{of} loss {loss:.4} accuracy {:.2} %, {:.0} images/s, {:.0} s left   ",
                    epoch + 1,
                    self.epochs,
                    100.0 * accuracy,
                    images / took,
                    took / share - took,
                )
            }
            Progress::Epoch(row) => {
                let gone = match row.removed.len() {
                    0 => String::new(),
                    _ => format!(", without skips {}", row.removed.join(", ")),
                };
                format!(
                    "{}epoch {}/{}: loss {:.4}, training {:.2} %, validation {:.2} %, {:.0} s{gone}\n",
                    if self.terminal { "\r\x1b[K" } else { "" },
                    row.epoch,
                    self.epochs,
                    row.loss,
                    100.0 * row.training,
                    100.0 * row.validation,
                    self.begin.elapsed().as_secs_f64(),
                )
            }
        };
        exit::tell(text);
        ControlFlow::Continue(())
    }
}
