//! Smaller recipes, as long as a property holds of them.

use nonresc_ir::network::{Pair, Sides};

use super::{Activation, Block, Groups, Head, Layer, Recipe, Shortcut, Step};

/// The smallest recipe that single cuts reach from `recipe` while `holds` holds of each on the way. Every cut makes
/// the recipe smaller, so that there are few of them; recipes for which `holds` panics end the search with the panic.
pub fn shrunk(mut recipe: Recipe, holds: impl Fn(&Recipe) -> bool) -> Recipe {
    while let Some(smaller) = cuts(&recipe).into_iter().find(&holds) {
        recipe = smaller;
    }
    recipe
}

/// Every recipe that is one cut smaller, large cuts first.
fn cuts(recipe: &Recipe) -> Vec<Recipe> {
    let mut all = Vec::new();
    let mut with = |cut: &dyn Fn(&mut Recipe)| {
        let mut smaller = recipe.clone();
        cut(&mut smaller);
        if smaller != *recipe {
            all.push(smaller);
        }
    };
    for steps in lists(&recipe.steps) {
        with(&|r| r.steps = steps.clone());
    }
    with(&|r| r.head = Head::Map);
    with(&|r| r.head = Head::Global { max: false, dense: Vec::new() });
    with(&|r| r.inner_output = false);
    with(&|r| r.size = Pair { h: r.size.h.div_ceil(2), w: r.size.w.div_ceil(2) });
    with(&|r| r.size.h = (r.size.h - 1).max(1));
    with(&|r| r.size.w = (r.size.w - 1).max(1));
    with(&|r| r.channels = r.channels.div_ceil(2));
    // The global head is as small as the map head, so that neither becomes the other for ever.
    if recipe.head == Head::Map {
        all.retain(|r| r.head == Head::Map);
    }
    all
}

/// Every list that is one cut smaller.
fn lists(steps: &[Step]) -> Vec<Vec<Step>> {
    let mut all = Vec::new();
    let with = |i: usize, new: &[Step]| [&steps[..i], new, &steps[i + 1..]].concat();
    for (i, step) in steps.iter().enumerate() {
        all.push(with(i, &[]));
        if let Step::Block(block) = step {
            all.push(with(i, &block.main));
        }
    }
    for (i, step) in steps.iter().enumerate() {
        match step {
            Step::Layer(layer) => all.extend(layers(layer).into_iter().map(|l| with(i, &[Step::Layer(l)]))),
            Step::Block(block) => all.extend(blocks(block).into_iter().map(|b| with(i, &[Step::Block(b)]))),
            Step::Pool(pool) => {
                let mut smaller = *pool;
                smaller.window.pad = Sides::ZERO;
                smaller.window.dilation = Pair::ONE;
                smaller.include_pad = false;
                if smaller != *pool {
                    all.push(with(i, &[Step::Pool(smaller)]));
                }
            }
        }
    }
    all
}

fn blocks(block: &Block) -> Vec<Block> {
    let mut all = Vec::new();
    for i in 0..block.shortcuts.len() {
        let mut smaller = block.clone();
        smaller.shortcuts.remove(i);
        all.push(smaller);
    }
    for (i, shortcut) in block.shortcuts.iter().enumerate() {
        let simpler: Vec<Shortcut> = match shortcut {
            Shortcut::General(layer) => {
                let layers = layers(layer).into_iter().map(Shortcut::General);
                [Shortcut::Projection].into_iter().chain(layers).collect()
            }
            Shortcut::Identity => Vec::new(),
            _ => vec![Shortcut::Identity],
        };
        for shortcut in simpler {
            let mut smaller = block.clone();
            smaller.shortcuts[i] = shortcut;
            all.push(smaller);
        }
    }
    all.extend(lists(&block.main).into_iter().map(|main| Block { main, ..block.clone() }));
    if block.activation != Activation::None {
        all.push(Block { activation: Activation::None, ..block.clone() });
    }
    if block.activates_first {
        all.push(Block { activates_first: false, ..block.clone() });
    }
    all
}

fn layers(layer: &Layer) -> Vec<Layer> {
    let mut all = Vec::new();
    let mut with = |cut: &dyn Fn(&mut Layer)| {
        let mut smaller = layer.clone();
        cut(&mut smaller);
        if smaller != *layer {
            all.push(smaller);
        }
    };
    with(&|l| l.outputs = if l.outputs == usize::MAX { l.outputs } else { l.outputs.div_ceil(2) });
    with(&|l| (l.window.kernel, l.window.pad, l.window.dilation) = (Pair::ONE, Sides::ZERO, Pair::ONE));
    with(&|l| l.window.stride = Pair::ONE);
    with(&|l| l.window.dilation = Pair::ONE);
    with(&|l| l.window.pad = Sides::ZERO);
    with(&|l| l.groups = Groups::One);
    with(&|l| l.activation = Activation::None);
    with(&|l| l.bias = false);
    all
}
