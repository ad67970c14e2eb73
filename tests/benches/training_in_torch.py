#!/usr/bin/env python3
"""Images a second of training steps beside PyTorch: training_in_torch.py PROGRAM MODEL.onnx...

PROGRAM is what `cargo bench -p nonresc-tests --bench training --no-run` builds. Of each model both do forward, loss,
backward and update (SGD with Nesterov's momentum, weight decay, a clipped gradient) on the same cores, in turns, at
batches of 64 and 128, on one thread and on two, without a teacher and with the model itself as one. PyTorch runs eagerly
in channels-last and in the usual layout, and the faster counts. Wants torch, onnx and numpy.
"""

import statistics
import subprocess
import sys
import time

import numpy as np
import onnx
import torch
import torch.nn.functional as F

from gradients_in_torch import Net

TURNS, SECONDS = 3, 4.0


class Student(Net):
    """In single precision, with weights of its own."""

    @staticmethod
    def tensor(array):
        return torch.from_numpy(np.array(array))

    def Conv(self, node, a, x, weight, *_):
        name = node.name or node.output[0]
        outputs = weight.shape[0]
        self.parameters.setdefault(name + ".weight", weight.clone().requires_grad_(True))
        self.parameters.setdefault(name + ".scale", torch.ones(outputs, requires_grad=True))
        self.parameters.setdefault(name + ".bias", torch.zeros(outputs, requires_grad=True))
        pad, stride, dilation = self.window(a)
        (left, right, top, bottom), padding = pad, 0
        if (left, top) == (right, bottom):
            padding = (top, left)
        else:
            x = F.pad(x, pad)
        y = F.conv2d(x, self.parameters[name + ".weight"], None, stride, padding, dilation, a.get("group", 1))
        running = self.statistics.setdefault(name, (torch.zeros(outputs), torch.ones(outputs)))
        return F.batch_norm(y, *running, self.parameters[name + ".scale"], self.parameters[name + ".bias"], True)

    def Gemm(self, node, a, x, weight, bias):
        name = node.name or node.output[0]
        self.parameters.setdefault(name + ".weight", weight.clone().requires_grad_(True))
        self.parameters.setdefault(name + ".bias", bias.clone().requires_grad_(True))
        return F.linear(x, self.parameters[name + ".weight"], self.parameters[name + ".bias"])


class Teacher(Net):
    """As the file has it, batch norms folded."""

    tensor = staticmethod(Student.tensor)

    def Conv(self, node, a, x, weight, bias=None):
        pad, stride, dilation = self.window(a)
        return F.conv2d(F.pad(x, pad), weight, bias, stride, 0, dilation, a.get("group", 1))

    def Gemm(self, node, a, x, weight, bias):
        return F.linear(x, weight, bias)


class Steps:
    def __init__(self, model, batch, taught, layout):
        shape = [d.dim_value for d in onnx.load(model).graph.input[0].type.tensor_type.shape.dim]
        self.images = torch.randn(batch, *shape[1:]).contiguous(memory_format=layout)
        self.labels = torch.randint(0, 10, (batch,))
        self.student, self.teacher = Student(model, {}), Teacher(model, {}) if taught else None
        self.student.run(self.images)
        parameters = list(self.student.parameters.values())
        self.optimiser = torch.optim.SGD(parameters, 1e-4, 0.9, weight_decay=1e-4, nesterov=True)

    def step(self):
        scores = self.student.run(self.images)
        loss = F.cross_entropy(scores, self.labels)
        if self.teacher is not None:
            with torch.no_grad():
                wanted = self.teacher.run(self.images)
            loss = 0.5 * loss + 0.5 * F.mse_loss(scores, wanted)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters.values(), 5.0)
        self.optimiser.step()

    def images_a_second(self):
        self.step()
        begin, steps = time.perf_counter(), 0
        while time.perf_counter() - begin < SECONDS:
            self.step()
            steps += 1
        return steps * len(self.images) / (time.perf_counter() - begin)


def ours(program, model, batch, threads, taught):
    def run(steps):
        command = [program, model, str(batch), str(threads), str(steps)] + ["taught"] * taught
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    return run(max(2, int(run(2) * SECONDS / batch)))


def main():
    program, models = sys.argv[1], sys.argv[2:]
    for model in models:
        for taught in (False, True):
            for batch in (64, 128):
                for threads in (1, 2):
                    torch.set_num_threads(threads)
                    layouts = (torch.contiguous_format, torch.channels_last)
                    theirs = [Steps(model, batch, taught, layout) for layout in layouts]
                    turns = []
                    for _ in range(TURNS):
                        own = ours(program, model, batch, threads, taught)
                        turns.append((own, max(steps.images_a_second() for steps in theirs)))
                    own, other = (statistics.median(side) for side in zip(*turns))
                    ratio = statistics.median(a / b for a, b in turns)
                    kind = "taught" if taught else "plain"
                    name = model.rsplit("/", 1)[-1]
                    print(f"{name} {kind} batch {batch} threads {threads}: {own:.0f} / {other:.0f} = {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
