//! 3×3 convolution with padding 1 as one product of nine shifts: for few channels, where Winograd's transforms cost more than
//! the products they save.

use rayon::prelude::*;

use super::modulation::Finish;
use super::position_grid::{PositionGrid, zeros_for_layout};
use super::tap_conv::{TapKernels, source_len};
use super::winograd::ConvShape;
use crate::kernels::panels::Matrix;
use crate::kernels::simd::vectorised;
use crate::kernels::tile::Places;

const TAPS: usize = 9;
/// Pixels that a task has at least.
const PIXELS_PER_TASK: usize = 128;

/// `finish(conv(x · styles, weight))`, read as cross-correlation.
///
/// # Shapes
/// - x: `[batch, in, height, width]`, weight: `[out, in, 3, 3]`, styles: `[batch, in]`
/// - output: `[batch, out, height, width]`
pub fn direct_conv3(
    x: &[f32],
    weight: &[f32],
    styles: &[f32],
    finish: Finish<'_>,
    shape: ConvShape,
) -> Vec<f32> {
    let ConvShape { channels_in, channels_out, height, width } = shape;
    let pixels = height * width;
    let batch = x.len() / (channels_in * pixels).max(1);
    let depth = channels_in * TAPS;
    let kernels = TapKernels::pack(Matrix::row_major(weight, depth), channels_out, depth);
    let mut out = vec![0.0; batch * channels_out * pixels];
    // Images of 8 × 8 and less come several to a task, so that the 64 columns of a tile are filled. The size of a
    // group depends on the image alone, never on the number of threads.
    let group = (PIXELS_PER_TASK / pixels.max(1)).max(1);
    let tasks = out.par_chunks_mut((group * channels_out * pixels).max(1)).enumerate();
    tasks.for_each_init(<(Vec<f32>, Vec<f32>)>::default, |(source, sums), (index, out)| {
        let first = index * group;
        let grid = PositionGrid { images: out.len() / (channels_out * pixels), height, width };
        // One line and one zero before the first pixel: the taps above and left of it.
        let lead = grid.line() + 1;
        let stride = source_len(grid, 2 * lead);
        zeros_for_layout(source, channels_in * stride);
        for (channel, source) in source.chunks_exact_mut(stride).enumerate() {
            for (image, row, at) in grid.lines() {
                // Scaling the image instead of the kernels keeps one kernel for the whole batch
                // (docs/spec/generator.md §1.5, step 4); it costs nothing here, because the image is copied into the
                // grid anyway.
                let style = styles[(first + image) * channels_in + channel];
                let from = &x[((first + image) * channels_in + channel) * pixels + row * width..][..width];
                let to = &mut source[lead + at..][..width];
                vectorised(|| to.iter_mut().zip(from).for_each(|(to, from)| *to = from * style));
            }
        }
        // A tap is a constant distance in the grid, `width + 1` being its line: position p reads `source[tap + p]`.
        // The depth of the product runs over channels outermost, as the kernels `[out, in, 3, 3]` lie.
        let taps = |channel| (0..TAPS).map(move |tap| channel * stride + tap / 3 * (width + 1) + tap % 3);
        let places = Places::new((0..channels_in).flat_map(taps).collect());
        kernels.convolve(source, &places, grid, sums, |channel, image, row, sums| {
            let out = &mut out[(image * channels_out + channel) * pixels + row * width..][..width];
            out.copy_from_slice(sums);
            finish.apply(first + image, channel, row * width, pixels, out);
        });
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::ChaCha12Rng};

    #[test]
    fn an_image_does_not_depend_on_its_place_in_the_batch() {
        let shape = ConvShape { channels_in: 3, channels_out: 5, height: 4, width: 4 };
        // Tasks of 8 images, the last one of 3, one after the other in the same buffers.
        let batch = 35;
        let mut rng = ChaCha12Rng::seed_from_u64(0);
        let mut draw = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.random_range(-1.0..1.0)).collect() };
        let (x, weight, styles, bias) = (draw(batch * 48), draw(5 * 3 * 9), draw(batch * 3), draw(5));
        let run = |x: &[f32], styles: &[f32]| {
            let scale = vec![1.0; styles.len() / 3 * 5];
            let finish =
                Finish { scale: &scale, bias: &bias, noise: None, slopes: [1.0, 1.0], clamp: f32::INFINITY };
            direct_conv3(x, &weight, styles, finish, shape)
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let whole = pool.install(|| run(&x, &styles));
        for image in 0..batch {
            let alone = run(&x[image * 48..][..48], &styles[image * 3..][..3]);
            assert!(whole[image * 80..][..80] == alone[..], "image {image}");
        }
    }
}
