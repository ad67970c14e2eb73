//! Files of arrays in NumPy's formats, `.npy` and `.npz`, as tensors by name, and back.
//!
//! Nothing here knows a network. Arrays are written in one way, without time or machine in the file, so that
//! the same arrays are the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::Path;

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::tensor::Tensor;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::npy;

/// The name under which the one array of a `.npy` file is found.
pub const ALONE: &str = "input";

/// What the arrays of a compressed archive may take, where that is more than [`MOST_EXPANSION`] allows.
const ALWAYS_BELIEVED_BYTES: u64 = 1 << 28;

/// How often its own size the arrays of an archive may take. Images compress to a third; archives that expand
/// far more are made to fill memory.
const MOST_EXPANSION: u64 = 64;

/// All arrays of a `.npz` file, or the one of a `.npy` file as [`ALONE`].
///
/// # Errors
/// Where the file cannot be read, or an array of it is none of numbers.
pub fn read(path: &Path) -> Result<BTreeMap<String, Tensor>, Diagnostic> {
    let arrays = if is_npz(path) {
        archive(path)
    } else {
        open(path).and_then(|(file, bytes)| {
            let tensor = npy::read(BufReader::new(file), bytes)?;
            Ok(BTreeMap::from([(ALONE.to_string(), tensor)]))
        })
    };
    arrays.map_err(|why| {
        let what = format!("{} cannot be read", path.display());
        Diagnostic::new(
            "data/arrays",
            what,
            why,
            "give a .npy or .npz file as numpy.save or numpy.savez writes it",
        )
    })
}

/// Whether a path names an archive of arrays.
pub fn is_npz(path: &Path) -> bool {
    has_extension(path, "npz")
}

/// Whether a path names one array.
pub fn is_npy(path: &Path) -> bool {
    has_extension(path, "npy")
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case(wanted))
}

/// A file and how many bytes it has.
fn open(path: &Path) -> Result<(File, u64), String> {
    // Asked before it is opened: opening a pipe waits for its writer.
    let found = path.metadata().map_err(|e| e.to_string())?;
    if !found.is_file() {
        return Err("it is no regular file".into());
    }
    Ok((File::open(path).map_err(|e| e.to_string())?, found.len()))
}

fn archive(path: &Path) -> Result<BTreeMap<String, Tensor>, String> {
    let (file, bytes) = open(path)?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| e.to_string())?;
    let mut left = bytes.saturating_mul(MOST_EXPANSION).max(ALWAYS_BELIEVED_BYTES);
    let mut arrays = BTreeMap::new();
    for i in 0..archive.len() {
        let entry = archive.by_index(i).map_err(|e| e.to_string())?;
        let name = entry.name().map_err(|e| e.to_string())?.into_owned();
        let Some(name) = name.strip_suffix(".npy") else {
            return Err(format!("{name:?} in it is no .npy array"));
        };
        let size = entry.size();
        if size > left {
            return Err(format!(
                "its arrays take more than {MOST_EXPANSION} times the file's own {bytes} bytes; \
                 numpy.savez stores them as they are"
            ));
        }
        left -= size;
        let tensor =
            npy::read(BufReader::new(entry), size).map_err(|why| format!("array {name:?}: {why}"))?;
        if arrays.insert(name.to_string(), tensor).is_some() {
            return Err(format!("array {name:?} is in it twice"));
        }
    }
    Ok(arrays)
}

/// The bytes of a `.npy` file.
///
/// # Errors
/// Where the array has more axes than the format can name.
pub fn npy_bytes(tensor: &Tensor) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    npy::write(&mut bytes, tensor)?;
    Ok(bytes)
}

/// The bytes of a `.npz` file of arrays in the order given.
///
/// # Errors
/// Where two arrays have the same name, or as [`npy_bytes`].
pub fn npz_bytes(arrays: &[(String, Tensor)]) -> std::io::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644)
        .large_file(true);
    for (name, tensor) in arrays {
        archive.start_file(format!("{name}.npy"), options)?;
        npy::write(&mut archive, tensor)?;
    }
    Ok(archive.finish()?.into_inner())
}
