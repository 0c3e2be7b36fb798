//! Files as numpy, h5py, scipy and nibabel write them, brought in by `import`.

use std::path::{Path, PathBuf};

use mindreader::commands::import::{self, ImportConfig, ImportSettings};
use mindreader::data::import::array_name::ArrayName;
use mindreader::data::prepared::PreparedSubject;
use mindreader::pipelines::project::{Project, ProjectPaths};
use mindreader::run::existing_output::ExistingOutput;
use mindreader::run::progress::Silent;

use crate::python;

/// Betas `[[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 20]]` in every format, four pictures of 2 × 3 pixels in three.
const WRITE: &str = r#"
import h5py, nibabel, numpy, scipy.io
from PIL import Image
betas = numpy.array([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 20]])
numpy.save("f4.npy", betas.astype("<f4"))
numpy.save("be.npy", betas.astype(">i8"))
numpy.save("fortran.npy", numpy.asfortranarray(betas.astype("f8")))
numpy.save("half.npy", betas.astype("f2"))
numpy.save("bool.npy", betas.astype("u1"))
numpy.savez("plain.npz", other=numpy.zeros(3), betas=betas)
numpy.savez_compressed("packed.npz", betas=numpy.asfortranarray(betas.astype("i2")), more=betas)
numpy.savetxt("plain.csv", betas, delimiter=",")
with h5py.File("b.h5", "w") as f:
    f.create_dataset("group/betas", data=betas.astype("f4"), compression="gzip", chunks=(1, 3))
    f["names"] = "text"
with h5py.File("v73.mat", "w", userblock_size=512) as f:
    f.create_dataset("betas", data=betas.T.astype("f8")).attrs["MATLAB_class"] = numpy.bytes_("double")
with open("v73.mat", "r+b") as f:
    f.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
scipy.io.savemat("v5.mat", {"betas": betas.astype("i4"), "label": numpy.array([[1, 2]])}, do_compression=False)
scipy.io.savemat("v7.mat", {"betas": betas.astype("f8"), "label": numpy.array([[1, 2]])}, do_compression=True)
volume = numpy.zeros((2, 2, 2, 4), "f4")
mask = numpy.zeros((2, 2, 2), "u1")
for column, at in enumerate([(1, 0, 0), (0, 1, 0), (1, 1, 1)]):
    volume[at], mask[at] = betas[:, column], 1
affine = numpy.diag([-1.5, 1.5, 1.5, 1.0])
nibabel.save(nibabel.Nifti1Image(volume, affine), "betas.nii.gz")
nibabel.save(nibabel.Nifti1Image(volume.astype(">i2"), affine), "big.nii")
nibabel.save(nibabel.Nifti1Image(mask, affine), "mask.nii.gz")
pictures = numpy.arange(4 * 2 * 3).reshape(4, 2, 3).astype("u1")
numpy.save("pictures.npy", pictures)
numpy.save("colours.npy", numpy.stack([pictures] * 3, -1).astype("f4"))
with h5py.File("p73.mat", "w", userblock_size=512) as f:
    f.create_dataset("p", data=pictures.T).attrs["MATLAB_class"] = numpy.bytes_("uint8")
with open("p73.mat", "r+b") as f:
    f.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
numpy.save("object.npy", numpy.array([{"a": 1}]), allow_pickle=True)
numpy.save("complex.npy", betas.astype("c8"))
numpy.save("records.npy", numpy.zeros(3, [("a", "f4"), ("b", "i4")]))
"#;

struct Folder(tempfile::TempDir);

impl Folder {
    fn name(&self, name: &str) -> ArrayName {
        self.0.path().join(name).to_str().unwrap().parse().unwrap()
    }

    fn import(&self, betas: &str, mask: Option<&str>, images: &str) -> Result<PreparedSubject, String> {
        let work = self.0.path().join("work");
        let project = Project {
            subject: "numpy".parse().unwrap(),
            paths: ProjectPaths { work: Some(work), ..ProjectPaths::default() },
            ..Project::default()
        };
        let config = ImportConfig {
            betas: vec![self.name(betas)],
            mask: mask.map(|mask| PathBuf::from(self.0.path()).join(mask)),
            images: vec![self.name(images)],
            standardize: Some(import::StandardizeBy::None),
            ..ImportConfig::default()
        };
        let settings = ImportSettings::resolve(&project, &config, ExistingOutput::Replace);
        let summary = settings.and_then(|settings| import::run(&settings, &mut Silent));
        let summary = summary.map_err(|error| error.to_string())?;
        PreparedSubject::open(&summary.out).map_err(|error| error.to_string())
    }
}

#[test]
fn arrays_and_volumes_of_python_are_brought_in() {
    let Some(python) = python::find("own_data::arrays_and_volumes_of_python_are_brought_in") else { return };
    let folder = Folder(tempfile::tempdir().unwrap());
    python::run(python, folder.0.path(), WRITE);
    let expected: Vec<f32> = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20].map(|value| value as f32).to_vec();
    for (betas, mask) in [
        ("f4.npy", None),
        ("be.npy", None),
        ("fortran.npy", None),
        ("half.npy", None),
        ("bool.npy", None),
        ("plain.npz", None),
        ("packed.npz:betas", None),
        ("plain.csv", None),
        ("b.h5", None),
        ("b.h5:group/betas", None),
        ("v73.mat", None),
        ("v73.mat:betas", None),
        ("v5.mat:betas", None),
        ("v7.mat:betas", None),
        ("betas.nii.gz", Some("mask.nii.gz")),
        ("big.nii", Some("mask.nii.gz")),
    ] {
        let prepared =
            folder.import(betas, mask, "pictures.npy").unwrap_or_else(|error| panic!("{betas}: {error}"));
        let found = prepared.betas().unwrap();
        assert_eq!((found.dim(), found.into_raw_vec_and_offset().0), ((4, 3), expected.clone()), "{betas}");
        let places: &[usize] = if mask.is_some() { &[1, 2, 7] } else { &[0, 1, 2] };
        assert_eq!((prepared.flat_index(), prepared.has_volume()), (places, mask.is_some()), "{betas}");
    }
    for (betas, needle) in [
        ("object.npy", "Python objects"),
        ("complex.npy", "real numbers"),
        ("records.npy", "records"),
        ("b.h5:names", "expected real numbers"),
        ("b.h5:x", "not among: `names` [], `group/betas` [4, 3]"),
        ("v7.mat", "there are `betas` [4, 3], `label` [1, 2]"),
        ("betas.nii.gz", "--mask"),
    ] {
        let error = folder.import(betas, None, "pictures.npy").unwrap_err();
        assert!(error.contains(betas.split(':').next().unwrap()) || betas.contains("nii"), "{error}");
        assert!(error.contains(needle), "{betas}: {error}");
    }
    check_pictures(&folder);
}

/// Pictures are the same from every array, cut to their middle square.
fn check_pictures(folder: &Folder) {
    use mindreader::data::nsd::stimuli::Stimuli;
    use mindreader::data::trial::NsdId;
    for images in ["pictures.npy", "colours.npy", "p73.mat"] {
        folder.import("f4.npy", None, images).unwrap();
        let path = Path::new("work/imported/numpy/nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5");
        let stimuli = Stimuli::open(&folder.0.path().join(path)).unwrap();
        assert_eq!((stimuli.side(), stimuli.num_images()), (2, 4), "{images}");
        // Of 2 × 3 pixels 6, 7, 8 / 9, 10, 11: half to even keeps the first two columns.
        let second = stimuli.image(NsdId(1)).unwrap();
        let found: Vec<u8> = second.pixels().map(|pixel| pixel.0[1]).collect();
        assert_eq!(found, [6, 7, 9, 10], "{images}");
    }
}

/// The digits of docs/own-data.md, read where they lie.
#[test]
fn real_digits_come_in_by_their_variables() {
    use mindreader::data::import::pictures::PixelOrder;
    use mindreader::data::nsd::stimuli::Stimuli;
    use mindreader::data::nsd::tree::NsdTree;
    use mindreader::data::trial::NsdId;
    use mindreader::pipelines::targets::captioned_stimuli::CaptionedStimuli;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/real-fmri/digits69.mat");
    if !file.exists() {
        println!("skipped: own_data::real_digits_come_in_by_their_variables: no {}", file.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let of = |variable: &str| format!("{}:{variable}", file.display()).parse::<ArrayName>().unwrap();
    let project = Project {
        subject: "digits".parse().unwrap(),
        paths: ProjectPaths { work: Some(folder.path().into()), ..ProjectPaths::default() },
        ..Project::default()
    };
    let config = ImportConfig {
        betas: vec![of("fmriTrn")],
        test_betas: vec![of("fmriTest")],
        images: vec![of("stimTrn"), of("stimTest")],
        image_order: PixelOrder::Columns,
        labels: vec![of("labelTrn"), of("labelTest")],
        label_captions: [("1", "a six"), ("2", "a nine")].map(|(k, v)| (k.into(), vec![v.into()])).into(),
        ..ImportConfig::default()
    };
    let settings = ImportSettings::resolve(&project, &config, ExistingOutput::Refuse).unwrap();
    let summary = import::run(&settings, &mut Silent).unwrap();
    assert_eq!((summary.num_trials, summary.num_voxels, summary.image_side), (100, 3092, 28));
    assert_eq!((summary.num_test_trials, summary.num_captions), (Some(10), 100));
    let betas = PreparedSubject::open(&summary.out).unwrap().betas().unwrap();
    // Z-scores of the 90 training trials: the mean of those is 0, that of all need not be.
    let mean = betas.column(0).iter().take(90).sum::<f32>() / 90.0;
    assert!(mean.abs() < 1e-5, "{mean}");
    let stimuli = Stimuli::open(&NsdTree::new(&summary.folder).stimuli()).unwrap();
    let captions = CaptionedStimuli::open(&summary.folder).unwrap();
    // Upright, a six has its loop where a nine has its stem: in rows 17 to 20 more than twice the ink. On its side it has not.
    let ink_of = |class: &str| -> u64 {
        let of_class = (0..100).filter(|number| captions.captions(NsdId(*number)).unwrap() == [class]);
        let pictures = of_class.map(|number| stimuli.image(NsdId(number)).unwrap());
        let ink = |picture: image::RgbImage| -> u64 {
            let there = picture.enumerate_pixels().filter(|(_, row, _)| (17..21).contains(row));
            there.map(|(_, _, pixel)| u64::from(pixel.0[0])).sum()
        };
        pictures.map(ink).sum()
    };
    let (six, nine) = (ink_of("a six"), ink_of("a nine"));
    assert!(six > 2 * nine, "{six} {nine}");
}
