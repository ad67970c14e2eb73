//! `nonresc MODEL --retrain`: the network learns to do without the skips that the plan takes away, then to live with
//! codes for its numbers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nonresc_backends::out::OutFile;
use nonresc_ir::diagnostic::Diagnostic;
use nonresc_ir::network::Network;
use nonresc_ir::onnx;
use nonresc_ir::tensor::Tensor;
use nonresc_passes::accuracy::{self, Accuracy};
use nonresc_passes::cost;
use nonresc_passes::data::{Dataset, Request, Split, arrays};
use nonresc_passes::design::{NetworkDesign, Options};
use nonresc_passes::distill::batches::Batches;
use nonresc_passes::distill::group::Group;
use nonresc_passes::distill::history::History;
use nonresc_passes::distill::rank::rank;
use nonresc_passes::distill::recipe::Recipe;
use nonresc_passes::distill::removals::Policy;
use nonresc_passes::distill::stage::Goal;
use nonresc_passes::distill::state::State;
use nonresc_passes::distill::step::{Step, Terms};
use nonresc_passes::distill::student::{Student, is_quantised};
use nonresc_passes::distill::trainer::{Task, Trained, train};
use nonresc_passes::engine::Engine;
use nonresc_passes::manager::Checks;
use nonresc_passes::normalise::normalise;
use nonresc_passes::plan::{self, Entry, Plan, Rewrite, Wanted, Wish};
use nonresc_passes::quantise::{QuantiseOptions, quantise};
use nonresc_passes::residual::{Skip, Skips, skips};
use nonresc_passes::trial;

use super::doing::doing;
use super::eval::{self, fit};
use super::interrupt::{self, Stoppable};
use super::telling::Told;
use super::{engine, model};
use crate::args::{Compile, Retrain};
use crate::exit::{self, Failure};

/// What retraining made of a network.
pub(super) struct Retrained {
    /// The plan, less the skips that had to stay.
    plan: Plan,
    /// The network as the plan left it, in codes, where it was trained as floats.
    pub(super) quantised: Option<Network>,
    /// The trainings, in their order.
    pub(super) histories: Vec<(&'static str, History)>,
    /// Accuracy of floats on the test images, as given and retrained.
    accuracy: Option<(f64, f64)>,
    /// What was measured, for the user.
    pub(super) remarks: Vec<Diagnostic>,
    /// All parameters at the end.
    state: State,
}

/// The images of a run.
struct Images {
    training: Vec<Dataset>,
    test: Option<Dataset>,
    batches: Batches,
}

impl Retrained {
    /// Says in a skip report what was measured.
    pub(super) fn tell(&self, report: &mut cost::SkipReport) {
        if let Some((given, retrained)) = self.accuracy {
            report.measured(given, retrained, &self.plan);
        }
    }

    /// The network in its codes, and the options of its design: what was trained as floats is designed so.
    pub(super) fn in_codes(&self, options: &Options) -> Option<(Network, Options)> {
        let named = |entry: &&Entry| entry.rewrite.is_served() && !entry.name.is_empty();
        let wish = |entry: &Entry| Wish { skip: entry.name.clone(), wanted: Wanted::This(entry.rewrite) };
        let skips = plan::Request::List(self.plan.skips.iter().filter(named).map(wish).collect());
        Some((self.quantised.clone()?, Options { skips, trained: None, ..options.clone() }))
    }
}

/// Trains the network of `design` while the skips go that `options` take away; its layers then hold what they learned,
/// and `options` say what became of the skips.
///
/// # Errors
/// Data that does not fit the network; a network that knows hardly more of the data than a die; training that fails.
pub(super) fn retrain(
    args: &Compile,
    design: &mut NetworkDesign,
    options: &mut Options,
    group: &Group,
) -> Result<Retrained, Failure> {
    // What is missing is said before the work.
    engine(&args.retrain)?;
    let mut plan = options.skips.resolve(&design.network, &design.skips)?;
    let quantised = is_quantised(&design.network);
    let recipe = args.retrain.recipe(args.design.seed, plan.changing().next().is_some(), quantised);
    recipe.check().map_err(Failure::Usage)?;
    one_by_one(&recipe)?;
    let images = images(args, &design.network, &recipe)?;
    let given = measured(&design.network, images.test.as_ref())?;
    if !recipe.scratch && given.as_ref().is_some_and(Accuracy::is_near_chance) {
        return Err(near_chance(given.as_ref()).into());
    }
    let teacher = teacher(args, &recipe, &design.network)?;
    let goal = Goal { normal: &design.network, skips: &design.skips, plan: &plan };
    let order = match recipe.policy {
        Policy::Cost => rank(&goal, &images.batches, &costs(design, &plan, options)?, group)?,
        _ => Vec::new(),
    };
    let teaching = teacher.as_ref();
    let mut trained = trained((args, group), "float", goal, teaching, &images.batches, &recipe, order)?;
    for entry in plan.skips.iter_mut().filter(|entry| trained.restored.contains(&entry.skip)) {
        entry.rewrite = Rewrite::Keep;
    }
    trained.state.apply(&mut design.network)?;
    let of_plan = trained.state.beyond(&design.network);
    let mut planned = design.network.clone();
    plan::apply(&mut planned, &design.skips, plan.clone())?;
    of_plan.apply(&mut planned)?;
    options.skips = plan::Request::from(plan.clone()).for_network(&design.network);
    options.trained = Some(Arc::new(of_plan));
    let after = measured(&planned, images.test.as_ref())?;
    let is_float = !is_quantised(&planned);
    let (what, name) = if is_float { ("as floats", "history") } else { ("in codes", "history-qat") };
    if let Some(after) = &after {
        trained.history.tested(trained.epoch, share(after));
    }
    let mut made = Retrained {
        plan,
        quantised: None,
        accuracy: given.as_ref().map(share).zip(after.as_ref().map(share)),
        remarks: vec![remark(what, &trained, given.as_ref(), after.as_ref())],
        histories: vec![(name, trained.history)],
        state: trained.state,
    };
    if is_float {
        in_codes((args, group), &mut made, &planned, &images, given.as_ref(), teacher.as_ref())?;
    }
    Ok(made)
}

/// Quantises what was trained as floats, and trains it on so.
fn in_codes(
    (args, group): (&Compile, &Group),
    made: &mut Retrained,
    planned: &Network,
    images: &Images,
    given: Option<&Accuracy>,
    teacher: Option<&Network>,
) -> Result<(), Failure> {
    let options =
        QuantiseOptions { bits: args.design.bits, seed: args.design.seed, ..QuantiseOptions::default() };
    let calibrating = doing("calibrating");
    let quantised = quantise(planned, images.training.first(), &options)?;
    drop(calibrating);
    exit::remark(&quantised.notes);
    let mut network = quantised.network;
    let calibrated = measured(&network, images.test.as_ref())?;
    let recipe = args.retrain.qat_recipe(args.design.seed);
    if recipe.epochs > 0 {
        let left: Skips = skips(&network);
        let plan = plan::Request::KEEP.resolve(&network, &left)?;
        let goal = Goal { normal: &network, skips: &left, plan: &plan };
        let mut trained =
            trained((args, group), "codes", goal, teacher, &images.batches, &recipe, Vec::new())?;
        trained.state.apply(&mut network)?;
        let after = measured(&network, images.test.as_ref())?;
        if let Some(after) = &after {
            trained.history.tested(trained.epoch, share(after));
        }
        let what =
            format!("in {} codes, {} by calibration alone", args.design.bits, percent(calibrated.as_ref()));
        made.remarks.push(remark(&what, &trained, given, after.as_ref()));
        made.histories.push(("history-qat", trained.history));
    } else {
        let what = format!(
            "in {} codes, by calibration alone: {}",
            args.design.bits,
            top1(given, calibrated.as_ref())
        );
        made.remarks.push(Diagnostic::new("retrain/accuracy", what, "no epoch was trained in codes", ""));
    }
    made.quantised = Some(network);
    Ok(())
}

fn engine(flags: &Retrain) -> Result<Engine, Failure> {
    engine::chosen(flags.engine, flags.onnxruntime.as_deref())
}

/// One training, told as it goes.
fn trained(
    (args, group): (&Compile, &Group),
    what: &'static str,
    goal: Goal<'_>,
    teacher: Option<&Network>,
    batches: &Batches,
    recipe: &Recipe,
    order: Vec<String>,
) -> Result<Trained, Failure> {
    let [of_given, of_codes] = args.retrain.checkpoints();
    let checkpoint = if what == "codes" { of_codes } else { of_given };
    let resume = args.retrain.resume && checkpoint.as_ref().is_some_and(|path| path.exists());
    let engine = engine(&args.retrain)?;
    let stoppable = checkpoint.is_some().then(Stoppable::new);
    let task = Task { goal, teacher, batches, recipe, engine, order, checkpoint, resume, group };
    let mut told = Told::new(recipe, batches.training().len());
    let trained = train(&task, &mut |progress| told.tell(progress))?;
    // From here on a signal ends the process; one that came before is seen.
    drop(stoppable);
    let asked = interrupt::asked();
    if trained.whole && asked.is_none() {
        return Ok(trained);
    }
    let stopped = Diagnostic::new(
        "retrain/stopped",
        format!("training of the network as {what}"),
        "it was stopped",
        "go on with --resume, where --checkpoint was given",
    );
    Err(match asked {
        Some(code) => Failure::Interrupted(stopped.into(), code),
        None => stopped.into(),
    })
}

fn images(args: &Compile, network: &Network, recipe: &Recipe) -> Result<Images, Failure> {
    let flags = &args.retrain;
    let path: PathBuf = flags.data.clone().expect("the command line asks for data");
    let frame = accuracy::frame(network)?;
    let request = |path: &Path, split| Request {
        path: path.to_path_buf(),
        labels: flags.images.labels.clone(),
        fit: fit(&flags.images),
        limit: None,
        split,
    };
    let training = Dataset::open_training(&request(&path, Split::Training), frame)?;
    let test = match &flags.test {
        Some(test) => Some(Dataset::open(&request(test, Split::Test), frame)?),
        None => {
            let found = Dataset::open(&request(&path, Split::Test), frame).ok();
            found.filter(|test| training.iter().all(|data| data.source() != test.source()))
        }
    };
    let batches = Batches::new(&training, network.preprocess(), accuracy::classes(network)?, recipe)?;
    Ok(Images { training, test, batches })
}

/// What each skip that changes costs: bits of memory of the design with it, less those without.
fn costs(design: &NetworkDesign, plan: &Plan, options: &Options) -> Result<BTreeMap<String, f64>, Failure> {
    let options = Options { skips: plan::Request::KEEP, ..options.clone() };
    let kept = trial::planned(design, &options, &Checks::default()).map_err(|failed| failed.faults)?;
    let bits = |rows: &[(Rewrite, Result<cost::Row, String>)], wanted: Rewrite| {
        let row = rows.iter().find(|(rewrite, _)| *rewrite == wanted)?.1.as_ref().ok()?;
        Some(row.figures.as_ref().ok()?.allocated_bits as f64)
    };
    let changing = |skip: &&Skip| !plan.rewrite(&skip.label).keeps_function();
    let cost = |skip: &Skip| {
        let rows = cost::rewrites_of(design, &kept, &options, skip);
        let saved = bits(&rows, Rewrite::Keep)
            .zip(bits(&rows, plan.rewrite(&skip.label)))
            .map_or(0.0, |(kept, changed)| (kept - changed).max(0.0));
        (skip.label.clone(), saved)
    };
    Ok(design.skips.iter().filter(changing).map(cost).collect())
}

fn measured(network: &Network, test: Option<&Dataset>) -> Result<Option<Accuracy>, Failure> {
    Ok(test.map(|test| accuracy::measure(network, test, Engine::Native)).transpose()?)
}

/// The network that teaches, where the recipe asks for one.
fn teacher(args: &Compile, recipe: &Recipe, given: &Network) -> Result<Option<Network>, Failure> {
    if !recipe.teacher {
        return Ok(None);
    }
    let Some(path) = &args.retrain.teacher else { return Ok(Some(given.clone())) };
    let loaded = model::load(path, &args.reading, &args.output)?;
    exit::remark(&loaded.notes);
    let mut network = loaded.network;
    normalise(&mut network)?;
    Ok(Some(network))
}

/// Skips that may come back go one by one.
fn one_by_one(recipe: &Recipe) -> Result<(), Failure> {
    let together = matches!(recipe.policy, Policy::AtOnce | Policy::Anneal { .. });
    if recipe.max_drop.is_none() || !together {
        return Ok(());
    }
    Err(Failure::usage(Diagnostic::new(
        "usage/max-drop",
        format!("--max-drop with --policy {}", recipe.policy),
        "all skips go together, and what each costs is not seen",
        "let them go one by one: --policy gradual, or --policy cost",
    )))
}

fn near_chance(given: Option<&Accuracy>) -> Diagnostic {
    Diagnostic::new(
        "retrain/chance",
        format!("the model as given is right about {} of the test images", percent(given)),
        "that is less than twice what guessing gives: its pixels are likely prepared in another way",
        "say how with --scale, --mean and --std, or give the data that it was trained on",
    )
}

/// The share of images that are right.
fn share(accuracy: &Accuracy) -> f64 {
    accuracy.all.top1_share().unwrap_or(0.0)
}

fn percent(accuracy: Option<&Accuracy>) -> String {
    match accuracy {
        Some(a) => format!("{} %", eval::percent(Some(share(a)))),
        None => "not measured".into(),
    }
}

/// Accuracy on the test images, before and after.
fn top1(given: Option<&Accuracy>, after: Option<&Accuracy>) -> String {
    match (given, after) {
        (Some(given), Some(_)) => format!(
            "top-1 on {} test images {} as given, {} retrained",
            given.all.images,
            percent(Some(given)),
            percent(after)
        ),
        _ => "no test images".into(),
    }
}

/// What the user should know of a training.
fn remark(what: &str, trained: &Trained, given: Option<&Accuracy>, after: Option<&Accuracy>) -> Diagnostic {
    let Trained { epoch, validation, given: before, history, .. } = trained;
    let all = history.rows().len();
    let why = format!(
        "validation {:.2} % before, {:.2} % after epoch {epoch} of {all}, the best",
        100.0 * before,
        100.0 * validation
    );
    let test = top1(given, after);
    let notes: Vec<String> = history.rows().iter().flat_map(|row| row.notes.clone()).collect();
    Diagnostic::new("retrain/accuracy", format!("retrained {what}: {test}"), why, notes.join("; "))
}

/// The step of training of a network in normal form as ONNX, and the parameters that were trained.
pub(super) fn step(
    flags: &Retrain,
    network: &Network,
    made: Option<&Retrained>,
) -> Result<Vec<OutFile>, Failure> {
    let terms = Terms::of(&flags.loss.unwrap_or_default());
    let student = match flags.learn_scales {
        true => Student::learning_scales(network, &[])?,
        false => Student::new(network, &[])?,
    };
    let step = Step::new(&student, flags.batch as usize, &terms)?;
    let mut files = vec![OutFile { name: "step.onnx".into(), bytes: onnx::export::export(&step.network)? }];
    if let Some(made) = made {
        let parameters = step.network.inputs().iter().filter_map(|port| {
            let numbers = student.used(&port.name, made.state.parameters.get(&port.name)?);
            Some((port.name.clone(), Tensor::f32(step.network.ty(port.node.into()).shape.clone(), numbers)?))
        });
        let parameters: Vec<(String, Tensor)> = parameters.collect();
        files.push(OutFile { name: "step.npz".into(), bytes: arrays::npz_bytes(&parameters)? });
    }
    Ok(files)
}
