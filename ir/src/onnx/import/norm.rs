//! Batch normalisation as it is at inference.

use super::attribute::{Attribute, Kind};
use super::call::{Call, Fault, fault};
use super::importer::Item;
use super::table::Operator;
use crate::network::{BatchNorm, Cast};

pub(super) const OPERATORS: &[Operator] = &[Operator::new("BatchNormalization", (5, 5), batch_norm)
    .with(&[
        Attribute::new("epsilon", Kind::Float),
        Attribute::new("spatial", Kind::Int).until(8),
        Attribute::new("training_mode", Kind::Int).since(14),
    ])
    // The weight of old running statistics, which matters in training alone.
    .ignoring(&["momentum"])];

fn batch_norm(call: &mut Call<'_, '_>) -> Result<Item, Fault> {
    if call.flag("training_mode", false)? {
        return Err(fault(
            "it is in training mode, with statistics of the batch",
            "export the model in eval mode",
        ));
    }
    if !call.flag("spatial", true)? {
        return Err("it has statistics for each pixel (spatial 0)".into());
    }
    let x = call.operand(0)?;
    let element = call.ty(&x).element;
    let mut operands = vec![x];
    for i in 1..5 {
        let item = call.parameter(i, ["", "scale", "bias", "mean", "variance"][i])?;
        let same = call.ty(&item).element == element || !call.ty(&item).element.is_float();
        operands.push(if same { item } else { call.emit(Cast { to: element }, &[&item])? });
    }
    if let Item::Const(variance) = &operands[4]
        && let Some(v) = variance.to_f64().into_iter().find(|v| *v < 0.0)
    {
        return Err(format!("its variance {} holds {v}, which is negative", call.name(4)).into());
    }
    let epsilon = call.float("epsilon").unwrap_or(1e-5);
    call.emit(BatchNorm { epsilon }, &operands.iter().collect::<Vec<_>>())
}
