//! Lafite's `dataset.json`: CLIP features of images and of their captions, read piece by piece.
//!
//! `clip_img_features` is a list of `[file name, vector]`, `clip_txt_features` of `[file name, list of vectors]`. Either may be
//! missing or `null`; a list that is there has every image once.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufReader, Read};
use std::path::Path;

use ndarray::Array2;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::data::error::DataError;
use crate::error::one_line;
use crate::files::skip_mark;

/// Name of the file that stores features.
pub(super) const DATASET_FILE: &str = "dataset.json";

const IMAGES: &str = "clip_img_features";
const TEXTS: &str = "clip_txt_features";

/// Features of the images of a collection, as they are stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredFeatures {
    /// One row per image.
    pub image: Option<Array2<f32>>,
    /// One row per caption, at least one for every image.
    pub text: Option<StoredTextFeatures>,
}

/// Features of captions.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTextFeatures {
    /// `[captions, width]`
    pub rows: Array2<f32>,
    /// Image of each row, ascending.
    pub image_of_row: Vec<usize>,
}

/// Reads the features of `images` from `reader`; `path` stands in errors.
///
/// # Errors
/// [`DataError::unreadable`] with line and column for anything that is not of this form: a vector of another width or with a
/// number that is not finite, a file that is no image or there twice; [`DataError::Invalid`] for an image without features.
pub(super) fn read(
    reader: impl Read,
    path: &Path,
    images: &[&str],
    width: usize,
) -> Result<StoredFeatures, DataError> {
    let index: HashMap<&str, usize> = images.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    let unreadable = |error: serde_json::Error| {
        let reason = one_line(format!("as {}: {error}", DATASET_FILE));
        DataError::unreadable(path, reason)
    };
    let reader = skip_mark(reader).map_err(|error| DataError::unreadable(path, error))?;
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 20, reader));
    let lists = Dataset { index: &index, width }.deserialize(&mut json).map_err(unreadable)?;
    json.end().map_err(unreadable)?;
    let whole = |list: Option<Rows>, field: &str| match list {
        Some(rows) => rows.of_all(path, field, images).map(Some),
        None => Ok(None),
    };
    let image = whole(lists.image, IMAGES)?.map(|rows| rows.ordered(width).0);
    let text = whole(lists.text, TEXTS)?.map(|rows| {
        let (rows, image_of_row) = rows.ordered(width);
        StoredTextFeatures { rows, image_of_row }
    });
    Ok(StoredFeatures { image, text })
}

#[derive(Default)]
struct Lists {
    image: Option<Rows>,
    text: Option<Rows>,
}

/// Vectors behind each other, and where those of each image are.
struct Rows {
    values: Vec<f32>,
    /// First row and number of rows of each image.
    places: Vec<Option<(usize, usize)>>,
}

impl Rows {
    fn of_all(self, path: &Path, field: &str, images: &[&str]) -> Result<Self, DataError> {
        match self.places.iter().position(Option::is_none) {
            Some(image) => {
                let field = format!("`{field}` of `{}`", one_line(images[image]));
                Err(DataError::invalid(path, field, "features of every image", "missing"))
            }
            None => Ok(self),
        }
    }

    /// Rows in the order of the images, and the image of each.
    fn ordered(self, width: usize) -> (Array2<f32>, Vec<usize>) {
        let rows: Vec<(usize, usize)> = self
            .places
            .iter()
            .enumerate()
            .filter_map(|(image, place)| place.map(|place| (image, place)))
            .flat_map(|(image, (first, count))| (first..first + count).map(move |row| (image, row)))
            .collect();
        let mut ordered = Array2::zeros((rows.len(), width));
        for (mut to, (_, from)) in ordered.rows_mut().into_iter().zip(&rows) {
            to.iter_mut().zip(&self.values[from * width..]).for_each(|(to, from)| *to = *from);
        }
        (ordered, rows.into_iter().map(|(image, _)| image).collect())
    }
}

/// The whole file.
struct Dataset<'a> {
    index: &'a HashMap<&'a str, usize>,
    width: usize,
}

impl<'de> DeserializeSeed<'de> for Dataset<'_> {
    type Value = Lists;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Lists, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Dataset<'_> {
    type Value = Lists;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "an object with `{IMAGES}` and `{TEXTS}`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Lists, A::Error> {
        let mut lists = Lists::default();
        let list = |field, several| Pairs { field, several, index: self.index, width: self.width };
        while let Some(key) = map.next_key::<String>()? {
            let (slot, seed) = match key.as_str() {
                IMAGES => (&mut lists.image, list(IMAGES, false)),
                TEXTS => (&mut lists.text, list(TEXTS, true)),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if slot.is_some() {
                return Err(A::Error::custom(format!("`{key}` is there twice")));
            }
            *slot = map.next_value_seed(seed)?;
        }
        Ok(lists)
    }
}

/// A list of `[file name, features]`, or `null`.
struct Pairs<'a> {
    field: &'static str,
    /// Whether the features are a list of vectors.
    several: bool,
    index: &'a HashMap<&'a str, usize>,
    width: usize,
}

impl<'de> DeserializeSeed<'de> for Pairs<'_> {
    type Value = Option<Rows>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Rows>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pairs<'_> {
    type Value = Option<Rows>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let features = if self.several { "list of vectors" } else { "vector" };
        write!(formatter, "`{}`: a list of [file name, {features}]", self.field)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Rows>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Option<Rows>, A::Error> {
        let mut rows = Rows { values: vec![], places: vec![None; self.index.len()] };
        while pairs.next_element_seed(Pair { list: &self, rows: &mut rows })?.is_some() {}
        Ok(Some(rows))
    }
}

/// `[file name, features]`.
struct Pair<'a> {
    list: &'a Pairs<'a>,
    rows: &'a mut Rows,
}

impl<'de> DeserializeSeed<'de> for Pair<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "`{}`: a pair [file name, features]", self.list.field)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<(), A::Error> {
        let Pairs { field, several, index, width } = *self.list;
        let name: String = pair.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let wrong = |what: &str| A::Error::custom(format!("`{field}` of `{name}`: {what}"));
        let image = *index.get(name.as_str()).ok_or_else(|| wrong("there is no such image"))?;
        if self.rows.places[image].is_some() {
            return Err(wrong("is there twice"));
        }
        // The vectors lie behind each other in the order in which they come.
        let first = self.rows.values.len() / width.max(1);
        let features =
            Features { what: &format!("`{field}` of `{name}`"), several, width, into: &mut self.rows.values };
        pair.next_element_seed(features)?.ok_or_else(|| wrong("has no features"))?;
        if pair.next_element::<IgnoredAny>()?.is_some() {
            return Err(wrong("expected a pair [file name, features]"));
        }
        let count = self.rows.values.len() / width.max(1) - first;
        if count == 0 {
            return Err(wrong("expected at least one vector"));
        }
        self.rows.places[image] = Some((first, count));
        Ok(())
    }
}

/// A vector, or a list of vectors.
struct Features<'a> {
    what: &'a str,
    several: bool,
    width: usize,
    into: &'a mut Vec<f32>,
}

impl<'de> DeserializeSeed<'de> for Features<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Features<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let features = if self.several { "a list of vectors" } else { "a vector" };
        write!(formatter, "{}: {features} of {} numbers", self.what, self.width)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { what, several, width, into } = self;
        if several {
            while items
                .next_element_seed(Features { what, several: false, width, into: &mut *into })?
                .is_some()
            {}
            return Ok(());
        }
        let before = into.len();
        while let Some(value) = items.next_element::<f32>()? {
            if !value.is_finite() {
                return Err(A::Error::custom(format!("{what}: a number that is not finite")));
            }
            if into.len() - before == width {
                return Err(A::Error::custom(format!(
                    "{what}: more numbers than the {width} of CLIP's embeddings"
                )));
            }
            into.push(value);
        }
        let found = into.len() - before;
        if found != width {
            return Err(A::Error::custom(format!(
                "{what}: {found} numbers, expected {width} as CLIP's embeddings have"
            )));
        }
        if into[before..].iter().all(|value| *value == 0.0) {
            return Err(A::Error::custom(format!("{what}: only zeros, which have no direction")));
        }
        Ok(())
    }
}
