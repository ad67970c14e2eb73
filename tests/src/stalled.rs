//! Start times of a generated design under stalls, by the plain recurrence of the timing contract.

use nonresc_backends::rtl::Observed;
use nonresc_ir::id::ActorId;
use nonresc_ir::stream::{Kind, PhaseList, Stream, phases, stages};

use crate::reference::start_times::{Actor, Channel, Phase, Pin, Take, start_times};

/// A list phase by phase, with `inputs` and `outputs` ports.
pub(crate) fn expanded(list: &PhaseList, inputs: usize, outputs: usize) -> Vec<Phase> {
    let idle = Phase { takes: vec![Take::default(); inputs], gives: vec![false; outputs] };
    let mut all = Vec::new();
    for phase in list.iter() {
        all.extend(std::iter::repeat_n(idle.clone(), phase.idle as usize));
        let mut whole = idle.clone();
        for take in &phase.takes {
            whole.takes[usize::from(take.input)] = Take { need: take.need.into(), free: take.free.into() };
        }
        for (output, gives) in whole.gives.iter_mut().enumerate() {
            *gives = phase.gives >> output & 1 == 1;
        }
        all.push(whole);
    }
    all.extend(std::iter::repeat_n(idle, list.tail() as usize));
    all
}

/// The first phase of an actor that starts at another time than the recurrence says, in words, and how many were
/// compared. One source and one sink; their pins have two and four places.
///
/// # Panics
/// With several sources or sinks.
pub fn differs(stream: &Stream, frames: usize, seen: &Observed) -> (usize, Option<String>) {
    let ids: Vec<ActorId> = stream.actors().collect();
    let n = ids.len();
    let one = Take { need: 1, free: 1 };
    let (mut actors, mut source, mut sink) = (Vec::new(), Vec::new(), Vec::new());
    for (i, &id) in ids.iter().enumerate() {
        let (kind, list) = (&stream.actor(id).kind, phases(stream, id));
        let (inputs, outputs) = (usize::from(kind.inputs()).max(1), usize::from(kind.outputs()).max(1));
        let mut phases = expanded(&list, inputs, outputs);
        match kind {
            Kind::Source(_) => {
                source.push(i);
                phases.iter_mut().filter(|phase| phase.gives[0]).for_each(|phase| phase.takes[0] = one);
            }
            Kind::Sink(_) => {
                sink.push(i);
                phases.iter_mut().filter(|phase| phase.takes[0].need > 0).for_each(|p| p.gives[0] = true);
            }
            _ => {}
        }
        let preset = |input| {
            let preset = list.preset(input);
            (preset.unread_tail, preset.unread_head)
        };
        let preset = (0..inputs as u16).map(preset).collect();
        // No phase starts before the source's first one can.
        actors.push(Actor { phases, preset, pin: Pin::Taker(vec![false]) });
    }
    let (&[source], &[sink]) = (&source[..], &sink[..]) else { panic!("one pin in and one out") };
    let mut channels: Vec<Channel> = stream
        .channels()
        .map(|id| {
            let channel = stream.channel(id);
            Channel {
                writer: (channel.writer.index(), channel.output.into()),
                readers: channel.readers.iter().map(|r| (r.actor.index(), r.input.into())).collect(),
                stages: stages(stream, channel.writer, channel.output).into(),
                depth: channel.depth.unwrap(),
            }
        })
        .collect();
    let from = seen.clock as usize;
    let pattern = &seen.pattern;
    let mut willing: Vec<bool> = pattern.iter().skip(from).map(|p| p.0).collect();
    if let Some(first) = willing.first_mut() {
        // What was offered before stays so.
        *first = pattern[..=from].iter().any(|p| p.0);
    }
    let ready = pattern.iter().skip(from).map(|p| p.1).collect();
    let beats = (actors[source].phases.iter().filter(|p| p.gives[0]).count() * frames) as u64;
    let give = Phase { takes: vec![], gives: vec![true] };
    actors.push(Actor { phases: vec![give], preset: vec![], pin: Pin::Feeder(willing, beats) });
    let take = Phase { takes: vec![one], gives: vec![] };
    actors.push(Actor { phases: vec![take], preset: vec![(0, 0)], pin: Pin::Taker(ready) });
    channels.push(Channel { writer: (n, 0), readers: vec![(source, 0)], stages: 0, depth: 2 });
    channels.push(Channel { writer: (sink, 0), readers: vec![(n + 1, 0)], stages: 1, depth: 4 });

    let longest = actors.iter().map(|a| a.phases.len()).max().unwrap() * (frames + 1);
    let limit: Vec<usize> = actors[..n].iter().map(|a| a.phases.len() * (frames + 1)).collect();
    let wanted = start_times(&actors, &channels, &|a| limit.get(a).copied().unwrap_or(longest));
    let mut compared = 0;
    for (i, &id) in ids.iter().enumerate() {
        for (k, (&got, &want)) in seen.starts[i].iter().zip(&wanted[i]).enumerate() {
            compared += 1;
            if got != want + seen.clock {
                let names = &stream.actor(id).names;
                let got = got as i64 - seen.clock as i64;
                return (compared, Some(format!("\"{names}\": phase {k} starts in {got} and not in {want}")));
            }
        }
    }
    (compared, None)
}
