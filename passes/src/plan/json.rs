//! `plan.json`: a plan as a file. The types here are its schema.

use std::collections::BTreeMap;

use nonresc_ir::diagnostic::Diagnostic;
use serde::{Deserialize, Serialize};

use super::Plan;
use super::request::{Request, Wish, wanted};
use crate::target::Bits;

/// Version of the file's form. A file of another version is refused.
const VERSION: u64 = 1;

/// The whole file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    /// Digest of the network in normal form.
    network: String,
    /// One entry a skip.
    skips: Vec<Item>,
    /// One entry for each layer that is quantised to widths of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bits: Vec<Widths>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Widths {
    /// ONNX name of the layer.
    layer: String,
    /// Bits of its weights.
    weights: u32,
    /// Bits of its result.
    activations: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    /// Label: `5`, `5a`.
    skip: String,
    /// ONNX name of the sum, for the reader.
    name: String,
    /// The rewrite; in a file that is read also `reuse` and `auto`.
    rewrite: String,
}

/// The version alone, read before anything else is believed.
#[derive(Deserialize)]
#[serde(expecting = "a plan with a version")]
struct Versioned {
    version: u64,
}

impl Plan {
    /// The text of `plan.json`, with a newline at its end.
    ///
    /// # Panics
    /// Never: a plan is made of texts and numbers.
    pub fn to_json(&self) -> String {
        let items = self.skips.iter().map(|entry| Item {
            skip: entry.skip.clone(),
            name: entry.name.clone(),
            rewrite: entry.rewrite.to_string(),
        });
        let bits = self.bits.iter().map(|(layer, &Bits { weights, activations })| Widths {
            layer: layer.clone(),
            weights,
            activations,
        });
        let file = File {
            version: VERSION,
            network: self.network.clone(),
            skips: items.collect(),
            bits: bits.collect(),
        };
        let text = serde_json::to_string_pretty(&file).expect("a plan is made of texts and numbers");
        text + "\n"
    }
}

pub(super) fn read(text: &str) -> Result<Request, Diagnostic> {
    let fault = |why: String| {
        Diagnostic::new("plan/json", "plan.json", why, "let --skips write the plan anew, and change that one")
    };
    let Versioned { version } = serde_json::from_str(text).map_err(|e| fault(e.to_string()))?;
    if version != VERSION {
        return Err(fault(format!("its version is {version}, and this program reads version {VERSION}")));
    }
    let file: File = serde_json::from_str(text).map_err(|e| fault(e.to_string()))?;
    let mut wishes = Vec::with_capacity(file.skips.len());
    let mut faults = Vec::new();
    for item in file.skips {
        match wanted(&item.rewrite) {
            Ok(wanted) => wishes.push(Wish { skip: item.skip, wanted }),
            Err(why) => faults.push(format!("skip {}: {why}", item.skip)),
        }
    }
    let mut bits = BTreeMap::new();
    for Widths { layer, weights, activations } in file.bits {
        for (what, width) in [("weights", weights), ("activations", activations)] {
            if !Bits::RANGE.contains(&width) {
                let (least, most) = (Bits::RANGE.start(), Bits::RANGE.end());
                faults
                    .push(format!("layer \"{layer}\": {what} of {width} bits; {least} to {most} can be had"));
            }
        }
        if bits.contains_key(&layer) {
            faults.push(format!("layer \"{layer}\" has bits twice"));
        }
        bits.insert(layer, Bits { weights, activations });
    }
    if faults.is_empty() {
        Ok(Request::Plan { network: file.network, wishes, bits })
    } else {
        Err(fault(faults.join("; ")))
    }
}
