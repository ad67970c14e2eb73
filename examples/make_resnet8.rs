//! Makes `examples/resnet8.onnx`: a ResNet8 for 32 x 32 images in ten classes, and `examples/block.onnx`: one residual
//! block of 16 channels on a map of 32 x 32, between a stem and a classifier; with weights from a seed.
//!
//! The shape is the residual network of MLPerf Tiny's image classification (a stem, three blocks of two
//! convolutions with 16, 32 and 64 channels, the last two with a projection on the skip). The weights are
//! random: the network shows what the compiler does, and classifies nothing.
//!
//! `cargo run -p nonresc-tests --example make_resnet8 -- examples/resnet8.onnx examples/block.onnx`

use nonresc_ir::id::Value;
use nonresc_ir::names::Names;
use nonresc_ir::network::{
    AvgPool, Batch, BatchNorm, Conv, Dense, Edit, EditError, Network, Pair, Relu, Reshape, Shape, Sides,
};
use nonresc_ir::onnx::export::export;
use nonresc_ir::tensor::Tensor;

/// Seed of the weights.
const SEED: u64 = 8;

/// The network and the generator of its weights, as it grows.
struct Maker<'a> {
    edit: Edit<'a>,
    random: SplitMix64,
}

/// The network that the file holds.
///
/// # Errors
/// None that can happen: the operators are typed as they go in, and these fit.
pub(crate) fn resnet8() -> Result<Network, EditError> {
    let (mut network, image) = Network::with_input("image", [1, 3, 32, 32]);
    let mut make = Maker { edit: Edit::new(&mut network), random: SplitMix64(SEED) };
    let stem = make.convolution("stem", image, 16, 3, 1)?;
    let stem = make.relu("stem.relu", stem)?;
    let x = make.block("block1", stem, 16, 1)?;
    let x = make.block("block2", x, 32, 2)?;
    let x = make.block("block3", x, 64, 2)?;
    let logits = make.head(x, 10)?;
    make.edit.output("logits", logits, Batch::Dynamic(None));
    Ok(network)
}

/// The network of one residual block, between a stem and a classifier.
///
/// # Errors
/// As [`resnet8`].
pub(crate) fn block() -> Result<Network, EditError> {
    let (mut network, image) = Network::with_input("image", [1, 3, 32, 32]);
    let mut make = Maker { edit: Edit::new(&mut network), random: SplitMix64(SEED) };
    let stem = make.convolution("stem", image, 16, 3, 1)?;
    let stem = make.relu("stem.relu", stem)?;
    let x = make.block("block", stem, 16, 1)?;
    let logits = make.head(x, 10)?;
    make.edit.output("logits", logits, Batch::Dynamic(None));
    Ok(network)
}

impl Maker<'_> {
    /// Two convolutions and the skip around them; a projection where the shape changes.
    fn block(&mut self, name: &str, x: Value, channels: usize, stride: usize) -> Result<Value, EditError> {
        let y = self.convolution(&format!("{name}.conv1"), x, channels, 3, stride)?;
        let y = self.relu(&format!("{name}.relu1"), y)?;
        let y = self.convolution(&format!("{name}.conv2"), y, channels, 3, 1)?;
        let skip = match stride {
            1 => x,
            _ => self.convolution(&format!("{name}.projection"), x, channels, 1, stride)?,
        };
        self.edit.named(Names::one(format!("{name}.add")));
        let sum = self.edit.add(nonresc_ir::network::Add {}, &[y, skip])?;
        self.relu(&format!("{name}.relu2"), sum)
    }

    /// A convolution and its batch normalisation, as training leaves them.
    fn convolution(
        &mut self,
        name: &str,
        x: Value,
        channels: usize,
        kernel: usize,
        stride: usize,
    ) -> Result<Value, EditError> {
        let inputs = self.edit.ty(x).shape.chw().map_or(0, |(c, _, _)| c);
        self.edit.named(Names::one(name));
        // He's bound for uniform weights in front of a rectifier: sqrt(6 / fan-in).
        let bound = (6.0 / (inputs * kernel * kernel) as f32).sqrt();
        let weights = self.tensor([channels, inputs, kernel, kernel], -bound, bound)?;
        let conv = Conv { stride: Pair::square(stride), pad: Sides::all(kernel / 2), ..Conv::default() };
        let y = self.edit.add(conv, &[x, weights])?;
        self.edit.named(Names::one(format!("{name}.norm")));
        let scale = self.tensor([channels], 0.5, 1.0)?;
        let bias = self.tensor([channels], -0.1, 0.1)?;
        let mean = self.tensor([channels], -0.1, 0.1)?;
        let variance = self.tensor([channels], 0.5, 1.5)?;
        self.edit.add(BatchNorm::default(), &[y, scale, bias, mean, variance])
    }

    /// The mean over the map and the classifier.
    fn head(&mut self, x: Value, classes: usize) -> Result<Value, EditError> {
        let (channels, height, width) = self.edit.ty(x).shape.chw().unwrap_or((0, 0, 0));
        self.edit.named(Names::one("pool"));
        let x =
            self.edit.add(AvgPool { kernel: Pair { h: height, w: width }, ..AvgPool::default() }, &[x])?;
        self.edit.named(Names::one("flatten"));
        let x = self.edit.add(Reshape { keep_batch: true, dims: vec![channels] }, &[x])?;
        self.edit.named(Names::one("classifier"));
        let bound = (1.0 / channels as f32).sqrt();
        let weights = self.tensor([classes, channels], -bound, bound)?;
        let bias = self.tensor([classes], -bound, bound)?;
        self.edit.add(Dense {}, &[x, weights, bias])
    }

    fn relu(&mut self, name: &str, x: Value) -> Result<Value, EditError> {
        self.edit.named(Names::one(name));
        self.edit.add(Relu {}, &[x])
    }

    /// Numbers spread evenly over `low..high`.
    fn tensor(&mut self, shape: impl Into<Shape>, low: f32, high: f32) -> Result<Value, EditError> {
        let shape = shape.into();
        let data = (0..shape.len()).map(|_| low + (high - low) * self.random.unit()).collect();
        let tensor =
            Tensor::f32(shape, data).ok_or_else(|| EditError("weights do not fill their shape".into()))?;
        Ok(self.edit.constant(tensor))
    }
}

/// The generator SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct SplitMix64(u64);

impl SplitMix64 {
    /// 24 random bits as a number in 0..1, exact in f32.
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u32 << 24) as f32
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = |n: usize, default: &str| std::env::args().nth(n).unwrap_or_else(|| default.to_string());
    std::fs::write(path(1, "examples/resnet8.onnx"), export(&resnet8()?)?)?;
    std::fs::write(path(2, "examples/block.onnx"), export(&block()?)?)?;
    Ok(())
}
