use super::*;
use crate::data::formats::nifti::{Affine, Frame, write_volume_at};
use crate::data::prepared::PreparedSubject;
use crate::data::split::{SplitConfig, SplitRule};
use crate::data::trial::NsdId;
use crate::files::FolderLock;
use crate::pipelines::project::{Project, ProjectPaths};
use crate::pipelines::targets::captioned_stimuli::CaptionedStimuli;
use crate::run::existing_output::ExistingOutput;
use crate::run::progress::Silent;

/// A folder of a lab's files and of what becomes of them.
struct Lab(tempfile::TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn array(&self, name: &str) -> ArrayName {
        self.path(name).to_str().unwrap().parse().unwrap()
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn project(&self) -> Project {
        let paths = ProjectPaths { work: Some(self.path("work")), ..ProjectPaths::default() };
        Project { paths, subject: "lab-1".parse().unwrap(), ..Project::default() }
    }

    fn import(&self, import: &ImportConfig) -> Result<(ImportSummary, PreparedSubject), String> {
        let settings = ImportSettings::resolve(&self.project(), import, ExistingOutput::Refuse);
        let summary =
            settings.and_then(|settings| run(&settings, &mut Silent)).map_err(|error| error.to_string())?;
        let prepared = PreparedSubject::open(&summary.out).map_err(|error| error.to_string())?;
        Ok((summary, prepared))
    }

    fn refused(&self, import: &ImportConfig, needles: &[&str]) {
        let error = self.import(import).unwrap_err();
        assert!(needles.iter().all(|needle| error.contains(needle)), "{needles:?}: {error}");
        assert!(!self.path("work/prepared/lab-1.h5").exists(), "{error}");
        let left = std::fs::read_dir(self.path("work/imported")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "nothing is left: {error}");
    }

    /// Four trials of three voxels, of pictures of two sizes.
    fn table_subject(&self) -> ImportConfig {
        self.write("betas.csv", "1,5,0\n3,5,1\n5,5,2\n9,5,9\n");
        self.write("trials.csv", "image,split\nb.png,train\nd/a.png,train\nb.png,train\nc.png,test\n");
        for (name, width, height) in [("b.png", 6, 4), ("d/a.png", 3, 3), ("c.png", 4, 4)] {
            let path = self.write(&format!("pictures/{name}"), "");
            image::GrayImage::from_pixel(width, height, image::Luma([name.len() as u8])).save(path).unwrap();
        }
        ImportConfig {
            betas: vec![self.array("betas.csv")],
            trials: Some(self.path("trials.csv")),
            images: vec![self.array("pictures")],
            ..ImportConfig::default()
        }
    }
}

#[test]
fn tables_and_a_folder_of_pictures_become_a_subject() {
    let lab = Lab::new();
    let captions = "image,caption\nb.png,a b\nb.png,\"b, again\"\nc.png,a c\nd/a.png,an a\n";
    let config = ImportConfig {
        captions: Some(lab.write("captions.csv", captions)),
        rois: vec![lab.write("rois.csv", "V1,floc-faces\n1,0\n1,0\n0,2\n")],
        noise_ceiling: Some(lab.write("nc.csv", "25\n0\nnan\n").to_str().unwrap().parse().unwrap()),
        ..lab.table_subject()
    };
    let (summary, prepared) = lab.import(&config).unwrap();
    assert_eq!(summary.out, lab.path("work/prepared/lab-1.h5"));
    assert_eq!((summary.num_trials, summary.num_images, summary.image_side), (4, 3, 4));
    assert_eq!((summary.num_test_trials, summary.num_captions, summary.num_constant_voxels), (Some(1), 4, 1));
    assert_eq!(summary.standardization, Standardization::ZscoreByTraining);
    // Training trials 1, 3, 5: mean 3, deviation √(8/3); the test trial has no part in either.
    let deviation = (8.0_f32 / 3.0).sqrt();
    let betas = prepared.betas().unwrap();
    let expected = [-2.0 / deviation, 0.0, 2.0 / deviation, 6.0 / deviation];
    assert!(betas.column(0).iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6));
    assert_eq!(betas.column(1).to_vec(), [0.0; 4]);
    let split = SplitConfig { rule: SplitRule::Given, ..SplitConfig::default() };
    let parts = split.split(&prepared).unwrap();
    assert_eq!((parts.train.clone(), parts.validation.clone()), (vec![0, 1, 2], vec![3]));
    let record = split.record(&prepared, &parts);
    assert_eq!((record.rule.as_str(), record.num_test_images), ("given", 1));
    assert_eq!(prepared.image_name(NsdId(1)), "d/a.png");
    assert_eq!(prepared.select("floc-faces").unwrap(), [2]);
    assert_eq!(prepared.noise_ceiling().unwrap()[..2], [25.0, 0.0]);
    assert!(!prepared.has_volume());
    let project = lab.project();
    let stimuli = CaptionedStimuli::open(&project.nsd().unwrap()).unwrap();
    assert_eq!(stimuli.captions(NsdId(0)).unwrap(), ["a b", "b, again"]);
    assert_eq!(stimuli.image(NsdId(2)).unwrap().get_pixel(3, 3).0, [5; 3]);
    // Another one of this name is not written over it.
    let error = lab.import(&config).unwrap_err();
    assert!(error.contains("lab-1.h5") && error.contains("--overwrite"), "{error}");
}

#[test]
fn a_column_of_classes_is_kept_and_gives_captions_where_there_are_none() {
    let lab = Lab::new();
    let config = lab.table_subject();
    let table = |cells: [&str; 4]| {
        let rows: String = ["b", "d/a", "b", "c"]
            .iter()
            .zip(cells)
            .map(|(image, cell)| format!("{image}.png,{cell}\n"))
            .collect();
        lab.write("trials.csv", &format!("image,class\n{rows}"));
    };
    table(["six", "nine", "nine", "six"]);
    lab.refused(
        &config,
        &["trials.csv", "column `class`, row 3", "is `nine`", "`six`, that of the other trials of `b.png`"],
    );
    table(["six", "nine", "", "six"]);
    lab.refused(&config, &["trials.csv", "column `class`, row 3", "the name of a class"]);
    table(["six", "nine", "six", "six"]);
    let (summary, _) = lab.import(&config).unwrap();
    assert_eq!((summary.num_classes, summary.num_captions), (Some(2), 3));
    let root = lab.project().nsd().unwrap();
    let stimuli = CaptionedStimuli::open(&root).unwrap();
    assert_eq!(stimuli.captions(NsdId(1)).unwrap(), ["a picture of nine"]);
    let classes = ImageClasses::read(&root).unwrap().unwrap();
    assert_eq!([0, 1, 2].map(|image| classes.of(NsdId(image))), [Some(1), Some(0), Some(1)]);
    assert!(root.join(SIZES_FILE).is_file());
}

#[test]
fn folds_over_pictures_keep_repeats_together() {
    let lab = Lab::new();
    let (_, prepared) = lab.import(&lab.table_subject()).unwrap();
    let held_out = |rule, fold| {
        SplitConfig { rule, folds: 3, fold, ..SplitConfig::default() }.split(&prepared).unwrap().validation
    };
    assert_eq!([0, 1, 2].map(|fold| held_out(SplitRule::Pictures, fold)), [vec![0, 2], vec![1], vec![3]]);
    let mut random: Vec<_> = (0..3).map(|fold| held_out(SplitRule::Random, fold)).collect();
    random.sort();
    assert_eq!(random, [vec![0, 2], vec![1], vec![3]]);
    let many = SplitConfig { rule: SplitRule::Pictures, folds: 9, fold: 8, ..SplitConfig::default() };
    let error = many.split(&prepared).unwrap_err().to_string();
    assert!(error.contains("fold 8 of 9") && error.contains("3 pictures"), "{error}");
}

#[test]
fn volumes_with_a_mask_are_scaled_run_by_run() {
    let lab = Lab::new();
    let affine = Affine { rows: [[2.0, 0.0, 0.0, -4.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]] };
    let grid = [2, 2, 1];
    write_volume_at(
        &lab.path("mask.nii.gz"),
        &grid,
        Frame::F32(&[1.0, 0.0, 1.0, 1.0]),
        Some(&affine),
        2.0,
        1.0,
    )
    .unwrap();
    for (file, offset) in [("one.nii.gz", 0.0), ("two.nii.gz", 10.0)] {
        let dims = [2, 2, 1, 2];
        let nan = f32::NAN;
        let values = [offset, nan, nan, -offset, offset + 1.0, nan, nan, -offset - 1.0];
        write_volume_at(&lab.path(file), &dims, Frame::F32(&values), Some(&affine), 2.0, 1.0).unwrap();
    }
    lab.write("pictures.csv", "0,1,2,3\n4,5,6,7\n8,9,10,11\n12,13,14,15\n");
    let mut config = ImportConfig {
        betas: vec![lab.array("one.nii.gz"), lab.array("two.nii.gz")],
        mask: Some(lab.path("mask.nii.gz")),
        images: vec![lab.array("pictures.csv")],
        rois: vec![lab.path("mask.nii.gz")],
        ..ImportConfig::default()
    };
    let (summary, prepared) = lab.import(&config).unwrap();
    assert_eq!((summary.num_sessions, summary.num_voxels, summary.num_constant_voxels), (2, 3, 1));
    assert_eq!((prepared.flat_index(), prepared.has_volume()), (&[0, 2, 3][..], true));
    assert_eq!(prepared.space().affine, Some(affine));
    let betas = prepared.betas().unwrap();
    // The voxel that is no number anywhere is silent; every session has its own mean.
    assert_eq!(
        betas.rows().into_iter().map(|row| row.to_vec()).collect::<Vec<_>>(),
        [[-1.0, 0.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 0.0, 1.0], [1.0, 0.0, -1.0]]
    );
    assert_eq!(prepared.select("mask").unwrap(), [0, 1, 2]);
    std::fs::remove_dir_all(lab.path("work")).unwrap();
    config.standardize = Some(StandardizeBy::None);
    let (_, prepared) = lab.import(&config).unwrap();
    assert_eq!(prepared.betas().unwrap().row(3).to_vec(), [11.0, 0.0, -11.0]);
    std::fs::remove_dir_all(lab.path("work")).unwrap();
    lab.refused(&ImportConfig { mask: None, ..config.clone() }, &["--mask"]);
    config.standardize = Some(StandardizeBy::Run);
    lab.refused(&config, &["column `run`"]);
}

#[test]
fn an_offset_far_from_zero_takes_no_digits_from_the_responses() {
    let lab = Lab::new();
    let mut config = lab.table_subject();
    for by in [StandardizeBy::Train, StandardizeBy::Session] {
        config.standardize = Some(by);
        lab.write("betas.csv", "1,5,0\n3,5.5,1\n5,6,2\n9,7,9\n");
        let (_, near) = lab.import(&config).unwrap();
        std::fs::remove_dir_all(lab.path("work")).unwrap();
        let far = "100000001,1000005,0\n100000003,1000005.5,1\n100000005,1000006,2\n100000009,1000007,9\n";
        lab.write("betas.csv", far);
        let (summary, far) = lab.import(&config).unwrap();
        std::fs::remove_dir_all(lab.path("work")).unwrap();
        assert_eq!(summary.num_constant_voxels, 0);
        let (near, far) = (near.betas().unwrap(), far.betas().unwrap());
        let largest = near.iter().zip(&far).map(|(near, far)| (near - far).abs()).fold(0.0, f32::max);
        assert!(largest < 1e-6, "{largest}: {near} {far}");
        // Mean 3 and variance 8/3 of 1, 3, 5; mean 4.5 and variance 8.75 of 1, 3, 5, 9.
        let expected =
            if by == StandardizeBy::Train { -2.0 / (8.0_f32 / 3.0).sqrt() } else { -3.5 / 8.75_f32.sqrt() };
        assert!((far[[0, 0]] - expected).abs() < 1e-6, "{far}");
    }
}

#[test]
fn an_offset_that_leaves_nothing_of_the_responses_is_refused() {
    let lab = Lab::new();
    let mut config = lab.table_subject();
    config.standardize = Some(StandardizeBy::Session);
    let row = |by: u64| format!("{},{},{by}\n", 10_000_000_000_000_000 + by, 20_000_000_000_000_000 + by);
    let offset = [2, 4, 8, 16].map(row).concat();
    for betas in [offset.as_str(), "1e307,2,3e306\n2e307,3,4e307\n3e307,1,6e307\n7e307,2,7e306\n"] {
        lab.write("betas.csv", betas);
        lab.refused(&config, &["betas.csv`: betas of session 1", "2 of 3 voxels", "take a large offset"]);
    }
    config.allow_constant = true;
    lab.import(&config).unwrap();
}

#[test]
fn groups_that_cannot_be_scaled_are_named() {
    let lab = Lab::new();
    let mut config = lab.table_subject();
    lab.write("trials.csv", "image,session\nb.png,1\nd/a.png,1\nb.png,2\nc.png,2\n");
    lab.write("betas.csv", "1,5,0\n3,5,1\n5,5,2\n5,5,2\n");
    let constant =
        ["betas.csv`: betas of session 2 is constant in 3 of 3 voxels", "--set import.allow_constant=true"];
    lab.refused(&config, &constant);
    lab.write("trials.csv", "image,session\nb.png,1\nd/a.png,1\nb.png,1\nc.png,2\n");
    lab.refused(&config, &["trials.csv`: number of trials of session 2 is 1, expected at least 2"]);
    config.standardize = Some(StandardizeBy::Run);
    lab.refused(&config, &["trials.csv`: column `run` is not there, expected the run of every trial"]);
    config.standardize = Some(StandardizeBy::Train);
    lab.refused(&config, &["trials.csv`: column `split` is not there"]);
    lab.write("trials.csv", "image,split\nb.png,test\nd/a.png,train\nb.png,test\nc.png,test\n");
    lab.refused(&config, &["trials.csv`: number of training trials is 1, expected at least 2"]);
}

#[test]
fn a_region_of_another_size_is_held_against_the_mask() {
    let lab = Lab::new();
    for (file, dims) in
        [("mask.nii.gz", &[2, 2, 1][..]), ("r.nii.gz", &[2, 3, 1]), ("v.nii.gz", &[2, 2, 1, 2])]
    {
        let values: Vec<f32> = (0..dims.iter().product::<usize>()).map(|voxel| (voxel + 1) as f32).collect();
        write_volume_at(&lab.path(file), dims, Frame::F32(&values), None, 2.0, 1.0).unwrap();
    }
    lab.write("pictures.csv", "0,1,2,3\n4,5,6,7\n");
    let config = ImportConfig {
        betas: vec![lab.array("v.nii.gz")],
        mask: Some(lab.path("mask.nii.gz")),
        images: vec![lab.array("pictures.csv")],
        rois: vec![lab.path("r.nii.gz")],
        ..ImportConfig::default()
    };
    lab.refused(&config, &["r.nii.gz`: size", "expected [2, 2, 1] as in", "mask.nii.gz"]);
}

#[test]
fn what_does_not_fit_is_named_by_file_row_and_column() {
    let lab = Lab::new();
    let plain = lab.table_subject();
    let with_betas = |text: &str| ImportConfig {
        betas: vec![lab.write("other.csv", text).to_str().unwrap().parse().unwrap()],
        ..plain.clone()
    };
    lab.refused(&with_betas("1,2\n1,nan\n3,4\n4,5\n"), &["other.csv", "row 2, column 2 is NaN"]);
    lab.refused(&with_betas("1,2\n1,inf\n3,4\n4,5\n"), &["other.csv", "row 2, column 2 is inf"]);
    lab.refused(&with_betas("1,2\n1,2\n1,2\n1,2\n"), &["other.csv", "constant in 2 of 2 voxels"]);
    lab.refused(&with_betas("1,2\n3,4\n"), &["trials.csv", "number of rows is 4, expected 2"]);
    let two = ImportConfig { betas: vec![lab.array("betas.csv"), lab.array("other.csv")], ..plain.clone() };
    lab.refused(&two, &["other.csv", "number of voxels is 2, expected 3 as in"]);
    lab.write("unknown.csv", "image\nb.png\nx.png\nb.png\nc.png\n");
    let unknown = ImportConfig { trials: Some(lab.path("unknown.csv")), ..plain.clone() };
    lab.refused(&unknown, &["unknown.csv", "column `image`, row 2 is `x.png`, expected a picture below"]);
    for (captions, needle) in [
        ("image,caption\nb.png,x\nc.png,y\n", "captions of `d/a.png` is none"),
        ("image,caption\nz.png,x\n", "column `image`, row 1 is `z.png`"),
        ("image,caption\nb.png,\n", "column `caption`, row 1 is ``"),
        ("image\nb.png\n", "column `caption` is not among: image"),
    ] {
        let captions = Some(lab.write("captions.csv", captions));
        lab.refused(&ImportConfig { captions, ..plain.clone() }, &["captions.csv", needle]);
    }
    lab.write("pictures/b.png", "no picture");
    lab.refused(&plain, &["b.png"]);
    lab.refused(&ImportConfig { images: Vec::new(), ..plain.clone() }, &["--images"]);
    lab.refused(&ImportConfig { betas: Vec::new(), ..plain.clone() }, &["--betas"]);
    lab.refused(&ImportConfig { trials: None, ..plain.clone() }, &["--trials"]);
    lab.refused(&ImportConfig { affine: Some("a".into()), ..plain.clone() }, &["import.coordinates"]);
    let project = Project::default();
    let error = ImportSettings::resolve(&project, &plain, ExistingOutput::Refuse).unwrap_err().to_string();
    assert!(error.contains("found subj01") && error.contains("--subject NAME"), "{error}");
}

#[test]
fn one_process_at_a_time_brings_a_subject_in() {
    let lab = Lab::new();
    let config = lab.table_subject();
    let lock = FolderLock::take_beside(&lab.path("work/imported/lab-1"), "process 7").unwrap();
    let error = lab.import(&config).unwrap_err();
    assert!(error.contains("imported/lab-1` cannot be written: process 7 uses it"), "{error}");
    drop(lock);
    lab.import(&config).unwrap();
    let left = std::fs::read_dir(lab.path("work/imported")).unwrap().count();
    assert_eq!(left, 1, "the lock is gone");
}

#[test]
fn where_a_missing_file_comes_from_is_said_as_the_settings_say_it() {
    let lab = Lab::new();
    let mut config = lab.table_subject();
    config.origin = "`scripts/fetch-data lab` downloads it".into();
    assert_eq!(config.advice(), None);
    std::fs::remove_file(lab.path("betas.csv")).unwrap();
    let settings = ImportSettings::resolve(&lab.project(), &config, ExistingOutput::Refuse).unwrap();
    let error = run(&settings, &mut Silent).unwrap_err();
    assert!(error.to_string().contains("betas.csv"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("scripts/fetch-data lab")), "{error}");
    config.origin.clear();
    assert_eq!(config.advice(), None);
}
