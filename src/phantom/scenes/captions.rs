//! Five captions a scene, from one that says everything to one that is about another scene.

use rand::{RngExt, rngs::ChaCha12Rng};

use super::super::scene_plan::NOT_AN_IMAGE;
use super::composition::{Placed, Relation, Scene};
use super::places::Place;
use super::things::Thing;
use crate::tensor_ops::random::keyed_rng;

/// How much of the scene a caption tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CaptionQuality {
    /// Nothing: it is about another place with other things.
    Wrong,
    /// Hardly anything.
    Generic,
    /// One thing, or the place.
    Partial,
    /// Things, colours, relation and place.
    Specific,
}

impl CaptionQuality {
    /// All grades, by their number in `truth.h5`.
    pub const ALL: [Self; 4] = [Self::Wrong, Self::Generic, Self::Partial, Self::Specific];

    /// Number in `truth.h5`.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Generic => "generic",
            Self::Partial => "partial",
            Self::Specific => "specific",
        }
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
        // All choices from one stream in this order: a new sentence goes behind the last, or every caption of every
        // phantom changes.
        let whole = self.things_in_relation(&mut rng);
        let setting = setting(place, &mut rng);
        let another = self::setting(place, &mut rng);
        let specific = [
            format!("{whole} {setting}."),
            format!("{} {} {another}.", pick(&["There is", "We see", "A photo of"], &mut rng), lower(&whole)),
        ];
        let partial = match self.placed.get(1) {
            Some(second) => {
                format!("{} and {}.", phrase(first, Detail::Name), lower(&phrase(second, Detail::Name)))
            }
            None if rng.random_bool(0.5) => format!("{} {setting}.", phrase(first, Detail::Name)),
            None => format!("{} {}.", phrase(first, Detail::Colour), pick(posture(first.thing), &mut rng)),
        };
        let generic = if place.is_outdoor() {
            ["A photo taken outside.", "An outdoor scene in daylight.", "A view of the outdoors."]
        } else {
            ["A photo taken inside.", "An indoor scene in a house.", "A view of a room."]
        };
        let wrong = self.scene_without_likeness(seed, image);
        let wrong = format!(
            "{} {}.",
            wrong.things_in_relation(&mut rng),
            self::setting(wrong.backdrop.place, &mut rng)
        );
        let [complete, reworded] = specific;
        [
            (complete, CaptionQuality::Specific),
            (reworded, CaptionQuality::Specific),
            (partial, CaptionQuality::Partial),
            (pick(&generic, &mut rng).to_string(), CaptionQuality::Generic),
            (wrong, CaptionQuality::Wrong),
        ]
        .map(|(text, quality)| SceneCaption { text, quality })
        .to_vec()
    }

    /// A scene in another place, none of whose things is here.
    fn scene_without_likeness(&self, seed: u64, image: u64) -> Self {
        let category = |placed: &Placed| placed.thing.category().0;
        let here: Vec<u32> = self.placed.iter().map(category).collect();
        // Numbers beyond those of images; about half of all scenes fit.
        (1_u64..1000)
            .map(|attempt| Self::draw(seed, image + attempt * NOT_AN_IMAGE))
            .find(|other| {
                other.backdrop.place != self.backdrop.place
                    && other.placed.iter().all(|placed| !here.contains(&category(placed)))
            })
            .unwrap_or_else(|| self.clone())
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
            let grades: Vec<u8> = captions.iter().map(|caption| caption.quality.code()).collect();
            assert_eq!(grades, [3, 3, 2, 1, 0]);
            assert_ne!(captions[4].text, captions[0].text);
            for placed in &scene.placed {
                let noun = placed.thing.category().1.rsplit(' ').next().unwrap();
                assert!(captions[0].text.contains(noun), "`{}` lacks {noun}", captions[0].text);
                assert!(!captions[4].text.contains(noun), "`{}` has {noun}", captions[4].text);
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
