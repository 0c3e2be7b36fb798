//! The ridge decoder against scikit-learn and himalaya: equal penalties and coefficients where settings are theirs.

use std::fs;
use std::path::Path;

use mindreader::tensor_ops::random::keyed_rng;
use mindreader::training::ridge::decoder::{RidgeDecoderConfig, RidgeDecoderFit, fit_ridge_decoder};
use ndarray::Array2;
use rand::RngExt;

use super::python;

const ROWS: usize = 60;
const OUTPUTS: usize = 6;
/// Of equal size: scikit-learn and himalaya average over folds, this program over rows.
const FOLDS: usize = 5;

/// `fit(name, …)` writes the chosen penalties and the coefficients `[voxels, outputs]` and intercepts, in f64.
const PRELUDE: &str = r#"
import sys, numpy as np
rows, voxels, outputs, folds = (int(v) for v in open("sizes").read().split())
x = np.fromfile("x", "<f4").reshape(rows, voxels).astype("f8")
y = np.fromfile("y", "<f4").reshape(rows, outputs).astype("f8")
alphas = np.fromfile("alphas", "<f8")
image = np.arange(rows) % (rows // 2)
fold = image % folds
from sklearn.model_selection import PredefinedSplit
cv = PredefinedSplit(fold)
def save(name, alpha, coef, intercept):
    np.concatenate([np.ravel(alpha), np.ravel(coef), np.ravel(intercept)]).astype("<f8").tofile(name)
"#;

fn write(folder: &Path, name: &str, bytes: impl Iterator<Item = Vec<u8>>) {
    fs::write(folder.join(name), bytes.flatten().collect::<Vec<u8>>()).unwrap();
}

/// Random predictors, and targets that follow from them to different degrees.
fn data(folder: &Path, voxels: usize, penalties: &[f64]) -> (Array2<f32>, Array2<f32>) {
    let mut rng = keyed_rng(3, "ridge beside Python", voxels as u64);
    let mut draw = |rows, columns| Array2::from_shape_fn((rows, columns), |_| rng.random::<f32>() - 0.4);
    let (x, map, noise) = (draw(ROWS, voxels), draw(voxels, OUTPUTS), draw(ROWS, OUTPUTS));
    let mut y = x.dot(&map);
    for (output, mut column) in y.columns_mut().into_iter().enumerate() {
        let share = output as f32 / (OUTPUTS - 1) as f32;
        column.zip_mut_with(&noise.column(output), |y, noise| *y = *y * (1.0 - share) + 6.0 * share * noise);
    }
    let values = |of: &Array2<f32>| of.iter().map(|value| value.to_le_bytes().to_vec()).collect::<Vec<_>>();
    write(folder, "x", values(&x).into_iter());
    write(folder, "y", values(&y).into_iter());
    let mean = x.mean_axis(ndarray::Axis(0)).unwrap();
    let unit = (&x - &mean).iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / ROWS as f64;
    write(folder, "alphas", penalties.iter().map(|penalty| (penalty * unit).to_le_bytes().to_vec()));
    fs::write(folder.join("sizes"), format!("{ROWS} {voxels} {OUTPUTS} {FOLDS}")).unwrap();
    (x, y)
}

/// Penalties, coefficients and intercepts that Python saved.
fn saved(folder: &Path, name: &str, voxels: usize) -> [Vec<f64>; 3] {
    let bytes = fs::read(folder.join(name)).unwrap();
    let values: Vec<f64> =
        bytes.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect();
    let (penalties, rest) = values.split_at(OUTPUTS);
    let (coefficients, intercepts) = rest.split_at(voxels * OUTPUTS);
    assert_eq!(intercepts.len(), OUTPUTS);
    [penalties.to_vec(), coefficients.to_vec(), intercepts.to_vec()]
}

/// Coefficients equal to rounding, relative to the largest.
fn equal(found: &RidgeDecoderFit, unit: f64, [penalties, coefficients, intercepts]: &[Vec<f64>; 3]) {
    for (chosen, penalty) in found.selection.chosen.iter().zip(penalties) {
        assert!((chosen * unit / penalty - 1.0).abs() < 1e-4, "{chosen} against {}", penalty / unit);
    }
    let largest = coefficients.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    for (ours, theirs) in found.weights.iter().zip(coefficients) {
        assert!((f64::from(*ours) - theirs).abs() < 2e-6 * largest, "{ours} against {theirs}");
    }
    for (ours, theirs) in found.bias.iter().zip(intercepts) {
        assert!((f64::from(*ours) - theirs).abs() < 1e-4, "{ours} against {theirs}");
    }
}

fn fit(
    x: &Array2<f32>,
    y: &Array2<f32>,
    config: &RidgeDecoderConfig,
    bands: &[Vec<usize>],
) -> RidgeDecoderFit {
    let images: Vec<u64> = (0..ROWS).map(|row| (row % (ROWS / 2)) as u64).collect();
    let rows: Vec<usize> = (0..ROWS).collect();
    fit_ridge_decoder(x.view(), y.view(), &images, &rows, config, bands).unwrap()
}

fn unit(folder: &Path, penalties: &[f64]) -> f64 {
    let bytes = fs::read(folder.join("alphas")).unwrap();
    f64::from_le_bytes(bytes[..8].try_into().unwrap()) / penalties[0]
}

#[test]
fn coefficients_are_those_of_scikit_learn() {
    let Some(python) = python::find("ridge of scikit-learn") else { return };
    for voxels in [20, 150] {
        let folder = tempfile::tempdir().unwrap();
        let config = RidgeDecoderConfig { folds: FOLDS, per_target: false, ..RidgeDecoderConfig::default() };
        let (x, y) = data(folder.path(), voxels, &config.penalties);
        let script = r#"
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
search = GridSearchCV(Ridge(solver="cholesky"), {"alpha": alphas}, cv=cv, scoring="neg_mean_squared_error").fit(x, y)
model = search.best_estimator_
save("ridge", np.full(outputs, model.alpha), model.coef_.T, model.intercept_)
"#;
        python::run(python, folder.path(), &format!("{PRELUDE}{script}"));
        let theirs = saved(folder.path(), "ridge", voxels);
        equal(&fit(&x, &y, &config, &[]), unit(folder.path(), &config.penalties), &theirs);
    }
}

#[test]
fn penalties_per_target_are_those_of_himalaya() {
    let Some(python) = python::find("ridge of himalaya") else { return };
    for voxels in [20, 150] {
        let folder = tempfile::tempdir().unwrap();
        let config = RidgeDecoderConfig { folds: FOLDS, ..RidgeDecoderConfig::default() };
        let (x, y) = data(folder.path(), voxels, &config.penalties);
        let script = r#"
from himalaya.backend import set_backend
set_backend("numpy")
from himalaya.ridge import RidgeCV
from himalaya.kernel_ridge import KernelRidge
model = RidgeCV(alphas=alphas, cv=cv, fit_intercept=True).fit(x, y)
save("ridge", model.best_alphas_, model.coef_, model.intercept_)
dual = KernelRidge(alpha=model.best_alphas_, solver="eigenvalues", warn=False).fit(x - x.mean(0), y - y.mean(0))
coef = dual.get_primal_coef()
save("kernel", model.best_alphas_, coef, y.mean(0) - x.mean(0) @ coef)
"#;
        python::run(python, folder.path(), &format!("{PRELUDE}{script}"));
        let found = fit(&x, &y, &config, &[]);
        for name in ["ridge", "kernel"] {
            equal(&found, unit(folder.path(), &config.penalties), &saved(folder.path(), name, voxels));
        }
        let distinct: std::collections::BTreeSet<String> =
            found.selection.chosen.iter().map(f64::to_string).collect();
        assert!(distinct.len() > 1, "targets of different noise want different penalties: {distinct:?}");
    }
}

#[test]
fn banded_coefficients_are_those_of_himalaya_with_the_same_scales() {
    let Some(python) = python::find("banded ridge of himalaya") else { return };
    for voxels in [20, 150] {
        let folder = tempfile::tempdir().unwrap();
        let config =
            RidgeDecoderConfig { folds: FOLDS, band_draws: 8, seed: 2, ..RidgeDecoderConfig::default() };
        let (x, y) = data(folder.path(), voxels, &config.penalties);
        let found = fit(&x, &y, &config, &[(0..voxels / 4).collect()]);
        let numbers = found.selection.band_shares.iter().chain(&found.selection.chosen);
        write(folder.path(), "chosen", numbers.map(|number| number.to_le_bytes().to_vec()));
        let script = r#"
from himalaya.backend import set_backend
set_backend("numpy")
from himalaya.kernel_ridge import WeightedKernelRidge
chosen = np.fromfile("chosen", "<f8")
shares, penalties = chosen[:2], chosen[2:]
centred, targets = x - x.mean(0), y - y.mean(0)
parts = [centred[:, :voxels // 4], centred[:, voxels // 4:]]
scale = np.repeat(shares, [part.shape[1] for part in parts])
# Penalties are relative to the mean squared length of a weighted row.
alphas = penalties * ((centred ** 2) @ scale).mean()
model = WeightedKernelRidge(alpha=alphas, deltas=np.log(shares)[:, None].repeat(outputs, 1), kernels="precomputed",
                            solver="conjugate_gradient", solver_params=dict(max_iter=5000, tol=1e-13))
model.fit(np.stack([part @ part.T for part in parts]), targets)
coef = scale[:, None] * (centred.T @ model.dual_coef_)
save("banded", penalties, coef, y.mean(0) - x.mean(0) @ coef)
"#;
        python::run(python, folder.path(), &format!("{PRELUDE}{script}"));
        equal(&found, 1.0, &saved(folder.path(), "banded", voxels));
    }
}
