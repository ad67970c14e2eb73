//! What a model says about itself: IR version and operator sets.

use std::collections::BTreeMap;

use super::super::messages::{ModelProto, OperatorSetIdProto};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// The oldest and the newest version of the default operator set that is read.
pub(super) const OPSETS: std::ops::RangeInclusive<i64> = 7..=28;
/// The oldest and the newest IR version that is read.
const IR_VERSIONS: std::ops::RangeInclusive<i64> = 3..=14;

/// The default domain's two spellings are one.
pub(super) fn domain(name: &str) -> &str {
    if name == "ai.onnx" { "" } else { name }
}

/// A domain as people know it.
pub(super) fn shown(domain: &str) -> &str {
    if domain.is_empty() { "ai.onnx" } else { domain }
}

/// Imported operator sets by domain, and all that is wrong with them and the IR version.
pub(super) fn check(model: &ModelProto, faults: &mut Diagnostics) -> BTreeMap<String, i64> {
    let again = "export the model again with a current exporter";
    match model.ir_version {
        None => faults.push(Diagnostic::new(
            "import/ir-version",
            "the model has no ir_version",
            "its other fields cannot be read with certainty",
            again,
        )),
        Some(v) if !IR_VERSIONS.contains(&v) => faults.push(Diagnostic::new(
            "import/ir-version",
            format!("IR version {v}"),
            format!("versions {} to {} are read", IR_VERSIONS.start(), IR_VERSIONS.end()),
            again,
        )),
        Some(_) => {}
    }
    let sets = operator_sets(&model.opset_import, faults);
    match sets.get("") {
        None => faults.push(Diagnostic::new(
            "import/opset",
            "the model has no opset import of the default domain (ai.onnx)",
            "without its version no operator has a meaning",
            again,
        )),
        Some(v) if !OPSETS.contains(v) => faults.push(Diagnostic::new(
            "import/opset",
            format!("opset {v} of the default domain (ai.onnx)"),
            format!("versions {} to {} are read", OPSETS.start(), OPSETS.end()),
            "export with an opset in that range, or convert with onnx.version_converter",
        )),
        Some(_) => {}
    }
    sets
}

/// Versions by domain; a domain imported at two versions is a fault.
pub(super) fn operator_sets(
    imports: &[OperatorSetIdProto],
    faults: &mut Diagnostics,
) -> BTreeMap<String, i64> {
    let mut sets = BTreeMap::new();
    for import in imports {
        let name = domain(import.domain()).to_string();
        let version = import.version();
        match sets.get(&name) {
            Some(&other) if other != version => faults.push(Diagnostic::new(
                "import/opset",
                format!("the opset of domain {} is imported as {other} and as {version}", shown(&name)),
                "which of the two an operator means is unknown",
                "keep one of the imports",
            )),
            _ => {
                sets.insert(name, version);
            }
        }
    }
    sets
}
