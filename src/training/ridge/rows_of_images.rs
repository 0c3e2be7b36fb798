//! Which rows show the same image.

use std::collections::HashMap;

/// The `rows` of every image, images in the order in which `rows` name them first, the rows of an image in theirs.
///
/// A row that `image_of_row` does not know is left out; the callers have checked that there is none.
pub(super) fn rows_of_images(image_of_row: &[u64], rows: &[usize]) -> Vec<Vec<usize>> {
    let mut places: HashMap<u64, usize> = HashMap::new();
    let mut images: Vec<Vec<usize>> = Vec::new();
    for row in rows {
        let Some(image) = image_of_row.get(*row) else { continue };
        let place = *places.entry(*image).or_insert(images.len());
        if place == images.len() {
            images.push(Vec::new());
        }
        images[place].push(*row);
    }
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_keep_the_order_of_their_first_rows() {
        let images = rows_of_images(&[7, 3, 7, 9, 3], &[4, 0, 2, 1]);
        assert_eq!(images, [vec![4, 1], vec![0, 2]]);
    }
}
