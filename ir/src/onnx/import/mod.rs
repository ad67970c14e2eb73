//! An ONNX file becomes a network here, or a list of everything that is wrong with it.
//!
//! The steps: [`guard`] looks at the bytes, [`model`] at versions, [`functions`] writes model-local functions
//! out, [`structure`] sorts the nodes, [`ports`] reads the inputs, then each node goes through its operator's
//! family ([`table`] lists them), [`declared`] holds the result against the shapes that the file claims, and
//! [`rules`] asks whether the whole is an image network. A node that cannot be read gives unknown values, whose
//! readers stay silent: every message is about a fault of its own.
//!
//! No pass is run here. What ONNX spells in many ways becomes one operator; nothing else is simplified.

mod activation;
mod arithmetic;
mod attribute;
mod call;
mod constant;
mod conv;
mod declared;
mod dense;
mod functions;
mod guard;
mod importer;
mod model;
mod norm;
mod pad;
mod pool;
mod ports;
mod qonnx;
mod qoperator;
mod quantise;
mod reduce;
mod rules;
mod shape;
mod shape_values;
mod slice;
mod structure;
mod table;
mod window;

use std::path::Path;

use prost::bytes::Bytes;

use super::data;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::network::Network;

/// What the caller knows beyond the file.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Extents of the image as the user gives them, with or without the batch in front, in the file's own
    /// layout; needed where the file leaves them open.
    pub input_shape: Option<Vec<usize>>,
    /// The outputs to keep; empty where the file's only one is meant.
    pub outputs: Vec<String>,
    /// All outputs are meant where `outputs` names none.
    pub all_outputs: bool,
    /// How much is asked of the graph.
    pub level: Level,
}

/// How much is asked of the graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// An image network: one input, axis 0 the batch, everything else known.
    #[default]
    Network,
    /// Any graph of operators that can be expressed, of any rank; no axis is a batch.
    Operator,
}

/// A network and what is to be said about how it was read.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The network, its activations holding one frame.
    pub network: Network,
    /// Remarks for the user, none of which is a fault.
    pub notes: Vec<String>,
}

/// Reads the ONNX file at `path`; external data is looked for in its folder.
///
/// # Errors
/// Everything that is wrong with the file, each with its place, reason and remedy.
pub fn import_file(path: &Path, options: &ImportOptions) -> Result<Imported, Diagnostics> {
    let bytes = data::read_file(path).map_err(|why| {
        let what = format!("{} cannot be read", path.display());
        Diagnostics::from(Diagnostic::new("import/file", what, why, "give the path of an ONNX file"))
    })?;
    let folder = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("."),
    };
    run(bytes, &path.display().to_string(), Some(folder), options)
}

/// Reads an ONNX model from memory; `name` stands for it in messages, and it can have no external data.
///
/// # Errors
/// As [`import_file`].
pub fn import_bytes(bytes: Vec<u8>, name: &str, options: &ImportOptions) -> Result<Imported, Diagnostics> {
    run(bytes, name, None, options)
}

fn run(
    bytes: Vec<u8>,
    name: &str,
    folder: Option<&Path>,
    options: &ImportOptions,
) -> Result<Imported, Diagnostics> {
    let size = bytes.len();
    let other = other_kind(&bytes);
    let model = guard::decode(Bytes::from(bytes)).map_err(|why| {
        let what = format!("{name} is no ONNX model");
        let (why, remedy) = match other {
            Some((kind, remedy)) => (kind.to_string(), remedy),
            None => (why, "give a whole file that an exporter wrote"),
        };
        Diagnostics::from(Diagnostic::new("import/file", what, why, remedy))
    })?;
    importer::import(model, name, size, folder, options)
}

/// What a file that is no ONNX model is instead, by how it begins, and how to come from it to one.
fn other_kind(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const KINDS: [(&[u8], &str, &str); 3] = [
        (
            b"version https://git-lfs",
            "it is a pointer of Git LFS, which stands for the file",
            "fetch the file itself: git lfs pull",
        ),
        (
            b"PK\x03\x04",
            "it is a ZIP archive, as PyTorch and numpy save them",
            "export the network: torch.onnx.export writes ONNX",
        ),
        (b"\x89HDF", "it is an HDF5 file, as Keras saves them", "export the network: tf2onnx writes ONNX"),
    ];
    let (_, why, remedy) = KINDS.iter().find(|(begin, ..)| bytes.starts_with(begin))?;
    Some((why, remedy))
}
