//! `--verbose`: what each step did, in words and counts, on standard error as it goes.
//!
//! Counts are those of the design; the time is for the reader alone.

use std::collections::BTreeMap;
use std::time::Instant;

use nonresc_ir::network::{Network, Op};
use nonresc_passes::design::{Design, NetworkDesign, StreamDesign};
use nonresc_passes::numerals::{grouped, kbit};
use nonresc_passes::pass::{Pass, Property};

use crate::exit;

/// Tells of steps, each with the time since the one before.
pub(super) struct Steps {
    since: Instant,
    operators: usize,
}

impl Steps {
    /// From now on.
    pub(super) fn new() -> Steps {
        Steps { since: Instant::now(), operators: 0 }
    }

    /// Tells that a step is done, and what it did; `words` are made only where somebody wants them.
    pub(super) fn done(&mut self, step: &str, words: impl FnOnce() -> String) {
        if exit::is_verbose() {
            let (took, words) = (self.since.elapsed().as_secs_f64() * 1e3, words());
            exit::tell(format!("{step:<10} {took:>9.2} ms  {words}\n"));
        }
        self.since = Instant::now();
    }

    /// Tells that a network was read.
    pub(super) fn read(&mut self, network: &Network) {
        let operators = operators(network);
        self.operators = operators;
        let (inputs, outputs) = (network.inputs().len(), network.outputs().len());
        let words = || {
            let size: usize =
                network.node_ids().filter_map(|id| network.constant(id.into())).map(|t| t.len()).sum();
            format!(
                "{}, {} and {}; {} constant numbers",
                many(operators, "operator"),
                many(inputs, "input"),
                many(outputs, "output"),
                grouped(size as u64)
            )
        };
        self.done("read", words);
    }

    /// Tells what a pass did.
    pub(super) fn pass(&mut self, pass: &Pass, design: &Design) {
        let before = self.operators;
        self.operators = operators(&design.source().network);
        let after = self.operators;
        self.done(pass.name, || {
            let mut words = match design {
                Design::Network(design) => of_network(pass, design),
                Design::Stream(design) => of_stream(pass, design),
            };
            if before != after {
                words.push(format!("{before} operators became {after}"));
            }
            match words.is_empty() {
                true => "nothing to do".into(),
                false => words.join("; "),
            }
        });
    }
}

fn operators(network: &Network) -> usize {
    network.node_ids().filter(|&id| !matches!(network.op(id), Op::Const(_) | Op::Input(_))).count()
}

fn many(n: usize, what: &str) -> String {
    format!("{} {what}{}", grouped(n as u64), if n == 1 { "" } else { "s" })
}

/// How many there are of each: `2 identity, 1 projection`.
fn counted(names: impl Iterator<Item = String>) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts.iter().map(|(name, n)| format!("{n} {name}")).collect::<Vec<_>>().join(", ")
}

fn of_network(pass: &Pass, design: &NetworkDesign) -> Vec<String> {
    let mut words = Vec::new();
    for gives in pass.gives {
        match gives {
            Property::NormalForm if !design.applied.is_empty() => {
                let rules = counted(design.applied.iter().map(|applied| applied.rule.to_owned()));
                words.push(format!("{} applied: {rules}", many(design.applied.len(), "rule")));
            }
            Property::SkipsKnown => {
                let shapes = counted(design.skips.iter().map(|skip| skip.shape.to_string()));
                words.push(format!("{}{}", many(design.skips.len(), "skip"), after_colon(&shapes)));
            }
            Property::Planned => {
                let plan = design.planned.iter().flat_map(|planned| &planned.plan.skips);
                let rewrites = counted(plan.map(|entry| entry.rewrite.name().to_owned()));
                words.push(format!(
                    "rewrites of skips: {}",
                    if rewrites.is_empty() { "none" } else { &rewrites }
                ));
            }
            _ => {}
        }
    }
    words
}

fn after_colon(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

fn of_stream(pass: &Pass, design: &StreamDesign) -> Vec<String> {
    pass.gives.iter().filter_map(|&gives| fact(gives, design)).collect()
}

fn fact(gives: Property, design: &StreamDesign) -> Option<String> {
    let stream = &design.stream;
    Some(match gives {
        Property::Streaming => {
            format!(
                "{}, {}",
                many(stream.actors().count(), "actor"),
                many(stream.channels().count(), "channel")
            )
        }
        Property::Widths => {
            let bits = || stream.channels().map(|id| stream.channel(id).bits);
            format!("channels of {} to {} bits", bits().min()?, bits().max()?)
        }
        Property::Folded => {
            let folding = design.folding.as_ref()?;
            format!(
                "{} cycles a frame, bound by {}; {} DSP blocks",
                grouped(folding.interval),
                stream.actor(folding.bottleneck).names,
                grouped(folding.dsps)
            )
        }
        Property::Sized => {
            let depths = &design.sizing.as_ref()?.channels;
            let words: u64 = depths.iter().map(|depth| depth.words).sum();
            let proven = depths.iter().filter(|depth| depth.evidence.proven()).count();
            format!(
                "{} words in {}, {proven} of them proven the least",
                grouped(words),
                many(depths.len(), "channel")
            )
        }
        Property::Bound => {
            let binding = design.binding.as_ref()?;
            let (n, kinds) = (
                binding.memories.len(),
                counted(binding.memories.iter().map(|bound| bound.made_of.primitive.to_string())),
            );
            let bits = binding.bits;
            format!(
                "{n} memories: {kinds}; FIFOs {} kbit, line buffers {} kbit",
                kbit(bits.fifo),
                kbit(bits.line_buffer)
            )
        }
        _ => return None,
    })
}
