//! MATLAB files against scipy.io.

use mindreader::data::formats::mat5::{read_arrays, write_arrays};
use mindreader::data::nsd::design::ExperimentDesign;
use mindreader::data::subject::NsdSubject;

use crate::python;

const WRITE: &str = r#"
import numpy as np, scipy.io
rng = np.random.default_rng(1)
master = np.tile(np.arange(1, 10001), 3)[None].astype(float)
subjectim = np.stack([np.concatenate([np.arange(1, 1001) * 73, rng.permutation(73000)[:9000] + 1]) for _ in range(8)]).astype(float)
variables = dict(
    masterordering=master, subjectim=subjectim, sharedix=(np.arange(1, 1001) * 73.0)[None],
    basiccnt=np.ones((3, 40)), stimpattern=np.arange(40 * 12 * 75.0).reshape(40, 12, 75))
for compress in [False, True]:
    scipy.io.savemat(f'design-{compress}.mat', variables, do_compression=compress)
    narrow = {name: value.astype(dtype) for (name, value), dtype in zip(variables.items(), ['u2', 'i4', 'f4', 'i1', 'i8'])}
    scipy.io.savemat(f'narrow-{compress}.mat', dict(narrow, text='hello', cell=np.array([1, 'a'], object), z=np.array([[1 + 2j]])), do_compression=compress)
scipy.io.savemat('tiny.mat', dict(a=np.uint8([[5]]), logical=np.array([[True, False]]), empty=np.zeros((0, 3))))
print([int(subjectim[4, int(master[0, t]) - 1]) - 1 for t in (0, 749, 12345, 29999)])
"#;

#[test]
fn files_written_by_scipy_are_read() {
    let Some(python) = python::find("mat5::files_written_by_scipy_are_read") else { return };
    let folder = tempfile::tempdir().unwrap();
    let expected: Vec<u32> = serde_json::from_str(&python::run(python, folder.path(), WRITE)).unwrap();
    for name in ["design-False", "design-True", "narrow-False", "narrow-True"] {
        let path = folder.path().join(format!("{name}.mat"));
        let design = ExperimentDesign::read(&path).unwrap();
        assert_eq!((design.num_sessions(), design.shared_images.len()), (40, 1000), "{name}");
        let subject = NsdSubject::new(5).unwrap();
        for (trial, id) in [0, 749, 12_345, 29_999].into_iter().zip(&expected) {
            assert_eq!(design.nsd_id(subject, trial).unwrap().0, *id, "{name}, trial {trial}");
        }
        let patterns = &read_arrays(&path, &["stimpattern"], "the test").unwrap()["stimpattern"];
        assert_eq!(patterns.dims, [40, 12, 75]);
        // Element (session 3, run 2, slot 5), 0-based; first axis fastest in MATLAB's order.
        assert_eq!(patterns.data[3 + 40 * (2 + 12 * 5)], f64::from(3 * 12 * 75 + 2 * 75 + 5));
    }
    let narrow = folder.path().join("narrow-True.mat");
    for (name, needle) in
        [("text", "variable `text` is of class 4"), ("cell", "of class 1"), ("z", "complex")]
    {
        let error = read_arrays(&narrow, &[name], "the test").unwrap_err().to_string();
        assert!(error.contains(needle), "{error}");
    }
    let tiny = read_arrays(&folder.path().join("tiny.mat"), &["a", "logical", "empty"], "the test").unwrap();
    assert_eq!(tiny["a"].data, [5.0]);
    assert_eq!(tiny["logical"].data, [1.0, 0.0]);
    assert_eq!((&tiny["empty"].dims[..], tiny["empty"].data.len()), (&[0, 3][..], 0));
}

const READ: &str = r#"
import scipy.io, numpy as np
m = scipy.io.loadmat('own.mat')
assert m['__version__'] == '1.0', m['__version__']
assert m['row'].shape == (1, 3) and m['row'].dtype == np.float64 and m['row'].tolist() == [[1.5, -2, 3e10]]
assert m['stimpattern'].shape == (2, 3, 4)
assert np.array_equal(m['stimpattern'].ravel('F'), np.arange(24.0))
assert [name for name, *_ in scipy.io.whosmat('own.mat')] == ['row', 'stimpattern']
"#;

#[test]
fn files_written_here_are_read_by_scipy() {
    let Some(python) = python::find("mat5::files_written_here_are_read_by_scipy") else { return };
    let folder = tempfile::tempdir().unwrap();
    let numbers: Vec<f64> = (0..24).map(f64::from).collect();
    let arrays: [(&str, &[usize], &[f64]); 2] =
        [("row", &[1, 3], &[1.5, -2.0, 3e10]), ("stimpattern", &[2, 3, 4], &numbers)];
    write_arrays(&folder.path().join("own.mat"), &arrays).unwrap();
    python::run(python, folder.path(), READ);
    let wrong = write_arrays(&folder.path().join("wrong.mat"), &[("a", &[2, 2], &[1.0])]);
    assert!(wrong.unwrap_err().to_string().contains("sizes and number of values do not agree"));
    assert!(!folder.path().join("wrong.mat").exists());
}
