//! The model of a run: an ONNX or `.nir` file, and what the flags say about its input.

use std::fs;
use std::path::Path;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::network::{Edit, Network, Preprocess, canonicalise};
use nonresc_ir::onnx::import::{ImportOptions, import_file};
use nonresc_ir::text;

use crate::args::{Numbers, Reading};
use crate::exit::Failure;

/// A network in canonical order, and remarks on how it was read.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The network, with the preprocessing that the flags ask for.
    pub(super) network: Network,
    /// Remarks for the user.
    pub(super) notes: Vec<String>,
}

/// Reads the model at `path`; `outputs` are those to keep, where it has several.
///
/// # Errors
/// Everything that is wrong with the file, and flags that do not fit its input.
pub(super) fn load(path: &Path, reading: &Reading, outputs: &[String]) -> Result<Loaded, Failure> {
    read(path, reading, outputs, false)
}

/// Reads the model at `path` with all its outputs.
///
/// # Errors
/// As [`load`].
pub(super) fn load_all(path: &Path, reading: &Reading) -> Result<Loaded, Failure> {
    read(path, reading, &[], true)
}

fn read(path: &Path, reading: &Reading, outputs: &[String], all_outputs: bool) -> Result<Loaded, Failure> {
    let (mut network, notes) = if ends_in(path, "nir") {
        (from_text(path, reading, outputs)?, Vec::new())
    } else {
        let options = ImportOptions {
            input_shape: reading.input_shape.as_ref().map(|shape| shape.0.clone()),
            outputs: outputs.to_vec(),
            all_outputs,
            ..ImportOptions::default()
        };
        let imported = import_file(path, &options)?;
        (imported.network, imported.notes)
    };
    preprocess(&mut network, reading)?;
    Ok(Loaded { network: canonicalise(&network), notes })
}

/// Whether a file's name has this extension, in any case.
pub(super) fn ends_in(path: impl AsRef<Path>, extension: &str) -> bool {
    path.as_ref().extension().is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

/// A `.nir` file, its weights in the `.safetensors` of the same name beside it.
fn from_text(path: &Path, reading: &Reading, outputs: &[String]) -> Result<Network, Failure> {
    if reading.input_shape.is_some() || !outputs.is_empty() {
        return Err(Failure::usage(Diagnostic::new(
            "usage/nir",
            "--input-shape or --output with a .nir file",
            "a .nir file states every shape and its outputs",
            "change the file, or give the ONNX model",
        )));
    }
    let unreadable = |file: &Path, error: std::io::Error| {
        Failure::from(Diagnostic::new(
            "nir/file",
            file.display().to_string(),
            error.to_string(),
            "give a .nir file, as --emit nir writes it, with its .safetensors beside it",
        ))
    };
    let written = fs::read_to_string(path).map_err(|e| unreadable(path, e))?;
    let beside = path.with_extension("safetensors");
    let weights = match fs::read(&beside) {
        Ok(bytes) => Some(bytes),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(unreadable(&beside, e)),
    };
    Ok(text::parse(&written, weights.as_deref())?)
}

fn preprocess(network: &mut Network, reading: &Reading) -> Result<(), Failure> {
    let Reading { scale, mean, std, .. } = reading;
    if scale.is_none() && mean.is_none() && std.is_none() {
        return Ok(());
    }
    let channels = network
        .inputs()
        .first()
        .and_then(|port| network.ty(port.node.into()).shape.chw())
        .map_or(1, |(channels, _, _)| channels);
    let mut faults = Diagnostics::default();
    let mut spread = |flag: &str, numbers: &Option<Numbers>, default: f64| match numbers {
        None => vec![default; channels],
        Some(Numbers(all)) if all.len() == 1 => vec![all[0]; channels],
        Some(Numbers(all)) => {
            if all.len() != channels {
                faults.push(Diagnostic::new(
                    "usage/preprocess",
                    format!("{flag} with {} numbers", all.len()),
                    format!("the model's input has {channels} channels"),
                    format!("give one number, or {channels}"),
                ));
            }
            all.clone()
        }
    };
    let preprocess = Preprocess {
        scale: scale.unwrap_or(1.0),
        mean: spread("--mean", mean, 0.0),
        std: spread("--std", std, 1.0),
    };
    faults.or(()).map_err(Failure::Usage)?;
    Edit::new(network).set_preprocess(Some(preprocess));
    Ok(())
}
