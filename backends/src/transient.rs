//! What a process would leave behind if it ended now: temporary folders and files, and running tools.
//!
//! All of them are made here and known until they are gone, so that a signal can end a run at any place and nothing
//! of it stays. When that is, the caller decides; what the folders hold is none of this room's business.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, thread};

/// Times that a folder is tried to be removed into which a thread still writes.
const TRIES: usize = 100;

#[derive(Debug)]
struct Left {
    paths: BTreeSet<PathBuf>,
    /// Tools by process; each leads a group of its own, in which its own tools are.
    tools: BTreeSet<u32>,
}

static LEFT: Mutex<Left> = Mutex::new(Left { paths: BTreeSet::new(), tools: BTreeSet::new() });

/// While this is held nothing is abandoned.
fn held() -> MutexGuard<'static, Left> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends all tools that run and removes all that is temporary. The process must end next: every other thread that makes,
/// places or drops something temporary waits for ever.
pub fn abandon() {
    let left = held();
    for &tool in &left.tools {
        end_group(tool);
    }
    for path in &left.paths {
        for _ in 0..TRIES {
            let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            // What is not found may lie in a folder that is still there, and that another thread removes as well.
            if removed.is_ok() || path.symlink_metadata().is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
    std::mem::forget(left);
}

/// Does what must not happen while, or after, all that is temporary is abandoned: such as putting it in place.
pub(crate) fn before_any_end<T>(act: impl FnOnce() -> T) -> T {
    let _held = held();
    act()
}

/// A path that is removed where the run is abandoned; forgotten when dropped.
#[derive(Debug)]
struct Known(PathBuf);

impl Drop for Known {
    fn drop(&mut self) {
        held().paths.remove(&self.0);
    }
}

/// A folder that is gone when this is dropped, or the run abandoned.
#[derive(Debug)]
pub struct Folder {
    // Removed first, then forgotten.
    folder: tempfile::TempDir,
    _known: Known,
}

impl Folder {
    /// In the system's place for them.
    ///
    /// # Errors
    /// Where none can be made.
    pub fn new() -> io::Result<Folder> {
        Folder::made(|| tempfile::Builder::new().prefix("nonresc-").tempdir())
    }

    /// In `parent`, with a name that begins with `prefix`.
    pub(crate) fn within(parent: &Path, prefix: &OsStr) -> io::Result<Folder> {
        Folder::made(|| tempfile::Builder::new().prefix(prefix).tempdir_in(parent))
    }

    fn made(make: impl FnOnce() -> io::Result<tempfile::TempDir>) -> io::Result<Folder> {
        let mut left = held();
        let folder = make()?;
        let path = folder.path().to_owned();
        left.paths.insert(path.clone());
        Ok(Folder { folder, _known: Known(path) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A file that is gone when this is dropped, or the run abandoned.
#[derive(Debug)]
pub(crate) struct File {
    file: tempfile::NamedTempFile,
    known: Known,
}

impl File {
    /// As `builder` makes it in `folder`.
    pub(crate) fn within(folder: &Path, builder: &tempfile::Builder<'_, '_>) -> io::Result<File> {
        let mut left = held();
        let file = builder.tempfile_in(folder)?;
        let path = file.path().to_owned();
        left.paths.insert(path.clone());
        Ok(File { file, known: Known(path) })
    }

    /// To be written.
    pub(crate) fn file(&mut self) -> &mut fs::File {
        self.file.as_file_mut()
    }

    /// Gives it the name `target`, in one step.
    pub(crate) fn put(self, target: &Path) -> io::Result<()> {
        let placed = before_any_end(|| self.file.persist(target));
        drop(self.known);
        placed.map(drop).map_err(|e| e.error)
    }
}

/// A tool that runs.
struct Tool(u32);

impl Drop for Tool {
    fn drop(&mut self) {
        held().tools.remove(&self.0);
    }
}

/// Runs a tool to its end in `folder`, where its own temporary files go too; gives what it wrote.
///
/// # Errors
/// Where it cannot be run.
pub(crate) fn output(command: &mut Command, folder: &Path) -> io::Result<Output> {
    // A tool may be at work below this folder: what is relative for us is not for it.
    command.env("TMPDIR", folder.canonicalize()?);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let (child, _tool) = begun(command)?;
    child.wait_with_output()
}

fn begun(command: &mut Command) -> io::Result<(Child, Tool)> {
    let mut left = held();
    let child = command.spawn()?;
    left.tools.insert(child.id());
    let tool = Tool(child.id());
    Ok((child, tool))
}

#[cfg(unix)]
fn end_group(tool: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = i32::try_from(tool).ok().and_then(Pid::from_raw) {
        // One that is gone already has ended.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(not(unix))]
fn end_group(_tool: u32) {}
