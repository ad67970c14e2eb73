//! A checkpoint is one training's alone while that runs: two would write over each other.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use nonresc_ir::diagnostic::Diagnostic;

use super::checkpoint::{beside, unwritable};

/// The right to write the file of a checkpoint, until it is dropped.
///
/// It is a lock on the empty file `.NAME.lock` beside it. One that a killed process left is locked by nobody, and the
/// next training takes it.
#[derive(Debug)]
pub struct Claim {
    at: PathBuf,
    _lock: File,
}

impl Claim {
    /// For the checkpoint at `path`.
    ///
    /// # Errors
    /// Where another training has it; where the path is no file's, or its folder cannot be written.
    pub fn new(path: &Path) -> Result<Claim, Diagnostic> {
        let claimed = || match path.is_dir() {
            true => Err(io::Error::other("it is a folder")),
            false => locked(&beside(path, "lock")?),
        };
        match claimed() {
            Ok(Some(claim)) => Ok(claim),
            Ok(None) => Err(Diagnostic::new(
                "distill/checkpoint",
                format!("checkpoint {}", path.display()),
                "another training writes it, and either would lose what the other has learned",
                "name another file, or wait until that training ends",
            )),
            Err(e) => Err(unwritable(path, e.to_string())),
        }
    }
}

/// The claim whose file is `at`; nothing where another has it.
fn locked(at: &Path) -> io::Result<Option<Claim>> {
    loop {
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(at)?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            // There are file systems without locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        // Its last owner may have removed it between the two: then another one has the name, or will.
        if is_at(&lock, at) {
            return Ok(Some(Claim { at: at.to_owned(), _lock: lock }));
        }
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let same = || io::Result::Ok(file.metadata()?.ino() == fs::metadata(path)?.ino());
    same().unwrap_or(false)
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

impl Drop for Claim {
    fn drop(&mut self) {
        // While it is locked, so that nobody else's is removed.
        let _ = fs::remove_file(&self.at);
    }
}
