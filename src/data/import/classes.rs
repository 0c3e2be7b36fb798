//! The class of every imported picture: what a decoder would score that knew no more of a picture than its class.

use std::collections::BTreeMap;
use std::path::Path;

use super::trials::read_table;
use crate::data::error::DataError;
use crate::data::formats::csv::{Delimiter, write_table};
use crate::data::trial::NsdId;
use crate::files::file_is_there;

/// In the folder of an imported subject.
pub const CLASSES_FILE: &str = "classes.csv";

/// Classes by the place of their picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageClasses {
    /// Distinct names, ascending.
    names: Vec<String>,
    /// Place in `names` of every picture's class.
    of_image: Vec<usize>,
}

impl ImageClasses {
    /// Of the names of the pictures' classes, in the order of the pictures.
    pub fn new(classes: &[String]) -> Self {
        let places: BTreeMap<&String, usize> = classes.iter().map(|name| (name, 0)).collect();
        let places: BTreeMap<&String, usize> = places.into_keys().zip(0..).collect();
        let of_image = classes.iter().map(|name| places[name]).collect();
        Self { names: places.into_keys().cloned().collect(), of_image }
    }

    /// Those of the imported subject whose files lie in `root`; none where nothing was said of classes.
    ///
    /// # Errors
    /// A table that is there and cannot be read, or whose rows are not those of pictures 0, 1, ….
    pub fn read(root: &Path) -> Result<Option<Self>, DataError> {
        let path = root.join(CLASSES_FILE);
        if !file_is_there(&path)? {
            return Ok(None);
        }
        let table = read_table(&path, "the classes of the pictures")?;
        let (image, class) = (table.column("image")?, table.column("class")?);
        let mut classes = Vec::with_capacity(table.num_rows());
        for row in 0..table.num_rows() {
            let found = table.text(row, image)?;
            if found != row.to_string() {
                return Err(table.wrong(row, image, &row.to_string(), found));
            }
            classes.push(table.text(row, class)?.to_string());
        }
        Ok(Some(Self::new(&classes)))
    }

    /// Writes them below `root`.
    ///
    /// # Errors
    /// [`DataError`] for a file that cannot be written.
    pub fn write(&self, root: &Path) -> Result<(), DataError> {
        let rows = self.of_image.iter().zip(0_usize..);
        let rows = rows.map(|(class, image)| vec![image.to_string(), self.names[*class].clone()]);
        write_table(&root.join(CLASSES_FILE), Delimiter::Comma, &["image", "class"], rows)
    }

    /// Their names, ascending.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Place of a picture's class among the names; none of a picture that is not there.
    pub fn of(&self, image: NsdId) -> Option<usize> {
        self.of_image.get(image.row()).copied()
    }

    /// 2-way identification by who knows the class alone: right where the other picture is of another class, even odds where it is of
    /// the same. Mean over all pairs of the distinct `images`; none of fewer than two, or where a class is not known.
    pub fn pairs_by_class(&self, images: &[NsdId]) -> Option<f64> {
        let mut distinct = images.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let classes: Vec<usize> = distinct.iter().map(|image| self.of(*image)).collect::<Option<_>>()?;
        let mut sizes = vec![0_usize; self.names.len()];
        classes.iter().for_each(|class| sizes[*class] += 1);
        let pairs = classes.len() * classes.len().checked_sub(1)?;
        let of_one_class: usize = sizes.iter().map(|size| size * size.saturating_sub(1)).sum();
        (pairs > 0).then(|| 1.0 - 0.5 * of_one_class as f64 / pairs as f64)
    }

    /// Trials found by who knows the class alone and guesses among the candidates of that class, by image; mean over whole batches of
    /// `batch_size` of the trials that show `images`. None of no batch, or where a class is not known.
    pub fn found_by_class(&self, images: &[NsdId], batch_size: usize) -> Option<f64> {
        let classes: Vec<usize> = images.iter().map(|image| self.of(*image)).collect::<Option<_>>()?;
        let (mut found, mut num_batches) = (0.0, 0_usize);
        let batches = images.chunks_exact(batch_size.max(1)).zip(classes.chunks_exact(batch_size.max(1)));
        for (images, classes) in batches {
            let (mut of_image, mut of_class) = (BTreeMap::new(), BTreeMap::new());
            for (image, class) in images.iter().zip(classes) {
                *of_image.entry(image).or_insert(0_usize) += 1;
                *of_class.entry(class).or_insert(0_usize) += 1;
            }
            let share = |(image, class)| of_image[image] as f64 / of_class[class] as f64;
            found += images.iter().zip(classes).map(share).sum::<f64>();
            num_batches += 1;
        }
        (num_batches > 0).then(|| found / num_batches as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str]) -> ImageClasses {
        ImageClasses::new(&names.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn who_knows_the_class_alone_has_even_odds_within_it() {
        // Five sixes and five nines: of nine others five are of the other class, 5/9 + 4/18.
        let digits = classes(&["six", "nine", "six", "nine", "six", "nine", "six", "nine", "six", "nine"]);
        let all: Vec<NsdId> = (0..10).map(NsdId).collect();
        assert!((digits.pairs_by_class(&all).unwrap() - 7.0 / 9.0).abs() < 1e-12);
        // Presentations of one picture are one picture; two of one class are told apart by chance.
        assert_eq!(digits.pairs_by_class(&[NsdId(0), NsdId(2), NsdId(0)]), Some(0.5));
        assert_eq!(digits.pairs_by_class(&[NsdId(0), NsdId(1)]), Some(1.0));
        assert_eq!(digits.pairs_by_class(&[NsdId(0)]), None);
        assert_eq!(digits.pairs_by_class(&[NsdId(0), NsdId(10)]), None);
        // One of five of the own class, ten times; of two batches of four trials, which see one six twice, 4 · 1/2 and 2 · 2/3 + 1/3 + 1.
        assert!((digits.found_by_class(&all, 10).unwrap() - 2.0).abs() < 1e-12);
        let trials = [0, 1, 2, 3, 4, 4, 6, 7, 9].map(NsdId);
        assert!((digits.found_by_class(&trials, 4).unwrap() - f64::midpoint(2.0, 8.0 / 3.0)).abs() < 1e-12);
        assert_eq!(digits.found_by_class(&all, 11), None);
    }

    #[test]
    fn classes_are_written_and_read_and_other_rows_are_refused() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(ImageClasses::read(root.path()).unwrap(), None);
        let written = classes(&["b, c", "a", "b, c"]);
        written.write(root.path()).unwrap();
        assert_eq!(ImageClasses::read(root.path()).unwrap(), Some(written.clone()));
        assert_eq!((written.names(), written.of(NsdId(2))), (&["a".to_string(), "b, c".into()][..], Some(1)));
        std::fs::write(root.path().join(CLASSES_FILE), "image,class\n0,a\n2,b\n").unwrap();
        let error = ImageClasses::read(root.path()).unwrap_err().to_string();
        assert!(
            error.contains(CLASSES_FILE) && error.contains("row 2") && error.contains("image"),
            "{error}"
        );
    }
}
