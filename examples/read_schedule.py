"""What a schedule.json says, in a notebook's worth of Python: how fast the design is, what binds it, and its widest FIFOs.

python3 read_schedule.py build/schedule.json
"""
import json
import sys


def name(actor):
    return actor["names"][0] if actor["names"] else f"{actor['kind']} {actor['id']}"


schedule = json.load(open(sys.argv[1], encoding="utf-8"))
actors = {actor["id"]: actor for actor in schedule["actors"]}
timing = schedule["timing"]
print(f"{timing['frames_per_second']:.0f} frames/s, bound by {name(actors[timing['bottleneck']])}")

rows = []
for channel in schedule["channels"]:
    width = channel["lanes"] * channel["bits"]
    readers = ", ".join(name(actors[actor]) for actor, _ in channel["readers"])
    rows.append((width * channel["needed_words"], channel["skip"], name(actors[channel["writer"]]), readers))
for bits, skip, writer, readers in sorted(rows, key=lambda row: -row[0])[:5]:
    print(f"{bits:>9,} bits  {writer} -> {readers}" + (f", skip {skip}" if skip else ""))
