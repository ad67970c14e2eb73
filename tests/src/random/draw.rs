//! From a seed to a recipe. How often each thing is drawn is decided here alone.

use nonresc_ir::network::{Pair, Sides};

use super::{Activation, Block, Groups, Head, Layer, MAX_NUMBERS, Pool, Recipe, Shortcut, Step, Window};
use crate::seed::Seed;

/// What is built for a seed: cut in height and width until a frame is small enough.
pub fn recipe(seed: u64) -> Recipe {
    let mut s = Seed(seed);
    let mut steps = Vec::new();
    if s.chance(70) {
        steps.push(stem(&mut s));
    }
    for _ in 0..s.between(1, 3) {
        steps.push(Step::Block(block(&mut s, 1)));
        if s.chance(25) {
            steps.push(between(&mut s));
        }
    }
    let mut recipe = Recipe {
        channels: s.between(1, 4),
        size: Pair { h: s.between(4, 12), w: s.between(4, 12) },
        steps,
        inner_output: s.chance(8),
        head: head(&mut s),
        weights: s.bits(),
    };
    while recipe.build().numbers > MAX_NUMBERS && recipe.size != Pair::ONE {
        let half = |n: usize| n.div_ceil(2);
        recipe.size = Pair { h: half(recipe.size.h), w: half(recipe.size.w) };
    }
    recipe
}

fn stem(s: &mut Seed) -> Step {
    Step::Layer(Layer { groups: Groups::One, ..layer(s) })
}

fn between(s: &mut Seed) -> Step {
    if s.chance(40) {
        return Step::Layer(layer(s));
    }
    Step::Pool(pool(s))
}

fn pool(s: &mut Seed) -> Pool {
    let kernel = Pair { h: s.between(1, 3), w: s.between(2, 3) };
    let dilation = if s.chance(15) { Pair { h: 1, w: 2 } } else { Pair::ONE };
    let side = |s: &mut Seed, k: usize| if s.chance(40) { s.below(k) } else { 0 };
    let (top, left, bottom, right) =
        (side(s, kernel.h), side(s, kernel.w), side(s, kernel.h), side(s, kernel.w));
    let stride = Pair { h: s.between(1, 2), w: s.between(1, 2) };
    let window = Window { kernel, stride, dilation, pad: Sides { top, left, bottom, right } };
    Pool { max: s.chance(50), window, include_pad: s.chance(50) }
}

fn activation(s: &mut Seed) -> Activation {
    use Activation::{Leaky, Limit, None, Relu, Relu6};
    match s.below(16) {
        0 | 1 => Relu6,
        2 => None,
        3 => Limit,
        4 => Leaky,
        _ => Relu,
    }
}

/// A convolution with any window.
fn layer(s: &mut Seed) -> Layer {
    let extents = [1, 1, 2, 3, 3, 3, 3, 3, 5];
    let side = *s.pick(&extents);
    let kernel = if s.chance(20) { Pair { h: side, w: *s.pick(&extents) } } else { Pair::square(side) };
    let stride = match s.below(20) {
        0..=2 => Pair::square(2),
        3 => Pair { h: 1, w: 2 },
        4 => Pair { h: 3, w: 2 },
        _ => Pair::ONE,
    };
    let dilation = match s.below(10) {
        0 => Pair::square(2),
        1 => Pair { h: 2, w: 1 },
        _ => Pair::ONE,
    };
    let groups = match s.below(20) {
        0..=2 => Groups::Depthwise,
        3..=5 => Groups::Some(s.between(2, 3)),
        _ => Groups::One,
    };
    let (h, w) = ((kernel.h - 1) * dilation.h, (kernel.w - 1) * dilation.w);
    let pad = match s.below(10) {
        0 | 1 => Sides::ZERO,
        2..=4 => {
            let (top, left) = (s.between(0, h), s.between(0, w));
            Sides { top, left, bottom: s.between(0, h), right: s.between(0, w) }
        }
        _ => Sides { top: h / 2, left: w / 2, bottom: h - h / 2, right: w - w / 2 },
    };
    let window = Window { kernel, stride, dilation, pad };
    Layer { outputs: s.between(1, 8), groups, window, bias: s.chance(80), activation: activation(s) }
}

/// A residual block; `depth` says how many more may lie in each other.
fn block(s: &mut Seed, depth: usize) -> Block {
    let activates_first = s.chance(15);
    let mut main = Vec::new();
    if depth > 0 && s.chance(12) {
        main.push(Step::Block(block(s, depth - 1)));
    }
    for _ in 0..s.between(1, 3) {
        main.push(Step::Layer(layer(s)));
    }
    if s.chance(8) {
        main.push(Step::Pool(pool(s)));
    }
    if depth > 0 && s.chance(10) {
        main.push(Step::Block(block(s, depth - 1)));
    }
    // The last layer of a block is linear, unless a block is what some networks have.
    if let Some(Step::Layer(last)) = main.last_mut()
        && !activates_first
        && s.chance(85)
    {
        last.activation = Activation::None;
    }
    let shortcut = |s: &mut Seed| match s.below(20) {
        0..=8 => Shortcut::Identity,
        9..=12 => Shortcut::Projection,
        13 | 14 => Shortcut::Pooled { max: s.chance(50) },
        15..=17 => Shortcut::Padded { before: s.chance(50) },
        _ => Shortcut::General(layer(s)),
    };
    let shortcuts: Vec<Shortcut> = (0..if s.chance(12) { 2 } else { 1 }).map(|_| shortcut(s)).collect();
    if shortcuts.contains(&Shortcut::Identity) {
        keep_map(&mut main);
    } else if shortcuts.iter().any(|k| matches!(k, Shortcut::Padded { .. }))
        && let Some(Step::Layer(last)) = main.iter_mut().rev().find(|step| matches!(step, Step::Layer(_)))
    {
        last.outputs = 8;
        last.groups = Groups::One;
    }
    let activation = if activates_first { Activation::None } else { activation(s) };
    Block { main, shortcuts, activates_first, activation }
}

/// A path whose map stays as it is: no steps, and as many channels as come in (`usize::MAX` stands for them).
fn keep_map(main: &mut [Step]) {
    for step in main.iter_mut() {
        match step {
            Step::Layer(layer) => layer.window.stride = Pair::ONE,
            Step::Pool(pool) => pool.window.stride = Pair::ONE,
            Step::Block(block) => keep_map(&mut block.main),
        }
    }
    if let Some(last) = main.iter_mut().rev().find_map(|step| match step {
        Step::Layer(layer) => Some(layer),
        _ => None,
    }) {
        last.outputs = usize::MAX;
        if last.groups != Groups::One {
            last.groups = Groups::Some(2);
        }
    }
}

fn head(s: &mut Seed) -> Head {
    match s.below(20) {
        0..=2 => Head::Map,
        3..=9 => Head::Global { max: false, dense: vec![s.between(2, 10)] },
        10 => Head::Global { max: true, dense: vec![s.between(2, 10)] },
        11 => Head::Global { max: s.chance(50), dense: Vec::new() },
        12 => Head::Global { max: false, dense: vec![s.between(2, 8), s.between(2, 10)] },
        13 | 14 => Head::Flat { dense: vec![s.between(2, 10)] },
        15 => Head::Flat { dense: vec![s.between(2, 8), s.between(2, 10)] },
        16 | 17 => Head::Residual { width: s.between(2, 8) },
        _ => Head::Softmax { classes: s.between(2, 10) },
    }
}
