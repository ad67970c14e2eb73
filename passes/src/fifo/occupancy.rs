//! How many words channels hold over the first frame.

use super::KEPT_EVENTS;
use super::forward::Forward;
use super::timed::{RELEASE, Timed, TimedChannel, TimedReader};
use crate::design::StreamDesign;
use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::stream::Stream;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

/// Most words held in each of equal stretches of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// Clocks from reset to the end of the last stretch: the first frame's last beat has just left.
    pub clocks: u64,
    /// For each channel, in the order of ids, the most words that it holds in each stretch.
    pub most: Vec<Vec<u64>>,
}

/// How full the channels of a sized design are from reset until the first frame has left.
///
/// Nothing where the design is not sized, or where that would be more than a few million events.
pub fn occupancy(design: &StreamDesign, stretches: u64) -> Option<Occupancy> {
    let (sizing, laid_out) = (design.sizing.as_ref()?, design.laid_out.as_ref()?);
    let depths: Vec<u64> = sizing.channels.iter().map(|depth| depth.words).collect();
    over_time(&laid_out.timed, &depths, Span { clocks: sizing.timing.last_output() + 1, stretches })
}

/// How full the channels of a stream are in its first clocks, its pins never waiting, so that later frames are in it
/// too. Clock `t` lies in stretch `t * stretches / clocks`.
///
/// Nothing where the stream hangs, or where that would be more than a few million events.
///
/// # Errors
/// A channel without a depth.
pub fn occupancy_of(stream: &Stream, clocks: u64, stretches: u64) -> Result<Option<Occupancy>, Diagnostics> {
    let timed = Timed::new(stream);
    let depths = super::depths(stream, &timed)?;
    Ok(over_time(&timed, &depths, Span { clocks, stretches }))
}

fn over_time(timed: &Timed, depths: &[u64], span: Span) -> Option<Occupancy> {
    let events = timed.events.len() as u64;
    let mut forward = Forward::from_reset(timed, depths, usize::MAX);
    let mut frames = 0;
    // Until a frame begins behind the end.
    while frames == 0 || forward.starts(0).iter().any(|&at| at < span.clocks as i64) {
        frames += 1;
        if events * frames > KEPT_EVENTS as u64 {
            return None;
        }
        forward.run_frame().ok()?;
    }
    let of = |channel: &TimedChannel| most(channel, &forward, span);
    Some(Occupancy { clocks: span.clocks, most: timed.channels.par_iter().map(of).collect() })
}

#[derive(Clone, Copy)]
struct Span {
    clocks: u64,
    stretches: u64,
}

impl Span {
    fn stretch(self, clock: u64) -> usize {
        (u128::from(clock) * u128::from(self.stretches) / u128::from(self.clocks)) as usize
    }
}

/// A place is held as long as one of the readers has not freed it.
fn most(channel: &TimedChannel, forward: &Forward<'_>, span: Span) -> Vec<u64> {
    let frames = || (0..forward.kept()).rev().map(|back| forward.starts(back));
    let given: Vec<i64> =
        frames().flat_map(|starts| channel.given_by.iter().map(move |&by| starts[by as usize])).collect();
    let mut most = vec![0; span.stretches as usize];
    for reader in &channel.readers {
        let freed = frames().flat_map(|starts| freed(reader, starts)).collect::<Vec<i64>>();
        raise(&mut most, &given, &freed, i64::from(reader.head), span);
    }
    most
}

/// When places are free again that the events of one frame free, in order: those that are freed in the frame before
/// their own are the last.
fn freed<'a>(reader: &'a TimedReader, starts: &'a [i64]) -> impl Iterator<Item = i64> + 'a {
    let (head, places) = (reader.head as usize, reader.freed_by.len());
    let place =
        move |p: usize| starts[reader.freed_by[p] as usize] + i64::from(reader.freed_after[p]) + RELEASE;
    (head..places).chain(0..head).map(place)
}

/// Raises `most` to the words that are held between these clocks, `ahead` places being free before they are given.
fn raise(most: &mut [u64], given: &[i64], freed: &[i64], ahead: i64, span: Span) {
    let (mut gives, mut frees) = (given.iter().peekable(), freed.iter().peekable());
    let (mut held, mut since) = (-ahead, 0i64);
    let end = span.clocks as i64;
    while since < end {
        let next = match (gives.peek(), frees.peek()) {
            (Some(&&give), Some(&&free)) => give.min(free),
            (Some(&&at), None) | (None, Some(&&at)) => at,
            (None, None) => end,
        };
        let next = next.min(end);
        if next > since && held > 0 {
            let (first, last) = (span.stretch(since as u64), span.stretch(next as u64 - 1));
            most[first..=last].iter_mut().for_each(|most| *most = (*most).max(held as u64));
        }
        since = since.max(next);
        while frees.next_if(|at| **at <= since).is_some() {
            held -= 1;
        }
        while gives.next_if(|at| **at <= since).is_some() {
            held += 1;
        }
    }
}
