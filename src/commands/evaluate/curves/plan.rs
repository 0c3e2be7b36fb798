//! What is fitted for the curves, drawn and refused before anything is read.

use std::collections::BTreeSet;
use std::path::Path;

use rand::seq::SliceRandom;

use super::super::config::RIDGE_SECTION;
use super::super::settings::EvaluateSettings;
use super::wanted::{Dimensions, sorted_shares};
use crate::data::prepared::PreparedSubject;
use crate::data::split::{Split, SplitConfig, SplitRule};
use crate::error::{SettingError, one_line};
use crate::files::file_is_there;
use crate::pipelines::targets::decoded_pairs::{require_ridge_memory, tuning_split};
use crate::run::memory::WorkingMemory;
use crate::tensor_ops::random::keyed_rng;
use crate::training::ridge::least_bytes;

/// Fewest held-out images of a split: one has no rival.
const FEWEST_HELD_OUT: usize = 2;

/// Everything that is fitted beside the evaluation itself.
#[derive(Debug, Default)]
pub(in crate::commands::evaluate) struct Plan {
    pub(super) learning: Option<LearningPlan>,
    pub(super) families: Vec<Family>,
}

/// What learning curves are fitted to.
#[derive(Debug)]
pub(super) struct LearningPlan {
    /// Ascending shares of the images, each with its draws.
    pub images: Vec<(f64, Vec<ImageDraw>)>,
    /// Ascending shares of the voxels, each with its draws.
    pub voxels: Vec<(f64, Vec<Vec<usize>>)>,
    /// All training trials.
    pub all: ImageDraw,
}

/// Trials of drawn images, as positions among the training trials.
#[derive(Clone, Debug)]
pub(super) struct ImageDraw {
    pub num_images: usize,
    /// Fitted while the penalty is chosen.
    pub fitting: Vec<usize>,
    /// Choose the penalty, and are fitted then.
    pub tuning: Vec<usize>,
}

/// Stored splits of one rule, each beside a random one.
#[derive(Debug)]
pub(super) struct Family {
    pub name: String,
    pub stored: Vec<Split>,
    pub random: Vec<Split>,
    /// Images of training and images held out of every split.
    pub num_images: Vec<[usize; 2]>,
}

impl Plan {
    /// Draws what is fitted.
    ///
    /// # Errors
    /// Shares that leave too little to fit, splits that are not there or do not fit the subject, sizes that cannot fit into memory.
    pub fn new(
        settings: &EvaluateSettings,
        subject: &PreparedSubject,
        split: &Split,
    ) -> crate::error::Result<Self> {
        let config = &settings.evaluate;
        if !config.bottleneck.is_empty() {
            require_bottleneck_memory(subject, split, &config.bottleneck)?;
        }
        let mut plan = Self::default();
        if config.learning_curve {
            require_learning_memory(subject, split, &config.voxel_shares)?;
            plan.learning = Some(LearningPlan::new(settings, subject, split)?);
        }
        for path in &settings.data.compared_splits {
            plan.add_split(settings, subject, path)?;
        }
        plan.draw_random(subject, settings.data.mapper.train.seed);
        Ok(plan)
    }

    /// Adds a stored split to those of its rule; one that is named twice counts once.
    fn add_split(
        &mut self,
        settings: &EvaluateSettings,
        subject: &PreparedSubject,
        path: &Path,
    ) -> crate::error::Result<()> {
        if !file_is_there(path)? {
            let expected = "a stored split of this subject: `mindreader split --rule cluster` and `--rule tau` make them";
            let found = one_line(format!("no `{}`", path.display()));
            return Err(refused(expected, found).into());
        }
        let config = SplitConfig {
            rule: SplitRule::File,
            file: Some(path.to_path_buf()),
            ..settings.data.split.clone()
        };
        let split = config.split(subject)?;
        let num_images = [&split.train, &split.validation].map(|trials| groups_of(subject, trials).len());
        if num_images[1] < FEWEST_HELD_OUT {
            let expected = format!("splits that hold {FEWEST_HELD_OUT} images out or more");
            let found = one_line(format!("{} in `{}`", num_images[1], path.display()));
            return Err(refused(&expected, found).into());
        }
        tuning_split(subject, &split.train, &settings.evaluate.ridge_fit)
            .map_err(|error| error.within(RIDGE_SECTION))?;
        require_ridge_memory("evaluate.compare_splits", subject, split.train.len())?;
        let name = family_of(path, &subject.subject().to_string());
        let family = match self.families.iter().position(|family| family.name == name) {
            Some(place) => &mut self.families[place],
            None => {
                let (stored, random, num_images) = (Vec::new(), Vec::new(), Vec::new());
                self.families.push(Family { name, stored, random, num_images });
                let last = self.families.len() - 1;
                &mut self.families[last]
            }
        };
        if !family.stored.contains(&split) {
            family.stored.push(split);
            family.num_images.push(num_images);
        }
        Ok(())
    }

    /// Beside every stored split one that holds as many images out, drawn at random: those of a rule hold out neighbours of one drawn
    /// order, so that splits which together hold out every image once have counterparts that do, too.
    fn draw_random(&mut self, subject: &PreparedSubject, seed: u64) {
        let groups = subject.split_groups();
        let all: BTreeSet<u64> = groups.iter().copied().collect();
        let mut order: Vec<u64> = all.into_iter().collect();
        order.shuffle(&mut keyed_rng(seed, "random counterparts of splits", 0));
        for family in &mut self.families {
            let mut first = 0;
            for [_, num_held_out] in &family.num_images {
                let held_out: BTreeSet<u64> =
                    order.iter().cycle().skip(first % order.len()).take(*num_held_out).copied().collect();
                let (validation, train) =
                    (0..groups.len()).partition(|trial| held_out.contains(&groups[*trial]));
                family.random.push(Split { train, validation });
                first += num_held_out;
            }
        }
    }
}

impl LearningPlan {
    fn new(
        settings: &EvaluateSettings,
        subject: &PreparedSubject,
        split: &Split,
    ) -> Result<Self, SettingError> {
        let config = &settings.evaluate;
        let (seed, draws) = (settings.data.mapper.train.seed, config.curve_draws);
        let draws_of = |share: f64| if share < 1.0 { draws } else { 1 };
        let images = |share: f64| {
            let draws = 0..draws_of(share);
            let drawn = draws.map(|draw| drawn_images(settings, subject, split, seed, draw, share));
            drawn.collect::<Result<Vec<_>, SettingError>>()
        };
        let voxels = |share: f64| {
            let draws = 0..draws_of(share);
            draws.map(|draw| drawn_voxels(subject.num_voxels(), seed, draw, share)).collect()
        };
        let with = |shares: &[f64]| sorted_shares(shares).into_iter();
        Ok(Self {
            images: with(&config.trial_shares)
                .map(|share| Ok((share, images(share)?)))
                .collect::<Result<_, SettingError>>()?,
            voxels: with(&config.voxel_shares).map(|share| (share, voxels(share))).collect(),
            all: drawn_images(settings, subject, split, seed, 0, 1.0)?,
        })
    }
}

/// Trials of a share of the training images; of one draw smaller shares are parts of larger ones.
fn drawn_images(
    settings: &EvaluateSettings,
    subject: &PreparedSubject,
    split: &Split,
    seed: u64,
    draw: usize,
    share: f64,
) -> Result<ImageDraw, SettingError> {
    let groups = subject.split_groups();
    let mut order: Vec<u64> = groups_of(subject, &split.train).into_iter().collect();
    order.shuffle(&mut keyed_rng(seed, "learning curve images", draw as u64));
    let kept: BTreeSet<u64> = order.iter().take(part_of(order.len(), share)).copied().collect();
    let is_kept = |position: &usize| kept.contains(&groups[split.train[*position]]);
    let positions: Vec<usize> = (0..split.train.len()).filter(is_kept).collect();
    let trials: Vec<usize> = positions.iter().map(|position| split.train[*position]).collect();
    let divided = tuning_split(subject, &trials, &settings.evaluate.ridge_fit);
    let divided = divided.map_err(|error| match share < 1.0 {
        true => {
            let expected =
                format!("larger ones: {share} of {} training images is {}", order.len(), kept.len());
            let expected = format!("{expected}, too few to fit and to choose a penalty on");
            SettingError::new("trial_shares", expected, share).within("evaluate")
        }
        false => error.within(RIDGE_SECTION),
    })?;
    let of = |part: &[usize]| part.iter().map(|place| positions[*place]).collect();
    Ok(ImageDraw { num_images: kept.len(), fitting: of(&divided.train), tuning: of(&divided.validation) })
}

/// Voxels of a share, ascending; of one draw smaller shares are parts of larger ones.
fn drawn_voxels(num_voxels: usize, seed: u64, draw: usize, share: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..num_voxels).collect();
    order.shuffle(&mut keyed_rng(seed, "learning curve voxels", draw as u64));
    order.truncate(part_of(num_voxels, share));
    order.sort_unstable();
    order
}

/// The rounded share of `count`, at least 1.
fn part_of(count: usize, share: f64) -> usize {
    ((share * count as f64).round() as usize).clamp(1, count.max(1))
}

fn groups_of(subject: &PreparedSubject, trials: &[usize]) -> BTreeSet<u64> {
    let groups = subject.split_groups();
    trials.iter().map(|trial| groups[*trial]).collect()
}

/// The rule that splits belong to: the name of the file without the subject and without the number of the part held out.
fn family_of(path: &Path, subject: &str) -> String {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.strip_prefix(&format!("{subject}-")).unwrap_or(&name);
    match name.rsplit_once('-') {
        Some((rule, part)) if !part.is_empty() && part.chars().all(|letter| letter.is_ascii_digit()) => {
            rule.to_string()
        }
        _ => name.to_string(),
    }
}

fn refused(expected: &str, found: String) -> SettingError {
    SettingError::new("compare_splits", expected, found).within("evaluate")
}

/// Patterns of the widest bottleneck beside the regression.
fn require_bottleneck_memory(
    subject: &PreparedSubject,
    split: &Split,
    dimensions: &[Dimensions],
) -> Result<(), SettingError> {
    let widest = dimensions.iter().filter_map(|dimensions| match dimensions {
        Dimensions::Of(count) => Some(*count),
        Dimensions::Full => None,
    });
    let widest = widest.max().unwrap_or(0).min(split.train.len()) as u128;
    let num_voxels = subject.num_voxels();
    let need = WorkingMemory {
        key: "evaluate.bottleneck",
        what: format!("betas of {num_voxels} voxels in {} training trials", split.train.len()),
        bytes: least_bytes(split.train.len(), num_voxels, 1) + 8 * widest * num_voxels as u128,
        advice: "fewer voxels (`prepare.roi`) or fewer training trials (`split`) need less",
    };
    need.check()
}

/// Betas of both sides, once as they are and once of the largest share of voxels.
fn require_learning_memory(
    subject: &PreparedSubject,
    split: &Split,
    voxel_shares: &[f64],
) -> Result<(), SettingError> {
    let [train, validation] = [&split.train, &split.validation].map(|side| side.len() as u128);
    let num_voxels = subject.num_voxels();
    let copied = voxel_shares.iter().copied().filter(|share| *share < 1.0).reduce(f64::max);
    let copied = copied.map_or(0, |share| part_of(num_voxels, share)) as u128;
    let betas = 4 * (validation * num_voxels as u128 + (train + validation) * copied);
    let need = WorkingMemory {
        key: "evaluate.learning_curve",
        what: format!("betas of {num_voxels} voxels in {} trials", train + validation),
        bytes: least_bytes(split.train.len(), num_voxels, 1) + betas,
        advice: "fewer voxels (`prepare.roi`) or fewer training trials (`split`) need less",
    };
    need.check()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_of_one_rule_belong_together() {
        let of = |file: &str| family_of(Path::new(file), "subj02");
        assert_eq!(of("splits/subj02-cluster-k5-3.json"), "cluster-k5");
        assert_eq!(of("splits/subj02-cluster-k12-11.json"), "cluster-k12");
        assert_eq!((of("subj02-tau.json").as_str(), of("mine-.json").as_str()), ("tau", "mine-"));
    }

    #[test]
    fn shares_are_rounded_and_nested() {
        assert_eq!((part_of(90, 0.25), part_of(3, 0.01), part_of(7, 1.0)), (23, 1, 7));
        let [small, large] = [0.2, 0.6].map(|share| drawn_voxels(50, 1, 0, share));
        assert_eq!((small.len(), large.len()), (10, 30));
        assert!(small.iter().all(|voxel| large.contains(voxel)));
        assert_ne!(small, drawn_voxels(50, 1, 1, 0.2));
        assert_eq!(drawn_voxels(4, 1, 2, 1.0), [0, 1, 2, 3]);
    }
}
