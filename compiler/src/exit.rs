//! How a run ends: the exit codes, what belongs to each, and how faults are written.
//!
//! Rooms below return faults as data; here they become text on standard error.

use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use serde::Serialize;

use crate::args::Format;

/// Why a run did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The input is refused: exit code 1.
    Refused(Diagnostics),
    /// The command line asks for something that does not exist: exit code 2.
    Usage(Diagnostics),
    /// A tool that was asked for is not there: exit code 3.
    MissingTool(Diagnostics),
    /// The hardware is not what it should be: exit code 4.
    Unverified(Diagnostics),
    /// It was asked to stop by a signal, and kept its state: the exit code that shells have for that.
    Interrupted(Diagnostics, u8),
    /// Standard output cannot be written; where its reader has left, that is no fault.
    Output(io::Error),
}

impl Failure {
    /// One usage fault.
    pub fn usage(diagnostic: Diagnostic) -> Self {
        Failure::Usage(diagnostic.into())
    }

    /// The exit code that scripts see.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Refused(_) => 1,
            Failure::Usage(_) => 2,
            Failure::MissingTool(_) => 3,
            Failure::Unverified(_) => 4,
            Failure::Interrupted(_, code) => *code,
            Failure::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => 0,
            Failure::Output(_) => 1,
        }
    }

    /// The same fault, of a process of this rank among several.
    pub fn of_rank(self, rank: usize) -> Self {
        let of_rank = |faults: Diagnostics| {
            let mut of_rank = Diagnostics::default();
            for d in faults.iter() {
                let what = format!("process {rank}: {}", d.what);
                of_rank.push(Diagnostic { what, ..d.clone() });
            }
            of_rank
        };
        match self {
            Failure::Refused(d) => Failure::Refused(of_rank(d)),
            Failure::Usage(d) => Failure::Usage(of_rank(d)),
            Failure::MissingTool(d) => Failure::MissingTool(of_rank(d)),
            Failure::Unverified(d) => Failure::Unverified(of_rank(d)),
            Failure::Interrupted(d, code) => Failure::Interrupted(of_rank(d), code),
            Failure::Output(e) => Failure::Output(e),
        }
    }

    /// Writes the faults to `out`, all of them.
    ///
    /// # Errors
    /// Where `out` cannot be written.
    pub fn print(&self, format: Format, out: &mut impl Write, colour: bool) -> io::Result<()> {
        match self {
            Failure::Refused(d)
            | Failure::Usage(d)
            | Failure::MissingTool(d)
            | Failure::Unverified(d)
            | Failure::Interrupted(d, _) => written(d, format, out, colour),
            Failure::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Failure::Output(e) => written(&unprinted(e).into(), format, out, colour),
        }
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        // What is missing is missing whatever else is wrong.
        if diagnostics.iter().any(|d| matches!(d.code, "engine/absent" | "mpi/absent" | "tool/absent")) {
            return Failure::MissingTool(diagnostics);
        }
        Failure::Refused(diagnostics)
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Diagnostics::from(diagnostic).into()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

/// Ends the process's work: faults on standard error, the code for the shell.
pub fn end(result: Result<(), Failure>, format: Format) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let stderr = io::stderr();
            let colour = use_colour(stderr.is_terminal());
            // Where standard error is closed there is nobody left to tell.
            let _ = failure.print(format, &mut stderr.lock(), colour);
            ExitCode::from(failure.code())
        }
    }
}

/// Writes `text` to standard output, all of it.
///
/// # Errors
/// Where it cannot be written.
pub fn print(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref())?;
    // What stays in its buffer is written, or lost without a word, when the process ends.
    Ok(out.flush()?)
}

/// Writes `text` to standard output ahead of a proof whose outcome is the exit code. There a reader that has left is a
/// fault too: the run ends without the proof.
///
/// # Errors
/// Where it cannot be written.
pub fn print_ahead_of_proof(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    print(text).map_err(|failure| match failure {
        Failure::Output(error) => unprinted(&error).into(),
        other => other,
    })
}

/// The JSON document that a command prints, its last line ended.
///
/// # Panics
/// Never: the commands' documents are texts, numbers and lists, which JSON has.
pub fn document(document: &impl Serialize) -> String {
    serde_json::to_string_pretty(document).expect("texts, numbers and lists alone") + "\n"
}

/// Writes `text` to standard error; where that is closed there is nobody left to tell.
pub fn tell(text: impl AsRef<[u8]>) {
    let _ = io::stderr().lock().write_all(text.as_ref());
}

/// Whether standard error holds faults alone.
static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on standard error holds faults alone, or remarks and progress too.
pub fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Whether standard error holds faults alone.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Whether standard error also holds what each step did.
static VERBOSE: AtomicBool = AtomicBool::new(false);

/// From now on standard error also holds what each step did, or does not.
pub fn set_verbose(verbose: bool) {
    VERBOSE.store(verbose, Ordering::Relaxed);
}

/// Whether standard error also holds what each step did.
pub fn is_verbose() -> bool {
    VERBOSE.load(Ordering::Relaxed)
}

/// Says on standard error how the model was read.
pub fn remark(notes: &[String]) {
    if !is_quiet() {
        notes.iter().for_each(|note| tell(format!("note: {note}\n")));
    }
}

/// Colours only on a terminal, and never where NO_COLOR is set to anything.
pub fn use_colour(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// That standard output could not be written.
fn unprinted(error: &io::Error) -> Diagnostic {
    let remedy = "make room where it goes, or send it to another place";
    Diagnostic::new("output", "standard output cannot be written", error.to_string(), remedy)
}

fn written(faults: &Diagnostics, format: Format, out: &mut impl Write, colour: bool) -> io::Result<()> {
    match format {
        Format::Json => json(faults, out),
        Format::Text => text(faults, out, colour),
    }
}

fn text(diagnostics: &Diagnostics, out: &mut impl Write, colour: bool) -> io::Result<()> {
    let (bold, red, plain) = if colour { ("\x1b[1m", "\x1b[1;31m", "\x1b[0m") } else { ("", "", "") };
    for d in diagnostics.iter() {
        writeln!(out, "{red}error[{}]{plain}{bold}: {}{plain}", d.code, d.what)?;
        writeln!(out, "  why: {}", d.why)?;
        writeln!(out, "  do:  {}", d.remedy)?;
    }
    if diagnostics.len() > 1 {
        writeln!(out, "{} faults", diagnostics.len())?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Fault<'a> {
    code: &'a str,
    what: &'a str,
    why: &'a str,
    remedy: &'a str,
}

fn json(diagnostics: &Diagnostics, out: &mut impl Write) -> io::Result<()> {
    let faults: Vec<Fault> = diagnostics
        .iter()
        .map(|d| Fault { code: d.code, what: &d.what, why: &d.why, remedy: &d.remedy })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &serde_json::json!({ "errors": faults }))
        .map_err(io::Error::from)?;
    writeln!(out)
}
