//! Processes that train together: each computes a range of a step's shards, and all of them learn from all.
//!
//! What shards found is gathered and not reduced: sums of floats depend on their order, which a reduction of MPI leaves
//! open. So every process has the numbers of each shard and sums them in the order of shards, and any number of processes
//! gives the bytes of one.
//!
//! Each exchange also tells who was asked to stop and who has left. The last one of a process is [`Group::leave`],
//! however its work ended: so nobody waits for one that failed, and all end with the same exit code.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::ops::Range;

use nonresc_ir::diagnostic::Diagnostic;

/// The last number of a message: its sender goes on.
const GOES_ON: f32 = 0.0;
/// The same, and it was asked to stop.
const ASKED: f32 = 1.0;
/// Its sender has left, with the exit code above this.
const LEFT: f32 = 2.0;

/// How processes that run the same program on the same input exchange numbers.
pub trait Exchange: Debug {
    /// The place of this process, from 0.
    fn rank(&self) -> usize;

    /// How many processes there are.
    fn size(&self) -> usize;

    /// What each process gives, by rank. It waits until all have called it; numbers arrive bit by bit.
    ///
    /// # Errors
    /// More numbers than fit a message; all processes get this error.
    fn gather(&self, mine: &[f32]) -> Result<Vec<Vec<f32>>, Diagnostic>;
}

/// A process alone.
#[derive(Debug)]
struct Alone;

impl Exchange for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn gather(&self, mine: &[f32]) -> Result<Vec<Vec<f32>>, Diagnostic> {
        Ok(vec![mine.to_vec()])
    }
}

/// One process of those that train together, from the beginning of its work to its end.
#[derive(Debug)]
pub struct Group {
    exchange: Box<dyn Exchange>,
    /// Whether this process was asked to stop.
    asked: Cell<bool>,
    /// Whether all processes know that one was.
    known: Cell<bool>,
    /// Exit codes by rank, once somebody has left.
    left: RefCell<Option<Vec<u8>>>,
}

/// How the work of a group ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The exit code of all its processes.
    pub code: u8,
    /// Whether this process is to tell its fault: it has one, and no other tells the same.
    pub tells: bool,
}

impl Group {
    /// Processes that exchange numbers so.
    pub fn new(exchange: Box<dyn Exchange>) -> Group {
        Group { exchange, asked: Cell::default(), known: Cell::default(), left: RefCell::default() }
    }

    /// One process.
    pub fn alone() -> Group {
        Group::new(Box::new(Alone))
    }

    /// The processes that MPI has started with this one. Only the thread that calls this may train.
    ///
    /// # Errors
    /// Builds without the feature `mpi`; where MPI has begun before.
    pub fn of_mpi() -> Result<Group, Diagnostic> {
        #[cfg(feature = "mpi")]
        let joined = super::mpi::join().map(Group::new);
        #[cfg(not(feature = "mpi"))]
        let joined = Err(absent());
        joined
    }

    /// The place of this process, from 0.
    pub fn rank(&self) -> usize {
        self.exchange.rank()
    }

    /// How many processes there are.
    pub fn size(&self) -> usize {
        self.exchange.size()
    }

    /// Whether this is the process that writes files and tells of progress.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Which of so many things are this process's: ranges in the order of ranks, of which none is longer than another by
    /// more than one.
    pub fn part(&self, all: usize) -> Range<usize> {
        let from = |rank: usize| (all as u128 * rank as u128 / self.size() as u128) as usize;
        from(self.rank())..from(self.rank() + 1)
    }

    /// Asks all processes to stop: one alone stops at once, several behind the next exchange.
    pub fn ask(&self) {
        self.asked.set(true);
        if self.size() == 1 {
            self.known.set(true);
        }
    }

    /// Whether to stop now; all processes get the same answer between the same two exchanges.
    pub fn stops(&self) -> bool {
        self.known.get()
    }

    /// What each process gives, by rank.
    ///
    /// # Errors
    /// Where a process has left, and as [`Exchange::gather`].
    pub fn share(&self, numbers: impl IntoIterator<Item = f32>) -> Result<Vec<Vec<f32>>, Diagnostic> {
        if let Some(codes) = &*self.left.borrow() {
            return Err(deserted(codes));
        }
        let word = if self.asked.get() { ASKED } else { GOES_ON };
        let mut all = self.exchange.gather(&numbers.into_iter().chain([word]).collect::<Vec<f32>>())?;
        let words: Vec<f32> = all.iter_mut().map(|numbers| numbers.pop().unwrap_or(GOES_ON)).collect();
        if words.iter().any(|&word| word >= LEFT) {
            let codes = codes(&words);
            let fault = deserted(&codes);
            self.left.replace(Some(codes));
            return Err(fault);
        }
        if words.contains(&ASKED) {
            self.known.set(true);
        }
        Ok(all)
    }

    /// The sum of a count, below 2^24 each, over all processes.
    ///
    /// # Errors
    /// As [`share`](Self::share); processes that are not at the same place.
    pub fn total(&self, count: usize) -> Result<usize, Diagnostic> {
        if self.size() == 1 {
            return Ok(count);
        }
        let all = self.share([count as f32])?;
        let counts = all.iter().map(|numbers| match numbers[..] {
            [count] => Ok(count as usize),
            _ => Err(self.apart()),
        });
        counts.sum()
    }

    /// Holds against each other what the processes are about to do.
    ///
    /// # Errors
    /// Where one of them is about to do something else; as [`share`](Self::share).
    pub fn agree(&self, what: &str) -> Result<(), Diagnostic> {
        let digest = blake3::hash(what.as_bytes());
        let all = self.share(digest.as_bytes().iter().map(|&byte| f32::from(byte)))?;
        if all.iter().all(|other| *other == all[0]) { Ok(()) } else { Err(self.apart()) }
    }

    /// That the processes do not train the same.
    pub(super) fn apart(&self) -> Diagnostic {
        Diagnostic::new(
            "distill/group",
            format!("{} processes that are to train together", self.size()),
            "their networks, plans, recipes, images or checkpoints differ",
            "start all of them with the same program, arguments and files, in a folder that all of them see",
        )
    }

    /// Ends the work of this process, with exit code `own` if nobody else failed.
    pub fn leave(&self, own: u8) -> End {
        if let Some(codes) = self.left.take() {
            // Without the other's fault this one would have none.
            let code = codes.into_iter().max().unwrap_or(0);
            return End { code: code.max(own), tells: code == 0 };
        }
        let words: Option<Vec<f32>> = match self.exchange.gather(&[LEFT + f32::from(own)]) {
            Ok(all) => Some(all.iter().filter_map(|numbers| numbers.last().copied()).collect()),
            Err(_) => None,
        };
        let codes = words.map_or(vec![own], |words| codes(&words));
        // Most faults are of the input, and all processes have them.
        let tells = own != 0 && (self.is_first() || codes[0] != own);
        End { code: codes.into_iter().max().unwrap_or(own), tells }
    }
}

/// The exit codes that the last numbers of messages tell, 0 of those that go on.
fn codes(words: &[f32]) -> Vec<u8> {
    words.iter().map(|word| (word - LEFT).max(0.0) as u8).collect()
}

fn deserted(codes: &[u8]) -> Diagnostic {
    let rank = codes.iter().position(|&code| code != 0).unwrap_or(0);
    Diagnostic::new(
        "distill/group",
        format!("training in {} processes", codes.len()),
        format!("process {rank} has ended before the others"),
        "see what that one says",
    )
}

#[cfg(not(feature = "mpi"))]
fn absent() -> Diagnostic {
    Diagnostic::new(
        "mpi/absent",
        "several processes that MPI has started",
        "this build of nonresc has no MPI, so each would train alone and write the same files",
        "start one process without mpirun, or build with `--features mpi`",
    )
}
