//! Runs passes over a design: checks what each needs, verifies in between, executes before and after where the
//! function must stay, takes the time, hands out dumps.
//!
//! The manager knows properties and levels, and no pass by name. The clock is read here and nowhere else, and
//! no result hangs on it.

use std::time::{Duration, Instant};

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::stream;

use crate::design::{Design, Options, StreamDesign};
use crate::pass::{Pass, Run};
use crate::table;

/// What the manager does besides running passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checks {
    /// Verify the design after each pass.
    pub verify: bool,
}

/// Verified in debug builds; a release build trusts its passes.
impl Default for Checks {
    fn default() -> Self {
        Checks { verify: cfg!(debug_assertions) }
    }
}

/// How long a pass took.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The pass's name.
    pub pass: &'static str,
    /// Its time by the wall clock, checks not counted.
    pub time: Duration,
}

/// What a run of passes gives back.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The design as the last pass left it.
    pub design: Design,
    /// One entry a pass, in the order in which they ran.
    pub timings: Vec<Timing>,
}

/// Why a run ended early: the pass and its faults.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The pass that refused.
    pub pass: &'static str,
    /// All that it found.
    pub faults: Diagnostics,
}

/// Runs `passes` over `design`, calling `after` with each pass and the design that it left (dumps).
///
/// # Errors
/// What a pass refuses; what it needs and nobody gave; what the checks find.
pub fn run(
    design: Design,
    passes: &[&'static Pass],
    options: &Options,
    checks: &Checks,
    after: &mut dyn FnMut(&'static Pass, &Design),
) -> Result<Finished, Failed> {
    let mut design = design;
    let mut timings = Vec::with_capacity(passes.len());
    for &pass in passes {
        let failed = |faults| Failed { pass: pass.name, faults };
        check_needs(pass, &design).map_err(failed)?;
        let start = Instant::now();
        design = step(pass, design, options).map_err(failed)?;
        timings.push(Timing { pass: pass.name, time: start.elapsed() });
        if checks.verify {
            verify(pass, &design).map_err(failed)?;
        }
        after(pass, &design);
    }
    Ok(Finished { design, timings })
}

/// Runs the whole pipeline without dumps.
///
/// # Errors
/// As [`run`].
pub fn compile(design: Design, options: &Options, checks: &Checks) -> Result<Finished, Failed> {
    run(design, table::FPGA, options, checks, &mut |_, _| {})
}

fn check_needs(pass: &'static Pass, design: &Design) -> Result<(), Diagnostics> {
    let mut faults = Diagnostics::default();
    for &need in pass.needs {
        if !design.source().properties.contains(&need) {
            let giver = table::giver(need).map_or("no pass", |giver| giver.name);
            faults.push(Diagnostic::new(
                "passes/needs",
                format!("pass {} cannot run yet", pass.name),
                format!("it needs the property \"{need}\", which the design does not have"),
                format!("run {giver} before it, which gives this property"),
            ));
        }
    }
    faults.or(())
}

fn step(pass: &'static Pass, design: Design, options: &Options) -> Result<Design, Diagnostics> {
    let mut design = match (pass.run, design) {
        (Run::Network(run), Design::Network(mut design)) => {
            run(&mut design, options)?;
            Design::Network(design)
        }
        (Run::Lowering(run), Design::Network(source)) => {
            let stream = run(&source, options)?;
            Design::Stream(StreamDesign { source, stream, folding: None, sizing: None, binding: None })
        }
        (Run::Stream(run), Design::Stream(mut design)) => {
            run(&mut design, options)?;
            Design::Stream(design)
        }
        (_, design) => return Err(wrong_level(pass, &design).into()),
    };
    let source = match &mut design {
        Design::Network(design) => design,
        Design::Stream(design) => &mut design.source,
    };
    source.properties.extend(pass.gives);
    Ok(design)
}

fn wrong_level(pass: &Pass, design: &Design) -> Diagnostic {
    let level = match design {
        Design::Network(_) => "network",
        Design::Stream(_) => "stream",
    };
    Diagnostic::new(
        "passes/level",
        format!("pass {} cannot run on a {level}", pass.name),
        format!("it runs on the level \"{}\"", pass.level()),
        "run the passes in the order of --list-passes",
    )
}

fn verify(_pass: &Pass, design: &Design) -> Result<(), Diagnostics> {
    match design {
        Design::Network(_) => Ok(()),
        Design::Stream(design) => stream::verify(&design.stream),
    }
}
