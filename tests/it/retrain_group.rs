//! Training in several processes, which are threads here: any number of them gives the bytes of one, and all stop, fail
//! and end together.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};
use nonresc_passes::distill::claim::Claim;
use nonresc_passes::distill::group::{End, Exchange, Group};
use nonresc_passes::distill::rank::rank;
use nonresc_passes::distill::recipe::Recipe;
use nonresc_passes::distill::removals::Policy;
use nonresc_passes::distill::stage::Goal;
use nonresc_passes::distill::trainer::{Progress, Task, Trained, train};
use nonresc_passes::engine::Engine;

use crate::program::names;
use crate::retrain::{Digits, digits, recipe};

/// Where threads meet to exchange numbers.
#[derive(Debug)]
struct Meeting {
    given: Vec<Mutex<Vec<f32>>>,
    met: Barrier,
}

#[derive(Debug)]
struct Member {
    rank: usize,
    meeting: Arc<Meeting>,
}

impl Exchange for Member {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.meeting.given.len()
    }

    fn gather(&self, mine: &[f32]) -> Result<Vec<Vec<f32>>, Diagnostic> {
        let Meeting { given, met } = &*self.meeting;
        *given[self.rank].lock().unwrap() = mine.to_vec();
        met.wait();
        let all = given.iter().map(|numbers| numbers.lock().unwrap().clone()).collect();
        met.wait();
        Ok(all)
    }
}

/// What each of so many processes makes. The work must not panic, or the others wait for ever.
fn together<T: Send>(size: usize, work: impl Fn(&Group) -> T + Sync) -> Vec<T> {
    let given = (0..size).map(|_| Mutex::default()).collect();
    let meeting = Arc::new(Meeting { given, met: Barrier::new(size) });
    let process = |rank| work(&Group::new(Box::new(Member { rank, meeting: Arc::clone(&meeting) })));
    thread::scope(|scope| {
        let threads: Vec<_> = (0..size).map(|rank| scope.spawn(move || process(rank))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// A training of the digits network without its skips: asked to stop in `stop`, a rank and a step of it.
#[derive(Clone)]
struct Case<'a> {
    digits: &'a Digits,
    recipe: Recipe,
    checkpoint: Option<PathBuf>,
    resume: bool,
    stop: Option<(usize, usize)>,
}

impl<'a> Case<'a> {
    fn new(digits: &'a Digits, recipe: Recipe) -> Self {
        Case { digits, recipe, checkpoint: None, resume: false, stop: None }
    }

    fn keeping(self, checkpoint: &Path) -> Self {
        Case { checkpoint: Some(checkpoint.to_owned()), ..self }
    }

    fn train(&self, group: &Group) -> Result<Trained, Diagnostics> {
        let Case { digits, recipe, checkpoint, resume, stop } = self;
        let (batches, plan) = (digits.batches(recipe), digits.plan("remove"));
        let goal = Goal { normal: &digits.network, skips: &digits.skips, plan: &plan };
        let order = match recipe.policy {
            Policy::Cost => rank(&goal, &batches, &BTreeMap::new(), group)?,
            _ => Vec::new(),
        };
        let teacher = recipe.teacher.then_some(&digits.network);
        let (engine, checkpoint, resume) = (Engine::Native, checkpoint.clone(), *resume);
        let task =
            Task { goal, teacher, batches: &batches, recipe, engine, order, checkpoint, resume, group };
        let mut steps = 0;
        train(&task, &mut |progress| {
            steps += usize::from(matches!(progress, Progress::Step { .. }));
            match stop {
                Some((rank, step)) if *rank == group.rank() && *step == steps => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })
    }

    /// The same in a whole process: how it ended, and with which faults.
    fn process(&self, group: &Group) -> (End, Vec<&'static str>) {
        let faults: Vec<&str> = match self.train(group) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(|fault| fault.code).collect(),
        };
        (group.leave(u8::from(!faults.is_empty())), faults)
    }
}

/// Five epochs of six steps of three shards.
fn of_three_shards() -> Recipe {
    Recipe { batch: 48, ..recipe("gradual:1".parse().unwrap()) }
}

/// What a training of many terms leaves: its numbers, its history and its checkpoint.
fn left(trained: &Trained, checkpoint: &Path) -> (String, String, Vec<u8>) {
    (format!("{:?}", trained.state), trained.history.to_json(), fs::read(checkpoint).unwrap())
}

#[test]
fn any_number_of_processes_gives_the_bytes_of_one() {
    let digits = digits();
    let losses = "hard=0.6,logits=0.2:fades,soft=0.2,features=0.1".parse().unwrap();
    let recipe = Recipe { losses, teacher: true, epochs: 4, policy: Policy::Cost, ..of_three_shards() };
    let recipe = Recipe { max_drop: Some(0.0), ..recipe };
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let case = Case::new(&digits, recipe).keeping(&state);
    let alone = left(&case.train(&Group::alone()).unwrap(), &state);
    for size in [2, 3] {
        fs::remove_file(&state).unwrap();
        let found = together(size, |group| case.train(group));
        for trained in &found {
            assert!(left(trained.as_ref().unwrap(), &state) == alone, "{size} processes");
        }
        assert_eq!(names(home.path()), ["state"]);
    }
}

#[test]
fn what_one_process_is_asked_all_do() {
    let digits = digits();
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let case = Case::new(&digits, of_three_shards()).keeping(&state);
    let whole = left(&case.train(&Group::alone()).unwrap(), &state);
    fs::remove_file(&state).unwrap();
    // In an epoch, behind its last step, and behind the last step of all.
    for (step, epochs) in [(8, 1), (12, 2), (30, 5)] {
        let cut = Case { stop: Some((1, step)), ..case.clone() };
        for trained in together(3, |group| cut.train(group)) {
            let trained = trained.unwrap();
            assert_eq!((trained.whole, trained.history.rows().len()), (epochs == 5, epochs));
        }
        let resumed = Case { resume: true, ..case.clone() };
        for trained in together(2, |group| resumed.train(group)) {
            assert!(left(&trained.unwrap(), &state) == whole, "{step}");
        }
    }
}

#[test]
fn a_process_that_fails_ends_all() {
    let digits = digits();
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let case = Case::new(&digits, of_three_shards()).keeping(&state);
    // The first cannot write: the others have no fault of their own.
    let claim = Claim::new(&state).unwrap();
    let ended = together(3, |group| case.process(group));
    drop(claim);
    assert_eq!(ended[0], (End { code: 1, tells: true }, vec!["distill/checkpoint"]));
    assert_eq!(ended[1..], vec![(End { code: 1, tells: false }, vec!["distill/group"]); 2]);
    // Another than the first ends, with a code of its own.
    let ended = together(3, |group| match group.rank() {
        2 => (group.leave(130), Vec::new()),
        _ => case.process(group),
    });
    assert_eq!(ended.iter().map(|(end, _)| end.code).collect::<Vec<_>>(), [130; 3]);
    assert_eq!(ended.iter().map(|(end, _)| end.tells).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn what_all_processes_find_wrong_is_told_once() {
    let digits = digits();
    let case = Case::new(&digits, of_three_shards());
    let others = [
        // One trains with another seed.
        (2, Case::new(&digits, Recipe { seed: 1, ..of_three_shards() })),
        // One has nothing to do.
        (4, case.clone()),
    ];
    for (size, other) in others {
        let ended = together(size, |group| if group.is_first() { &case } else { &other }.process(group));
        let tells = |rank: usize| End { code: 1, tells: rank == 0 };
        let wanted: Vec<_> = (0..size).map(|rank| (tells(rank), vec!["distill/group"])).collect();
        assert_eq!(ended, wanted);
    }
}

#[test]
fn parts_are_ranges_of_like_length() {
    assert_eq!(together(3, |group| group.part(7)), [0..2, 2..4, 4..7]);
    assert_eq!(together(3, |group| group.part(2)), [0..0, 0..1, 1..2]);
    assert_eq!(together(2, |group| group.total(group.rank() + 5).unwrap()), [11, 11]);
}
