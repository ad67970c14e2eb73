//! From a recipe to a network, whatever the recipe says.

use std::collections::{BTreeMap, BTreeSet};

use nonresc_ir::id::Value;
use nonresc_ir::names::Names;
use nonresc_ir::network::{
    Add, AvgPool, Batch, Clip, Conv, Dense, Edit, GlobalAvgPool, GlobalMaxPool, LeakyRelu, MaxPool, Network,
    Op, Pad, Pair, Relu, Reshape, Sides, Slice, Softmax, canonicalise,
};
use nonresc_ir::tensor::Tensor;

use super::{Activation, Block, Groups, Head, Layer, Pool, Recipe, Shortcut, Step, Window};
use crate::seed::Seed;

/// A network and what is in it.
#[derive(Clone, Debug)]
pub struct Made {
    /// The network, in canonical order.
    pub network: Network,
    /// How often each thing is in it.
    pub kinds: BTreeMap<&'static str, usize>,
    /// Numbers that the activations of one frame hold together.
    pub numbers: usize,
}

impl Recipe {
    /// The network that the recipe says, with what does not fit replaced.
    pub fn build(&self) -> Made {
        let size = Pair { h: self.size.h.max(1), w: self.size.w.max(1) };
        let (network, input) = Network::with_input("input", [1, self.channels.max(1), size.h, size.w]);
        let mut b = Builder {
            network,
            seed: Seed(self.weights),
            kinds: BTreeMap::new(),
            sources: BTreeSet::new(),
            positive: BTreeSet::new(),
            names: 0,
            inner: None,
        };
        let x = b.steps(input, &self.steps, Place::Outside).0;
        let y = b.head(x, &self.head);
        let mut edit = Edit::new(&mut b.network);
        edit.output("output", y, Batch::Dynamic(None));
        if let Some(inner) = b.inner.filter(|inner| self.inner_output && *inner != y) {
            edit.output("inner", inner, Batch::Dynamic(None));
            b.note("inner output");
        }
        let constant = |op: &Op| matches!(op, Op::Const(_));
        let activations = b.network.node_ids().filter(|n| !constant(b.network.op(*n)));
        let numbers = activations.map(|n| b.network.ty(n.into()).shape.len()).sum();
        Made { network: canonicalise(&b.network), kinds: b.kinds, numbers }
    }
}

/// Where a step stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In no block: windows are what they say.
    Outside,
    /// On a path of a block: maps become `ceil(extent / stride)`.
    Inside,
    /// On the long path of a block that activates first.
    ActivatesFirst,
}

struct Builder {
    network: Network,
    seed: Seed,
    kinds: BTreeMap<&'static str, usize>,
    /// Where blocks begin.
    sources: BTreeSet<Value>,
    /// Values that are never negative, which no relu follows in normal form.
    positive: BTreeSet<Value>,
    names: usize,
    /// The result of the first block.
    inner: Option<Value>,
}

impl Builder {
    fn note(&mut self, kind: &'static str) {
        *self.kinds.entry(kind).or_default() += 1;
    }

    fn op(&mut self, op: impl Into<Op>, operands: &[Value]) -> Value {
        let op = op.into();
        self.names += 1;
        let names = Names::one(format!("{}_{}", op.name(), self.names));
        let mut edit = Edit::new(&mut self.network);
        edit.named(names);
        let value =
            edit.add(op, operands).unwrap_or_else(|why| panic!("the builder keeps to the rules: {why}"));
        let keeps = match self.network.op(value.node) {
            Op::Relu(_) => true,
            Op::Clip(a) => a.min >= 0.0,
            Op::Add(_)
            | Op::MaxPool(_)
            | Op::AvgPool(_)
            | Op::Slice(_)
            | Op::Pad(_)
            | Op::Reshape(_)
            | Op::GlobalAvgPool(_)
            | Op::GlobalMaxPool(_) => operands.iter().all(|v| self.positive.contains(v)),
            _ => false,
        };
        if keeps {
            self.positive.insert(value);
        }
        value
    }

    /// Weights whose sums neither vanish nor grow: multiples of a power of two.
    fn weights(&mut self, shape: &[usize]) -> Value {
        let fan_in = shape[1..].iter().product::<usize>().max(1) as f32;
        let scale = (fan_in.log2() / 2.0).round().exp2();
        let mut numbers: Vec<f32> = (0..shape.iter().product()).map(|_| self.seed.number() / scale).collect();
        // A bias that is zero all over would be no bias in normal form.
        if numbers.iter().all(|&n| n == 0.0) {
            numbers.fill(0.5);
        }
        Edit::new(&mut self.network).constant(Tensor::f32(shape, numbers).unwrap())
    }

    /// Channels, height and width.
    fn map(&self, x: Value) -> (usize, usize, usize) {
        self.network.ty(x).shape.chw().unwrap()
    }

    fn activate(&mut self, x: Value, activation: Activation) -> Value {
        if matches!(self.network.op(x.node), Op::Relu(_) | Op::Clip(_) | Op::LeakyRelu(_)) {
            return x;
        }
        match activation {
            Activation::Relu | Activation::Leaky if self.positive.contains(&x) => x,
            Activation::None => x,
            Activation::Relu => self.op(Relu {}, &[x]),
            Activation::Relu6 => {
                self.note("clip");
                self.op(Clip { min: 0.0, max: 6.0 }, &[x])
            }
            Activation::Limit => {
                self.note("clip");
                let min = if self.positive.contains(&x) { f64::NEG_INFINITY } else { -1.0 };
                self.op(Clip { min, max: 1.0 }, &[x])
            }
            Activation::Leaky => {
                self.note("leaky relu");
                self.op(LeakyRelu { alpha: 0.125 }, &[x])
            }
        }
    }

    /// The window as it fits a map; padding that makes `ceil(extent / stride)` inside of blocks.
    fn fit(window: &Window, (_, h, w): (usize, usize, usize), place: Place) -> Window {
        let axis =
            |kernel: usize, stride: usize, dilation: usize, before: usize, after: usize, extent: usize| {
                let (kernel, stride, dilation) = (kernel.max(1), stride.max(1), dilation.clamp(1, extent));
                let reach = (kernel - 1) * dilation;
                let centred = place != Place::Outside && before + after == 0;
                let before = if centred { reach / 2 } else { before.min(reach) };
                let after = if place == Place::Outside { after.min(reach) } else { reach - before };
                let kernel = if extent + before + after > reach { kernel } else { 1 };
                let reach = (kernel - 1) * dilation;
                (kernel, stride, if kernel == 1 { 1 } else { dilation }, before.min(reach), after.min(reach))
            };
        let (k, s, d, p) = (window.kernel, window.stride, window.dilation, window.pad);
        let rows = axis(k.h, s.h, d.h, p.top, p.bottom, h);
        let columns = axis(k.w, s.w, d.w, p.left, p.right, w);
        Window {
            kernel: Pair { h: rows.0, w: columns.0 },
            stride: Pair { h: rows.1, w: columns.1 },
            dilation: Pair { h: rows.2, w: columns.2 },
            pad: Sides { top: rows.3, left: columns.3, bottom: rows.4, right: columns.4 },
        }
    }

    fn note_window(&mut self, w: &Window) {
        let notes = [
            ("stride", w.stride != Pair::ONE),
            ("stride of one axis", w.stride.h != w.stride.w),
            ("kernel of one axis", w.kernel.h != w.kernel.w),
            ("1x1 kernel with stride", w.kernel == Pair::ONE && w.stride != Pair::ONE),
            ("dilation", w.dilation != Pair::ONE),
            ("padding of one side", w.pad.top != w.pad.bottom || w.pad.left != w.pad.right),
            ("no padding", w.kernel != Pair::ONE && w.pad == Sides::ZERO),
        ];
        notes.iter().filter(|(_, there)| *there).for_each(|(kind, _)| self.note(kind));
    }

    fn layer(&mut self, x: Value, layer: &Layer, inputs: usize, place: Place) -> (Value, Pair) {
        let x = if place == Place::ActivatesFirst { self.activate(x, Activation::Relu) } else { x };
        let map = self.map(x);
        let channels = map.0;
        let outputs = if layer.outputs == usize::MAX { inputs } else { layer.outputs.max(1) };
        let (groups, outputs) = match layer.groups {
            Groups::One => (1, outputs),
            Groups::Some(most) => {
                let divides = |g: &usize| channels.is_multiple_of(*g) && outputs.is_multiple_of(*g);
                ((1..=most.max(1)).rev().find(divides).unwrap_or(1), outputs)
            }
            Groups::Depthwise => (channels, outputs.div_ceil(channels) * channels),
        };
        match groups {
            1 => {}
            _ if groups == channels => self.note("depthwise"),
            _ => self.note("groups"),
        }
        let window = Self::fit(&layer.window, map, place);
        self.note_window(&window);
        let Window { kernel, stride, dilation, pad } = window;
        let mut operands = vec![x, self.weights(&[outputs, channels / groups, kernel.h, kernel.w])];
        if layer.bias {
            operands.push(self.weights(&[outputs]));
        }
        let y = self.op(Conv { stride, pad, dilation, groups }, &operands);
        let y = if place == Place::ActivatesFirst { y } else { self.activate(y, layer.activation) };
        (y, stride)
    }

    fn pool(&mut self, x: Value, pool: &Pool, place: Place) -> (Value, Pair) {
        let map = self.map(x);
        let mut asked = pool.window;
        if place != Place::Outside {
            asked.dilation = Pair::ONE;
        }
        let mut window = Self::fit(&asked, map, place);
        // No window of a pool lies in padding alone, and ONNX wants padding below the kernel's extent.
        let Sides { top, left, bottom, right } = window.pad;
        let (h, w) = (window.kernel.h - 1, window.kernel.w - 1);
        let pad = Sides { top: top.min(h), left: left.min(w), bottom: bottom.min(h), right: right.min(w) };
        let reach = |k: usize, d: usize| (k - 1) * d + 1;
        if map.1 + pad.top + pad.bottom < reach(window.kernel.h, window.dilation.h)
            || map.2 + pad.left + pad.right < reach(window.kernel.w, window.dilation.w)
        {
            window.dilation = Pair::ONE;
        }
        window.pad = pad;
        self.note_window(&window);
        let Window { kernel, stride, dilation, pad } = window;
        if let Some(y) = self.whole_pool(x, pool, &window) {
            return (y, stride);
        }
        let y = if pool.max {
            self.note("max pool");
            self.op(MaxPool { kernel, stride, pad, dilation }, &[x])
        } else {
            self.note("mean pool");
            let include_pad = pool.include_pad && pad != Sides::ZERO;
            self.op(AvgPool { kernel, stride, pad, dilation, include_pad, ..AvgPool::default() }, &[x])
        };
        (y, stride)
    }

    /// A pool whose one window sees the whole map, which normal form has as a global pool; one that does nothing.
    fn whole_pool(&mut self, x: Value, pool: &Pool, window: &Window) -> Option<Value> {
        let Window { kernel, stride, dilation, pad } = *window;
        let (_, h, w) = self.map(x);
        if kernel == Pair::ONE && stride == Pair::ONE {
            return Some(x);
        }
        let sees = |extent, before, after, kernel, stride, dilation| {
            let places = (extent + before + after - (kernel - 1) * dilation - 1) / stride + 1;
            places == 1 && (dilation == 1 || extent == 1) && kernel >= before + extent
        };
        let counts = !pool.max && pool.include_pad && pad != Sides::ZERO;
        let whole = !counts
            && sees(h, pad.top, pad.bottom, kernel.h, stride.h, dilation.h)
            && sees(w, pad.left, pad.right, kernel.w, stride.w, dilation.w);
        whole.then(|| self.global(x, pool.max))
    }

    /// The result of all steps, and the product of their strides.
    fn steps(&mut self, x: Value, steps: &[Step], place: Place) -> (Value, Pair) {
        let inputs = self.network.ty(x).shape.0[1];
        let mut y = x;
        let mut total = Pair::ONE;
        for step in steps {
            let (next, stride) = match step {
                Step::Layer(layer) => self.layer(y, layer, inputs, place),
                Step::Pool(pool) => self.pool(y, pool, place),
                Step::Block(block) => self.block(y, block, place),
            };
            y = next;
            total = Pair { h: total.h * stride.h, w: total.w * stride.w };
        }
        (y, total)
    }

    fn block(&mut self, x: Value, block: &Block, place: Place) -> (Value, Pair) {
        let main = if block.activates_first { Place::ActivatesFirst } else { Place::Inside };
        if place != Place::Outside {
            self.note("nested");
        }
        if !self.sources.insert(x) {
            self.note("shared source");
        }
        let (mut y, stride) = self.steps(x, &block.main, main);
        // A sum of a value with itself is no block.
        if y == x {
            return (x, Pair::ONE);
        }
        if block.activates_first {
            self.note("pre-activation");
        }
        if block.shortcuts.len() > 1 {
            self.note("three-way");
        }
        for shortcut in &block.shortcuts {
            let short = self.shortcut(x, y, shortcut, stride);
            let operands = if self.seed.chance(50) { [short, y] } else { [y, short] };
            y = self.op(Add {}, &operands);
        }
        if place != Place::ActivatesFirst && !block.activates_first {
            y = self.activate(y, block.activation);
        }
        if place == Place::Outside {
            self.inner.get_or_insert(y);
        }
        (y, stride)
    }

    fn shortcut(&mut self, x: Value, y: Value, shortcut: &Shortcut, stride: Pair) -> Value {
        let ((channels, map_h, map_w), (outputs, height, width)) = (self.map(x), self.map(y));
        let point = Window { kernel: Pair::ONE, stride, dilation: Pair::ONE, pad: Sides::ZERO };
        let projection =
            Layer { outputs, groups: Groups::One, window: point, bias: true, activation: Activation::None };
        match shortcut {
            Shortcut::Identity | Shortcut::Padded { .. } if self.network.ty(x) == self.network.ty(y) => {
                self.note("identity");
                x
            }
            Shortcut::Padded { before } if outputs >= channels => {
                self.note("padded");
                let mut short = x;
                if (map_h, map_w) != (height, width) {
                    let step = vec![1, 1, stride.h as i64, stride.w as i64];
                    let len = vec![1, channels, height, width];
                    short = self.op(Slice { start: vec![0; 4], step, len }, &[short]);
                }
                if outputs > channels {
                    let front = if *before { (outputs - channels) / 2 } else { 0 };
                    let (before, after) = (vec![0, front, 0, 0], vec![0, outputs - channels - front, 0, 0]);
                    short = self.op(Pad { before, after, value: 0.0 }, &[short]);
                }
                short
            }
            Shortcut::Pooled { max } => {
                self.note("pooled");
                let kernel = Pair { h: stride.h.max(2), w: stride.w.max(2) };
                let window = Window { kernel, ..point };
                let (short, _) = self.pool(x, &Pool { max: *max, window, include_pad: false }, Place::Inside);
                self.layer(
                    short,
                    &Layer { window: Window { stride: Pair::ONE, ..point }, ..projection },
                    0,
                    Place::Inside,
                )
                .0
            }
            Shortcut::General(layer) => {
                self.note("general");
                let window = Window { stride, ..layer.window };
                let groups = if layer.groups == Groups::Depthwise { Groups::One } else { layer.groups };
                self.layer(x, &Layer { outputs, groups, window, ..layer.clone() }, 0, Place::Inside).0
            }
            _ => {
                self.note("projection");
                self.layer(x, &projection, 0, Place::Inside).0
            }
        }
    }

    fn dense(&mut self, x: Value, outputs: usize) -> Value {
        let features = self.network.ty(x).shape.0[1];
        let (w, bias) = (self.weights(&[outputs.max(1), features]), self.weights(&[outputs.max(1)]));
        self.op(Dense {}, &[x, w, bias])
    }

    /// Dense layers with a relu between each two of them.
    fn chain(&mut self, x: Value, widths: &[usize]) -> Value {
        let mut y = x;
        for (i, &width) in widths.iter().enumerate() {
            if i > 0 {
                self.note("dense chain");
                y = self.activate(y, Activation::Relu);
            }
            y = self.dense(y, width);
        }
        y
    }

    fn flat(&mut self, x: Value) -> Value {
        let features = self.network.ty(x).shape.len();
        self.op(Reshape { keep_batch: true, dims: vec![features] }, &[x])
    }

    /// A pool over the whole map, where the map is more than a pixel.
    fn global(&mut self, x: Value, max: bool) -> Value {
        if matches!(self.map(x), (_, 1, 1)) {
            return x;
        }
        if max {
            self.note("global max");
            return self.op(GlobalMaxPool {}, &[x]);
        }
        self.note("global mean");
        self.op(GlobalAvgPool {}, &[x])
    }

    fn head(&mut self, x: Value, head: &Head) -> Value {
        match head {
            Head::Map => {
                self.note("map output");
                x
            }
            Head::Global { max, dense } => {
                let y = self.global(x, *max);
                if dense.is_empty() {
                    return y;
                }
                let y = self.flat(y);
                self.chain(y, dense)
            }
            Head::Flat { dense } => {
                self.note("dense over a map");
                let y = self.flat(x);
                self.chain(y, dense)
            }
            Head::Residual { width } => {
                self.note("dense residual");
                let y = self.global(x, false);
                let y = self.flat(y);
                let short = self.dense(y, *width);
                let y = self.activate(short, Activation::Relu);
                let y = self.dense(y, *width);
                self.op(Add {}, &[y, short])
            }
            Head::Softmax { classes } => {
                self.note("softmax");
                let y = self.global(x, false);
                let y = self.flat(y);
                let y = self.dense(y, *classes);
                self.op(Softmax { axis: 1 }, &[y])
            }
        }
    }
}
