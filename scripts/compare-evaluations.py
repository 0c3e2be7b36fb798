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
    sys.exit(f"error: {message}")


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            evaluation = json.load(file)
        return evaluation["features"]["sha256"], evaluation["pictures"], evaluation["frechet"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        fail(f"{path}: expected an evaluation.json of evaluate-images ({error!r})")


def chance_of_being_found(picture, ways):
    """Share of the draws of `ways` - 1 other images in which none is nearer than the own one."""
    farther = picture["of"] - picture["rank"]
    return math.comb(farther, ways - 1) / math.comb(picture["of"] - 1, ways - 1)


def main():
    if len(sys.argv) != 3:
        fail("expected two files: BEFORE AFTER")
    (network, before, frechet_before), (other_network, after, frechet_after) = map(read, sys.argv[1:])
    if network != other_network:
        fail(f"{sys.argv[2]}: features of another network than {sys.argv[1]}")
    if len(before) != len(after) or not before:
        fail(f"{sys.argv[2]}: expected {len(before)} pictures, found {len(after)}")
    values = [frechet["test"]["value"] for frechet in (frechet_before, frechet_after)]
    print(f"{frechet_before['name']}: {values[0]:.2f} -> {values[1]:.2f}")
    rng = random.Random(42)
    for ways in (2, 5, 10, 50):
        if ways > before[0]["of"]:
            continue
        shares = [[chance_of_being_found(picture, ways) for picture in run] for run in (before, after)]
        differences = [b - a for a, b in zip(*shares)]
        count = len(differences)
        means = sorted(sum(rng.choices(differences, k=count)) / count for _ in range(RESAMPLES))
        low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]
        print(
            f"{ways}-way: {100 * sum(shares[0]) / count:.1f} % -> {100 * sum(shares[1]) / count:.1f} %, "
            f"change {100 * sum(differences) / count:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}) points"
        )


main()
