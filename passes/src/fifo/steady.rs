//! What a stream with given depths does from reset on: its interval, its latency, how full its channels get.

use super::forward::{Forward, Hang, reach};
use super::timed::{RELEASE, Timed, TimedActor, TimedChannel};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

/// Longest period in frames that is looked for; rates that are no whole number of clocks have such.
const LONGEST_PERIOD: usize = 16;

/// Events beyond which only a period of one frame is looked for, to save memory, and only one frame is run to see how
/// full channels get.
pub(super) const LARGE: usize = 1_000_000;

/// What the recurrence finds.
#[derive(Clone, Debug)]
pub(super) struct Steady {
    /// Once the growth is the same everywhere: clocks, and in how many frames.
    pub(super) growth: Option<(u64, u64)>,
    /// Frames that were run.
    pub(super) run: u64,
    /// Start of the first and of the last phase with beats of each actor in the first frame.
    pub(super) first_frame: Vec<(i64, i64)>,
    /// Most places of each channel held at once, in all frames run.
    pub(super) peak: Vec<u64>,
}

/// Runs a stream until its growth is the same everywhere, over as many frames as the recurrence looks back: what
/// follows then repeats for ever, since the state is a shift of an earlier one. Gives up after `most_frames`: deep
/// channels in front of a slow actor take thousands to fill.
/// Where `find_peaks` is not set, depths stand for peaks.
pub(super) fn steady(
    timed: &Timed,
    depth: &[u64],
    most_frames: u64,
    find_peaks: bool,
) -> Result<Steady, Hang> {
    let span = reach(timed, depth) as usize;
    let longest = if timed.events.len() > LARGE { 1 } else { LONGEST_PERIOD };
    let mut forward = Forward::from_reset(timed, depth, (span + longest).min(most_frames as usize));
    let mut peak = if find_peaks { vec![0; timed.channels.len()] } else { depth.to_vec() };
    let mut first_frame = Vec::new();
    for frame in 0..most_frames {
        forward.run_frame()?;
        if find_peaks {
            peaks(timed, &forward, frame, span, &mut peak);
        }
        if frame == 0 {
            let starts = forward.starts(0);
            let of = |a: &TimedActor| {
                (starts[a.first as usize], starts[a.end as usize - 1] + i64::from(a.last_after))
            };
            first_frame = timed.actors.iter().map(of).collect();
        }
        for period in 1..=longest {
            if let Some(clocks) = growth(&forward, period, span) {
                let growth = Some((clocks as u64, period as u64));
                return Ok(Steady { growth, run: frame + 1, first_frame, peak });
            }
        }
    }
    Ok(Steady { growth: None, run: most_frames, first_frame, peak })
}

/// The growth over `period` frames, where it is the same for every event of the last `span` frames.
fn growth(forward: &Forward<'_>, period: usize, span: usize) -> Option<i64> {
    if forward.kept() < period + span {
        return None;
    }
    let growth = forward.starts(0).first()? - forward.starts(period).first()?;
    let same = |back: usize| {
        let (now, before) = (forward.starts(back), forward.starts(back + period));
        now.iter().zip(before).all(|(x, y)| x - y == growth)
    };
    (0..span).all(same).then_some(growth)
}

/// Raises `peak` to the most places of each channel that are held as a beat of the newest frame is given.
fn peaks(timed: &Timed, forward: &Forward<'_>, frame: u64, span: usize, peak: &mut [u64]) {
    let frame = frame as i64;
    let of = |c: &TimedChannel| {
        let mut most = 0;
        let beats = i64::from(c.beats);
        for r in &c.readers {
            // When a place is free, its frame counted back from the newest one; those before all frames are free.
            let free_at = |of: i64, place: usize| {
                let of = of - i64::from(place < r.head as usize);
                match of {
                    _ if of + frame < 0 => i64::MIN,
                    ..=0 => {
                        let after = i64::from(r.freed_after[place]);
                        forward.starts(-of as usize)[r.freed_by[place] as usize] + after + RELEASE
                    }
                    _ => i64::MAX,
                }
            };
            // The first place that is not known to be free.
            let (mut of, mut place) = (-(span as i64).min(frame), 0);
            for (beat, &by) in (0..).zip(&c.given_by) {
                let given = forward.starts(0)[by as usize];
                while of * beats + place as i64 <= beat && free_at(of, place) <= given {
                    place += 1;
                    if place == c.beats as usize {
                        (of, place) = (of + 1, 0);
                    }
                }
                most = most.max((beat + 1 - (of * beats + place as i64)) as u64);
            }
        }
        most
    };
    let now: Vec<u64> = timed.channels.par_iter().map(of).collect();
    peak.iter_mut().zip(now).for_each(|(peak, now)| *peak = (*peak).max(now));
}
