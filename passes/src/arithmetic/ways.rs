//! How wide the numbers inside an actor are: sums, and the ways from sums to codes as hardware has them.

use nonresc_ir::id::ActorId;
use nonresc_ir::network::Rounding;
use nonresc_ir::stream::{Kind, Pool, Stream, pool_actions};

use super::{Arithmetic, Output, Products, Rescale, Source};
use crate::control::{signed, unsigned};

/// A way to codes as the hardware has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rounded {
    /// Factors of the actor's own result.
    pub factor: Factors,
    /// Factors of input 1, where it is added.
    pub skip: Option<Factors>,
    /// Bits of the scaled sum.
    pub total: usize,
    /// Bits behind the point.
    pub shift: u8,
    /// How fractions are rounded: 0 down, 1 ties to even, 2 ties away from 0, 3 away from 0, 4 towards 0.
    pub mode: u8,
    /// Least and largest code, if there are limits.
    pub limits: Option<(i64, i64)>,
    /// The code of 0.
    pub zero: i64,
    /// What is added in front of the shift, one number a channel.
    pub offset: Vec<i128>,
}

/// Factors of an operand: numbers, or exponents where all are powers of two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factors {
    /// Whether they are exponents of two.
    pub powers: bool,
    /// Bits of each.
    pub bits: usize,
    /// One a channel.
    pub numbers: Vec<u64>,
}

impl Factors {
    fn new(list: &[i64]) -> Factors {
        let powers = list.iter().all(|&m| m > 0 && (m as u64).is_power_of_two());
        let number =
            |&m: &i64| if powers { u64::from((m as u64).trailing_zeros()) } else { m.unsigned_abs() };
        let numbers: Vec<u64> = list.iter().map(number).collect();
        Factors { powers, bits: unsigned(numbers.iter().copied().max().unwrap_or(0)), numbers }
    }
}

impl Rounded {
    /// `own` and `skip` are the bits of the operands, signed.
    pub fn new(r: &Rescale, own: usize, skip: usize) -> Rounded {
        let one = |bits: usize| 1i128 << (bits - 1);
        let half = if r.shift == 0 { 0 } else { 1i128 << (r.shift - 1) };
        let below = (1i128 << r.shift) - 1;
        let (mode, added) = match r.rounding {
            _ if r.shift == 0 => (0, 0),
            Rounding::HalfUp => (0, half),
            Rounding::HalfDown => (0, half - 1),
            Rounding::Ceil => (0, below),
            Rounding::Floor => (0, 0),
            Rounding::HalfEven => (1, half),
            Rounding::HalfAway => (2, half),
            Rounding::Up => (3, 0),
            Rounding::Down => (4, 0),
        };
        let offset: Vec<i128> = r.offset.iter().map(|&o| i128::from(o) + added).collect();
        let most = |list: &[i64]| list.iter().map(|m| i128::from(m.unsigned_abs())).max().unwrap_or(0);
        let skips = r.skip.as_deref().map_or(0, |list| most(list) * one(skip));
        let offsets = offset.iter().map(|o| o.abs()).max().unwrap_or(0);
        let total = signed(most(&r.own) * one(own) + skips + offsets + below);
        Rounded {
            factor: Factors::new(&r.own),
            skip: r.skip.as_deref().map(Factors::new),
            total: total.max(own + 1).max(skip + 1),
            shift: r.shift,
            mode,
            limits: r.limits,
            zero: r.zero,
            offset,
        }
    }

    /// Bits of the factors and the offset of a channel.
    pub fn entry(&self) -> usize {
        self.factor.bits + self.skip.as_ref().map_or(0, |skip| skip.bits) + self.total
    }
}

impl Products {}

/// Widths of what a pool with a window folds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folded {
    /// Whether the largest is kept; else sums.
    pub largest: bool,
    /// What is taken off each number.
    pub taken_off: i64,
    /// What is taken off the whole sum, as often as the window has places.
    pub in_offset: i64,
    /// Bits of a number that is folded.
    pub number: usize,
    /// Bits of what is folded along a row.
    pub along: usize,
    /// Bits of what is folded down the columns.
    pub kept: usize,
}

impl Folded {
    /// The widths in a pool of numbers of `own` bits.
    pub fn new(a: &Pool, source: &Source, own: usize, is_signed: bool) -> Option<Folded> {
        let (largest, zero) = match source {
            Source::Largest => (true, 0),
            &Source::Sums { zero, .. } => (false, zero),
            _ => return None,
        };
        // Where windows are whole, what is to be taken off is the same for all of them.
        let (taken_off, in_offset) = if pool_actions(a).padded { (zero, 0) } else { (0, zero) };
        let codes = if is_signed { (-(1 << (own - 1)), (1 << (own - 1)) - 1) } else { (0, (1 << own) - 1) };
        let number = own + usize::from(taken_off != 0);
        let sums = |count: usize| match largest {
            true => own,
            false => {
                let low = if is_signed || taken_off != 0 { (codes.0 - taken_off).min(-1) } else { 0 };
                sum_bits(low, codes.1 - taken_off, count).max(number)
            }
        };
        let kernel = a.window.kernel;
        let (along, kept) = (sums(kernel.w), sums(kernel.h * kernel.w));
        Some(Folded { largest, taken_off, in_offset, number, along, kept })
    }
}

/// Bits of sums of up to so many numbers from `low` to `high`, one of which may be 0.
fn sum_bits(low: i64, high: i64, count: usize) -> usize {
    let most = |x: i64| i128::from(x) * count as i128;
    match low < 0 {
        true => signed(most(low).abs().max(most(high).abs())),
        false => unsigned(most(high) as u64),
    }
}

/// The ways of an actor's numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// Bits of an accumulator; 0 where there is none.
    pub accumulator: usize,
    /// Bits of an accumulator of a projection beside.
    pub beside_accumulator: usize,
    /// What a pool with a window folds.
    pub folded: Option<Folded>,
    /// To the result's own codes, where it has some before a sum.
    pub inner: Option<Rounded>,
    /// To output 0.
    pub last: Option<Rounded>,
    /// From a projection beside to output 1.
    pub beside: Option<Rounded>,
}

impl Ways {
    /// The ways of an actor; nothing where its numbers are not known.
    pub fn of(stream: &Stream, actor: ActorId, arithmetic: &Arithmetic) -> Option<Ways> {
        let output = arithmetic.of(actor)?;
        let input = stream.input(actor, 0).map(|c| stream.channel(c))?;
        let bits_in = input.bits as usize;
        let skip = stream.input(actor, 1).map_or(1, |c| stream.channel(c).bits as usize + 1);
        let mut rescale = output.rescale.clone();
        let mut take_off = |number: i64| {
            for (offset, factor) in rescale.offset.iter_mut().zip(&rescale.own) {
                *offset -= factor * number;
            }
        };
        let mut ways = Ways::default();
        let own = match (&stream.actor(actor).kind, &output.source) {
            (Kind::MatVec(_), Source::Products(products)) => {
                ways.accumulator = usize::from(products.bits);
                ways.inner = output.inner.as_ref().map(|inner| Rounded::new(inner, ways.accumulator, 1));
                if let Some(Output { source: Source::Products(products), rescale, .. }) =
                    arithmetic.beside(actor)
                {
                    ways.beside_accumulator = usize::from(products.bits);
                    ways.beside = Some(Rounded::new(rescale, ways.beside_accumulator, 1));
                }
                output.inner.as_ref().map_or(ways.accumulator, |inner| usize::from(inner.bits) + 1)
            }
            (Kind::GlobalPool(a), source) => {
                let pixels = a.input.pixels();
                ways.accumulator = match source {
                    Source::Sums { zero, .. } => {
                        take_off(zero * pixels as i64);
                        bits_in + 2 + pixels.next_power_of_two().trailing_zeros() as usize
                    }
                    _ => bits_in + 1,
                };
                ways.accumulator
            }
            (Kind::Pool(a), source) => {
                let folded = Folded::new(a, source, bits_in, input.signed)?;
                take_off(folded.in_offset * (a.window.kernel.h * a.window.kernel.w) as i64);
                ways.folded = Some(folded);
                folded.kept + 1
            }
            (Kind::Sum(_) | Kind::Activate { .. }, _) => bits_in + 1,
            _ => return Some(ways),
        };
        ways.last = Some(Rounded::new(&rescale, own, skip));
        Some(ways)
    }
}
