//! `nonresc eval --layers`: where the codes of a quantised network leave its numbers.

use nonresc_ir::network::Network;
use nonresc_passes::data::Dataset;
use nonresc_passes::layers::{self, Layer};
use serde::Serialize;

use crate::args::{Eval, Format};
use crate::columns::Columns;
use crate::exit::{self, Failure};

/// Images that are looked at where the user does not say.
const IMAGES: u64 = 64;

/// Compares every quantised value of a network in normal form with floats, and prints a line for each.
///
/// # Errors
/// Networks that integers cannot compute, images that cannot be read.
pub(super) fn layers(args: &Eval, network: &Network, data: &Dataset) -> Result<(), Failure> {
    let most = args.limit.unwrap_or(IMAGES).try_into().unwrap_or(usize::MAX);
    let found = layers::layers(network, args.numbers.rounding.into(), data, most)?;
    let text = match args.format {
        Format::Text => text(&found),
        Format::Json => json(&found),
    };
    exit::print(text)
}

fn text(layers: &[Layer]) -> String {
    let mut table = Columns::new(["<rounded", "signal", "error", "dB", "clipped %"]);
    for layer in layers {
        table.row([
            layer.names.1.to_string(),
            format!("{:.4}", layer.signal),
            format!("{:.4}", layer.error),
            if layer.decibels().is_finite() { format!("{:.1}", layer.decibels()) } else { "exact".into() },
            format!("{:.2}", 100.0 * layer.clipped),
        ]);
    }
    let mut text = table.text(100);
    text += &match layers.iter().find(|layer| layer.has_left()) {
        Some(first) => format!(
            "\nthe first layer below {} dB is {}: its error is {:.4} at a signal of {:.4}\n",
            layers::LEFT,
            first.names.1,
            first.error,
            first.signal
        ),
        None => format!("\nno layer is below {} dB\n", layers::LEFT),
    };
    text
}

#[derive(Serialize)]
struct Row {
    quantiser: String,
    layer: String,
    signal: f64,
    error: f64,
    decibels: Option<f64>,
    clipped: f64,
}

fn json(layers: &[Layer]) -> String {
    let row = |layer: &Layer| Row {
        quantiser: layer.names.0.to_string(),
        layer: layer.names.1.to_string(),
        signal: layer.signal,
        error: layer.error,
        decibels: Some(layer.decibels()).filter(|db| db.is_finite()),
        clipped: layer.clipped,
    };
    let rows: Vec<Row> = layers.iter().map(row).collect();
    exit::document(&serde_json::json!({ "version": 1, "layers": rows }))
}
