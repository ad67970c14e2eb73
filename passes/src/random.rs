//! Seeded numbers: the one generator of the passes, the same on every machine.

/// SplitMix64 (Steele, Lea and Flood: Fast splittable pseudorandom number generators, OOPSLA 2014); its whole state
/// is the number in it.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// A source that belongs to these numbers, in this order: a seed and what is drawn for, so that a draw does not
    /// depend on what else was drawn before.
    pub fn of(numbers: &[u64]) -> Random {
        Random(numbers.iter().fold(0, |state, &number| Random(state ^ number).bits()))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..n`, for `n` of at least 1; its bias is below `n / 2^64`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.bits() % n
    }

    /// The sum of twelve numbers below one, less six: mean 0, deviation 1.
    pub fn near_normal(&mut self) -> f32 {
        let sum: u64 = (0..12).map(|_| self.below(1 << 16)).sum();
        sum as f32 / 65_536.0 - 6.0
    }

    /// Brings a list into random order (Fisher and Yates, in Durstenfeld's form).
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    /// The numbers of the authors' own program for the state 1234567.
    #[test]
    fn numbers_are_those_of_splitmix() {
        let mut random = Random(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_shuffle_is_an_even_permutation_of_its_list() {
        let mut counts = [[0; 4]; 4];
        for seed in 0..4000 {
            let mut list = [0, 1, 2, 3];
            Random::of(&[seed]).shuffle(&mut list);
            list.iter().enumerate().for_each(|(place, &item)| counts[item as usize][place] += 1);
        }
        // 1000 expected, deviation 27.
        assert!(counts.iter().flatten().all(|count| (860..1140).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_source_depends_on_each_number_and_on_their_order() {
        let first = |numbers: &[u64]| Random::of(numbers).bits();
        let all = [first(&[1, 2]), first(&[2, 1]), first(&[1, 3]), first(&[1]), first(&[1, 2, 0])];
        let distinct: std::collections::BTreeSet<u64> = all.into();
        assert_eq!(distinct.len(), all.len());
    }
}
