//! Which scene each image shows: its own, or, for controls, another view of a scene that another image shows, and no
//! novel category before the images that are seen last.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use rand::seq::SliceRandom;

use super::config::PhantomConfig;
use super::scenes::Scene;
use crate::data::trial::NsdId;
use crate::tensor_ops::random::keyed_rng;

/// Share of the images, those first seen last, that may show novel categories: the paper's validation images.
pub const NOVEL_SHARE: f64 = 0.15;
/// Above every number of an NSD image.
pub(super) const NOT_AN_IMAGE: u64 = 1_000_000;
/// Every place has things of several categories, so that a few draws find one without the forbidden ones.
const MOST_DRAWS: u64 = 10_000;

/// The scene of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SceneChoice {
    /// Keys the scene.
    pub number: u64,
    /// The image that shows the same scene; this one is the second view of it.
    pub twin: Option<NsdId>,
}

impl SceneChoice {
    /// The scene of an image's own number.
    pub fn own(image: NsdId) -> Self {
        Self { number: u64::from(image.0), twin: None }
    }

    /// The scene as the image shows it.
    pub fn draw(&self, seed: u64, image: NsdId) -> Scene {
        let scene = Scene::draw(seed, self.number);
        match self.twin {
            None => scene,
            Some(_) => scene.seen_again(seed, u64::from(image.0)),
        }
    }
}

/// Chooses the scenes of those `images` that are `scenes`; `images` come in the order in which the subject first sees them.
pub fn choose_scenes(
    config: &PhantomConfig,
    images: &[NsdId],
    scenes: &BTreeSet<NsdId>,
) -> BTreeMap<NsdId, SceneChoice> {
    let mut choices: BTreeMap<NsdId, SceneChoice> =
        scenes.iter().map(|image| (*image, SceneChoice::own(*image))).collect();
    // Ascending before they are shuffled: the shuffle then depends on the set and the seed, not on the order of
    // presentation.
    let mut twins: Vec<NsdId> = choices.keys().copied().collect();
    twins.shuffle(&mut keyed_rng(config.seed, "phantom/twins", 0));
    let num_twins = (config.near_duplicates * scenes.len() as f64).round() as usize;
    let pairs: Vec<(NsdId, NsdId)> =
        twins.chunks_exact(2).take(num_twins / 2).map(|pair| (pair[0], pair[1])).collect();

    let num_familiar = images.len() - (NOVEL_SHARE * images.len() as f64).ceil() as usize;
    let familiar: BTreeSet<NsdId> = images[..num_familiar].iter().copied().collect();
    let twin_of: BTreeMap<NsdId, NsdId> = pairs.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]).collect();
    for (image, choice) in &mut choices {
        // Who sees one of two views has seen the scene.
        let is_familiar =
            familiar.contains(image) || twin_of.get(image).is_some_and(|twin| familiar.contains(twin));
        if is_familiar && !config.novel_categories.is_empty() {
            // Before twins are made, so that the second view shows the exchanged scene as well.
            choice.number = number_without(config, choice.number);
        }
    }
    for (first, second) in pairs {
        let number = choices[&first].number;
        choices.insert(second, SceneChoice { number, twin: Some(first) });
    }
    choices
}

/// The first of `number`, `number + 1,000,000`, … whose scene shows no novel category.
fn number_without(config: &PhantomConfig, number: u64) -> u64 {
    (0..MOST_DRAWS)
        .map(|draw| number + draw * NOT_AN_IMAGE)
        .find(|number| {
            let scene = Scene::draw(config.seed, *number);
            !scene.placed.iter().any(|placed| {
                config.novel_categories.iter().any(|category| category == placed.thing.category().1)
            })
        })
        .unwrap_or(number)
}

impl Scene {
    /// The same scene under another light, its things moved a little: a near duplicate.
    pub fn seen_again(mut self, seed: u64, image: u64) -> Self {
        let mut rng = keyed_rng(seed, "phantom/second view", image);
        let brightness = rng.random_range(0.9..1.1);
        self.light = self.light.map(|light| light * brightness);
        let side = self.size.0.min(self.size.1) as f32;
        for placed in &mut self.placed {
            placed.x += side * rng.random_range(-0.02..0.02);
            placed.height *= rng.random_range(0.96..1.04);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Vec<NsdId> {
        (0..200).rev().map(|number| NsdId(number * 7)).collect()
    }

    fn shows(scene: &Scene, category: &str) -> bool {
        scene.placed.iter().any(|placed| placed.thing.category().1 == category)
    }

    #[test]
    fn without_controls_every_image_shows_its_own_scene() {
        let config = PhantomConfig::default();
        let choices = choose_scenes(&config, &images(), &images().into_iter().collect());
        assert!(choices.iter().all(|(image, choice)| *choice == SceneChoice::own(*image)));
    }

    #[test]
    fn novel_categories_are_seen_last_only() {
        let novel = ["dog".to_string(), "bus".to_string()].to_vec();
        let config = PhantomConfig { novel_categories: novel, near_duplicates: 0.3, ..Default::default() };
        let images = images();
        let choices = choose_scenes(&config, &images, &images.iter().copied().collect());
        let novel: Vec<usize> = (0..images.len())
            .filter(|place| {
                let scene = choices[&images[*place]].draw(config.seed, images[*place]);
                shows(&scene, "dog") || shows(&scene, "bus")
            })
            .collect();
        assert!(novel.len() > 3, "{novel:?}");
        assert!(novel.iter().all(|place| *place >= 170), "{novel:?}");
    }

    #[test]
    fn twins_show_one_scene_in_two_ways() {
        let config = PhantomConfig { near_duplicates: 0.5, ..Default::default() };
        let images = images();
        let choices = choose_scenes(&config, &images, &images.iter().copied().collect());
        let twins: Vec<_> =
            choices.iter().filter_map(|(image, choice)| Some((*image, choice.twin?))).collect();
        assert_eq!(twins.len(), 50);
        for (second, first) in twins {
            assert_eq!(choices[&first].twin, None);
            let [one, other] = [first, second].map(|image| choices[&image].draw(config.seed, image));
            assert_ne!(one, other);
            assert_eq!(one.backdrop, other.backdrop);
            assert_eq!(one.placed.len(), other.placed.len());
        }
    }
}
