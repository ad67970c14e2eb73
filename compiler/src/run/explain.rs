//! `nonresc explain`: one skip, why it costs what it costs, and what each rewrite would do with it.

use nonresc_ir::diagnostic::Diagnostic;
use nonresc_passes::cost;
use nonresc_passes::plan::named;

use super::options;
use crate::args::Explain;
use crate::exit::{self, Failure};
use crate::report::explain;

/// Explains the skip.
///
/// # Errors
/// Refused models and devices; a skip that the network does not have, with the nearest that it has.
pub(super) fn explain(args: &Explain) -> Result<(), Failure> {
    let made = options::designed(
        &args.model,
        &args.reading,
        options::options(&args.design, args.depths.fifos, "keep")?,
        false,
    )?;
    let named = named(&args.skip, &made.analysed.skips)?;
    let &[skip] = &named[..] else {
        let labels: Vec<&str> = named.iter().map(|skip| skip.label.as_str()).collect();
        return Err(Failure::usage(Diagnostic::new(
            "explain/several",
            format!("\"{}\" names {} skips", args.skip, labels.len()),
            "one can be explained at a time",
            format!("name one of {}", labels.join(", ")),
        )));
    };
    let rows = cost::rewrites_of(&made.analysed, &made.design, &made.options, skip);
    let text = explain::text(&args.model, &made.analysed, &made.design, &made.options, skip, &rows);
    exit::print(text)
}
