//! Exact positive ratios of scales: binary floats are ratios, so products and quotients of them are.

/// `num / den * 2^exp`, in lowest terms, `num` and `den` odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ratio {
    num: u128,
    den: u128,
    exp: i32,
}

impl Ratio {
    /// A finite number above zero.
    pub(super) fn of(x: f64) -> Option<Ratio> {
        if !(x.is_finite() && x > 0.0) {
            return None;
        }
        let bits = x.to_bits();
        let (exponent, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
        let (num, exp) = match exponent {
            0 => (fraction, -1074),
            _ => (fraction | 1 << 52, exponent - 1075),
        };
        Some(Ratio::reduced(num.into(), 1, exp))
    }

    fn reduced(num: u128, den: u128, exp: i32) -> Ratio {
        let (up, down) = (num.trailing_zeros(), den.trailing_zeros());
        let (num, den) = (num >> up, den >> down);
        let common = gcd(num, den);
        Ratio { num: num / common, den: den / common, exp: exp + up as i32 - down as i32 }
    }

    /// The product, where 128 bits hold it.
    pub(super) fn times(self, other: Ratio) -> Option<Ratio> {
        let (a, b) = (gcd(self.num, other.den), gcd(other.num, self.den));
        let num = (self.num / a).checked_mul(other.num / b)?;
        let den = (self.den / b).checked_mul(other.den / a)?;
        Some(Ratio::reduced(num, den, self.exp + other.exp))
    }

    /// The quotient, where 128 bits hold it.
    pub(super) fn over(self, other: Ratio) -> Option<Ratio> {
        self.times(Ratio { num: other.den, den: other.num, exp: -other.exp })
    }

    /// The nearest float, to an ulp or two.
    pub(super) fn value(self) -> f64 {
        self.num as f64 / self.den as f64 * 2f64.powi(self.exp)
    }

    /// Bits behind the point where the binary expansion ends.
    pub(super) fn bits_behind_point(self) -> Option<i32> {
        (self.den == 1).then_some(-self.exp)
    }

    /// `round(self * 2^shift)`, halves up, where 62 bits hold it.
    pub(super) fn shifted(self, shift: u8) -> Option<i64> {
        let exp = self.exp + i32::from(shift);
        let rounded = match exp {
            0.. if exp < 100 && self.num.leading_zeros() > exp as u32 => {
                let num = self.num << exp;
                let (whole, rest) = (num / self.den, num % self.den);
                whole + u128::from(rest >= self.den - rest)
            }
            0.. => return None,
            -100..0 => {
                let den = self.den.checked_mul(1u128.checked_shl(exp.unsigned_abs())?)?;
                let (whole, rest) = (self.num / den, self.num % den);
                whole + u128::from(rest >= den - rest)
            }
            _ => 0,
        };
        i64::try_from(rounded).ok().filter(|&m| m < 1 << 62)
    }

    /// Whether `n` times the ratio lies half way between two whole numbers.
    pub(super) fn ties_at(self, n: i64) -> bool {
        let n = u128::from(n.unsigned_abs());
        if n == 0 || !n.is_multiple_of(self.den) {
            return false;
        }
        // Both factors of the odd part are known; twos decide.
        (n / self.den).trailing_zeros() as i32 + self.exp == -1
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_exact() {
        let of = |x| Ratio::of(x).unwrap();
        assert_eq!(of(0.75).times(of(4.0)), Some(of(3.0)));
        assert_eq!(of(3.0).over(of(6.0)), Some(of(0.5)));
        let third = of(1.0).over(of(3.0)).unwrap();
        assert_eq!((third.shifted(4), third.shifted(0), third.bits_behind_point()), (Some(5), Some(0), None));
        assert_eq!((of(0.625).shifted(2), of(0.625).bits_behind_point()), (Some(3), Some(3)));
        assert_eq!(of(5e-324).value(), 5e-324);
        // 3 / 6 and 9 / 6 lie half way, 6 / 6 and 2 / 6 do not.
        let sixth = of(1.0).over(of(6.0)).unwrap();
        assert_eq!([3, -3, 9, 6, 2, 0].map(|n| sixth.ties_at(n)), [true, true, true, false, false, false]);
    }
}
