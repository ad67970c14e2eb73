//! A single output file: whole or absent, whatever happens to the process that writes it.
//!
//! The bytes go into a hidden file beside the wanted one, which then takes its name in one step. Folders of
//! several files are [`out`](super::out)'s business.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use nonresc_ir::diagnostic::Diagnostic;

use crate::transient::File;

/// Whether `path` could be written by [`write()`]: asked before the work begins, so that nobody waits for a
/// refusal.
///
/// # Errors
/// Where the path is no file's, or its folder is not there.
pub fn check(path: &Path) -> Result<(), Diagnostic> {
    place(path).map(|_| ())
}

/// Writes `bytes` as the file `path`, all or nothing; a file that is there is replaced.
///
/// # Errors
/// As [`check`]; and where the file system refuses.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Diagnostic> {
    let (folder, target) = place(path)?;
    let written = || -> io::Result<()> {
        let mut fresh = File::within(&folder, builder().prefix(".nonresc-").suffix(".unfinished"))?;
        fresh.file().write_all(bytes)?;
        fresh.file().sync_all()?;
        fresh.put(&target)
    };
    written().map_err(|e| {
        fault(path, e.to_string(), "choose a folder that can be written, with room for the file")
    })
}

/// Files are as readable as those of any other program, not private as temporary ones are.
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

/// The folder of a file, and the file itself, links resolved.
fn place(path: &Path) -> Result<(PathBuf, PathBuf), Diagnostic> {
    if path.file_name().is_none() {
        return Err(fault(path, "it does not end in the name of a file".into(), "name a file"));
    }
    let target = match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let why = if found.is_dir() { "it is a folder" } else { "it is no regular file" };
            return Err(fault(path, why.into(), "name a file; it is put in place by renaming"));
        }
        Ok(_) => path.canonicalize().map_err(|e| fault(path, e.to_string(), "name a file"))?,
        Err(_) => path.to_path_buf(),
    };
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    if !folder.is_dir() {
        let why = format!("{} is no folder", folder.display());
        return Err(fault(path, why, "make the folder first, or name another one"));
    }
    Ok((folder, target))
}

fn fault(path: &Path, why: String, remedy: &str) -> Diagnostic {
    Diagnostic::new("out/file", format!("{} cannot be written", path.display()), why, remedy)
}
