//! Pictures and captions of an imported subject, laid as NSD lays its own: every later command reads them as it reads NSD's.

use std::collections::HashMap;
use std::path::Path;

use serde::Serialize;

use super::pictures::{Pictures, square};
use super::trials::read_table;
use crate::data::error::DataError;
use crate::data::formats::csv::{Delimiter, write_table};
use crate::data::formats::hdf5::H5Writer;
use crate::data::nsd::tree::{AnnotationKind, COCO_SPLITS, NsdTree};
use crate::error::one_line;
use crate::files::write_atomic;
use crate::interrupt;

/// Captions by the place of their picture.
pub type Captions = Vec<Vec<String>>;

/// Reads `image,caption`, several rows a picture; `images` are the names of the pictures that were shown.
///
/// # Errors
/// [`DataError`] for a table that cannot be read, naming row and column of an empty caption and of a picture that is not there, and for a
/// picture without a caption.
pub fn read_captions(path: &Path, images: &[String], pictures: &Pictures) -> Result<Captions, DataError> {
    let table = read_table(path, "the captions of the pictures")?;
    let (image, caption) = (table.column("image")?, table.column("caption")?);
    let numbers: HashMap<&str, usize> = images.iter().map(String::as_str).zip(0..).collect();
    let mut captions: Captions = vec![Vec::new(); images.len()];
    for row in 0..table.num_rows() {
        let (name, text) = (table.text(row, image)?, table.text(row, caption)?);
        if text.is_empty() {
            return Err(table.wrong(row, caption, "a caption", text));
        }
        match numbers.get(name) {
            Some(number) => captions[*number].push(text.into()),
            // The captions of a whole set may tell of pictures that this subject did not see.
            None if pictures.has(name)? => {}
            None => return Err(table.wrong(row, image, &pictures.expected_name(), &one_line(name))),
        }
    }
    match captions.iter().position(Vec::is_empty) {
        None => Ok(captions),
        Some(bare) => {
            let field = format!("captions of `{}`", one_line(&images[bare]));
            Err(DataError::invalid(path, field, "at least one for every picture that was shown", "none"))
        }
    }
}

/// Writes the pictures, `side` pixels wide and high, and their captions below `root`. `progress` is told how many pictures are done.
///
/// # Errors
/// [`DataError`] for a picture that cannot be read, or a file that cannot be written.
pub fn write_stimuli(
    root: &Path,
    images: &[String],
    pictures: &mut Pictures,
    side: usize,
    captions: Option<&Captions>,
    progress: &mut dyn FnMut(usize),
) -> Result<(), DataError> {
    let tree = NsdTree::new(root);
    let writer = H5Writer::create(&tree.stimuli())?;
    let brick =
        writer.dataset::<u8>("imgBrick", &[images.len(), side, side, 3], Some(&[1, side, side, 3]))?;
    for (number, name) in images.iter().enumerate() {
        interrupt::check()?;
        let picture = square(pictures.picture(name)?, side);
        brick.write_block(&[number..number + 1, 0..side, 0..side, 0..3], picture.as_raw())?;
        progress(number + 1);
    }
    drop(brick);
    writer.finish()?;
    write_table(
        &tree.stim_info(),
        Delimiter::Comma,
        &["", "cocoId", "cocoSplit", "cropBox", "nsdId", "flagged", "shared1000"],
        (0..images.len()).map(|number| {
            let number = number.to_string();
            let cells = [&number, &number, COCO_SPLITS[0], "(0, 0, 0, 0)", &number, "False", "False"];
            cells.map(String::from).to_vec()
        }),
    )?;
    if let Some(captions) = captions {
        write_captions(&tree.annotations(AnnotationKind::Captions, COCO_SPLITS[0]), captions)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct CaptionFile<'a> {
    annotations: Vec<Caption<'a>>,
}

#[derive(Serialize)]
struct Caption<'a> {
    image_id: usize,
    id: usize,
    caption: &'a str,
}

fn write_captions(path: &Path, captions: &Captions) -> Result<(), DataError> {
    let all = captions.iter().enumerate();
    let all = all.flat_map(|(image, captions)| captions.iter().map(move |caption| (image, caption.as_str())));
    let annotations =
        all.zip(0..).map(|((image_id, caption), id)| Caption { image_id, id, caption }).collect();
    let json = serde_json::to_vec(&CaptionFile { annotations })
        .map_err(|error| DataError::unwritable(path, error))?;
    Ok(write_atomic(path, &json)?)
}
