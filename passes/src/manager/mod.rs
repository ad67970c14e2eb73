//! Runs passes over a design: checks what each needs, verifies in between, executes before and after where the
//! function must stay ([`Execution`]), takes the time, hands out dumps.
//!
//! The manager knows properties and levels, and no pass by name. The clock is read here and nowhere else, and
//! no result hangs on it.

mod execute;

use std::time::{Duration, Instant};

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_ir::network::{verify as verify_network, verify_live};
use nonresc_ir::stream;

use crate::design::{Design, Options, StreamDesign};
use crate::pass::{Pass, Property, Run};
use crate::table;
use execute::Before;

pub use execute::Execution;

/// What the manager does besides running passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checks {
    /// Hold the design against the numbered invariants of its level, as it is given and after each pass.
    pub verify: bool,
    /// Execute the network before and after each pass that says that it keeps the function, and look whether one
    /// that says that it only reads changes something.
    pub execute: Option<Execution>,
}

/// Verified in debug builds; a release build trusts its passes. Nothing is executed.
impl Default for Checks {
    fn default() -> Self {
        Checks { verify: cfg!(debug_assertions), execute: None }
    }
}

impl Checks {
    /// Everything that can be looked at: verified and executed.
    pub fn all() -> Self {
        Checks { verify: true, execute: Some(Execution::default()) }
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
    /// The pass that refused, or that the checks refuse; nothing where the given design is at fault.
    pub pass: Option<&'static str>,
    /// All that it found.
    pub faults: Diagnostics,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.faults.fmt(f)
    }
}

impl std::error::Error for Failed {}

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
    if checks.verify {
        verify(&design).map_err(|faults| Failed { pass: None, faults })?;
    }
    for &pass in passes {
        let failed = |faults| Failed { pass: Some(pass.name), faults };
        check_needs(pass, &design).map_err(failed)?;
        let before = match &checks.execute {
            Some(execution) => Before::of(pass, &design, execution).map_err(failed)?,
            None => Before::Nothing,
        };
        let start = Instant::now();
        design = step(pass, design, options).map_err(failed)?;
        timings.push(Timing { pass: pass.name, time: start.elapsed() });
        if checks.verify {
            verify(&design).map_err(|faults| failed(left_by(pass, &faults)))?;
        }
        if let Some(execution) = &checks.execute {
            before.holds(pass, &design, execution).map_err(failed)?;
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
            let (folding, sizing, binding, laid_out) = (None, None, None, None);
            Design::Stream(StreamDesign { source, stream, folding, sizing, binding, laid_out })
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

/// The invariants of the level that the design is on; a network in normal form must be without dead nodes too.
fn verify(design: &Design) -> Result<(), Diagnostics> {
    match design {
        Design::Network(design) => {
            verify_network(&design.network)?;
            if design.properties.contains(&Property::NormalForm) {
                verify_live(&design.network)?;
            }
            Ok(())
        }
        Design::Stream(design) => stream::verify(&design.stream),
    }
}

/// The faults of a design that a pass broke.
fn left_by(pass: &Pass, faults: &Diagnostics) -> Diagnostics {
    let mut named = Diagnostics::default();
    for fault in faults.iter() {
        let what = format!("{}, as pass {} left it", fault.what, pass.name);
        let remedy = "report this as a fault of nonresc, with the model";
        named.push(Diagnostic::new(fault.code, what, &fault.why, remedy));
    }
    named
}
