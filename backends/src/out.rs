//! The output folder: whole or absent, whatever happens to the process that writes it.
//!
//! Files go into a hidden folder beside the wanted one, which then takes its place in one step. A folder
//! that is already there is replaced only where it carries [`MARKER`], that is, where this program wrote it.
//! What a file holds is none of this room's business.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use nonresc_ir::diagnostic::Diagnostic;

use crate::transient::{Folder, before_any_end};

/// The file that says a folder is ours to replace.
pub const MARKER: &str = ".nonresc";

/// One file of the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutFile {
    /// Name inside the folder; `/` parts folders from what is in them.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Whether `dir` could be written by [`write()`]: asked before the work begins, so that nobody waits for a refusal.
/// `inputs` are files that the run reads, and that must not be lost with an old folder.
///
/// # Errors
/// Where the path has no last name, is a file, is a folder with content that this program did not write or with an
/// input, or is in a folder that cannot be written.
pub fn check(dir: &Path, inputs: &[&Path]) -> Result<(), Diagnostic> {
    let dir = &place(dir);
    replaceable(dir)?;
    if let Ok(folder) = dir.canonicalize() {
        let lost = |input: &&&Path| input.canonicalize().is_ok_and(|input| input.starts_with(&folder));
        if let Some(input) = inputs.iter().find(lost) {
            return Err(Diagnostic::new(
                "out/input",
                format!("output folder {}", dir.display()),
                format!("{} is in it, and would be lost: the folder is replaced as a whole", input.display()),
                "choose another folder, or move the file",
            ));
        }
    }
    let there = dir.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.exists());
    let there = there.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let tried = Folder::within(there, &unfinished_prefix(dir));
    tried.map(drop).map_err(|e| failed(there, "make a folder in", &e))
}

/// The folder that is meant: the one behind a link, and no link itself, since it is replaced by renaming.
fn place(dir: &Path) -> PathBuf {
    // With a slash behind it, a link would be taken for the folder.
    let dir: PathBuf = dir.components().collect();
    match fs::symlink_metadata(&dir) {
        Ok(meta) if meta.is_symlink() && dir.is_dir() => dir.canonicalize().unwrap_or(dir),
        _ => dir,
    }
}

/// Whether nothing is there, or a folder that may be replaced.
fn replaceable(dir: &Path) -> Result<(), Diagnostic> {
    let what = || format!("output folder {}", dir.display());
    if dir.file_name().is_none() {
        return Err(Diagnostic::new(
            "out/name",
            what(),
            "the output is put in place by renaming, so the folder must have a name of its own",
            "name a new folder, such as --out build",
        ));
    }
    match fs::symlink_metadata(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(failed(dir, "look at", &e)),
        Ok(meta) if !meta.is_dir() => Err(Diagnostic::new(
            "out/not-a-folder",
            what(),
            "there is a file of this name, or a link to none, and only folders are replaced",
            "choose another name, or remove it",
        )),
        Ok(_) if dir.join(MARKER).is_file() => Ok(()),
        Ok(_) => {
            let mut entries = fs::read_dir(dir).map_err(|e| failed(dir, "look into", &e))?;
            match entries.next() {
                None => Ok(()),
                Some(_) => Err(Diagnostic::new(
                    "out/not-ours",
                    what(),
                    format!("it has content and no {MARKER} file, so this program did not write it"),
                    "choose another folder, or empty this one",
                )),
            }
        }
    }
}

/// Writes `files` as the folder `dir`, all or nothing; missing parents are made.
///
/// # Errors
/// As [`check`]; and where the file system refuses.
pub fn write(dir: &Path, files: &[OutFile]) -> Result<(), Diagnostic> {
    let dir = &place(dir);
    replaceable(dir)?;
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&parent).map_err(|e| failed(&parent, "make", &e))?;
    let prefix = unfinished_prefix(dir);
    remove_dead(&parent, &prefix);
    let fresh = Folder::within(&parent, &prefix).map_err(|e| failed(&parent, "make a folder in", &e))?;
    // Held until the folder is in place, so that another run can tell the living from the dead.
    let _lock = fill(fresh.path(), files).map_err(|e| failed(fresh.path(), "write into", &e))?;
    // Where an old folder stood, `fresh` holds it now and removes it when dropped.
    before_any_end(|| put_in_place(fresh.path(), dir)).map_err(|e| failed(dir, "replace", &e))
}

/// Beginning of the names of unfinished folders for `dir`.
fn unfinished_prefix(dir: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(dir.file_name().unwrap_or_default());
    prefix.push(".unfinished-");
    prefix
}

/// Writes the files; gives the folder itself, locked.
fn fill(folder: &Path, files: &[OutFile]) -> io::Result<File> {
    let lock = locked(folder)?;
    let marker = OutFile {
        name: MARKER.to_owned(),
        bytes: b"written by nonresc; this folder is replaced as a whole\n".into(),
    };
    for file in files.iter().chain([&marker]) {
        let path = folder.join(&file.name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut out = File::create(path)?;
        out.write_all(&file.bytes)?;
        out.sync_all()?;
    }
    make_readable(folder)?;
    lock.sync_all()?;
    Ok(lock)
}

fn locked(folder: &Path) -> io::Result<File> {
    let lock = File::open(folder)?;
    lock.lock()?;
    Ok(lock)
}

/// Temporary folders are private; an output is not.
#[cfg(unix)]
fn make_readable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_readable(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes what killed runs left beside `dir`: unfinished folders that nobody has locked.
fn remove_dead(parent: &Path, prefix: &OsString) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
            continue;
        }
        let Ok(folder) = File::open(entry.path()) else { continue };
        if folder.try_lock().is_ok() && !is_just_made(&entry.path()) {
            // Another run may be removing it too; what is left is found next time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether a folder is empty and young: made by a living run that is about to lock it, or left by one that died
/// before it did.
fn is_just_made(folder: &Path) -> bool {
    let empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    let made = fs::metadata(folder).and_then(|m| m.modified());
    empty && made.map_or(true, |t| t.elapsed().map_or(true, |age| age.as_secs() < 60))
}

/// Makes `fresh` stand at `dir` in one step; an old folder stands at `fresh` afterwards.
fn put_in_place(fresh: &Path, dir: &Path) -> io::Result<()> {
    match fs::rename(fresh, dir) {
        Ok(()) => Ok(()),
        Err(e) if !dir.is_dir() => Err(e),
        Err(_) => exchange(fresh, dir),
    }
}

/// The two folders change places; in one step where the system can.
fn exchange(fresh: &Path, dir: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, fresh, CWD, dir, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    // Two steps: a reader may find no folder in between, but never half of one.
    let _lock = locked(dir)?;
    let mut old = fresh.as_os_str().to_owned();
    old.push("-old");
    fs::rename(dir, &old)?;
    fs::rename(fresh, dir)?;
    fs::rename(&old, fresh)
}

fn failed(path: &Path, action: &str, error: &io::Error) -> Diagnostic {
    Diagnostic::new(
        "out/io",
        format!("cannot {action} {}", path.display()),
        error.to_string(),
        "choose a folder that can be written, with room for the output",
    )
}
