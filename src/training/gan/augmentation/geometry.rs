//! Images moved by affine maps: mirrors, quarter turns and whole-pixel shifts move pixels exactly; other maps are resampled.

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};

use super::affine_map::AffineMap;
use super::reflection::reflected;
use super::resampling::resample;

/// Moves the images of a batch, one map per image; beyond its edges an image is mirrored.
///
/// # Shapes
/// - x, output: `[batch, channels, side, side]`
pub(super) fn warp<B: Backend>(x: Tensor<B, 4>, maps: &[AffineMap]) -> Tensor<B, 4> {
    let (whole, resampled): (Vec<usize>, Vec<usize>) =
        (0..maps.len()).partition(|image| maps[*image].moves_whole_pixels());
    let of = |images: &[usize]| images.iter().map(|image| maps[*image]).collect::<Vec<_>>();
    if resampled.is_empty() {
        return move_pixels(x, maps);
    }
    if whole.is_empty() {
        return resample(x, maps);
    }
    let device = x.device();
    let indices = |places: &[usize]| {
        let places: Vec<i64> = places.iter().map(|place| *place as i64).collect();
        let shape = [places.len()];
        Tensor::<B, 1, Int>::from_data(TensorData::new(places, shape), &device)
    };
    // Two kinds of images, each as a batch of its own; the last `select` puts them back in their order.
    let moved = move_pixels(x.clone().select(0, indices(&whole)), &of(&whole));
    let resampled_images = resample(x.select(0, indices(&resampled)), &of(&resampled));
    let mut place_of_image = vec![0; maps.len()];
    for (place, image) in whole.iter().chain(&resampled).enumerate() {
        place_of_image[*image] = place;
    }
    Tensor::cat(vec![moved, resampled_images], 0).select(0, indices(&place_of_image))
}

/// Maps that move whole pixels.
fn move_pixels<B: Backend>(x: Tensor<B, 4>, maps: &[AffineMap]) -> Tensor<B, 4> {
    if maps.iter().all(|map| *map == AffineMap::IDENTITY) {
        return x;
    }
    let [batch, channels, height, width] = x.dims();
    let device = x.device();
    // Maps are about the image's centre, which for an even side lies between pixels.
    let centre = [(width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0];
    let mut sources = Vec::with_capacity(batch * height * width);
    for map in maps {
        for row in 0..height {
            for column in 0..width {
                let [x, y] = map.at(column as f64 - centre[0], row as f64 - centre[1]);
                let column = reflected((x + centre[0]).round() as isize, width);
                let row = reflected((y + centre[1]).round() as isize, height);
                sources.push((row * width + column) as i64);
            }
        }
    }
    let shape = [batch, 1, height * width];
    let sources = Tensor::<B, 3, Int>::from_data(TensorData::new(sources, shape), &device);
    // A gather moves values without touching them; its gradient is the scatter back.
    let sources = sources.repeat_dim(1, channels);
    x.reshape([batch, channels, height * width]).gather(2, sources).reshape([batch, channels, height, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::random::{keyed_rng, normal};

    fn moved(map: AffineMap) -> Vec<f32> {
        let x = Tensor::<Base, 4>::from_floats(
            [[[
                [0.0, 1.0, 2.0, 3.0],
                [4.0, 5.0, 6.0, 7.0],
                [8.0, 9.0, 10.0, 11.0],
                [12.0, 13.0, 14.0, 15.0],
            ]]],
            &cpu(),
        );
        warp(x, &[map]).into_data().to_vec().unwrap()
    }

    #[test]
    fn whole_pixels_by_hand() {
        assert_eq!(moved(AffineMap::scale(-1.0, 1.0))[..4], [3.0, 2.0, 1.0, 0.0]);
        // The picture moves one pixel to the right; what comes in is mirrored at the edge.
        assert_eq!(moved(AffineMap::translation(-1.0, 0.0))[..4], [1.0, 0.0, 1.0, 2.0]);
        assert_eq!(moved(AffineMap::translation(0.0, 2.0))[8..12], [8.0, 9.0, 10.0, 11.0]);
        // An output pixel looks a quarter turn further: the upper right one takes from the lower right.
        let turned = moved(AffineMap::quarter_turns(1));
        assert_eq!(turned[..4], [3.0, 7.0, 11.0, 15.0]);
        let twice = moved(AffineMap::quarter_turns(1).then(AffineMap::quarter_turns(1)));
        assert_eq!(twice, moved(AffineMap::quarter_turns(2)));
        assert_eq!(twice, (0..16).rev().map(|value| value as f32).collect::<Vec<_>>());
    }

    #[test]
    fn each_image_of_a_batch_keeps_its_place() {
        let x: Tensor<Base, 4> = normal([4, 2, 8, 8], &mut keyed_rng(0, "x", 0), &cpu());
        let maps = [
            AffineMap::rotation(0.3),
            AffineMap::IDENTITY,
            AffineMap::scale(1.2, 0.8),
            AffineMap::quarter_turns(1),
        ];
        let together = warp(x.clone(), &maps);
        for (image, map) in maps.iter().enumerate() {
            let alone: Vec<f32> = warp(x.clone().narrow(0, image, 1), &[*map]).into_data().to_vec().unwrap();
            let found: Vec<f32> = together.clone().narrow(0, image, 1).into_data().to_vec().unwrap();
            for (a, b) in alone.iter().zip(&found) {
                assert!((a - b).abs() < 1e-4, "image {image}: {a} {b}");
            }
        }
    }
}
