//! Training, validation and test trials; all repeats of an image stay on one side.

mod folds;
mod record;
pub mod tuning;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::folds::{folds_in_order, random_folds};
pub use self::record::SplitRecord;
use crate::data::error::DataError;
use crate::data::prepared::PreparedSubject;
use crate::data::split_file::SplitFile;
use crate::data::trial::NsdId;
use crate::error::{SettingError, above_to, in_range};
use crate::files::{path_from_home, say_used};

/// Which images are held out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitRule {
    /// Those first seen last, the paper's rule; `paper` is another name of it.
    #[default]
    #[serde(alias = "paper")]
    FirstAppearance,
    /// Those that all eight subjects saw, the rule of most decoding papers.
    Shared1000,
    /// Those that the column `split` of an imported subject calls `test`.
    Given,
    /// Those of one of `folds` folds, dealt out at random.
    Random,
    /// Those of one of `folds` folds, cut in order of first appearance.
    Pictures,
    /// Those that a file of `mindreader split` names.
    File,
}

/// A side of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is learnt from.
    Training,
    /// What is held out.
    Validation,
}

/// Folds unless another number is asked for.
const USUAL_FOLDS: usize = 5;
/// Most folds.
const MOST_FOLDS: usize = 100_000;

/// How trials are divided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitConfig {
    /// Which images are held out.
    pub rule: SplitRule,
    /// Share of the images for training under `first-appearance`, above 0 and at most 1; the paper's 0.85.
    pub train_fraction: f64,
    /// Folds of `random` and `pictures`, 2 to 100,000.
    #[serde(skip_serializing_if = "is_usual_folds")]
    pub folds: usize,
    /// Which fold is held out, from 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub fold: usize,
    /// Decides how `random` deals out the pictures.
    #[serde(skip_serializing_if = "is_zero_seed")]
    pub seed: u64,
    /// Stored split under `file`: its path, or its name, for example `cluster-k5-0`.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}

// What other rules do not read is left out of written settings: runs that were begun before there were folds go on.
fn is_usual_folds(folds: &usize) -> bool {
    *folds == USUAL_FOLDS
}

fn is_zero(fold: &usize) -> bool {
    *fold == 0
}

fn is_zero_seed(seed: &u64) -> bool {
    *seed == 0
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self {
            rule: SplitRule::FirstAppearance,
            train_fraction: 0.85,
            folds: USUAL_FOLDS,
            fold: 0,
            seed: 0,
            file: None,
        }
    }
}

impl SplitConfig {
    /// Checks share and folds.
    ///
    /// # Errors
    /// [`SettingError`] that names the key.
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("train_fraction", self.train_fraction, above_to(0.0, 1.0))?;
        in_range("folds", self.folds, 2..=MOST_FOLDS)?;
        in_range("fold", self.fold, 0..=self.folds - 1)
    }

    /// The split with the file of its name in place of the name: `of_name` knows where it lies. What has a folder or an extension is a
    /// path.
    pub fn with_file_of_name(mut self, of_name: impl Fn(&str) -> PathBuf) -> Self {
        let is_name = |file: &PathBuf| file.components().count() == 1 && file.extension().is_none();
        if let Some(name) = self.file.as_ref().filter(|file| is_name(file)).and_then(|file| file.to_str()) {
            self.file = Some(of_name(name));
        }
        self
    }

    /// Whether `stored`, which may have gone through JSON, says the same: a number that did may differ in its last bit.
    pub fn is_same_as_stored(&self, stored: &Self) -> bool {
        let through_json = || serde_json::from_str::<Self>(&serde_json::to_string(self).ok()?).ok();
        self == stored || through_json().as_ref() == Some(stored)
    }

    /// Divides the trials of a prepared subject.
    ///
    /// # Errors
    /// [`DataError::Empty`] when no trial is left for training, or none is in the fold that is held out; [`DataError::Invalid`] when
    /// the subject has no split of its own, or a stored one is missing, damaged or of other images.
    pub fn split(&self, prepared: &PreparedSubject) -> Result<Split, DataError> {
        let split = match self.rule {
            SplitRule::FirstAppearance => {
                split_by_first_appearance(&prepared.split_groups(), self.train_fraction)
            }
            SplitRule::Shared1000 => split_shared1000(prepared.is_shared()),
            SplitRule::Given => split_given(prepared.require_is_test()?),
            SplitRule::Random => {
                let fold_of = |pictures| random_folds(pictures, self.folds, self.seed);
                self.without_fold(prepared, fold_of)?
            }
            SplitRule::Pictures => {
                self.without_fold(prepared, |pictures| folds_in_order(pictures, self.folds))?
            }
            SplitRule::File => self.stored(prepared)?,
        };
        if split.train.is_empty() {
            let what = format!("the training part of `{}`", prepared.path().display());
            return Err(DataError::empty(what, self.advice_for(Side::Training)));
        }
        Ok(split)
    }

    /// What brings more images to a side that has too few, by the rule.
    pub fn advice_for(&self, side: Side) -> &'static str {
        match (self.rule, side) {
            (SplitRule::FirstAppearance, Side::Training) => {
                "raise `split.train_fraction` or bring in more sessions"
            }
            (SplitRule::FirstAppearance, Side::Validation) => "lower `split.train_fraction`",
            (SplitRule::Shared1000, _) => "choose another `split.rule` than `shared1000`",
            (SplitRule::Given, _) => {
                "choose another `split.rule` than `given`, or import with another column `split`"
            }
            (SplitRule::Random | SplitRule::Pictures, Side::Training) => "raise `split.folds`",
            (SplitRule::Random | SplitRule::Pictures, Side::Validation) => "lower `split.folds`",
            (SplitRule::File, _) => "name another `split.file`",
        }
    }

    /// What results say of the split that this made of a subject's trials.
    pub fn record(&self, prepared: &PreparedSubject, split: &Split) -> SplitRecord {
        let images = split.validation.iter().map(|trial| prepared.trials()[*trial].nsd_id);
        let images: BTreeSet<NsdId> = images.collect();
        SplitRecord::new(
            self.to_string(),
            images.into_iter().map(|image| prepared.image_name(image)).collect(),
        )
    }

    /// Holds one fold out; `fold_of` numbers the pictures in order of first appearance.
    fn without_fold(
        &self,
        prepared: &PreparedSubject,
        fold_of: impl Fn(usize) -> Vec<usize>,
    ) -> Result<Split, DataError> {
        let groups = prepared.split_groups();
        let (order, num_pictures) = order_of_appearance(&groups);
        let fold_of = fold_of(num_pictures);
        let split = Split::by(groups.len(), |trial| fold_of[order[&groups[trial]]] != self.fold);
        if split.validation.is_empty() {
            let what = format!("fold {} of {} in `{}`", self.fold, self.folds, prepared.path().display());
            return Err(DataError::empty(
                what,
                format!("there are {num_pictures} pictures; lower `split.folds`"),
            ));
        }
        Ok(split)
    }
}

/// The rule with what it needs.
impl fmt::Display for SplitConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, train_fraction, folds, fold, seed, file } = self;
        match rule {
            SplitRule::FirstAppearance => {
                write!(formatter, "first-appearance, {train_fraction} for training")
            }
            SplitRule::Shared1000 => formatter.write_str("shared1000"),
            SplitRule::Given => formatter.write_str("given"),
            SplitRule::Random => write!(formatter, "random, fold {fold} of {folds}, seed {seed}"),
            SplitRule::Pictures => write!(formatter, "pictures, fold {fold} of {folds}"),
            SplitRule::File => {
                let name = file.as_ref().and_then(|file| file.file_stem()).map(|name| name.to_string_lossy());
                write!(formatter, "file {}", name.unwrap_or_default())
            }
        }
    }
}

impl SplitConfig {
    /// What the file says of the prepared trials.
    fn stored(&self, prepared: &PreparedSubject) -> Result<Split, DataError> {
        let path = self.file.as_ref().ok_or_else(|| {
            let expected = "a split of `mindreader split` where `split.rule` is `file`";
            SettingError::new("file", expected, "nothing").within("split")
        })?;
        let file = SplitFile::read(path)?;
        file.require_subject(path, &prepared.subject().to_string())?;
        say_used("the split", path);
        let is_train = file.is_train(path, prepared.trials().iter().map(|trial| trial.nsd_id))?;
        Ok(Split::by(is_train.len(), |trial| is_train[trial]))
    }
}

/// Trial indices, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// For fitting.
    pub train: Vec<usize>,
    /// For choosing and reporting.
    pub validation: Vec<usize>,
}

impl Split {
    fn by(num_trials: usize, is_train: impl Fn(usize) -> bool) -> Self {
        let (train, validation) = (0..num_trials).partition(|trial| is_train(*trial));
        Self { train, validation }
    }
}

/// The paper's split: the first `train_fraction` of the images in order of first appearance are for training.
///
/// `groups` holds one number per trial; trials of one number stay together. With the COCO id of each trial's image, crops
/// of one photograph stay together too; NSD shows every photograph in one crop only, so there it is the split by image.
pub fn split_by_first_appearance(groups: &[u64], train_fraction: f64) -> Split {
    let (order, num_groups) = order_of_appearance(groups);
    // 85 % of the images in the published split, rounded down (docs/spec/mapper.md §1.5).
    let num_train = (train_fraction.clamp(0.0, 1.0) * num_groups as f64).floor() as usize;
    Split::by(groups.len(), |trial| order[&groups[trial]] < num_train)
}

/// Place of every group in the order of first appearance, and how many there are.
fn order_of_appearance(groups: &[u64]) -> (HashMap<u64, usize>, usize) {
    let mut order = HashMap::new();
    for group in groups {
        let next = order.len();
        order.entry(*group).or_insert(next);
    }
    let num_groups = order.len();
    (order, num_groups)
}

/// The split that came with the data.
pub fn split_given(is_test: &[bool]) -> Split {
    Split::by(is_test.len(), |trial| !is_test[trial])
}

/// The split of most decoding papers: images that all subjects saw are held out.
pub fn split_shared1000(is_shared: &[bool]) -> Split {
    Split::by(is_shared.len(), |trial| !is_shared[trial])
}

/// Keeps the first trial of every group, for measures that want one trial per image.
pub fn first_of_each_group(trials: &[usize], groups: &[u64]) -> Vec<usize> {
    let mut seen = HashSet::new();
    trials.iter().copied().filter(|trial| seen.insert(groups[*trial])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_follow_their_image_and_trials_stay_sorted() {
        let groups = [7, 3, 7, 9, 3, 5, 9, 7];
        let split = split_by_first_appearance(&groups, 0.5);
        assert_eq!(split.train, [0, 1, 2, 4, 7]);
        assert_eq!(split.validation, [3, 5, 6]);
        assert_eq!(first_of_each_group(&split.validation, &groups), [3, 5]);
    }

    #[test]
    fn a_name_stands_for_its_file() {
        let of = |file: &str| {
            let config = SplitConfig { file: Some(file.into()), ..SplitConfig::default() };
            config.with_file_of_name(|name| format!("splits/{name}.json").into()).file.unwrap()
        };
        assert_eq!(of("tau"), PathBuf::from("splits/tau.json"));
        for path in ["tau.json", "./tau", "mine/tau"] {
            assert_eq!(of(path), PathBuf::from(path));
        }
        assert_eq!(SplitConfig::default().with_file_of_name(|name| name.into()), SplitConfig::default());
    }

    #[test]
    fn counts_are_the_papers_for_9841_images() {
        let groups: Vec<u64> = (0..9841).collect();
        let split = split_by_first_appearance(&groups, 0.85);
        assert_eq!((split.train.len(), split.validation.len()), (8364, 1477));
    }

    #[test]
    fn advice_fits_the_rule() {
        let of = |rule| SplitConfig { rule, ..SplitConfig::default() };
        let paper = of(SplitRule::FirstAppearance);
        assert_eq!(paper.advice_for(Side::Validation), "lower `split.train_fraction`");
        assert!(paper.advice_for(Side::Training).starts_with("raise `split.train_fraction`"));
        for rule in [SplitRule::Given, SplitRule::Shared1000, SplitRule::Random, SplitRule::File] {
            assert!(!of(rule).advice_for(Side::Validation).contains("train_fraction"));
        }
        assert_eq!(of(SplitRule::Pictures).advice_for(Side::Validation), "lower `split.folds`");
    }

    #[test]
    fn edges_are_empty_sides() {
        assert_eq!(split_by_first_appearance(&[], 0.85), Split::default());
        assert!(split_by_first_appearance(&[1, 2], 0.0).train.is_empty());
        assert!(split_by_first_appearance(&[1, 2], 1.0).validation.is_empty());
        assert_eq!(split_shared1000(&[false, true, false]).validation, [1]);
        assert_eq!(split_given(&[true, false, true]).validation, [0, 2]);
    }

    #[test]
    fn settings_of_before_there_were_folds_are_written_as_before() {
        let text = "rule = \"first-appearance\"\ntrain_fraction = 0.85\n";
        assert_eq!(toml::to_string(&SplitConfig::default()).unwrap(), text);
        assert_eq!(
            toml::from_str::<SplitConfig>(&text.replace("first-appearance", "paper")).unwrap(),
            SplitConfig::default()
        );
        let random = SplitConfig { rule: SplitRule::Random, fold: 2, ..SplitConfig::default() };
        assert_eq!(random.to_string(), "random, fold 2 of 5, seed 0");
        assert_eq!(toml::from_str::<SplitConfig>(&toml::to_string(&random).unwrap()).unwrap(), random);
        let beyond = SplitConfig { folds: 2, ..random };
        assert_eq!(beyond.validate().unwrap_err().field, "fold");
        assert!(SplitConfig { folds: 0, ..SplitConfig::default() }.validate().is_err());
    }

    proptest::proptest! {
        #[test]
        fn every_trial_is_on_one_side_and_no_group_on_both(
            groups in proptest::collection::vec(0_u64..20, 0..100),
            fraction in 0.0_f64..1.0,
        ) {
            let split = split_by_first_appearance(&groups, fraction);
            proptest::prop_assert_eq!(split.train.len() + split.validation.len(), groups.len());
            let side = |trials: &[usize]| trials.iter().map(|trial| groups[*trial]).collect::<HashSet<_>>();
            proptest::prop_assert!(side(&split.train).is_disjoint(&side(&split.validation)));
        }
    }
}
