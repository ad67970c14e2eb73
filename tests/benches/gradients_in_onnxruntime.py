#!/usr/bin/env python3
"""Runs the ONNX files of a folder, each a network with its gradients, in onnxruntime on the inputs beside them, with and
without graph optimisations, and holds every output against the one beside them: gradients_in_onnxruntime.py FOLDER.
Errors are relative to the largest number of an output. Exit code 1 where a file is no sound ONNX (onnx.checker, with
shape inference), onnxruntime refuses it, or an error is 1e-4 or more.

Some gradients are small sums of large terms, as behind batch norms over few numbers, and some are 0 but for rounding:
single precision says little of them. An output of which the plain evaluator in single precision is 1e-5 or more apart
from itself in double precision is no fault; it is counted, and the exit code is 1 where these are a twentieth.

The folder is written by `cargo bench -p nonresc-tests --bench gradients -- networks FOLDER COUNT`.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

NEAR, BLURRED = 1e-4, 1e-5
LEVELS = [onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL]


def errors(model, level):
    """Of each output its name, its error and that of single precision."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    arrays = np.load(model.with_suffix(".npz"))
    given = {i.name: arrays["in_" + i.name].astype(np.float32) for i in session.get_inputs()}
    for port, found in zip(session.get_outputs(), session.run(None, given)):
        golden = arrays["out_" + port.name]
        assert found.shape == golden.shape, (model, port.name, found.shape, golden.shape)
        largest = np.abs(golden).max() or 1.0
        apart = [np.abs(array - golden).max() / largest for array in (found, arrays["single_" + port.name])]
        yield port.name, *apart


def main():
    models = sorted(Path(sys.argv[1]).glob("*.onnx"))
    worst, outputs, blurred, faults = 0.0, 0, 0, 0
    for model in models:
        try:
            onnx.checker.check_model(str(model), full_check=True)
            for name, error, single in (found for level in LEVELS for found in errors(model, level)):
                outputs += 1
                if single >= BLURRED:
                    blurred += 1
                    continue
                worst = max(worst, error)
                if not error < NEAR:
                    faults += 1
                    print(f"{model.name}: {name} is {error:.1e} apart")
        except Exception as fault:
            faults += 1
            print(f"{model.name}: {fault}")
    print(
        f"{len(models)} networks, {outputs} outputs, of which single precision says little of {blurred}; "
        f"largest relative error of the others {worst:.1e}; {faults} faults"
    )
    sys.exit(1 if faults or not models or blurred * 20 >= outputs else 0)


if __name__ == "__main__":
    main()
