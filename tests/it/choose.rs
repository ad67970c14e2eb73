//! Choices among rewrites: never dearer than the best single rewrite of all skips, and how often the cheapest of all
//! combinations is missed.

use std::cell::RefCell;

use nonresc_ir::network::Network;
use nonresc_passes::choose::choose;
use nonresc_passes::design::{Design, NetworkDesign, Options};
use nonresc_passes::manager::{self, Checks};
use nonresc_passes::plan::{Plan, Request, Rewrite, Wanted, fits};
use nonresc_passes::table;
use nonresc_passes::target::Rate;
use nonresc_passes::trial;
use nonresc_tests::corpus::normal_networks;
use nonresc_tests::random;
use nonresc_tests::target::unlimited;

const KEEPING: [Rewrite; 5] = [Rewrite::Keep, Rewrite::Tap, Rewrite::Share, Rewrite::Fuse, Rewrite::Exact];

struct Case {
    analysed: NetworkDesign,
    options: Options,
}

impl Case {
    /// A network with its skips known, for as many cycles a frame as every rewrite of all skips gets by with.
    fn new(network: &Network) -> Case {
        let mut cycles = 4_000;
        loop {
            let target = unlimited(Rate::Cycles(cycles));
            let options = Options::of(target);
            let planning = table::up_to("residual").unwrap();
            let design = Design::Network(NetworkDesign::new(network.clone()));
            let finished =
                manager::run(design, planning, &options, &Checks::default(), &mut |_, _| {}).unwrap();
            let case = Case { analysed: finished.design.source().clone(), options };
            let all = KEEPING.map(|rewrite| case.worth(&Request::All(Wanted::This(rewrite))));
            if all.iter().all(Option::is_some) || cycles > 1 << 30 {
                return case;
            }
            cycles *= 4;
        }
    }

    /// What a design takes, in LUTs.
    fn worth(&self, request: &Request) -> Option<f64> {
        let options = Options { skips: request.clone(), ..self.options.clone() };
        let design = trial::planned(&self.analysed, &options, &Checks::default()).ok()?;
        Some(design.binding?.worth())
    }

    fn auto(&self) -> f64 {
        let options = Options { skips: Request::All(Wanted::Auto), ..self.options.clone() };
        let chosen = choose(&self.analysed, &options).unwrap();
        assert!(!chosen.leaves_a_choice());
        self.worth(&chosen).unwrap()
    }

    fn best_single(&self) -> f64 {
        let all = KEEPING.iter().filter_map(|&rewrite| self.worth(&Request::All(Wanted::This(rewrite))));
        all.min_by(f64::total_cmp).unwrap()
    }

    /// The least of all combinations of what fits each skip by itself.
    fn best_of_all(&self) -> f64 {
        let keep = Request::KEEP.resolve(&self.analysed.network, &self.analysed.skips).unwrap();
        let mut plans: Vec<Plan> = vec![keep];
        for (i, skip) in self.analysed.skips.iter().enumerate() {
            let fitting =
                KEEPING.into_iter().filter(|&rewrite| fits(&self.analysed.network, skip, rewrite).is_ok());
            let fitting: Vec<Rewrite> = fitting.collect();
            plans = plans
                .into_iter()
                .flat_map(|plan| {
                    fitting.iter().map(move |&rewrite| {
                        let mut plan = plan.clone();
                        plan.skips[i].rewrite = rewrite;
                        plan
                    })
                })
                .collect();
        }
        let all = plans.into_iter().filter_map(|plan| self.worth(&Request::from(plan)));
        all.min_by(f64::total_cmp).unwrap()
    }
}

#[test]
fn auto_is_never_dearer_than_one_rewrite_for_all() {
    let misses = RefCell::new((0, 0, 0.0f64));
    for seed in 0..50 {
        random::for_each(seed..seed + 1, |network| {
            let case = Case::new(network);
            let (auto, single) = (case.auto(), case.best_single());
            if auto > single {
                return Err(format!("auto {auto}, one for all {single}"));
            }
            if (1..=4).contains(&case.analysed.skips.len()) {
                let best = case.best_of_all();
                if auto < best {
                    return Err(format!("auto {auto}, the best of all {best}"));
                }
                let mut misses = misses.borrow_mut();
                misses.0 += 1;
                misses.1 += usize::from(auto > best);
                misses.2 = misses.2.max(auto / best - 1.0);
            }
            Ok(())
        });
    }
    let (tried, missed, worst) = misses.into_inner();
    println!(
        "{tried} networks with up to four skips: {missed} missed the best, by {:.1} % at most",
        worst * 100.0
    );
    assert!(tried >= 20 && missed * 4 <= tried, "{missed} of {tried}");
}

#[test]
fn corpus_auto_on_trained_networks() {
    let networks = normal_networks();
    for name in ["resnet8_ts13_fold", "resnet20_ts13_fold"] {
        let case = Case::new(&networks[name]);
        let (auto, single) = (case.auto(), case.best_single());
        println!("{name}: auto {auto:.0}, one for all {single:.0}");
        assert!(auto <= single, "{name}: auto {auto}, one for all {single}");
    }
}
