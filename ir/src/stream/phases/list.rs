//! Phase lists: what an actor does in each clock of a frame, with repeated rows stored once.

/// What a phase reads from one input: how far the two cumulative counts rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Take {
    /// Which of the actor's inputs.
    pub input: u16,
    /// Beats by which `need` rises.
    pub need: u32,
    /// Places by which `free` rises.
    pub free: u32,
}

/// A phase with beats, and the idle phases before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Phase {
    /// Phases without any beat before this one.
    pub idle: u32,
    /// What is read; at most one entry an input.
    pub takes: Vec<Take>,
    /// Bit `i` is set where a beat is given on output `i`.
    pub gives: u32,
}

impl Phase {
    /// A phase that gives on one output.
    pub fn give(output: u16) -> Self {
        Phase { idle: 0, takes: Vec::new(), gives: 1 << output }
    }
}

/// What an input's two counts hold before the first frame.
///
/// Both counts rise by the frame's beats in every frame. Beats at a frame's end that no phase reads are never
/// waited for: the first phase of the *next* frame counts them into its `need`, so the count starts at
/// `-unread_tail`. Beats at a frame's start that no phase reads are released by the last read of the frame
/// *before*, so that count starts at `+unread_head`. In frame `f`, phase `k` of a channel of `n` beats:
///
/// ```text
/// beats that must be visible = f n + need_0 + .. + need_k - unread_tail
/// beats that are released    = f n + free_0 + .. + free_k + unread_head
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Preset {
    /// Beats behind the frame's last read.
    pub unread_tail: u64,
    /// Beats before the frame's first read.
    pub unread_head: u64,
}

/// One frame of an actor: rows of phases, each row a pattern that is stored once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhaseList {
    /// The distinct rows.
    patterns: Vec<Vec<Phase>>,
    /// Which pattern is run how often, in order.
    rows: Vec<(u32, u32)>,
    /// Idle phases after the last phase with beats.
    tail: u32,
    /// What input 0 starts with; other inputs read every beat.
    preset: Preset,
}

impl PhaseList {
    /// A list from phases one by one; runs of idle phases at the end are the `tail`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The pattern that is equal to `row`, added where there is none.
    pub(super) fn pattern(&mut self, row: Vec<Phase>) -> u32 {
        let known = self.patterns.iter().position(|p| *p == row).unwrap_or(self.patterns.len());
        if known == self.patterns.len() {
            self.patterns.push(row);
        }
        known as u32
    }

    /// Appends a pattern that is known, `repeat` times.
    pub(super) fn push_pattern(&mut self, pattern: u32, repeat: u32) {
        match self.rows.last_mut() {
            Some((last, times)) if *last == pattern => *times += repeat,
            _ => self.rows.push((pattern, repeat)),
        }
    }

    /// Sets the idle phases after the last phase with beats.
    pub fn set_tail(&mut self, tail: u32) {
        self.tail = tail;
    }

    /// What the counts of an input hold before the first frame.
    pub fn preset(&self, input: u16) -> Preset {
        if input == 0 { self.preset } else { Preset::default() }
    }

    pub(super) fn set_preset(&mut self, preset: Preset) {
        self.preset = preset;
    }

    /// The distinct rows.
    pub fn patterns(&self) -> &[Vec<Phase>] {
        &self.patterns
    }

    /// Which pattern is run how often, in order.
    pub fn rows(&self) -> &[(u32, u32)] {
        &self.rows
    }

    /// Idle phases after the last phase with beats.
    pub fn tail(&self) -> u32 {
        self.tail
    }

    /// The phases with beats of one frame, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Phase> {
        self.rows.iter().flat_map(move |&(p, n)| (0..n).flat_map(move |_| self.patterns[p as usize].iter()))
    }

    /// All phases of a frame, idle ones included: the clocks that a frame takes at the least.
    pub fn len(&self) -> u64 {
        let row = |p: u32| self.patterns[p as usize].iter().map(|p| u64::from(p.idle) + 1).sum::<u64>();
        self.rows.iter().map(|&(p, n)| row(p) * u64::from(n)).sum::<u64>() + u64::from(self.tail)
    }

    /// Whether nothing ever happens.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of phases with beats in a frame.
    pub fn events(&self) -> u64 {
        self.rows.iter().map(|&(p, n)| self.patterns[p as usize].len() as u64 * u64::from(n)).sum()
    }

    /// `(need, free)` of an input over a whole frame.
    pub fn taken(&self, input: u16) -> (u64, u64) {
        let of_row = |row: &[Phase]| {
            let takes = row.iter().flat_map(|p| &p.takes).filter(|t| t.input == input);
            takes.fold((0, 0), |(need, free), t| (need + u64::from(t.need), free + u64::from(t.free)))
        };
        let rows: Vec<(u64, u64)> = self.patterns.iter().map(|row| of_row(row)).collect();
        self.rows.iter().fold((0, 0), |(need, free), &(p, n)| {
            let row = rows[p as usize];
            (need + row.0 * u64::from(n), free + row.1 * u64::from(n))
        })
    }

    /// Beats given on an output over a whole frame.
    pub fn given(&self, output: u16) -> u64 {
        let of_row = |row: &[Phase]| row.iter().filter(|p| p.gives >> output & 1 == 1).count() as u64;
        let rows: Vec<u64> = self.patterns.iter().map(|row| of_row(row)).collect();
        self.rows.iter().map(|&(p, n)| rows[p as usize] * u64::from(n)).sum()
    }

    /// The least depth of the channel at `input` with which this reader cannot hang:
    /// the largest `need` of a phase less what the phases before it have freed.
    pub fn least_depth(&self, input: u16) -> u64 {
        let preset = self.preset(input);
        let (mut need, mut free, mut least) = (0u64, preset.unread_head + preset.unread_tail, 1u64);
        for take in self.iter().flat_map(|p| &p.takes).filter(|t| t.input == input) {
            need += u64::from(take.need);
            if take.need > 0 {
                least = least.max(need.saturating_sub(free));
            }
            free += u64::from(take.free);
        }
        least
    }
}
