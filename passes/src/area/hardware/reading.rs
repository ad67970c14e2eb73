//! Where actors read: one beat after the other, or at random.

use nonresc_ir::network::Pair;

use super::{Known, Price, Taken};
use crate::area::ceil_log2;
use crate::control::Layout;

/// `walk`: a place that goes through banks in order.
pub(super) fn walk(taken: &mut Taken, layout: &Layout) {
    let address = layout.address as u64;
    if layout.banks == Pair::ONE {
        taken.ff(address);
        taken.lut(address);
        return;
    }
    // Four places; a beat and a pixel of 16 bits, a row and a column of 4.
    taken.ff(4 * address + 40);
    taken.ask(Price::BankedBit, address);
    taken.ask(Price::Banked, 1);
}

impl Known<'_> {
    /// `taking` of beats of so many bits.
    pub(super) fn taking(&self, taken: &mut Taken, layout: &Layout, bits: u64) {
        walk(taken, layout);
        let banks = (layout.banks.h * layout.banks.w) as u64;
        taken.ff(ceil_log2(banks));
        taken.choose(bits, banks);
    }

    /// `gather` of beats of so many bits, through so many ports.
    pub(super) fn gather(&self, taken: &mut Taken, layout: &Layout, bits: u64, ports: Pair) {
        let (rows, columns) = (layout.banks.h as u64, layout.banks.w as u64);
        let (address, banks) = (layout.address as u64, rows * columns);
        for count in [rows, columns].into_iter().filter(|&count| count > 1) {
            taken.ff(ceil_log2(count));
            taken.lut(2 * ceil_log2(count) + 1);
        }
        let ways = |count: usize| if count > 1 { 2 } else { 1 };
        let kept = ways(ports.h) * ways(ports.w);
        let carried = ways(layout.banks.h) * ways(layout.banks.w) - 1;
        let places = address * (kept + carried);
        taken.ff(places);
        taken.lut(places + if carried > 0 { address } else { 0 });
        if layout.span != 1 << layout.address {
            taken.ask(Price::RoundBit, places);
        }
        let which = if ports.h > 1 { rows - 1 } else { 0 } + if ports.w > 1 { columns - 1 } else { 0 };
        taken.ff(which);
        taken.lut(which);
        taken.choose(address * banks, kept);
        let all = (ports.h * ports.w) as u64;
        taken.ff(all * ceil_log2(banks));
        taken.choose(bits * all, banks);
    }
}
