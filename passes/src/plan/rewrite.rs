//! The rewrites of a skip, their words, and what may be wanted of a skip before costs are known.

use std::fmt;

/// What is done to a skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rewrite {
    /// It stays: a FIFO from fork to join. The function stays.
    Keep,
    /// Its data come from a convolution beside it, which gives the pixels that it drops. The function stays.
    Tap,
    /// It and a convolution beside it are two readers of one memory. The function stays.
    Share,
    /// Its projection is computed beside a convolution, from the window that this one holds. The function stays.
    Fuse,
    /// It is carried through widened convolutions by rows that hand a number on. The function stays.
    Exact,
    /// It becomes several that span one convolution each, summed in front of the activations. The function changes.
    Shorten,
    /// The same, summed behind the activations. The function changes.
    ShortenBehind,
    /// It goes, with everything that serves it alone. The function changes.
    Remove,
}

impl Rewrite {
    /// All of them.
    pub const ALL: [Rewrite; 8] = [
        Rewrite::Keep,
        Rewrite::Tap,
        Rewrite::Share,
        Rewrite::Fuse,
        Rewrite::Exact,
        Rewrite::Shorten,
        Rewrite::ShortenBehind,
        Rewrite::Remove,
    ];

    /// As `--skips` and `plan.json` write it.
    pub fn name(self) -> &'static str {
        match self {
            Rewrite::Keep => "keep",
            Rewrite::Tap => "tap",
            Rewrite::Share => "share",
            Rewrite::Fuse => "fuse",
            Rewrite::Exact => "exact",
            Rewrite::Shorten => "shorten",
            Rewrite::ShortenBehind => "shorten-behind",
            Rewrite::Remove => "remove",
        }
    }

    /// Whether a convolution beside the skip serves it; the network then stays as it is.
    pub fn is_served(self) -> bool {
        matches!(self, Rewrite::Tap | Rewrite::Share | Rewrite::Fuse)
    }

    /// Whether the network computes the same afterwards.
    pub fn keeps_function(self) -> bool {
        !matches!(self, Rewrite::Shorten | Rewrite::ShortenBehind | Rewrite::Remove)
    }
}

impl fmt::Display for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is wanted of a skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This rewrite.
    This(Rewrite),
    /// The cheaper of a tap and a share.
    Reuse,
    /// The cheapest rewrite that keeps the function.
    Auto,
}

impl Wanted {
    /// The words of all, in the order of the help text.
    pub const WORDS: [&str; 10] =
        ["keep", "reuse", "tap", "share", "fuse", "exact", "shorten", "shorten-behind", "remove", "auto"];

    /// What `word` asks for.
    pub fn parse(word: &str) -> Option<Wanted> {
        match word {
            "reuse" => Some(Wanted::Reuse),
            "auto" => Some(Wanted::Auto),
            _ => Rewrite::ALL.into_iter().find(|rewrite| rewrite.name() == word).map(Wanted::This),
        }
    }

    /// The rewrites among which there is a choice; where nothing is known of costs, the first that fits is taken.
    pub fn candidates(&self) -> &[Rewrite] {
        match self {
            Wanted::This(rewrite) => std::slice::from_ref(rewrite),
            Wanted::Reuse => &[Rewrite::Tap, Rewrite::Share],
            Wanted::Auto => &[Rewrite::Keep, Rewrite::Tap, Rewrite::Share, Rewrite::Fuse, Rewrite::Exact],
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::This(rewrite) => rewrite.fmt(f),
            Wanted::Reuse => f.pad("reuse"),
            Wanted::Auto => f.pad("auto"),
        }
    }
}
