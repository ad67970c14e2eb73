//! `nonresc quantise`: a network of floats to one of codes, by calibration on images.

use std::path::{Path, PathBuf};

use nonresc_backends::out::{self, OutFile};
use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::network::Network;
use nonresc_ir::{onnx, text};
use nonresc_passes::accuracy;
use nonresc_passes::data::{Dataset, Request, Split};
use nonresc_passes::normalise::normalise;
use nonresc_passes::plan;
use nonresc_passes::quantise::{
    QuantiseOptions, Quantised, Quantity, Row, Scales, floats, quantise as quantised,
};
use nonresc_passes::residual;

use super::doing::doing;
use super::eval::fit;
use super::verbose::Steps;
use super::{model, options};
use crate::args::Quantise;
use crate::columns::Columns;
use crate::exit::{self, Failure};

/// Quantises the network, prints what was chosen and writes the files.
///
/// # Errors
/// Refused models, operators without integers, data that does not fit, folders that cannot be written.
pub(super) fn quantise(args: &Quantise) -> Result<(), Failure> {
    if let Some(dir) = &args.out {
        let read = [Some(&args.model), args.data.as_ref(), args.images.labels.as_ref()];
        out::check(dir, &read.into_iter().flatten().map(PathBuf::as_path).collect::<Vec<_>>())?;
    }
    let mut options = QuantiseOptions::from(args);
    if options.layers.len() < args.layer_bits.len() {
        return Err(Failure::usage(Diagnostic::new(
            "usage/layer-bits",
            "--layer-bits with one layer twice",
            "a layer has one width",
            "name each layer once",
        )));
    }
    let skips = options::request(&args.skips)?;
    for (layer, bits) in skips.bits() {
        options.layers.entry(layer).or_insert(bits);
    }
    let wanted: Vec<String> = args.output.iter().cloned().collect();
    let mut steps = Steps::new();
    let loaded = model::load(&args.model, &args.reading, &wanted)?;
    steps.read(&loaded.network);
    exit::remark(&loaded.notes);
    let mut network = loaded.network;
    normalise(&mut network)?;
    planned(&mut network, &skips)?;
    if args.requantise {
        network = floats(&network)?;
        normalise(&mut network)?;
    }
    let data = match &args.data {
        None => None,
        Some(path) => {
            let request = Request {
                path: path.clone(),
                labels: args.images.labels.clone(),
                fit: fit(&args.images),
                limit: Some(options.samples),
                split: Split::Training,
            };
            Some(Dataset::open(&request, accuracy::frame(&network)?)?)
        }
    };
    steps.done("prepare", || "normal form, and the plan".into());
    let calibrating = doing("calibrating");
    let made = quantised(&network, data.as_ref(), &options)?;
    drop(calibrating);
    steps.done("calibrate", || format!("{} numbers and layers have their codes", made.rows.len()));
    exit::remark(&made.notes);
    let printed = printed(args, data.as_ref(), &made, options.scales);
    if let Some(dir) = &args.out {
        out::write(dir, &files(&made)?)?;
    }
    exit::print(printed)
}

/// Carries out what is wanted of the skips of a network in normal form.
fn planned(network: &mut Network, request: &plan::Request) -> Result<(), Failure> {
    if request.leaves_a_choice() {
        return Err(Failure::usage(Diagnostic::new(
            "usage/skips",
            "--skips with a choice of rewrites",
            "which is cheaper depends on the design, and none is made here",
            "choose first: nonresc MODEL --skips auto --out DIR writes the choice to DIR/plan.json",
        )));
    }
    let skips = residual::skips(network);
    let plan = request.resolve(network, &skips)?;
    let notes = plan::apply(network, &skips, plan)?.notes();
    // What the plan says of widths is what is done here.
    let notes = notes.iter().filter(|note| note.code != "plan/bits");
    let notes: Vec<String> =
        notes.map(|note| format!("{}: {}; {}", note.what, note.why, note.remedy)).collect();
    exit::remark(&notes);
    Ok(())
}

fn files(made: &Quantised) -> Result<Vec<OutFile>, Failure> {
    Ok(vec![
        OutFile { name: "quantised.onnx".into(), bytes: onnx::export::export(&made.network)? },
        OutFile { name: "quantised.qonnx.onnx".into(), bytes: onnx::export::export_qonnx(&made.network)? },
        OutFile { name: "network.nir".into(), bytes: text::print(&made.network).into_bytes() },
        OutFile { name: "network.safetensors".into(), bytes: text::weights(&made.network) },
    ])
}

fn printed(args: &Quantise, data: Option<&Dataset>, made: &Quantised, scales: Scales) -> String {
    let source = data.map_or("inputs that were made up".to_string(), |data| {
        format!("{} images of {}", data.len(), data.source().display())
    });
    let mut text = format!("{} quantised, calibrated on {source}\n\n", args.model.display());
    let mut table = Columns::new(["<layer", "<tensor", "<codes", "<scale", "least", "most", "clipped %"]);
    for row in &made.rows {
        table.row([
            row.layer.clone(),
            tensor(row).to_string(),
            format!("{}{}", if row.signed { 'i' } else { 'u' }, row.bits),
            scale(row, scales),
            format!("{:.4}", row.range.0),
            format!("{:.4}", row.range.1),
            format!("{:.3}", 100.0 * row.clipped),
        ]);
    }
    text += &table.text(100);
    if let Some(dir) = &args.out {
        text += &format!("\nwritten to {}\n", Path::new(dir).display());
    }
    text
}

fn tensor(row: &Row) -> &'static str {
    match row.tensor {
        Quantity::Input => "input",
        Quantity::Weights => "weights",
        Quantity::Result => "result",
    }
}

/// The scale, or the least and the largest.
fn scale(row: &Row, scales: Scales) -> String {
    let one = |scale: f64| match scales {
        Scales::PowerOfTwo => format!("2^{}", scale.log2()),
        Scales::Free => format!("{scale:.3e}"),
    };
    let (least, most) = row.scales;
    if least == most { one(least) } else { format!("{} .. {}", one(least), one(most)) }
}
