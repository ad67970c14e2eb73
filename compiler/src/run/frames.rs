//! `nonresc run`: a network on inputs of the user's own, its outputs to a file.

use std::path::Path;

use nonresc_backends::out_file;
use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::network::Network;
use nonresc_ir::tensor::Tensor;
use nonresc_passes::data::arrays;
use nonresc_passes::engine::Frames;
use nonresc_passes::integers::integers;
use nonresc_passes::normalise::normalise;

use super::{engine, model};
use crate::args::{Computing, Engine, Rounding, Run};
use crate::exit::{self, Failure};

/// Runs the network on all frames of the input file and writes its outputs under their own names.
///
/// # Errors
/// Refused models and inputs; an output file that cannot be written.
pub(super) fn run(args: &Run) -> Result<(), Failure> {
    let to = &args.output;
    if !arrays::is_npz(to) && !arrays::is_npy(to) {
        return Err(Failure::usage(Diagnostic::new(
            "usage/output",
            format!("--output {}", to.display()),
            "outputs are written as .npz or .npy, and the file's name ends in neither",
            "name a file such as outputs.npz",
        )));
    }
    out_file::check(to)?;
    let Computing { engine, onnxruntime } = &args.computing;
    let computing = engine::chosen(*engine, onnxruntime.as_deref())?;
    let loaded = model::load_all(&args.model, &args.reading)?;
    exit::remark(&loaded.notes);
    let outputs = loaded.network.outputs().len();
    if arrays::is_npy(to) && outputs != 1 {
        return Err(Failure::usage(Diagnostic::new(
            "usage/output",
            format!("--output {}", to.display()),
            format!("a .npy file holds one array, and the network has {outputs} outputs"),
            "name a .npz file",
        )));
    }
    let network = match engine {
        _ if args.numbers.integer => in_integers(&normal_form(loaded.network), args.numbers.rounding)?,
        Engine::Plain => loaded.network,
        Engine::Native | Engine::Tract | Engine::Ort => normal_form(loaded.network),
    };
    let frames = Frames::new(&network, computing)?;
    let given = arrays::read(&args.input)?;
    let results = frames.run(&given)?;
    out_file::write(to, &bytes(to, &results)?)?;
    let line = |(name, tensor): &(String, Tensor)| {
        format!("{}: \"{name}\" {} {}\n", to.display(), tensor.element(), tensor.shape())
    };
    exit::print(results.iter().map(line).collect::<String>())
}

/// The network in normal form, in which it runs faster; as it is where a rule fails.
pub(super) fn normal_form(network: Network) -> Network {
    let mut normal = network.clone();
    match normalise(&mut normal) {
        Ok(_) => normal,
        Err(_) => network,
    }
}

/// The integer network of a quantised one in normal form.
///
/// # Errors
/// What integers cannot compute.
pub(super) fn in_integers(normal: &Network, rounding: Rounding) -> Result<Network, Failure> {
    Ok(integers(normal, rounding.into())?.network)
}

fn bytes(to: &Path, results: &[(String, Tensor)]) -> Result<Vec<u8>, Failure> {
    let bytes = match results {
        [(_, alone)] if arrays::is_npy(to) => arrays::npy_bytes(alone),
        _ => arrays::npz_bytes(results),
    };
    bytes.map_err(|e| {
        let what = format!("{} cannot be written", to.display());
        Diagnostic::new(
            "out/file",
            what,
            e.to_string(),
            "give the network's outputs plain names of their own",
        )
        .into()
    })
}
