"""Makes requantise.json: codes of sums by arithmetic on whole numbers of any size, for every way to round.

Run it without arguments in this folder. It shares nothing with the program that the vectors test.
"""

import json
import random
from fractions import Fraction
from math import floor

MODES = ["half-even", "half-up", "half-down", "half-away", "floor", "ceil", "up", "down"]


def nearest(x, mode):
    """The whole number that the rational x is rounded to."""
    low = floor(x)
    rest = x - low
    half = Fraction(1, 2)
    if rest == 0:
        return low
    if mode == "floor":
        return low
    if mode == "ceil":
        return low + 1
    if mode == "up":
        return low + 1 if x > 0 else low
    if mode == "down":
        return low if x > 0 else low + 1
    if rest != half:
        return low + (rest > half)
    if mode == "half-up":
        return low + 1
    if mode == "half-down":
        return low
    if mode == "half-away":
        return low + (x > 0)
    return low + low % 2


def vector(draw):
    """One way to codes, and sums with their codes."""
    mode = draw.choice(MODES)
    shift = draw.choice([0, 1, 2, 7, 15, 24, 31, 40])
    bits = draw.choice([1, 2, 4, 8, 12, 16])
    signed = bits > 1 and draw.random() < 0.5
    least = -(1 << (bits - 1)) if signed else 0
    most = least + (1 << bits) - 1
    zero = draw.randint(least, most) if draw.random() < 0.5 else 0
    low = draw.randint(least, most) if draw.random() < 0.3 else least
    high = draw.randint(low, most) if draw.random() < 0.3 else most
    wide = draw.randint(1, 24)
    # About as many codes as sums, so that few of them are clamped.
    size = max(bits + shift - wide, 1)
    factor = draw.choice([1 << draw.randint(0, size), draw.randint(1, 1 << size)])
    offset = draw.choice([0, 0, 1 << max(shift - 1, 0), draw.randint(-(1 << shift), 1 << shift)])
    sums, codes = [], []
    for _ in range(12):
        x = draw.choice([draw.randint(-(1 << wide), (1 << wide) - 1), draw.randint(-3, 3)])
        if draw.random() < 0.4 and shift > 0 and factor & (factor - 1) == 0:
            # A tie, where the factor lets it be one.
            steps = (1 << (shift - 1)) * (2 * draw.randint(-200, 200) + 1) - offset
            if steps % factor == 0 and abs(steps // factor) < 1 << wide:
                x = steps // factor
        exact = Fraction(x * factor + offset, 1 << shift)
        sums.append(x)
        codes.append(min(max(nearest(exact, mode) + zero, low), high))
    return {
        "rounding": mode,
        "shift": shift,
        "bits": bits,
        "signed": signed,
        "zero": zero,
        "min": low,
        "max": high,
        "sum_bits": wide + 1,
        "factor": factor,
        "offset": offset,
        "sums": sums,
        "codes": codes,
    }


def main():
    draw = random.Random(20261128)
    vectors = [vector(draw) for _ in range(400)]
    with open("requantise.json", "w") as file:
        file.write("[\n")
        file.write(",\n".join(json.dumps(v) for v in vectors))
        file.write("\n]\n")


if __name__ == "__main__":
    main()
