#!/usr/bin/env python3
"""Holds steps of training against PyTorch: gradients_in_torch.py FOLDER MODEL.onnx...

Of each model PyTorch's own operators are run, node by node of the ONNX file, in double precision, with batch norm in
training mode behind every convolution; autograd gives the gradients of 0.75 times the cross entropy plus 0.25 times the
mean square of the distance to given scores. Images, labels, scores and parameters are those of FOLDER/MODEL.npz, and
loss, scores, gradients and the batch's statistics are compared with those of that file. A batch norm of the model is that
of its convolution where it stands directly behind one; else it is one of its own, behind a convolution of one weight a
channel. Errors are relative to the largest number of an array. Exit code 1 where one is 1e-4 or more. A gradient that is
everywhere below 1e-12 of the model's largest is 0 but for rounding, as that of a bias which the next batch norm takes
away; it must be so on both sides, and is counted.

The folder is written by `cargo bench -p nonresc-tests --bench gradients -- steps FOLDER MODEL.onnx...`. Wants the
packages torch, onnx and numpy.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import torch
import torch.nn.functional as F

NEAR, NOTHING = 1e-4, 1e-12
EPSILON = 1e-5


class Net:
    """One model on one batch."""

    def __init__(self, model, arrays):
        self.graph = onnx.load(model).graph
        self.arrays = arrays
        self.parameters, self.statistics = {}, {}
        self.values = {"": None}
        for tensor in self.graph.initializer:
            self.values[tensor.name] = self.tensor(onnx.numpy_helper.to_array(tensor))
        self.readers, self.makers = {}, {}
        for node in self.graph.node:
            self.makers.update({name: node for name in node.output})
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    @staticmethod
    def tensor(array):
        tensor = torch.from_numpy(np.array(array))
        return tensor.double() if tensor.is_floating_point() else tensor

    def parameter(self, name):
        if name not in self.parameters:
            self.parameters[name] = torch.tensor(self.arrays["in_" + name], dtype=torch.float64, requires_grad=True)
        return self.parameters[name]

    def run(self, images):
        known = {tensor.name for tensor in self.graph.initializer}
        (port,) = [i for i in self.graph.input if i.name not in known]
        # A file may hold its batch fixed, in shapes too.
        self.fixed, self.frames = port.type.tensor_type.shape.dim[0].dim_value, len(images)
        self.values[port.name] = images
        for node in self.graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            inputs = [self.values[name] for name in node.input]
            self.values[node.output[0]] = getattr(self, node.op_type)(node, attributes, *inputs)
        return self.values[self.graph.output[0].name]

    def normalised(self, name, x):
        self.statistics[name + ".mean"] = x.mean((0, 2, 3))
        self.statistics[name + ".variance"] = x.var((0, 2, 3), unbiased=False)
        scale, bias = self.parameter(name + ".scale"), self.parameter(name + ".bias")
        return F.batch_norm(x, None, None, scale, bias, training=True, eps=EPSILON)

    @staticmethod
    def window(a, rank=2):
        """Padding as F.pad takes it, stride, dilation."""
        assert a.get("auto_pad", b"NOTSET") == b"NOTSET", "automatic padding"
        top, left, bottom, right = a.get("pads", [0] * 4)
        return (left, right, top, bottom), a.get("strides", [1] * rank), a.get("dilations", [1] * rank)

    def Conv(self, node, a, x, *_):
        name = node.name or node.output[0]
        pad, stride, dilation = self.window(a)
        weight = self.parameter(name + ".weight")
        y = F.conv2d(F.pad(x, pad), weight, None, stride, 0, dilation, a.get("group", 1))
        return self.normalised(name, y)

    def BatchNormalization(self, node, a, x, *_):
        maker = self.makers.get(node.input[0])
        if maker is not None and maker.op_type == "Conv" and len(self.readers[node.input[0]]) == 1:
            return x
        name = node.name or node.output[0]
        return self.normalised(name, F.conv2d(x, self.parameter(name + ".weight"), groups=x.shape[1]))

    def Gemm(self, node, a, x, *_):
        name = node.name or node.output[0]
        assert a.get("alpha", 1.0) == a.get("beta", 1.0) == 1.0 and not a.get("transA", 0)
        return F.linear(x, self.parameter(name + ".weight"), self.parameter(name + ".bias"))

    def Relu(self, node, a, x):
        return torch.relu(x)

    def LeakyRelu(self, node, a, x):
        return F.leaky_relu(x, a.get("alpha", 0.01))

    def Clip(self, node, a, x, low=None, high=None):
        return torch.clamp(x, low, high)

    def Add(self, node, a, x, y):
        return x + y

    def Mul(self, node, a, x, y):
        return x * y

    def Identity(self, node, a, x):
        return x

    def MaxPool(self, node, a, x):
        pad, stride, dilation = self.window(a)
        x = F.pad(x, pad, value=-torch.inf)
        return F.max_pool2d(x, a["kernel_shape"], stride, 0, dilation, bool(a.get("ceil_mode", 0)))

    def AveragePool(self, node, a, x):
        (left, right, top, bottom), stride, _ = self.window(a)
        assert (left, top) == (right, bottom), "padding of one side"
        counts = bool(a.get("count_include_pad", 0))
        return F.avg_pool2d(x, a["kernel_shape"], stride, (top, left), bool(a.get("ceil_mode", 0)), counts)

    def GlobalAveragePool(self, node, a, x):
        return x.mean((2, 3), keepdim=True)

    def GlobalMaxPool(self, node, a, x):
        return x.amax((2, 3), keepdim=True)

    def ReduceMean(self, node, a, x, axes=None):
        axes = a["axes"] if axes is None else axes.tolist()
        return x.mean([int(axis) for axis in axes], keepdim=bool(a.get("keepdims", 1)))

    def Flatten(self, node, a, x):
        return x.flatten(1)

    def Constant(self, node, a):
        return self.tensor(onnx.numpy_helper.to_array(a["value"]))

    def ConstantOfShape(self, node, a, shape):
        value = onnx.numpy_helper.to_array(a["value"]).item() if "value" in a else 0
        return torch.full(shape.tolist(), value)

    def Shape(self, node, a, x):
        return torch.tensor(x.shape)

    def Gather(self, node, a, x, index):
        return torch.index_select(x, a.get("axis", 0), index.reshape(-1)).reshape(index.shape)

    def Unsqueeze(self, node, a, x, axes=None):
        (axis,) = a["axes"] if axes is None else axes.tolist()
        return x.unsqueeze(axis)

    def Concat(self, node, a, *parts):
        return torch.cat(parts, a["axis"])

    def Cast(self, node, a, x):
        return x

    def Transpose(self, node, a, x):
        return x.permute(a["perm"])

    def Reshape(self, node, a, x, shape):
        shape = [x.shape[i] if n == 0 else n for i, n in enumerate(shape.tolist())]
        if x.shape[0] == self.frames and shape[0] == self.fixed:
            shape[0] = self.frames
        return x.reshape(shape)

    def Slice(self, node, a, x, starts, ends, axes=None, steps=None):
        axes = range(len(starts)) if axes is None else axes.tolist()
        steps = [1] * len(starts) if steps is None else steps.tolist()
        for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes, steps):
            extent = x.shape[axis]
            places = range(*slice(start, max(end, -extent - 1), step).indices(extent))
            x = torch.index_select(x, axis, torch.tensor(list(places), dtype=torch.int64))
        return x

    def Pad(self, node, a, x, pads=None, value=None):
        pads = (a["pads"] if pads is None else pads.tolist())
        half = len(pads) // 2
        sides = [side for axis in reversed(range(half)) for side in (pads[axis], pads[half + axis])]
        return F.pad(x, sides, value=0.0 if value is None else value.item())


def error(name, given, right, least):
    """The relative error, or None where all of both is below `least`."""
    assert given.shape == right.shape, (name, given.shape, right.shape)
    largest = np.abs(right).max()
    if max(largest, np.abs(given).max()) < least:
        return None
    return np.abs(given - right).max() / largest if largest else np.inf


def errors(folder, model):
    arrays = np.load(folder / (model.stem + ".npz"))
    net = Net(model, arrays)
    scores = net.run(torch.from_numpy(arrays["in_images"]))
    hard = F.cross_entropy(scores, torch.from_numpy(arrays["in_labels"].argmax(1)))
    loss = 0.75 * hard + 0.25 * F.mse_loss(scores, torch.from_numpy(arrays["in_teacher"]))
    loss.backward()
    golden = {"loss": loss, "scores": scores, **net.statistics}
    golden |= {"gradient." + name: parameter.grad for name, parameter in net.parameters.items()}
    found = {name[4:] for name in arrays.files if name.startswith("out_")}
    assert found == set(golden), (model, found ^ set(golden))
    golden = {name: value.detach().numpy() for name, value in golden.items()}
    largest = max(np.abs(value).max() for name, value in golden.items() if name.startswith("gradient."))
    all_errors = {}
    for name, right in golden.items():
        least = NOTHING * largest if name.startswith("gradient.") else 0.0
        all_errors[name] = error(name, arrays["out_" + name], right, least)
    return all_errors


def main():
    folder, bad = Path(sys.argv[1]), 0
    models = [Path(name) for name in sys.argv[2:]]
    for model in models:
        all_errors = errors(folder, model)
        count = sum(name.startswith("gradient.") for name in all_errors)
        found = {name: e for name, e in all_errors.items() if e is not None}
        gradients = {name: e for name, e in found.items() if name.startswith("gradient.")}
        worst = max(gradients, key=gradients.get)
        rest = max(e for name, e in found.items() if name not in gradients)
        print(
            f"{model.stem}: {count} parameters, {count - len(gradients)} with no gradient but rounding, largest relative "
            f"error {gradients[worst]:.1e} ({worst}); loss, scores and statistics {rest:.1e}"
        )
        bad += sum(not e < NEAR for e in found.values())
    print(f"{len(models)} models, {bad} arrays apart")
    sys.exit(1 if bad or not models else 0)


if __name__ == "__main__":
    main()
