//! Work of several processes that MPI has started: who they are, and that all end alike.
//!
//! A signal that ends a process at once, and a panic, leave the others to whoever started them: `mpirun` ends all.

use std::env;
use std::process::ExitCode;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_passes::distill::group::Group;

use crate::args::Format;
use crate::exit::{self, Failure};

/// Where Open MPI, and MPICH and its kin, say how many processes there are.
const SIZES: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];
/// What is set where a process was started through PMIx, as by Slurm, which does not say how many there are.
const OF_PMIX: &str = "PMIX_RANK";

/// Does work as one of the processes that were started together: the first tells of it, the others of their own faults
/// alone, and all have one exit code.
pub(super) fn together(format: Format, work: impl FnOnce(&Group) -> Result<(), Failure>) -> ExitCode {
    let group = match joined() {
        Ok(group) => group,
        Err(fault) => return exit::end(Err(fault.into()), format),
    };
    if !group.is_first() {
        exit::set_quiet(true);
        exit::set_verbose(false);
    }
    let mut result = work(&group);
    if group.size() == 1 {
        return exit::end(result, format);
    }
    if !group.is_first() {
        result = result.map_err(|failure| failure.of_rank(group.rank()));
    }
    let end = group.leave(result.as_ref().err().map_or(0, Failure::code));
    if end.tells {
        // Before MPI ends: then `mpirun` may end a process as soon as another has failed.
        exit::end(result, format);
    }
    ExitCode::from(end.code)
}

/// The processes that were started together.
fn joined() -> Result<Group, Diagnostic> {
    let size = SIZES.iter().find_map(|name| env::var(name).ok()?.parse::<usize>().ok());
    if size.is_some_and(|size| size < 2) || size.is_none() && env::var_os(OF_PMIX).is_none() {
        return Ok(Group::alone());
    }
    let group = Group::of_mpi()?;
    match size {
        Some(started) if started != group.size() => Err(of_another_mpi(started, group.size())),
        _ => Ok(group),
    }
}

fn of_another_mpi(started: usize, seen: usize) -> Diagnostic {
    Diagnostic::new(
        "mpi/other",
        format!("{started} processes that were started together"),
        format!(
            "the MPI that nonresc was built with sees {seen}, so each would train alone and write the same files"
        ),
        "start them with the mpirun of that MPI",
    )
}
