#!/usr/bin/env python3
"""Images a second of `nonresc eval` and of onnxruntime, in turns in one run, on the same cores.

  images_per_second.py --program target/release/nonresc --data test_batch.bin MODEL.onnx[:imagenet|:integer] ...

MODEL.onnx has one input, N x 3 x 32 x 32 or N x 32 x 32 x 3; `:imagenet` stands for the usual preprocessing of
torchvision's networks, without it the network sees 0 to 255; `:integer` computes a quantised one in integers. DATA is a CIFAR-10 binary file. Each network is
measured in so many rounds; a round runs ours over all images, then onnxruntime over all images in batches. Ours
counts reading, preprocessing and counting, onnxruntime's session.run alone. The medians, their ratio and the top-1
of both are printed, and whether all rounds of either agreed. Nothing is asserted.
"""

import argparse
import json
import os
import statistics
import subprocess
import time

import numpy as np
import onnxruntime

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FLAGS = ["--scale", "1/255", "--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, STD))]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--program", default="target/release/nonresc")
    parser.add_argument("--data", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64, help="frames a run of onnxruntime")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    return parser.parse_args()


def ours(args, model, how):
    command = [args.program, "eval", model, "--data", args.data, "--timings", "--format", "json"]
    environment = {**os.environ, "RAYON_NUM_THREADS": str(args.threads)}
    start = time.perf_counter()
    flags = {"imagenet": FLAGS, "integer": ["--integer"]}.get(how, [])
    run = subprocess.run(command + flags, env=environment, check=True, capture_output=True)
    whole = time.perf_counter() - start
    found = json.loads(run.stdout)
    return found["images_per_second"], found["top1"], found["images"] / whole


class Peer:
    """onnxruntime with a network and images prepared."""

    def __init__(self, args, model, imagenet):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = args.threads, 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0]
        self.batch = args.batch
        records = np.fromfile(args.data, np.uint8).reshape(-1, 3073)
        self.labels = records[:, 0]
        images = records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32)
        if imagenet:
            mean, std = (np.array(v, np.float32)[:, None, None] for v in (MEAN, STD))
            images = (images / np.float32(255) - mean) / std
        if list(self.input.shape[1:]) == [32, 32, 3]:
            images = images.transpose(0, 2, 3, 1)
        self.images = np.ascontiguousarray(images)

    def run(self):
        right, took = 0, 0.0
        for i in range(0, len(self.images), self.batch):
            start = time.perf_counter()
            (scores,) = self.session.run(None, {self.input.name: self.images[i : i + self.batch]})
            took += time.perf_counter() - start
            right += int((scores.argmax(1) == self.labels[i : i + self.batch]).sum())
        return len(self.images) / took, right


def main():
    args = arguments()
    print(f"{args.threads} threads, {args.rounds} rounds, onnxruntime {onnxruntime.__version__} in batches of {args.batch}")
    print(f"{'network':<32} {'ours':>9} {'process':>9} {'peer':>9} {'ratio':>6} {'top-1':>6} {'peer':>6}  images/s")
    for spec in args.models:
        model, _, how = spec.partition(":")
        peer = Peer(args, model, how == "imagenet")
        peer.run()
        rounds = [(ours(args, model, how), peer.run()) for _ in range(args.rounds)]
        speed = statistics.median(r[0][0] for r in rounds)
        whole = statistics.median(r[0][2] for r in rounds)
        peers = statistics.median(r[1][0] for r in rounds)
        tops = [{r[side][1] for r in rounds} for side in (0, 1)]
        same = "" if all(len(top) == 1 for top in tops) else "  rounds differ!"
        name = os.path.splitext(os.path.basename(model))[0]
        print(f"{name:<32} {speed:>9.0f} {whole:>9.0f} {peers:>9.0f} {speed / peers:>6.2f} "
              f"{max(tops[0]):>6} {max(tops[1]):>6}{same}", flush=True)


if __name__ == "__main__":
    main()
