//! Five captions a scene, from one that says everything to one that says hardly anything.

use rand::{RngExt, rngs::ChaCha12Rng};

use super::composition::{Placed, Relation, Scene};
use super::places::Place;
use super::things::Thing;
use crate::tensor_ops::random::keyed_rng;

/// How much of the scene a caption tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CaptionQuality {
    /// Hardly anything.
    Generic,
    /// One thing, or the place.
    Partial,
    /// Things, colours, relation and place.
    Specific,
}

impl CaptionQuality {
    /// Number in `truth.h5`: 0 generic, 1 partial, 2 specific.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// A sentence and how much it tells.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneCaption {
    /// One sentence.
    pub text: String,
    /// Grade, known because a grammar wrote it.
    pub quality: CaptionQuality,
}

impl Scene {
    /// The five captions of the scene; `image` keys the choice of words.
    pub fn captions(&self, seed: u64, image: u64) -> Vec<SceneCaption> {
        let mut rng = keyed_rng(seed, "phantom/captions", image);
        let first = &self.placed[0];
        let place = self.backdrop.place;
        let whole = self.things_in_relation(&mut rng);
        let setting = setting(place, &mut rng);
        let another = self::setting(place, &mut rng);
        let specific = [
            format!("{whole} {setting}."),
            format!("{} {} {another}.", pick(&["There is", "We see", "A photo of"], &mut rng), lower(&whole)),
        ];
        let mut partial = vec![
            format!("{} {}.", phrase(first, Detail::Colour), pick(posture(first.thing), &mut rng)),
            format!("{} {setting}.", phrase(first, Detail::Name)),
        ];
        if let Some(second) = self.placed.get(1) {
            partial[0] =
                format!("{} and {}.", phrase(first, Detail::Name), lower(&phrase(second, Detail::Name)));
        }
        let generic = if place.is_outdoor() {
            ["A photo taken outside.", "An outdoor scene in daylight.", "A view of the outdoors."]
        } else {
            ["A photo taken inside.", "An indoor scene in a house.", "A view of a room."]
        };
        let graded = |text: String, quality| SceneCaption { text, quality };
        let [complete, reworded] = specific;
        let mut captions =
            vec![graded(complete, CaptionQuality::Specific), graded(reworded, CaptionQuality::Specific)];
        captions.extend(partial.into_iter().map(|text| graded(text, CaptionQuality::Partial)));
        captions.push(graded(pick(&generic, &mut rng).to_string(), CaptionQuality::Generic));
        captions
    }

    fn things_in_relation(&self, rng: &mut ChaCha12Rng) -> String {
        let first = phrase(&self.placed[0], Detail::Colour);
        let Some(second) = self.placed.get(1) else { return first };
        let word = match self.relation {
            Relation::Beside => pick(&["next to", "beside", "near"], rng),
            Relation::InFrontOf => "in front of",
            Relation::On => "on top of",
            Relation::Under => "under",
        };
        let pair = format!("{first} {word} {}", lower(&phrase(second, Detail::Colour)));
        match self.placed.get(2) {
            Some(third) => format!("{pair} with {}", lower(&phrase(third, Detail::Colour))),
            None => pair,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Name,
    Colour,
}

/// Noun phrase with its article, capitalised.
fn phrase(placed: &Placed, detail: Detail) -> String {
    let colour = placed.look.colour.name;
    let noun = match placed.thing {
        Thing::Person | Thing::Portrait if detail == Detail::Colour => {
            let garment = if placed.thing == Thing::Portrait { "top" } else { "shirt" };
            return format!("A person in a {colour} {garment}").replace("a orange", "an orange");
        }
        Thing::Portrait => "face of a person",
        Thing::Ball => "ball",
        thing => thing.category().1,
    };
    let described = if detail == Detail::Colour && placed.thing.is_named_with_colour() {
        format!("{colour} {noun}")
    } else {
        noun.to_string()
    };
    let article = if described.starts_with(['a', 'e', 'i', 'o', 'u']) { "An" } else { "A" };
    format!("{article} {described}")
}

fn lower(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn posture(thing: Thing) -> &'static [&'static str] {
    match thing {
        Thing::Person => &["standing alone", "posing for a photo"],
        Thing::Portrait => &["looking at the camera", "smiling at the camera"],
        Thing::Dog => &["standing still", "looking around"],
        Thing::Cat => &["sitting down", "looking at the camera"],
        Thing::Bird => &["seen from the side", "in close view"],
        Thing::Airplane => &["in flight", "flying by"],
        Thing::Boat => &["afloat", "seen from the side"],
        Thing::Car | Thing::Bus => &["seen from the side", "parked"],
        _ => &["in close view", "in the picture"],
    }
}

fn setting(place: Place, rng: &mut ChaCha12Rng) -> &'static str {
    let choices: &[&str] = match place {
        Place::Meadow => &["on a grassy field", "in a green meadow", "on the grass"],
        Place::Beach => &["on a sandy beach", "at the beach by the sea", "on the sand near the water"],
        Place::Sea => &["on the open sea", "above the blue water", "out on the ocean"],
        Place::Snowfield => {
            &["in the snow with mountains behind", "on a snowy field", "in a winter landscape"]
        }
        Place::Street => &["on a city street", "on the road in front of buildings", "in the middle of town"],
        Place::Sky => &["in the sky", "high up in the air", "against the sky"],
        Place::BrickYard => &["in front of a brick wall", "by a brick wall", "against a wall of bricks"],
        Place::LivingRoom => &["in a room with a wooden floor", "in a living room", "inside a house"],
        Place::Kitchen => &["on a wooden kitchen table", "in a tiled kitchen", "on a table in the kitchen"],
        Place::Bedroom => &["in a bedroom", "in a room with carpet", "in a quiet bedroom"],
    };
    pick(choices, rng)
}

fn pick<'a>(choices: &[&'a str], rng: &mut ChaCha12Rng) -> &'a str {
    choices[rng.random_range(0..choices.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_name_what_the_scene_shows() {
        for index in 0..100 {
            let scene = Scene::draw(7, index);
            let captions = scene.captions(7, index);
            assert_eq!(captions.len(), 5);
            assert_eq!(captions[0].quality, CaptionQuality::Specific);
            assert_eq!(captions[4].quality, CaptionQuality::Generic);
            for placed in &scene.placed {
                let noun = placed.thing.category().1.rsplit(' ').next().unwrap();
                assert!(captions[0].text.contains(noun), "`{}` lacks {noun}", captions[0].text);
            }
            for caption in &captions {
                assert!(
                    caption.text.ends_with('.') && caption.text.starts_with(char::is_uppercase),
                    "{}",
                    caption.text
                );
            }
        }
    }
}
