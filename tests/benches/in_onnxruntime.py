#!/usr/bin/env python3
"""Runs the ONNX files of a folder in onnxruntime, graph optimisations off, on the inputs beside them, and counts the
numbers that differ from the outputs beside them: in_onnxruntime.py FOLDER. What the host computes in floats behind the
last code (a softmax, a mean that nothing rounds) may differ in its last bits, and is counted apart. Exit code 1 where
anything else differs.

The folder is written by `cargo bench -p nonresc-tests --bench quantised_networks -- FOLDER COUNT`.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime


# Of the largest output: four units in the last place of an f32.
LAST_BITS = 4 * 2.0**-24


def differing(model):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    arrays = np.load(model.with_suffix(".npz"))
    outputs = session.run(None, {i.name: arrays["in_" + i.name] for i in session.get_inputs()})
    total, off, last_bits = 0, 0, 0
    for port, found in zip(session.get_outputs(), outputs):
        golden = arrays["out_" + port.name]
        assert found.shape == golden.shape, (model, found.shape, golden.shape)
        total += golden.size
        apart = np.abs(found.astype(np.float64) - golden.astype(np.float64))
        far = apart > LAST_BITS * np.abs(golden).max() if golden.dtype.kind == "f" else apart > 0
        off += int(far.sum())
        last_bits += int(((apart > 0) & ~far).sum())
    return total, off, last_bits


def main():
    models = sorted(Path(sys.argv[1]).glob("*.onnx"))
    all_numbers, all_off, all_last_bits = 0, 0, 0
    for model in models:
        total, off, last_bits = differing(model)
        all_numbers += total
        all_off += off
        all_last_bits += last_bits
        if off:
            print(f"{model.name}: {off} of {total} numbers differ")
    print(f"{len(models)} networks, {all_numbers} numbers, {all_off} differ, {all_last_bits} more in the last bits")
    sys.exit(1 if all_off or not models else 0)


if __name__ == "__main__":
    main()
