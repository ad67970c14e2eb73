"""Makes requantise.json, codes of sums by arithmetic on whole numbers of any size, for every way to round; and
channels.json, ways with factors and offsets by channel, sums with a skip, and operands at the ends of their widths.

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


def way(mode, shift, bits, signed, zero, low, high, sum_bits):
    """What every way to codes has."""
    return {
        "rounding": mode,
        "shift": shift,
        "bits": bits,
        "signed": signed,
        "zero": zero,
        "min": low,
        "max": high,
        "sum_bits": sum_bits,
    }


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
        **way(mode, shift, bits, signed, zero, low, high, wide + 1),
        "factor": factor,
        "offset": offset,
        "sums": sums,
        "codes": codes,
    }


def channels(draw):
    """One way to codes as a layer has it: several channels, often with a skip; some with no limits."""
    whole = draw.random() < 0.1
    mode = "floor" if whole else draw.choice(MODES)
    shift = 0 if whole else draw.choice([0, 1, 3, 8, 16, 24, 31, 40])
    own = draw.choice([2, 9, 13, 20, 24, 32])
    skip = draw.choice([None, 2, 5, 9, 17])
    bits = draw.choice([1, 2, 4, 7, 8, 16])
    # Mostly so large that operands of their width fill the codes.
    factor_bits = draw.choice([1, 31, shift, shift + 1, shift + bits - own, shift + bits - own])
    factor_bits = min(max(factor_bits, 1), 31)
    powers = [draw.random() < 0.3, draw.random() < 0.3]

    def factor(power):
        return 1 << draw.randint(0, factor_bits - 1) if power else draw.randint(1, (1 << factor_bits) - 1)

    parts = []
    for _ in range(3):
        offset = draw.choice([0, 1 << max(shift - 1, 0), draw.randint(-(3 << shift), 3 << shift)])
        parts.append((factor(powers[0]), None if skip is None else factor(powers[1]), offset))
    cases = []
    for channel, (m, n, offset) in enumerate(parts):
        ends = [-(1 << (own - 1)), (1 << (own - 1)) - 1]
        skips = [0] if skip is None else [-(1 << (skip - 1)), (1 << (skip - 1)) - 1]
        all_ends = [(x, s) for x in ends for s in skips]
        # Near 0 too, and among the codes, on ties where the factor lets them be.
        for _ in range(8):
            s = draw.choice([draw.randint(skips[0], skips[-1]), max(skips[0], -1), min(skips[-1], 1)])
            x = draw.randint(max(ends[0], -40), min(ends[1], 40))
            half = (1 << shift) // 2
            if draw.random() < 0.7:
                rest = half * (2 * draw.randint(-(1 << bits), 1 << bits) + 1) - offset - s * (n or 0)
                x = min(max(rest // m, ends[0]), ends[1])
            all_ends.append((x, s))
        cases += [(channel, x, s, Fraction(x * m + s * (n or 0) + offset, 1 << shift)) for x, s in all_ends]
    if whole:
        bits = max(int(abs(exact)).bit_length() for *_, exact in cases) + 1
        signed, zero, low, high = True, 0, None, None
    else:
        signed = bits > 1 and draw.random() < 0.5
        low = -(1 << (bits - 1)) if signed else 0
        high = low + (1 << bits) - 1
        zero = draw.choice([0, low, high, draw.randint(low, high)])
        if draw.random() < 0.4:
            # A relu in front of the quantiser.
            low = max(low, zero)
    codes = [nearest(exact, mode) + zero for *_, exact in cases]
    if not whole:
        codes = [min(max(code, low), high) for code in codes]
    return {
        **way(mode, shift, bits, signed, zero, low, high, own),
        "skip_bits": skip,
        "factors": [m for m, _, _ in parts],
        "skip_factors": None if skip is None else [n for _, n, _ in parts],
        "offsets": [offset for *_, offset in parts],
        "channels": [channel for channel, *_ in cases],
        "sums": [x for _, x, _, _ in cases],
        "skips": [s for _, _, s, _ in cases],
        "codes": codes,
    }


def write(name, vectors):
    with open(name, "w") as file:
        file.write("[\n")
        file.write(",\n".join(json.dumps(v) for v in vectors))
        file.write("\n]\n")


def main():
    draw = random.Random(20261128)
    write("requantise.json", [vector(draw) for _ in range(400)])
    draw = random.Random(20261129)
    write("channels.json", [channels(draw) for _ in range(200)])


if __name__ == "__main__":
    main()
