"""Makes the parts of the digits example: python make_digits.py digits.csv.gz DIR

digits.csv.gz is the copy of the UCI digits that scikit-learn carries (1,797 rows of 64 pixels from 0 to 16, and the
digit). Every fifth image is for the test. DIR/untrained.onnx is a residual network of drawn weights; this trains it:

    nonresc DIR/untrained.onnx --scale 1/16 --skips keep --retrain --scratch --data DIR/digits_train.npz \
            --test DIR/digits_test.npz --no-flip --shift 1 --batch 32 --epochs 60 --qat-epochs 0 --out DIR/trained

Needs numpy and onnx.
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def network():
    draw = np.random.default_rng(1)
    nodes, weights = [], []

    def constant(name, numbers):
        weights.append(numpy_helper.from_array(numbers.astype(np.float32), name))
        return name

    def conv(name, x, inputs, outputs, kernel, stride):
        deviation = np.sqrt(2 / (inputs * kernel * kernel))
        w = constant(name + ".weight", draw.normal(0, deviation, (outputs, inputs, kernel, kernel)))
        b = constant(name + ".bias", np.zeros(outputs))
        pads = [kernel // 2] * 4
        nodes.append(helper.make_node("Conv", [x, w, b], [name], name, strides=[stride, stride], pads=pads))
        return name

    def op(kind, name, *inputs, **attributes):
        nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def block(name, x, inputs, outputs, stride):
        y = op("Relu", name + ".relu1", conv(name + ".conv1", x, inputs, outputs, 3, stride))
        y = conv(name + ".conv2", y, outputs, outputs, 3, 1)
        skip = x if inputs == outputs else conv(name + ".skip", x, inputs, outputs, 1, stride)
        return op("Relu", name + ".relu2", op("Add", name + ".add", y, skip))

    x = op("Relu", "stem.relu", conv("stem", "digit", 1, 16, 3, 1))
    x = block("block1", x, 16, 16, 1)
    x = block("block2", x, 16, 32, 2)
    x = block("block3", x, 32, 32, 1)
    x = op("Flatten", "flat", op("GlobalAveragePool", "mean", x))
    w = constant("classes.weight", draw.normal(0, np.sqrt(1 / 32), (10, 32)))
    op("Gemm", "scores", x, w, constant("classes.bias", np.zeros(10)), transB=1)
    ports = [
        [helper.make_tensor_value_info("digit", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 10])],
    ]
    graph = helper.make_graph(nodes, "digits", *ports, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main(table, folder):
    rows = np.loadtxt(table, delimiter=",", dtype=np.uint8)
    x, y = rows[:, :64].reshape(-1, 1, 8, 8), rows[:, 64].astype(np.int32)
    test = np.arange(len(y)) % 5 == 4
    np.savez_compressed(folder + "/digits_train.npz", x=x[~test], y=y[~test])
    np.savez_compressed(folder + "/digits_test.npz", x=x[test], y=y[test])
    onnx.save(network(), folder + "/untrained.onnx")


if __name__ == "__main__":
    main(*sys.argv[1:])
