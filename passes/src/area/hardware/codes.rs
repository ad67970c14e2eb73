//! `requantise`: scale, sum and rounding, and the blocks of a product.

use super::{Known, Price, Taken};
use crate::arithmetic::{Factors, Rounded};
use crate::device::Family;
use crate::images;

/// Blocks of a product of numbers of so many bits, signed: Yosys cuts what is wider than a block's ports, and leaves what
/// is small to LUTs.
pub(crate) fn blocks(a: u64, b: u64, product: u64, family: Family) -> u64 {
    let (wide, narrow) = (u64::from(family.dsp().wide), u64::from(family.dsp().narrow));
    let (a, b) = (a.max(b), a.min(b));
    let step = narrow - 1;
    if b < 2 || product < u64::from(family.dsp().least) {
        0
    } else if a > wide {
        let parts = (a - wide).div_ceil(step);
        parts * blocks(narrow, b, product, family) + blocks(a - parts * step, b, product, family)
    } else if b > narrow {
        let parts = (b - narrow).div_ceil(step);
        parts * blocks(a, narrow, product, family) + blocks(a, b - parts * step, product, family)
    } else {
        1
    }
}

/// Blocks of a lane of `requantise`, of numbers of `own` bits; `skip` are the bits of a number that is added.
pub(super) fn blocks_of_lane(way: &Rounded, own: u64, skip: u64, family: Family) -> u64 {
    let total = way.total as u64;
    let beside = way
        .skip
        .as_ref()
        .map_or(0, |factors| blocks_of_scale(factors, skip + 1, total_beside(factors, skip, total), family));
    beside + blocks_of_scale(&way.factor, own, total, family)
}

fn blocks_of_scale(factors: &Factors, own: u64, total: u64, family: Family) -> u64 {
    if factors.powers { 0 } else { blocks(own, factors.bits as u64 + 1, total, family) }
}

/// Bits of what is added, scaled.
fn total_beside(factors: &Factors, skip: u64, total: u64) -> u64 {
    let most = if factors.powers { (1 << factors.bits) - 1 } else { factors.bits as u64 };
    total.min(skip + 1 + most)
}

/// Whether a way to codes is anything but wires: if not, the registers in front of it are part of its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Computed,
    Wires,
}

impl Known<'_> {
    /// `requantise` in so many lanes, of numbers of `own` bits, to codes of `bits`; `skip` are the bits of a number that is
    /// added.
    pub(super) fn codes(
        &self,
        taken: &mut Taken,
        way: &Rounded,
        lanes: usize,
        (own, skip, bits): (u64, u64, u64),
    ) -> Way {
        let image = images::factors(way, lanes);
        let varies = images::functions(&image);
        let total = way.total as u64;
        let (factor, beside) = (way.factor.bits, way.skip.as_ref().map_or(0, |skip| skip.bits));
        let any = |from: usize, bits: usize| varies[from..from + bits].iter().filter(|v| **v).count() as u64;
        let nothing = image.iter().all(|word| word.bits().iter().all(|bit| !bit));
        if way.shift == 0 && way.limits.is_none() && way.skip.is_none() && way.factor.powers && nothing {
            // Wires and registers.
            taken.chain(lanes as u64 * bits, 3);
            return Way::Wires;
        }
        for lane in 0..lanes {
            let at = lane * way.entry();
            taken.ff(bits);
            let varies = any(at + factor + beside, way.total) > 0;
            self.scaled(taken, &way.factor, any(at, factor), (own, total), varies);
            if let Some(factors) = &way.skip {
                let other = total_beside(factors, skip, total);
                taken.ff(total);
                taken.lut(total);
                self.scaled(taken, factors, any(at + factor, beside), (skip + 1, other), false);
            }
            let floor = total.saturating_sub(way.shift.into()).max(1);
            taken.ask(Price::CodeBit, bits);
            taken.ask(Price::TieBit, way.shift.into());
            if way.limits.is_some() {
                taken.ask(Price::ComparedBit, floor);
                taken.ask(Price::LimitedBit, bits);
            }
        }
        Way::Computed
    }

    /// `scale`: a number of `own` bits by a factor of which so many bits `vary` with the beat, and an offset that varies or
    /// not, in `total` bits.
    fn scaled(
        &self,
        taken: &mut Taken,
        factors: &Factors,
        vary: u64,
        (own, total): (u64, u64),
        has_offset: bool,
    ) {
        let offset = if has_offset { total } else { 0 };
        if factors.powers {
            taken.ff(total);
            taken.choose(total, 1 << vary.min(6));
            taken.lut(offset);
            return;
        }
        let blocks = blocks_of_scale(factors, own, total, self.family);
        taken.dsps += blocks;
        if blocks == 1 && self.packs() {
            return;
        }
        taken.ff(total);
        taken.lut(offset);
        for part in 1..blocks {
            taken.ask(Price::SplitBit, total.saturating_sub(17 * part));
        }
    }
}
