#!/usr/bin/env python3
"""Compares two generators picture by picture: the change of n-way identification with its 95 % interval.

    scripts/compare-evaluations.py BEFORE/evaluation.json AFTER/evaluation.json

Both files are from `mindreader evaluate-images` on the same held-out trials in the same order, in features of the same network. A picture's chance to be
identified among n follows from its rank; differences are paired and images are resampled 10,000 times.
"""

import json
import math
import random
import sys

RESAMPLES = 10_000


def fail(message):
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            evaluation = json.load(file)
        network, frechet = evaluation["features"]["sha256"], evaluation["frechet"]
        distance = frechet["name"], float(frechet["test"]["value"])
        pictures = evaluation["pictures"]
        ranks = [(int(picture["rank"]), int(picture["of"])) for picture in pictures]
        files = [picture["file"] for picture in pictures]
    except (OSError, ValueError, KeyError, TypeError) as error:
        fail(f"{path}: expected an evaluation.json of evaluate-images ({error!r})")
    of = ranks[0][1] if ranks else 0
    if any(other != of or not 1 <= rank <= of for rank, other in ranks) or of < 2:
        fail(f"{path}: `pictures`: expected ranks of pictures, all among the same number of images")
    return network, distance, of, files, [rank for rank, _ in ranks]


def chance_of_being_found(rank, of, ways):
    """Share of the draws of `ways` - 1 among the `of` - 1 other images in which none is nearer than the own one."""
    return math.comb(of - rank, ways - 1) / math.comb(of - 1, ways - 1)


def main():
    if len(sys.argv) != 3:
        fail("expected two files: BEFORE AFTER")
    before, after = map(read, sys.argv[1:])
    network, (name, distance), of, files, ranks_before = before
    other_network, (_, other_distance), other_of, other_files, ranks_after = after
    if network != other_network:
        fail(f"{sys.argv[2]}: features of another network than {sys.argv[1]}")
    if files != other_files or of != other_of:
        fail(f"{sys.argv[2]}: `pictures`: expected those of {sys.argv[1]}, trial by trial")
    print(f"{name}: {distance:.2f} -> {other_distance:.2f}")
    rng = random.Random(42)
    for ways in (2, 5, 10, 50):
        if ways > of:
            continue
        shares = [[chance_of_being_found(rank, of, ways) for rank in ranks] for ranks in (ranks_before, ranks_after)]
        differences = [b - a for a, b in zip(*shares)]
        count = len(differences)
        means = sorted(sum(rng.choices(differences, k=count)) / count for _ in range(RESAMPLES))
        low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]
        print(
            f"{ways}-way: {100 * sum(shares[0]) / count:.1f} % -> {100 * sum(shares[1]) / count:.1f} %, "
            f"change {100 * sum(differences) / count:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}) points"
        )


main()
