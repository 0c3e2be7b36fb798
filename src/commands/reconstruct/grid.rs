//! Which pictures of a run stand in its grid, and where.

use std::collections::BTreeSet;

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::pipelines::trial_choice::ChosenTrial;

/// Trials, or images with their presentations, of a grid.
const MOST_SHOWN: usize = 12;

/// What the columns of the grid are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GridLayout {
    /// Trials, the ground truth on top: the paper's figures 4 and 14.
    #[default]
    Trials,
    /// Presentations of one image, the ground truth first, one image below the other: the paper's figure 4b.
    Repeats,
}

/// Pictures of one trial.
pub(super) struct ShownTrial {
    pub nsd_id: u32,
    pub truth: RgbImage,
    /// One per condition and z, the z of a condition behind each other.
    pub drawn: Vec<RgbImage>,
}

impl GridLayout {
    /// Which of the chosen trials are shown: at most twelve, or all trials of twelve images, evenly spread.
    pub(super) fn shown(self, chosen: &[ChosenTrial]) -> Vec<bool> {
        match self {
            Self::Trials => {
                let step = chosen.len().div_ceil(MOST_SHOWN).max(1);
                (0..chosen.len()).map(|trial| trial.is_multiple_of(step)).collect()
            }
            Self::Repeats => {
                let mut seen = BTreeSet::new();
                let images: Vec<u32> =
                    chosen.iter().map(|trial| trial.nsd_id.0).filter(|image| seen.insert(*image)).collect();
                let step = images.len().div_ceil(MOST_SHOWN).max(1);
                let shown: BTreeSet<u32> = images.into_iter().step_by(step).collect();
                chosen.iter().map(|trial| shown.contains(&trial.nsd_id.0)).collect()
            }
        }
    }

    /// As many of the chosen trials as are shown at least.
    pub(super) fn least_shown(self, num_chosen: usize) -> usize {
        num_chosen.div_ceil(num_chosen.div_ceil(MOST_SHOWN).max(1))
    }

    /// Rows of pictures, enlarged to `side` pixels (0: as they are).
    pub(super) fn rows(self, trials: &[ShownTrial], side: u32) -> Vec<Vec<RgbImage>> {
        let enlarged = |image: &RgbImage| enlarged(image, side);
        let num_drawn = trials.first().map_or(0, |trial| trial.drawn.len());
        match self {
            Self::Trials => {
                let truth = trials.iter().map(|trial| enlarged(&trial.truth)).collect();
                let drawn = (0..num_drawn)
                    .map(|line| trials.iter().map(|trial| enlarged(&trial.drawn[line])).collect());
                std::iter::once(truth).chain(drawn).collect()
            }
            Self::Repeats => {
                let mut seen = BTreeSet::new();
                trials
                    .iter()
                    .filter(|trial| seen.insert(trial.nsd_id))
                    .flat_map(|first| {
                        (0..num_drawn).map(|line| {
                            let of_image = trials.iter().filter(|trial| trial.nsd_id == first.nsd_id);
                            let drawn = of_image.map(|trial| enlarged(&trial.drawn[line]));
                            std::iter::once(enlarged(&first.truth)).chain(drawn).collect()
                        })
                    })
                    .collect()
            }
        }
    }
}

/// Nearest-neighbour enlargement, so that small pictures can be looked at; 0 keeps the size.
fn enlarged(image: &RgbImage, side: u32) -> RgbImage {
    match side {
        0 => image.clone(),
        side => image::imageops::resize(image, side, side, image::imageops::FilterType::Nearest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::trial::NsdId;

    /// Trials that show images 5, 7, 5, 9, 7, 5.
    const IMAGES: [u32; 6] = [5, 7, 5, 9, 7, 5];

    fn chosen(count: usize) -> Vec<ChosenTrial> {
        (0..count)
            .map(|trial| ChosenTrial { trials: vec![trial], nsd_id: NsdId(IMAGES[trial % 6]) })
            .collect()
    }

    fn grey(level: u8) -> RgbImage {
        RgbImage::from_pixel(1, 1, image::Rgb([level; 3]))
    }

    /// Levels of the grid's pictures: truth is the image, drawn is 10 · trial + line.
    fn levels(layout: GridLayout) -> Vec<Vec<u8>> {
        let trials: Vec<ShownTrial> = IMAGES
            .iter()
            .enumerate()
            .map(|(trial, image)| ShownTrial {
                nsd_id: *image,
                truth: grey(*image as u8),
                drawn: (0..2).map(|line| grey(10 * trial as u8 + 100 + line)).collect(),
            })
            .collect();
        let rows = layout.rows(&trials, 0);
        rows.iter().map(|row| row.iter().map(|image| image.get_pixel(0, 0).0[0]).collect()).collect()
    }

    #[test]
    fn trials_are_columns_below_their_ground_truth() {
        let rows = levels(GridLayout::Trials);
        assert_eq!(rows[0], [5, 7, 5, 9, 7, 5]);
        assert_eq!(rows[2], [101, 111, 121, 131, 141, 151]);
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn repeats_of_an_image_are_columns_behind_its_ground_truth() {
        let rows = levels(GridLayout::Repeats);
        assert_eq!(rows[..2], [vec![5, 100, 120, 150], vec![5, 101, 121, 151]]);
        assert_eq!(rows[2], [7, 110, 140]);
        assert_eq!(rows[4..], [vec![9, 130], vec![9, 131]]);
    }

    #[test]
    fn a_grid_shows_at_most_twelve() {
        let shown =
            |layout: GridLayout, count| layout.shown(&chosen(count)).into_iter().filter(|s| *s).count();
        assert_eq!(shown(GridLayout::Trials, 100), 12);
        assert_eq!(shown(GridLayout::Trials, 5), 5);
        assert_eq!(shown(GridLayout::Repeats, 100), 100, "three images");
        let many: Vec<ChosenTrial> = (0..60)
            .map(|trial| ChosenTrial { trials: vec![trial], nsd_id: NsdId(trial as u32 / 2) })
            .collect();
        let shown = GridLayout::Repeats.shown(&many);
        assert_eq!(shown.iter().filter(|shown| **shown).count(), 20, "every third of thirty images, twice");
        assert_eq!(enlarged(&grey(3), 4).dimensions(), (4, 4));
    }
}
