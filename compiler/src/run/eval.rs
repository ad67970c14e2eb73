//! `nonresc eval`: how often a network is right on labelled images.

use std::time::{Duration, Instant};

use nonresc_ir::network::Network;
use nonresc_passes::accuracy::{self, Accuracy, Count};
use nonresc_passes::data::{Dataset, Fit, Request, Size, Split};
use nonresc_passes::engine::Engine;
use nonresc_passes::numerals::grouped;
use serde::Serialize;

use super::doing::doing;
use super::frames::{in_integers, normal_form};
use super::{engine, model};
use crate::args::{Eval, Extents, Format, Images, Reading};
use crate::columns::Columns;
use crate::exit::{self, Failure};

/// Beyond so many classes the table of classes is left to the JSON document.
const MOST_ROWS: usize = 20;

/// Evaluates the network and prints what was counted.
///
/// # Errors
/// Refused models and data, and pairs of them that do not belong together.
pub(super) fn eval(args: &Eval) -> Result<(), Failure> {
    let engine = engine::chosen(args.computing.engine, args.computing.onnxruntime.as_deref())?;
    let wanted: Vec<String> = args.output.iter().cloned().collect();
    let loaded = model::load(&args.model, &args.reading, &wanted)?;
    exit::remark(&loaded.notes);
    // The layout of the images is known in normal form.
    let normal = normal_form(loaded.network);
    let network = match args.numbers.integer && !args.layers {
        true => in_integers(&normal, args.numbers.rounding)?,
        false => normal,
    };
    let request = Request {
        path: args.data.clone(),
        labels: args.images.labels.clone(),
        fit: fit(&args.images),
        limit: args.limit.and_then(|n| n.try_into().ok()),
        split: Split::Test,
    };
    let data = Dataset::open(&request, accuracy::frame(&network)?)?;
    if args.layers {
        return super::layers::layers(args, &network, &data);
    }
    let start = Instant::now();
    let measuring = doing("scoring images");
    let found = accuracy::measure(&network, &data, engine)?;
    drop(measuring);
    let took = start.elapsed();
    let measured = Measured { args, engine, data: &data, found: &found, took };
    let text = match args.format {
        Format::Text => measured.text(),
        Format::Json => measured.json(),
    };
    exit::print(text)?;
    if args.timings && args.format == Format::Text {
        let images_per_second = measured.images_per_second();
        exit::tell(format!("{:.3} s, {images_per_second:.0} images a second\n", took.as_secs_f64()));
    }
    if found.is_near_chance() {
        exit::tell(doubt(&network, &args.reading));
    }
    Ok(())
}

/// How images are fitted to the network.
pub(super) fn fit(args: &Images) -> Fit {
    let both = |Extents(sides): &Extents| match sides[..] {
        [height, width] => (height, width),
        _ => (sides[0], sides[0]),
    };
    Fit {
        resize: args.resize.as_ref().map(|sides| match sides.0[..] {
            [shorter] => Size::ShorterSide(shorter),
            _ => Size::Exactly(both(sides).0, both(sides).1),
        }),
        crop: args.crop.as_ref().map(both),
    }
}

/// What is said where a network knows its classes hardly better than a die.
fn doubt(network: &Network, reading: &Reading) -> String {
    let remedy = if network.preprocess().is_none() {
        "the network sees pixels from 0 to 255; say how it was trained with --scale, --mean and --std, \
         such as --scale 1/255"
    } else if reading == &Reading::default() {
        "the file's own preprocessing was used; --scale, --mean and --std replace it"
    } else {
        "compare --scale, --mean and --std with how the network was trained, and the order of the classes"
    };
    format!("note: less than twice what guessing gives: {remedy}\n")
}

/// A measurement and what it was made on.
struct Measured<'a> {
    args: &'a Eval,
    engine: Engine,
    data: &'a Dataset,
    found: &'a Accuracy,
    took: Duration,
}

impl Measured<'_> {
    fn images_per_second(&self) -> f64 {
        self.found.all.images as f64 / self.took.as_secs_f64().max(1e-9)
    }

    fn text(&self) -> String {
        let all = self.found.all;
        let images = grouped(all.images as u64);
        let mut text = format!(
            "{} on {images} images of {}, {}\n",
            self.args.model.display(),
            self.data.source().display(),
            if self.args.numbers.integer { "in integers" } else { "float as given" },
        );
        let rows = [("top-1", all.top1_share(), all.top1), ("top-5", all.top5_share(), all.top5)];
        for (label, share, right) in rows {
            text += &format!("{label} {:>6} %  {} of {images}\n", percent(share), grouped(right as u64));
        }
        if all.no_number > 0 {
            text += &format!("scores of {} images are no numbers\n", grouped(all.no_number as u64));
        }
        if self.found.classes.len() <= MOST_ROWS {
            let mut table = Columns::new(["<class", "images", "top-1 %", "top-5 %"]);
            for (label, count) in self.found.classes.iter().enumerate() {
                table.row([
                    self.class(label).map_or(label.to_string(), str::to_string),
                    grouped(count.images as u64),
                    percent(count.top1_share()),
                    percent(count.top5_share()),
                ]);
            }
            text.push('\n');
            text += &table.text(100);
        }
        text
    }

    fn class(&self, label: usize) -> Option<&str> {
        self.data.classes().get(label).map(String::as_str)
    }

    fn json(&self) -> String {
        exit::document(&Document {
            version: 1,
            model: self.args.model.display().to_string(),
            data: self.data.source().display().to_string(),
            numbers: if self.args.numbers.integer { "integer" } else { "float" },
            engine: self.engine.to_string(),
            all: Row::from(self.found.all),
            images_per_second: self.args.timings.then(|| self.images_per_second()),
            classes: (0..)
                .zip(&self.found.classes)
                .map(|(label, &count)| Class { label, name: self.class(label), count: Row::from(count) })
                .collect(),
        })
    }
}

/// The document that `--format json` prints.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    model: String,
    data: String,
    numbers: &'static str,
    engine: String,
    #[serde(flatten)]
    all: Row,
    #[serde(skip_serializing_if = "Option::is_none")]
    images_per_second: Option<f64>,
    classes: Vec<Class<'a>>,
}

#[derive(Serialize)]
struct Class<'a> {
    label: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(flatten)]
    count: Row,
}

#[derive(Serialize)]
struct Row {
    images: usize,
    top1: usize,
    top5: usize,
    not_a_number: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    top1_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top5_percent: Option<f64>,
}

impl From<Count> for Row {
    fn from(count: Count) -> Row {
        let percent = |share: Option<f64>| share.map(|share| 100.0 * share);
        Row {
            images: count.images,
            top1: count.top1,
            top5: count.top5,
            not_a_number: count.no_number,
            top1_percent: percent(count.top1_share()),
            top5_percent: percent(count.top5_share()),
        }
    }
}

/// A share in percent, to the hundredth.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or("-".into(), |share| format!("{:.2}", 100.0 * share))
}
