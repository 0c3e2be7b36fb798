//! A tiny phantom, read by h5py, nibabel and scipy, by the program's own readers, and decoded by ridge regression.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mindreader::commands::phantom::{PhantomSettings, PhantomSummary, run};
use mindreader::data::coco::captions::CaptionTable;
use mindreader::data::formats::hdf5::H5File;
use mindreader::data::nsd::betas::{BetasFormat, SessionFile, read_session};
use mindreader::data::nsd::design::ExperimentDesign;
use mindreader::data::nsd::roi::RoiVolume;
use mindreader::data::nsd::stim_info::StimInfo;
use mindreader::data::nsd::tree::{AnnotationKind, DEFAULT_BETAS_VERSION, NsdTree};
use mindreader::data::standardize::zscore_in_place;
use mindreader::data::subject::{NsdSubject, Resolution};
use mindreader::data::trial::CocoId;
use mindreader::phantom::anatomy::Anatomy;
use mindreader::phantom::atlas::{label, region_files};
use mindreader::phantom::design::ExperimentPlan;
use mindreader::phantom::scenes::Scene;
use mindreader::phantom::{BetaFiles, PhantomConfig, PhantomSize, StimulusSource};
use mindreader::run::progress::Silent;
use ndarray::Array2;
use serde_json::json;

use crate::python;

fn config() -> PhantomConfig {
    PhantomConfig {
        size: PhantomSize::Tiny,
        subject: NsdSubject::new(5).unwrap(),
        signal: 3.0,
        beta_files: BetaFiles::Both,
        seed: 11,
        ..Default::default()
    }
}

/// Written once for all tests, to the same place in every run.
fn phantom() -> &'static (PathBuf, PhantomSummary) {
    static PHANTOM: OnceLock<(PathBuf, PhantomSummary)> = OnceLock::new();
    PHANTOM.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("format-phantom");
        let settings = PhantomSettings { config: config(), out: out.clone(), overwrite: true };
        let summary = run(&settings, &mut Silent).unwrap();
        (out, summary)
    })
}

#[test]
fn other_software_reads_what_was_meant() {
    let Some(python) = python::find("phantom against h5py, nibabel, scipy") else { return };
    let (root, summary) = phantom();
    assert_eq!((summary.images, summary.sessions, summary.nsdgeneral_voxels), (250, 1, 300));
    let config = config();
    let plan = ExperimentPlan::draw(&config);
    let anatomy = Anatomy::grow(&config);
    let folder = tempfile::tempdir().unwrap();
    let pictures: serde_json::Map<String, serde_json::Value> = plan.trials(config.subject, 1)[..3]
        .iter()
        .map(|trial| {
            let picture = folder.path().join(format!("{}.png", trial.nsd_id.0));
            Scene::draw(config.seed, u64::from(trial.nsd_id.0)).render_crop(425).save(&picture).unwrap();
            (trial.nsd_id.0.to_string(), json!(picture))
        })
        .collect();
    let rois: serde_json::Map<String, serde_json::Value> = region_files()
        .map(|table| {
            let mut counts = vec![0; table.labels.len() + 1];
            anatomy.cortex.iter().for_each(|voxel| counts[label(table.name, voxel) as usize] += 1);
            (table.name.to_string(), json!({"names": table.labels, "counts": counts[1..]}))
        })
        .collect();
    let corners: Vec<Vec<u32>> = plan
        .subject_images
        .iter()
        .map(|images| [0, 999, 1000, 9999].map(|place| images[place]).to_vec())
        .collect();
    let intent = json!({
        "subject": config.subject.number(),
        "grid": anatomy.grid,
        "master_ordering": plan.master_ordering[..1500],
        "subject_images": corners,
        "pictures": pictures,
        "rois": rois,
    });
    let intent_path = folder.path().join("intent.json");
    fs::write(&intent_path, intent.to_string()).unwrap();
    let script = format!(
        "import sys; sys.argv = ['', {root:?}, {intent_path:?}]\n{}",
        include_str!("phantom_tree.py")
    );
    assert_eq!(python::run(python, folder.path(), &script).trim(), "equal");
}

#[test]
fn own_readers_read_what_was_meant() {
    let (root, _) = phantom();
    let (config, tree) = (config(), NsdTree::new(root));
    let plan = ExperimentPlan::draw(&config);
    let design = ExperimentDesign::read(&tree.experiment_design()).unwrap();
    assert_eq!(design.trials(config.subject, 1).unwrap(), plan.trials(config.subject, 1));
    let table = StimInfo::read(&tree.stim_info()).unwrap();
    let captions = CaptionTable::read(&tree.annotations_present(AnnotationKind::Captions).unwrap()).unwrap();
    for trial in plan.trials(config.subject, 1) {
        let row = table.row(trial.nsd_id).unwrap();
        assert_eq!(captions.captions(row.coco_id).len(), 5);
    }
}

/// Decoding needs signal, and none is found where trials are shuffled: ridge regression from nsdgeneral.
#[test]
fn colour_and_persons_can_be_decoded() {
    let (root, _) = phantom();
    let (config, tree) = (config(), NsdTree::new(root));
    let grid = config.grid();
    let roi =
        RoiVolume::read(&tree.roi(config.subject, Resolution::Func1pt8mm, "nsdgeneral", None), None).unwrap();
    let voxels: Vec<usize> = (0..roi.labels.len()).filter(|voxel| roi.labels[*voxel] > 0).collect();
    let path = tree.betas_hdf5(config.subject, Resolution::Func1pt8mm, DEFAULT_BETAS_VERSION, 1);
    let file = SessionFile { session: 1, path, format: BetasFormat::Hdf5 };
    let mut betas = read_session(&file, grid, &voxels).unwrap();
    zscore_in_place(&mut betas);

    let truth = H5File::open(&root.join("truth.h5"), "the test").unwrap();
    let ids = truth.dataset("images/nsd_id").unwrap().read_all::<u32>().unwrap();
    let semantic = truth.dataset("images/semantic").unwrap();
    let names: Vec<String> = semantic.text_attribute("columns").unwrap().lines().map(String::from).collect();
    let values = semantic.read_all::<f32>().unwrap();
    let trials = ExperimentPlan::draw(&config).trials(config.subject, 1);
    let means = |trial_image: &dyn Fn(usize) -> u32| {
        let mut means = Array2::<f64>::zeros((ids.len(), voxels.len()));
        for trial in 0..trials.len() {
            let row = ids.binary_search(&trial_image(trial)).unwrap();
            for (mean, beta) in means.row_mut(row).iter_mut().zip(betas.row(trial)) {
                *mean += f64::from(*beta) / 3.0;
            }
        }
        means
    };
    let right = means(&|trial| trials[trial].nsd_id.0);
    let shuffled = means(&|trial| trials[(trial * 7 + 311) % trials.len()].nsd_id.0);
    for (column, least) in [("channel:12", 0.5), ("channel:14", 0.5), ("category:1", 0.3), ("faces", 0.3)] {
        let index = names.iter().position(|name| name == column).unwrap();
        let target: Vec<f64> =
            (0..ids.len()).map(|image| f64::from(values[image * names.len() + index])).collect();
        let r = ridge_correlation(&right, &target);
        let chance = ridge_correlation(&shuffled, &target);
        println!("{column}: r = {r:.2}, shuffled {chance:.2}");
        assert!(r > least, "{column}: r = {r:.2}");
        assert!(chance.abs() < 0.35, "{column}: r = {chance:.2} from shuffled trials");
    }
}

/// Correlation on every fourth image of a ridge regression fitted on the others (dual form).
fn ridge_correlation(betas: &Array2<f64>, target: &[f64]) -> f64 {
    let (test, train): (Vec<usize>, Vec<usize>) = (0..target.len()).partition(|image| image % 4 == 0);
    let mean = train.iter().map(|image| target[*image]).sum::<f64>() / train.len() as f64;
    let kernel = |a: usize, b: usize| betas.row(a).dot(&betas.row(b));
    let n = train.len();
    let mut system = Array2::from_shape_fn((n, n + 1), |(row, column)| match column {
        column if column == n => target[train[row]] - mean,
        column => kernel(train[row], train[column]) + if row == column { 100.0 } else { 0.0 },
    });
    // Gaussian elimination; the matrix is positive definite.
    for pivot in 0..n {
        for row in pivot + 1..n {
            let factor = system[[row, pivot]] / system[[pivot, pivot]];
            for column in pivot..=n {
                system[[row, column]] -= factor * system[[pivot, column]];
            }
        }
    }
    let mut weights = vec![0.0; n];
    for row in (0..n).rev() {
        let rest: f64 = (row + 1..n).map(|column| system[[row, column]] * weights[column]).sum();
        weights[row] = (system[[row, n]] - rest) / system[[row, row]];
    }
    let predicted: Vec<f64> = test
        .iter()
        .map(|image| train.iter().zip(&weights).map(|(other, weight)| weight * kernel(*image, *other)).sum())
        .collect();
    let actual: Vec<f64> = test.iter().map(|image| target[*image]).collect();
    correlation(&predicted, &actual)
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let cross: f64 = a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum();
    let squares = |values: &[f64], mean: f64| values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    cross / (squares(a, ma) * squares(b, mb)).sqrt()
}

/// A folder of `count` pictures, each with three captions and a person in its left half.
fn album(folder: &Path, count: u64) {
    fs::create_dir_all(folder.join("train2017")).unwrap();
    fs::create_dir_all(folder.join("annotations")).unwrap();
    let (mut images, mut captions, mut instances) = (Vec::new(), Vec::new(), Vec::new());
    for id in 1..=count {
        let picture =
            image::RgbImage::from_fn(96, 64, |x, y| image::Rgb([x as u8 * 2, y as u8 * 3, (id * 9) as u8]));
        let name = format!("{id:012}.jpg");
        picture.save(folder.join("train2017").join(&name)).unwrap();
        images.push(json!({"id": id, "file_name": name, "width": 96, "height": 64}));
        for sentence in 0..3 {
            captions.push(json!({"id": id * 10 + sentence, "image_id": id, "caption": "A colourful wall."}));
        }
        instances.push(json!({"id": id, "image_id": id, "category_id": 1, "iscrowd": 0, "area": 3072.0,
            "bbox": [0, 0, 48, 64], "segmentation": [[0, 0, 48, 0, 48, 64, 0, 64]]}));
    }
    for (kind, annotations) in [("captions", captions), ("instances", instances)] {
        let text = json!({"images": images, "annotations": annotations, "categories": []}).to_string();
        fs::write(folder.join(format!("annotations/{kind}_train2017.json")), text).unwrap();
    }
}

#[test]
fn photographs_keep_their_coco_ids_and_captions() {
    let folder = tempfile::tempdir().unwrap();
    album(folder.path(), 25);
    let config = PhantomConfig {
        size: PhantomSize::Tiny,
        source: StimulusSource::Photographs,
        photographs: Some(folder.path().to_path_buf()),
        ..Default::default()
    };
    let out = folder.path().join("nsd");
    let settings = PhantomSettings { config: config.clone(), out: out.clone(), overwrite: false };
    let summary = run(&settings, &mut Silent).unwrap();
    assert_eq!((summary.images, summary.photographs), (250, 25));
    let tree = NsdTree::new(&out);
    let table = StimInfo::read(&tree.stim_info()).unwrap();
    let captions = CaptionTable::read(&tree.annotations_present(AnnotationKind::Captions).unwrap()).unwrap();
    let mut crops = std::collections::BTreeMap::<CocoId, Vec<[u64; 4]>>::new();
    for trial in ExperimentPlan::draw(&config).trials(config.subject, 1) {
        if trial.repetition > 0 {
            continue;
        }
        let row = table.row(trial.nsd_id).unwrap();
        assert!((1..=25).contains(&row.coco_id.0));
        assert_eq!(captions.captions(row.coco_id), ["A colourful wall."; 3]);
        let crop = [row.crop.top, row.crop.bottom, row.crop.left, row.crop.right];
        crops.entry(row.coco_id).or_default().push(crop.map(f64::to_bits));
    }
    for own in crops.values_mut() {
        assert_eq!(own.len(), 10);
        let largest = [0.0, 0.0, 16.0 / 96.0, 16.0 / 96.0].map(f64::to_bits);
        assert!(own.contains(&largest), "NSD's own crop is among them");
        own.sort_unstable();
        own.dedup();
        assert_eq!(own.len(), 10, "crops of one photograph differ");
    }
    assert!(!tree.annotations(AnnotationKind::Stuff, "train2017").exists(), "nothing is known of stuff");
    let again = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(again.contains("there is a phantom already"), "{again}");
}

#[test]
fn wrong_settings_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("nsd");
    let cases = [
        (PhantomConfig { sessions: Some(99), ..config() }, "sessions`: found 99"),
        (PhantomConfig { source: StimulusSource::Photographs, ..config() }, "photographs`: found not set"),
        (
            PhantomConfig {
                source: StimulusSource::Photographs,
                photographs: Some(folder.path().join("nowhere")),
                ..config()
            },
            "train2017` is missing",
        ),
    ];
    for (config, message) in cases {
        let settings = PhantomSettings { config, out: out.clone(), overwrite: true };
        let error = run(&settings, &mut Silent).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
