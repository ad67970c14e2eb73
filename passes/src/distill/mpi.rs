//! Exchange by MPI: the processes that `mpirun` and the like start.
//!
//! An error of MPI itself ends all processes: so its own default has it.

use std::fmt;
use std::thread;
use std::time::Duration;

use mpi::Threading;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::request;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _};
use nonresc_ir::diagnostic::Diagnostic;

use super::group::Exchange;

/// How often a process looks whether the last one has come. MPI's own waiting takes a whole core, which one that still
/// computes may need.
const LOOKING: Duration = Duration::from_micros(100);
/// The exit code of a panic.
const PANICKED: i32 = 101;

/// All processes, until MPI is left when this is dropped.
struct World {
    world: SimpleCommunicator,
    _universe: Universe,
}

/// Begins MPI.
///
/// # Errors
/// Where it has begun before.
pub(super) fn join() -> Result<Box<dyn Exchange>, Diagnostic> {
    let (universe, _) = mpi::initialize_with_threading(Threading::Funneled).ok_or_else(|| {
        let (why, remedy) = ("MPI has begun before", "train once a process");
        Diagnostic::new("distill/mpi", "training in several processes", why, remedy)
    })?;
    Ok(Box::new(World { world: universe.world(), _universe: universe }))
}

impl World {
    /// How many numbers each process gives.
    fn lengths(&self, own: usize) -> Vec<u64> {
        let (own, mut all) = (own as u64, vec![0; self.size()]);
        request::scope(|scope| {
            let mut asked = self.world.immediate_all_gather_into(scope, &own, &mut all[..]);
            while let Err(waiting) = asked.test() {
                asked = waiting;
                thread::sleep(LOOKING);
            }
        });
        all
    }
}

impl Exchange for World {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn gather(&self, mine: &[f32]) -> Result<Vec<Vec<f32>>, Diagnostic> {
        let lengths = self.lengths(mine.len());
        let total: u64 = lengths.iter().sum();
        if i32::try_from(total).is_err() {
            return Err(too_many(total));
        }
        let counts: Vec<i32> = lengths.iter().map(|&length| length as i32).collect();
        let begins = counts.iter().scan(0, |end, count| Some(std::mem::replace(end, *end + count)));
        let begins: Vec<i32> = begins.collect();
        let mut all = vec![0.0_f32; total as usize];
        self.world.all_gather_varcount_into(mine, &mut PartitionMut::new(&mut all[..], &counts[..], begins));
        let mut rest = all.as_slice();
        let parts = counts.iter().map(|&count| rest.split_off(..count as usize).unwrap_or_default().to_vec());
        Ok(parts.collect())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The others wait for an exchange, and the end of MPI waits for them.
        if thread::panicking() {
            self.world.abort(PANICKED);
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} of {} of MPI", self.rank(), self.size())
    }
}

fn too_many(numbers: u64) -> Diagnostic {
    Diagnostic::new(
        "distill/mpi",
        format!("a step of training that exchanges {numbers} numbers"),
        "a message of MPI has 2^31 - 1 at most",
        "take a smaller --batch",
    )
}
