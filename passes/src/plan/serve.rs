//! Skips that are served by a convolution beside them: where the skip's data branch off, and which convolution reads
//! them too. The network stays as it is; `lower` joins the actors so.
//!
//! - *Tap*: the convolution gives the pixels of one kernel row on a second output. They must be the pixels that the
//!   skip's first operator reads: all of them, or every stride-th where both have the same stride.
//! - *Share*: both read one memory. Whatever they do with it.
//! - *Fuse*: the skip is one convolution of a pixel that lies within the window of the one beside it.

use std::collections::BTreeSet;

use nonresc_ir::id::{NodeId, Value};
use nonresc_ir::network::{Conv, Network, Op, Pair};

use super::Rewrite;
use super::chain::{extent, is_point, other_operand, path, window};
use crate::residual::Skip;

/// From where a skip is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The skip's number.
    pub skip: usize,
    /// How.
    pub how: Serve,
    /// What both read.
    pub source: Value,
    /// The convolution.
    pub conv: NodeId,
    /// The operands by which the skip's data go, from the join up to the operator that reads the source.
    pub path: Vec<(NodeId, u16)>,
}

/// How a convolution serves a skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serve {
    /// By a tap at this kernel row.
    Tap(usize),
    /// By sharing the memory that it reads.
    Share,
    /// By computing the skip's projection.
    Fuse,
}

impl Site {
    /// The skip's operator that reads the source.
    pub fn reader(&self) -> Option<NodeId> {
        self.path.last().map(|&(node, _)| node)
    }

    /// Whether the convolution cannot serve both, having one second output; or one of them is served by what the other
    /// one's source no longer goes to.
    pub(super) fn contradicts(&self, other: &Site) -> bool {
        let second = |site: &Site| site.how != Serve::Share;
        let same_tap = matches!((self.how, other.how), (Serve::Tap(a), Serve::Tap(b)) if a == b);
        let both = other.conv == self.conv && second(self) && second(other) && !same_tap;
        let moved = |a: &Site, b: &Site| a.reader() == Some(b.conv) && (second(a) || second(b));
        both || moved(self, other) || moved(other, self)
    }
}

/// From where `rewrite` (tap, share or fuse) serves a skip; else why it cannot.
pub(super) fn site(network: &Network, skip: &Skip, rewrite: Rewrite) -> Result<Site, String> {
    let path = path(network, skip).ok_or("its branch is no chain of operators")?;
    let (&reader, source) = (path.last().expect("a path ends in the join"), skip.source);
    let beside = beside(network, skip, reader);
    if beside.is_empty() {
        return Err("no convolution beside it reads what it reads".into());
    }
    let mut whys: Vec<String> = Vec::new();
    for &conv in &beside {
        let Op::Conv(a) = network.op(conv) else { continue };
        let how = match rewrite {
            // The sum is merged into it, and what it gave would come back to it.
            Rewrite::Tap | Rewrite::Fuse if gives_to_join(network, skip, conv) => {
                Err("the only convolution beside it takes the sum in".to_string())
            }
            Rewrite::Tap => tap(network, skip, conv, a, reader).map(Serve::Tap),
            Rewrite::Fuse => fuse(network, conv, a, &path).map(|()| Serve::Fuse),
            _ => Ok(Serve::Share),
        };
        match how {
            Ok(how) => return Ok(Site { skip: skip.number, how, source, conv, path }),
            Err(why) if whys.contains(&why) => {}
            Err(why) => whys.push(why),
        }
    }
    Err(whys.join("; "))
}

/// Convolutions that read the source and lead to the join by another operand, those with the tallest kernel first.
fn beside(network: &Network, skip: &Skip, reader: (NodeId, u16)) -> Vec<NodeId> {
    let before = before_join(network, skip, |_| true);
    let mut convs: Vec<(usize, NodeId)> = Vec::new();
    for (node, operand) in network.users(skip.source) {
        if let Op::Conv(a) = network.op(node)
            && operand == 0
            && (node, operand) != reader
            && before.contains(&node)
        {
            convs.push((window(network, node, a).kernel.h, node));
        }
    }
    convs.sort_by_key(|&(height, node)| (std::cmp::Reverse(height), node));
    convs.into_iter().map(|(_, node)| node).collect()
}

/// The nodes that what the skip is added to depends on, as far as the source, and through nodes that let `through`.
fn before_join(network: &Network, skip: &Skip, through: impl Fn(NodeId) -> bool) -> BTreeSet<NodeId> {
    let mut before = BTreeSet::new();
    let mut todo = vec![other_operand(network, skip).node];
    while let Some(node) = todo.pop() {
        if node != skip.source.node && before.insert(node) && through(node) {
            todo.extend(network.operands(node).into_iter().map(|value| value.node));
        }
    }
    before
}

/// Whether no convolution lies between `conv` and the join.
fn gives_to_join(network: &Network, skip: &Skip, conv: NodeId) -> bool {
    let through = |node| !matches!(network.op(node), Op::Conv(_) | Op::Dense(_));
    before_join(network, skip, through).contains(&conv)
}

/// The kernel row of a tap: of those rows that every pixel passes, the one that keeps a pixel longest, but no longer
/// than the other operand of the join takes to come.
fn tap(
    network: &Network,
    skip: &Skip,
    conv: NodeId,
    a: &Conv,
    (reader, _): (NodeId, u16),
) -> Result<usize, String> {
    let (read, given) = (extent(network, skip.source), extent(network, conv.into()));
    let Some((given, read)) = given.zip(read) else {
        return Err("the convolution beside it reads no map".into());
    };
    let same_pixels = match network.op(reader) {
        _ if a.stride == Pair::ONE => given == read,
        Op::Conv(b) => {
            is_point(network, reader, b)
                && b.stride == a.stride
                && extent(network, reader.into()) == Some(given)
        }
        Op::Slice(b) => {
            let from_first = b.start.iter().all(|&start| start == 0);
            let steps = b.step.get(2..) == Some(&[a.stride.h as i64, a.stride.w as i64][..]);
            from_first && steps && extent(network, reader.into()) == Some(given)
        }
        _ => false,
    };
    if !same_pixels {
        return Err(
            "the convolution beside it does not pass the pixels that it reads, one for each output".into()
        );
    }
    let w = window(network, conv, a);
    if a.pad.left > (w.kernel.w - 1) * a.dilation.w {
        return Err("the window beside it does not reach the pixels that it reads".into());
    }
    let allowed = lag_behind(network, skip, conv);
    let rows = (0..w.kernel.h).filter_map(|row| Some((w.tap_lag(row, given.h)?, row)));
    let fitting = rows.clone().filter(|&(lag, _)| lag <= allowed).max();
    fitting
        .or_else(|| rows.min())
        .map(|(_, row)| row)
        .ok_or_else(|| "no row of the kernel beside it holds every pixel that it reads".into())
}

/// Rows by which the join's other operand lags behind what `conv` gives: what the windows between them look ahead.
fn lag_behind(network: &Network, skip: &Skip, conv: NodeId) -> usize {
    let (mut node, mut rows) = (other_operand(network, skip).node, 0usize);
    while node != conv {
        let operands = network.operands(node);
        match network.op(node) {
            Op::Conv(a) => {
                let reach = window(network, node, a).kernel.h.saturating_sub(1) * a.dilation.h;
                rows += reach.saturating_sub(a.pad.top);
            }
            Op::Const(_) | Op::Input(_) => break,
            _ => {}
        }
        match operands.first() {
            Some(value) => node = value.node,
            None => break,
        }
    }
    rows
}

fn fuse(network: &Network, conv: NodeId, a: &Conv, path: &[(NodeId, u16)]) -> Result<(), String> {
    let &[_, (projection, _)] = path else {
        return Err("it is no projection, which is one convolution of one pixel and nothing else".into());
    };
    let Op::Conv(b) = network.op(projection) else {
        return Err("it is no projection: its operator is no convolution".into());
    };
    if !is_point(network, projection, b) || b.groups != 1 {
        return Err("it is no projection: its convolution sees more than one pixel, or has groups".into());
    }
    let given = |node: NodeId| extent(network, node.into());
    if b.stride != a.stride || given(projection) != given(conv) {
        return Err("the convolution beside it has another stride, or gives another number of pixels".into());
    }
    if network.users(projection.into()).len() != 1 || network.is_output(projection.into()) {
        return Err("its projection is read by others too".into());
    }
    if window(network, conv, a).own_tap().is_none() {
        return Err("the window beside it does not hold the pixel that it projects".into());
    }
    Ok(())
}
