//! Parameters of the ways to codes.

use nonresc_passes::arithmetic::Rounded;

use super::instance::Parameters;

/// The parameters of a way to codes, `prefix` in front of their names; the zero point's is `zero`.
pub(super) fn parameters(way: &Rounded, p: &mut Parameters, prefix: &str, zero: &str) {
    p.number(format!("{prefix}FACTOR"), way.factor.bits);
    p.number(format!("{prefix}POWERS"), u8::from(way.factor.powers));
    p.number(format!("{prefix}TOTAL"), way.total);
    p.number(format!("{prefix}SHIFT"), way.shift);
    p.number(format!("{prefix}MODE"), way.mode);
    let (low, high) = way.limits.unwrap_or((0, 0));
    p.number(format!("{prefix}LOW"), low - way.zero);
    p.number(format!("{prefix}HIGH"), high - way.zero);
    p.number(zero, way.zero);
    if let Some(skip) = &way.skip {
        p.number("SKIP_FACTOR", skip.bits);
        p.number("SKIP_POWERS", u8::from(skip.powers));
    }
}
