//! Which images of a training part choose a setting.

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{Split, order_of_appearance, split_by_first_appearance};
use crate::data::prepared::PreparedSubject;
use crate::tensor_ops::random::keyed_rng;

/// One draw for all: a seed that can be chosen is one that can be tried.
const SEED: u64 = 0;

/// The images that choose, and are fitted only then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TuningImages {
    /// Those seen last: what is chosen must hold in sessions that are still to come.
    #[default]
    SeenLast,
    /// Drawn at random: within one session there is no time to come, and where the images were shown in blocks the last ones are all of
    /// one kind.
    Drawn,
}

impl TuningImages {
    /// Drawn for imported subjects of one session; seen last for all others. NSD mixes its images, in every session by itself.
    pub fn of(subject: &PreparedSubject) -> Self {
        let mut sessions = subject.trials().iter().map(|trial| trial.session);
        let first = sessions.next();
        let is_one_session = sessions.all(|session| Some(session) == first);
        if subject.subject().is_own() && is_one_session { Self::Drawn } else { Self::SeenLast }
    }

    /// Divides trials by `groups`, a number per trial, all trials of a number on one side: `1 − tuning_fraction` of the groups, rounded
    /// down, are for training, the others for choosing.
    pub fn split(self, groups: &[u64], tuning_fraction: f64) -> Split {
        let train_fraction = 1.0 - tuning_fraction;
        match self {
            Self::SeenLast => split_by_first_appearance(groups, train_fraction),
            Self::Drawn => {
                let (order, count) = order_of_appearance(groups);
                let mut places: Vec<u64> = (0..count as u64).collect();
                places.shuffle(&mut keyed_rng(SEED, "tuning images", 0));
                // As they would have appeared in the drawn order.
                let num_train = (train_fraction.clamp(0.0, 1.0) * count as f64).floor() as u64;
                Split::by(groups.len(), |trial| places[order[&groups[trial]]] < num_train)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_images_are_of_both_blocks_and_keep_their_repeats() {
        // 50 images of one kind, then 50 of another, then all again.
        let groups: Vec<u64> = (0..200).map(|trial| trial % 100).collect();
        let tuning_of = |which: TuningImages| {
            let split = which.split(&groups, 0.15);
            assert_eq!((split.train.len(), split.validation.len()), (170, 30));
            let images: Vec<u64> = split.validation.iter().map(|trial| groups[*trial]).collect();
            assert_eq!(images[..15], images[15..], "both trials of an image");
            images[..15].to_vec()
        };
        assert_eq!(tuning_of(TuningImages::SeenLast), (85..100).collect::<Vec<_>>());
        let drawn = tuning_of(TuningImages::Drawn);
        let of_first = drawn.iter().filter(|image| **image < 50).count();
        assert!((3..=12).contains(&of_first), "{drawn:?}");
        assert_eq!(tuning_of(TuningImages::Drawn), drawn);
    }

    #[test]
    fn a_share_may_leave_nobody() {
        for which in [TuningImages::SeenLast, TuningImages::Drawn] {
            let split = which.split(&[4, 4, 4], 0.5);
            assert_eq!((split.train.len(), split.validation.len()), (0, 3));
        }
    }
}
