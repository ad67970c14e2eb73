//! Modules of the generated hardware, each alone in Verilator, against whole numbers made outside of them.

use std::path::Path;

use nonresc_ir::network::Rounding;
use nonresc_passes::arithmetic::{Rescale, Rounded};
use nonresc_tests::rtl::modules::{Case, Compared, compare};
use nonresc_tests::rtl::{Patch, Tool, Word, image};
use nonresc_tests::seed::Seed;
use serde_json::Value as Json;

fn tool() -> Tool {
    Tool::product(env!("CARGO_TARGET_TMPDIR"))
}

/// The vectors that `tests/cases/rounding/make.py` made.
fn vectors(file: &str) -> Vec<Json> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/rounding");
    serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap()
}

fn rounding(name: &str) -> Rounding {
    match name {
        "half-even" => Rounding::HalfEven,
        "half-up" => Rounding::HalfUp,
        "half-down" => Rounding::HalfDown,
        "half-away" => Rounding::HalfAway,
        "floor" => Rounding::Floor,
        "ceil" => Rounding::Ceil,
        "up" => Rounding::Up,
        "down" => Rounding::Down,
        _ => panic!("{name}"),
    }
}

fn numbers(of: &Json) -> Vec<i64> {
    of.as_array().unwrap().iter().map(|x| x.as_i64().unwrap()).collect()
}

/// One way to codes, with the parameters that the hardware is given for it.
fn way(v: &Json) -> Case {
    let one = |key: &str| v[key].as_i64().map(|x| vec![x]);
    let skip_bits = v["skip_bits"].as_u64().unwrap_or(1) as usize;
    let rescale = Rescale {
        own: one("factor").unwrap_or_else(|| numbers(&v["factors"])),
        skip: v["skip_factors"].as_array().map(|_| numbers(&v["skip_factors"])),
        offset: one("offset").unwrap_or_else(|| numbers(&v["offsets"])),
        shift: v["shift"].as_u64().unwrap() as u8,
        zero: v["zero"].as_i64().unwrap(),
        limits: v["min"].as_i64().zip(v["max"].as_i64()),
        rounding: rounding(v["rounding"].as_str().unwrap()),
        bits: v["bits"].as_u64().unwrap() as u8,
        signed: v["signed"].as_bool().unwrap(),
    };
    let (sums, codes) = (numbers(&v["sums"]), numbers(&v["codes"]));
    // Some small sums of the vectors are wider than they say.
    let needed =
        sums.iter().map(|&s| 65 - if s < 0 { !s } else { s }.leading_zeros() as usize).max().unwrap();
    let acc = needed.max(v["sum_bits"].as_u64().unwrap() as usize);
    let way = Rounded::new(&rescale, acc, skip_bits);
    let skips = v["skips"].as_array().map_or(vec![0; sums.len()], |_| numbers(&v["skips"]));
    let channels = v["channels"].as_array().map_or(vec![0; sums.len()], |_| numbers(&v["channels"]));
    let words =
        sums.iter().zip(&skips).zip(&channels).zip(&codes).map(|(((&sum, &skip), &channel), &code)| {
            let (mut word, channel) = (Word::default(), channel as usize);
            word.push(sum, acc);
            word.push(way.factor.numbers[channel], way.factor.bits);
            word.push(way.offset[channel], way.total);
            word.push(skip, skip_bits);
            match &way.skip {
                Some(skip) => word.push(skip.numbers[channel], skip.bits),
                None => word.push(0, 1),
            }
            word.push(code, rescale.bits.into());
            word
        });
    let (low, high) = way.limits.unwrap_or((0, 0));
    let number = |n: usize| n.to_string();
    let flag = |on: bool| u8::from(on).to_string();
    Case {
        module: "requantise_case",
        parameters: vec![
            ("COUNT", number(sums.len())),
            ("ACC", number(acc)),
            ("FACTOR", number(way.factor.bits)),
            ("POWERS", flag(way.factor.powers)),
            ("TOTAL", number(way.total)),
            ("SHIFT", way.shift.to_string()),
            ("MODE", way.mode.to_string()),
            ("ADD", flag(way.skip.is_some())),
            ("SKIP", number(skip_bits)),
            ("SKIP_FACTOR", number(way.skip.as_ref().map_or(1, |skip| skip.bits))),
            ("SKIP_POWERS", flag(way.skip.as_ref().is_some_and(|skip| skip.powers))),
            ("CLAMP", flag(way.limits.is_some())),
            ("LOW", (low - way.zero).to_string()),
            ("HIGH", (high - way.zero).to_string()),
            ("ZERO", way.zero.to_string()),
            ("BITS", rescale.bits.to_string()),
        ],
        files: vec![("VECTORS", image(words))],
        clocks: sums.len() + 4,
    }
}

fn holds(cases: &[Case], words: usize) {
    assert_eq!(compare(&tool(), cases, None), Compared { words, differs: vec![] });
}

/// All ways to round, factors that are powers and others, zero points, limits, with a skip and without; clamped or not.
#[test]
fn requantise_gives_the_codes_of_golden_vectors() {
    let all = vectors("requantise.json");
    let cases: Vec<Case> = all.iter().map(way).collect();
    assert_eq!(all.len(), 400);
    holds(&cases, 400 * 12);
}

/// Factors and offsets by channel, operands at the ends of their widths, a skip added, relus, whole sums.
#[test]
fn requantise_gives_the_codes_of_layers_with_skips() {
    let all = vectors("channels.json");
    let cases: Vec<Case> = all.iter().map(way).collect();
    let words = all.iter().map(|v| numbers(&v["codes"]).len()).sum();
    assert!(all.len() == 200 && words > 6_000);
    holds(&cases, words);
}

/// Lanes of operands x, low, high.
type Lanes = Vec<(i64, i64, i64)>;

/// Sums of products by plain arithmetic, for operands that are `lanes` lanes each. High weights are given `lent`, less
/// by one where the low one is negative, or as they are.
fn pairs(lent: bool, lanes: usize, [x, w, sum]: [usize; 3], all: &[Lanes]) -> Case {
    let least = -(1 << (w - 1));
    let fits = |operands: &&Lanes| !lent || operands.iter().all(|o| o.1 >= 0 || o.2 > least);
    let all: Vec<&Lanes> = all.iter().filter(fits).collect();
    let words = all.iter().map(|operands| {
        assert_eq!(operands.len(), lanes);
        let mut word = Word::default();
        operands.iter().for_each(|o| word.push(o.0, x));
        operands.iter().for_each(|o| word.push(o.1, w));
        operands.iter().for_each(|o| word.push(o.2 - i64::from(lent && o.1 < 0), w));
        word.push(operands.iter().map(|o| o.0 * o.1).sum::<i64>(), sum);
        word.push(operands.iter().map(|o| o.0 * o.2).sum::<i64>(), sum);
        word
    });
    let number = |n: usize| n.to_string();
    Case {
        module: "dot_pair_case",
        parameters: vec![
            ("COUNT", number(all.len())),
            ("SIMD", number(lanes)),
            ("X", number(x)),
            ("W", number(w)),
            ("SUM", number(sum)),
            ("LENT", number(lent.into())),
        ],
        files: vec![("VECTORS", image(words))],
        clocks: all.len() + 16,
    }
}

/// Every choice of so many of `all`.
fn choices(all: &[(i64, i64, i64)], lanes: usize) -> Vec<Lanes> {
    let mut made = vec![vec![]];
    for _ in 0..lanes {
        made = made.iter().flat_map(|l: &Lanes| all.iter().map(|&o| [&l[..], &[o]].concat())).collect();
    }
    made
}

/// Operands of all pairs of 8 bits: signed or unsigned codes, which come in 9 bits, times signed weights; all that there is
/// room for where high weights are `lent`.
fn pair_cases(lent: bool) -> Vec<Case> {
    let mut seed = Seed(31);
    let ends = [-128, -127, -1, 0, 1, 126, 127];
    let codes = [-128, -127, -1, 0, 1, 127, 128, 254, 255];
    let of = |codes: &[i64], weights: &[i64]| -> Vec<(i64, i64, i64)> {
        let pairs = weights.iter().flat_map(|&a| weights.iter().map(move |&b| (a, b)));
        pairs.flat_map(|(a, b)| codes.iter().map(move |&x| (x, a, b))).collect()
    };
    let mut cases = vec![
        pairs(lent, 1, [9, 8, 20], &choices(&of(&codes, &ends), 1)),
        pairs(lent, 2, [9, 8, 20], &choices(&of(&[-128, 127, 255], &[-128, -1, 127]), 2)),
        // Sums at their limits, in every way.
        pairs(lent, 4, [9, 8, 20], &choices(&of(&[-128, 255], &[-128, 127]), 4)),
    ];
    // All products of 8 bits: each code with each weight, beside a weight that is drawn.
    for codes in [-128..128, 0..256] {
        let products = codes.flat_map(|x| (-128..128).map(move |a| (x, a)));
        let all: Vec<Lanes> = products.map(|(x, a)| vec![(x, a, seed.within(-128, 127))]).collect();
        let mirrored: Vec<Lanes> = all.iter().map(|o| vec![(o[0].0, o[0].2, o[0].1)]).collect();
        cases.push(pairs(lent, 1, [9, 8, 20], &[all, mirrored].concat()));
    }
    for (lanes, [x, w, sum]) in [
        (3, [9, 8, 20]),
        (5, [9, 8, 22]),
        (8, [9, 8, 20]),
        (9, [9, 8, 32]),
        (27, [9, 8, 23]),
        (6, [5, 4, 20]),
    ] {
        for signed in [true, false] {
            let (low, high) =
                if signed { (-(1 << (x - 2)), (1 << (x - 2)) - 1) } else { (0, (1 << (x - 1)) - 1) };
            let least = -(1 << (w - 1));
            let all: Vec<Lanes> = (0..1500)
                .map(|k| {
                    let mut drawn = |low: i64, high: i64| match k % 3 {
                        0 => seed.within(low, high),
                        _ => *seed.pick(&[low, high]),
                    };
                    (0..lanes)
                        .map(|_| (drawn(low, high), drawn(least, !least), drawn(least, !least)))
                        .collect()
                })
                .collect();
            cases.push(pairs(lent, lanes, [x, w, sum], &all));
        }
    }
    cases
}

#[test]
fn two_products_share_a_multiplier_without_a_fault() {
    for lent in [false, true] {
        let cases = pair_cases(lent);
        let words = cases.iter().map(|c| c.files[0].1.lines().count()).sum();
        assert!(words > 260_000, "{words}");
        holds(&cases, words);
    }
}

/// A layer's sums over its whole depth.
#[derive(Clone, Copy)]
struct Depth {
    simd: usize,
    pe: usize,
    parts: usize,
    folds: usize,
    /// Codes in, least and largest.
    codes: (i64, i64),
    /// Two weights share a multiplier.
    pair: bool,
    /// Multipliers are made of LUTs.
    soft: bool,
    /// Elements that share operands.
    share: usize,
    /// All folds are summed at once.
    many: bool,
}

/// For each output the inputs that take its sum to both ends, and drawn ones; accumulators hold those ends and no more.
fn sums(d: Depth, seed: &mut Seed) -> Case {
    let (depth, outputs, sets) = (d.simd * d.parts, d.pe * d.folds, d.pe / d.share);
    let weights: Vec<Vec<i64>> = (0..outputs)
        .map(|o| {
            let mut weight = |k: usize| match o % 4 {
                0 => -128,
                1 => 127,
                2 if k.is_multiple_of(2) => -128,
                2 => 127,
                _ => seed.within(-128, 127),
            };
            (0..depth).map(&mut weight).collect()
        })
        .collect();
    let bias: Vec<i64> = (0..outputs).map(|_| seed.within(-5_000, 5_000)).collect();
    let end = |w: i64, most: bool| if (w > 0) == most { d.codes.1 } else { d.codes.0 };
    let mut rounds: Vec<Vec<Vec<i64>>> = Vec::new();
    for filter in &weights {
        for most in [true, false] {
            rounds.push(vec![filter.iter().map(|&w| end(w, most)).collect(); sets]);
        }
    }
    for k in 0..4 {
        let mut drawn = || match k {
            0 => *seed.pick(&[d.codes.0, d.codes.1]),
            _ => seed.within(d.codes.0, d.codes.1),
        };
        rounds.push((0..sets).map(|_| (0..depth).map(|_| drawn()).collect()).collect());
    }
    let dot = |w: &[i64], x: &[i64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<i64>();
    let sum = |o: usize, round: &[Vec<i64>]| bias[o] + dot(&weights[o], &round[o % d.pe / d.share]);
    let all = || rounds.iter().flat_map(|round| (0..outputs).map(|o| sum(o, round)));
    let acc = 65 - all().map(|s| if s < 0 { !s } else { s }.leading_zeros()).min().unwrap() as usize;

    let words = |count: usize, fill: &dyn Fn(usize, &mut Word)| {
        image((0..count).map(|k| {
            let mut word = Word::default();
            fill(k, &mut word);
            word
        }))
    };
    let operands = words(rounds.len() * d.parts, &|k, word| {
        let (round, part) = (&rounds[k / d.parts], k % d.parts);
        round.iter().for_each(|set| set[part * d.simd..][..d.simd].iter().for_each(|&x| word.push(x, 9)));
    });
    let wanted = words(rounds.len() * d.folds, &|k, word| {
        let (round, fold) = (&rounds[k / d.folds], k % d.folds);
        (0..d.pe).for_each(|q| word.push(sum(fold * d.pe + q, round), acc));
    });
    let weights = words(d.folds * d.parts, &|k, word| {
        let (fold, part) = (k / d.parts, k % d.parts);
        for q in 0..d.pe {
            weights[fold * d.pe + q][part * d.simd..][..d.simd].iter().for_each(|&w| word.push(w, 8));
        }
    });
    let biases = words(d.folds, &|k, word| (0..d.pe).for_each(|q| word.push(bias[k * d.pe + q], acc)));
    let scales = words(d.folds, &|_, word| word.push(0, d.pe * (acc + 2)));
    let mut from = Word::default();
    (0..d.pe as i64).for_each(|q| from.push(q, 16));
    let number = |n: usize| n.to_string();
    Case {
        module: "multiply_case",
        parameters: vec![
            ("COUNT", number(rounds.len())),
            ("SIMD", number(d.simd)),
            ("PE", number(d.pe)),
            ("OWN", number(sets)),
            ("PAIR", number(d.pair.into())),
            ("SOFT", number(d.soft.into())),
            ("PARTS", number(d.parts)),
            ("FOLDS", number(d.folds)),
            ("ACCUMULATORS", number(if d.many { d.folds } else { 1 })),
            ("ACC", number(acc)),
            ("FROM", format!("{}'h{}", 16 * d.pe, image([from]).trim())),
        ],
        files: vec![
            ("OPERANDS", operands),
            ("WANTED", wanted),
            ("WEIGHTS", weights),
            ("BIAS", biases),
            ("SCALES", scales),
        ],
        clocks: rounds.len() * d.parts * d.folds + 32,
    }
}

fn depths() -> Vec<Case> {
    let seed = &mut Seed(32);
    let (signed, unsigned) = ((-128, 127), (0, 255));
    let one = Depth {
        simd: 16,
        pe: 4,
        parts: 288,
        folds: 2,
        codes: unsigned,
        pair: true,
        soft: false,
        share: 4,
        many: false,
    };
    let all = [
        // A 3x3 window of 512 channels.
        one,
        Depth { codes: signed, pair: false, ..one },
        Depth { codes: signed, pair: false, soft: true, ..one },
        Depth { simd: 5, pair: false, soft: true, ..one },
        Depth { codes: signed, simd: 9, pe: 3, parts: 128, share: 3, ..one },
        Depth { simd: 3, pe: 2, parts: 7, folds: 4, share: 2, many: true, ..one },
        // Elements of different groups, none and two of them of one group.
        Depth { simd: 5, pe: 4, parts: 5, codes: signed, share: 1, ..one },
        Depth { simd: 5, pe: 6, parts: 5, codes: signed, share: 2, ..one },
        Depth { simd: 4, pe: 6, parts: 3, share: 2, ..one },
        Depth { simd: 1, pe: 4, parts: 1, folds: 3, codes: signed, ..one },
    ];
    all.map(|d| sums(d, seed)).into()
}

#[test]
fn multiply_sums_over_whole_windows() {
    let cases = depths();
    let words = cases.iter().map(|c| c.files[1].1.lines().count()).sum();
    assert!(words > 150, "{words}");
    holds(&cases, words);
}

/// Changes of the modules, each seen by what holds them above.
#[test]
fn mistakes_in_modules_alone_are_seen() {
    let rounds = |wanted: &str| -> Vec<Case> {
        vectors("channels.json").iter().filter(|v| v["rounding"] == wanted).take(24).map(way).collect()
    };
    let (ways, away) = (rounds("half-even"), rounds("half-away"));
    let [pair, lent] = [false, true].map(|lent| pair_cases(lent).into_iter().take(3).collect::<Vec<Case>>());
    for (cases, patch) in [
        (&ways, Patch("requantise.sv", "? floor[0]", "? 1'b1")),
        (&away, Patch("requantise.sv", "(MODE == 2) && (", "1'b0 && (")),
        (&ways, Patch("requantise.sv", "whole > most", "whole > most + UNIT")),
        (&pair, Patch("dot_pair.sv", "= product[K-1];", "= 1'b0;")),
        (&pair, Patch("dot_pair.sv", "K = X - 1 + W", "K = X - 2 + W")),
        (&lent, Patch("dot_pair.sv", "{K - W{b[W-1]}}", "{K - W{1'b0}}")),
        (&lent, Patch("tree.sv", "<= carries[2*i+1]", "<= carries[2*i]")),
    ] {
        assert!(!compare(&tool(), cases, Some(patch)).differs.is_empty(), "{patch:?}");
    }
}
