#!/usr/bin/env python3
"""Compares the time of a ridge decoder's fit with himalaya's and scikit-learn's, one after the other in one run.

    scripts/bench_ridge.py [--rows 6000] [--predictors 15724] [--outputs 512] [--folds 5] [--threads 2] [--skip sklearn ...]

All sides choose among the same 13 penalties by the same folds, each image shown once, and fit all rows again with what they chose:
ours and himalaya one penalty per output (himalaya by KernelRidgeCV where there are fewer rows than predictors, else by RidgeCV, numpy
backend, float32), scikit-learn one for all (GridSearchCV over Ridge, float32). Prints wall-clock and CPU seconds, and how far
coefficients lie apart. Needs numpy, himalaya and scikit-learn (scripts/python-env).
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
import warnings

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--rows", type=int, default=6000)
parser.add_argument("--predictors", type=int, default=15724)
parser.add_argument("--outputs", type=int, default=512)
parser.add_argument("--folds", type=int, default=5)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--skip", nargs="*", default=[], choices=["himalaya", "sklearn"])
parser.add_argument("--command", default="cargo bench --locked --no-default-features --bench ridge --")
options = parser.parse_args()
for library in ["OMP", "OPENBLAS", "MKL"]:
    os.environ[f"{library}_NUM_THREADS"] = str(options.threads)

import numpy as np  # noqa: E402  (after the number of threads)

PENALTIES = np.logspace(-3, 3, 13)


def data(rng):
    """Predictors with a spectrum that falls off, as voxels have it, and targets that follow from them to different degrees."""
    n, v, t = options.rows, options.predictors, options.outputs
    rank = min(200, v)
    code = rng.standard_normal((n, rank), dtype="f4") * (np.arange(1, rank + 1, dtype="f4") ** -0.5)
    x = code @ rng.standard_normal((rank, v), dtype="f4") * np.float32(0.5) + rng.standard_normal((n, v), dtype="f4")
    y = code @ rng.standard_normal((rank, t), dtype="f4")
    y += rng.standard_normal((n, t), dtype="f4") * np.linspace(0.2, 10, t, dtype="f4")
    return x - x.mean(0), y - y.mean(0)


def timed(name, work):
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    print(f"{name:>9}: {time.perf_counter() - wall:8.1f} s wall {time.process_time() - cpu:8.1f} s CPU", flush=True)
    return result


def ours(x, y):
    with tempfile.TemporaryDirectory() as folder:
        x.tofile(f"{folder}/x")
        y.tofile(f"{folder}/y")
        with open(f"{folder}/sizes", "w") as file:
            file.write(f"{options.rows} {options.predictors} {options.outputs} {options.folds}")
        environment = dict(os.environ, RAYON_NUM_THREADS=str(options.threads), TURNS_ON_REQUEST="1")
        command = options.command.split() + [folder]
        output = subprocess.run(command, input="\n", capture_output=True, text=True, env=environment)
        if output.returncode != 0:
            raise SystemExit(output.stderr)
        seconds = json.loads(output.stdout.strip().splitlines()[-1])
        print(f"{'ours':>9}: {seconds['wall']:8.1f} s wall {seconds['cpu']:8.1f} s CPU", flush=True)
        return np.fromfile(f"{folder}/weights", "<f4").reshape(x.shape[1], -1), np.fromfile(f"{folder}/chosen", "<f8")


def himalaya(x, y, alphas, cv):
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import KernelRidgeCV
    from himalaya.ridge import RidgeCV

    set_backend("numpy")
    if len(x) < x.shape[1]:
        model = KernelRidgeCV(alphas=alphas, cv=cv, kernel="linear", warn=False).fit(x, y)
        return model.get_primal_coef(), model.best_alphas_
    model = RidgeCV(alphas=alphas, cv=cv).fit(x, y)
    return model.coef_, model.best_alphas_


def sklearn(x, y, alphas, cv):
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV

    grid = {"alpha": alphas}
    search = GridSearchCV(Ridge(solver="cholesky"), grid, cv=cv, scoring="neg_mean_squared_error").fit(x, y)
    return search.best_estimator_.coef_.T, np.full(y.shape[1], search.best_params_["alpha"])


def main():
    warnings.simplefilter("ignore")
    from sklearn.model_selection import PredefinedSplit

    x, y = data(np.random.default_rng(0))
    unit = (x.astype("f8") ** 2).sum(1).mean()
    alphas = (PENALTIES * unit).astype("f4")
    cv = PredefinedSplit(np.arange(options.rows) % options.folds)
    print(f"{options.rows} rows, {options.predictors} predictors, {options.outputs} outputs, {options.folds} folds")
    weights, chosen = ours(x, y)
    for name, fit in [("himalaya", himalaya), ("sklearn", sklearn)]:
        if name in options.skip:
            continue
        theirs, penalties = timed(name, lambda: fit(x, y, alphas, cv))
        same = np.isclose(chosen, penalties / unit, rtol=1e-3)
        apart = np.abs(weights - theirs)[:, same].max(initial=0) / np.abs(theirs).max()
        print(f"           same penalty for {same.mean():.1%} of outputs; their coefficients {apart:.1e} of the largest apart")


if __name__ == "__main__":
    main()
