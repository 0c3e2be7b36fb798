//! Colour operations as one affine map of RGB per image.

use burn::tensor::{Tensor, TensorData, backend::Backend};

/// `rgb ↦ matrix · rgb + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ColourMap {
    matrix: [[f64; 3]; 3],
    offset: [f64; 3],
}

impl ColourMap {
    pub const IDENTITY: Self =
        Self { matrix: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], offset: [0.0; 3] };

    /// Adds to every channel.
    pub fn brightened(self, amount: f64) -> Self {
        Self { offset: self.offset.map(|value| value + amount), ..self }
    }

    /// Multiplies every channel.
    pub fn contrasted(self, factor: f64) -> Self {
        if factor == 1.0 {
            return self;
        }
        self.multiplied(std::array::from_fn(|i| std::array::from_fn(|j| if i == j { factor } else { 0.0 })))
    }

    /// Reflects across the plane of equal luma: light and dark change places, colours stay.
    pub fn luma_flipped(self) -> Self {
        // I − 2·v·vᵀ with v = (1, 1, 1)/√3.
        self.multiplied(std::array::from_fn(|i| {
            std::array::from_fn(|j| if i == j { 1.0 } else { 0.0 } - 2.0 / 3.0)
        }))
    }

    /// Rotates about the grey axis.
    pub fn hue_rotated(self, angle: f64) -> Self {
        if angle == 0.0 {
            return self;
        }
        let (sin, cos) = angle.sin_cos();
        let along = (1.0 - cos) / 3.0;
        let across = sin / 3.0_f64.sqrt();
        // Rodrigues' formula for the axis (1, 1, 1)/√3.
        self.multiplied([
            [cos + along, along - across, along + across],
            [along + across, cos + along, along - across],
            [along - across, along + across, cos + along],
        ])
    }

    /// Multiplies what is not grey.
    pub fn saturated(self, factor: f64) -> Self {
        if factor == 1.0 {
            return self;
        }
        self.multiplied(std::array::from_fn(|i| {
            std::array::from_fn(|j| if i == j { factor } else { 0.0 } + (1.0 - factor) / 3.0)
        }))
    }

    fn multiplied(self, by: [[f64; 3]; 3]) -> Self {
        let matrix = std::array::from_fn(|i| {
            std::array::from_fn(|j| (0..3).map(|k| by[i][k] * self.matrix[k][j]).sum())
        });
        let offset = std::array::from_fn(|i| (0..3).map(|k| by[i][k] * self.offset[k]).sum());
        Self { matrix, offset }
    }

    /// One map per image.
    ///
    /// # Shapes
    /// - x, output: `[batch, 3, height, width]`
    pub fn apply<B: Backend>(maps: &[Self], x: Tensor<B, 4>) -> Tensor<B, 4> {
        if maps.iter().all(|map| *map == Self::IDENTITY) {
            return x;
        }
        let [batch, channels, height, width] = x.dims();
        let device = x.device();
        let matrices: Vec<f32> =
            maps.iter().flat_map(|map| map.matrix).flatten().map(|value| value as f32).collect();
        let offsets: Vec<f32> = maps.iter().flat_map(|map| map.offset).map(|value| value as f32).collect();
        let matrices =
            Tensor::<B, 3>::from_data(TensorData::new(matrices, [batch, 3, 3]), &device).cast(x.dtype());
        let offsets =
            Tensor::<B, 3>::from_data(TensorData::new(offsets, [batch, 3, 1]), &device).cast(x.dtype());
        // `[B, 3, 3] · [B, 3, H·W]`: one small matrix per image, and differentiable any number of times.
        let pixels = x.reshape([batch, channels, height * width]);
        (matrices.matmul(pixels) + offsets).reshape([batch, channels, height, width])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use std::f64::consts::PI;

    fn mapped(map: ColourMap, rgb: [f32; 3]) -> Vec<f32> {
        let x = Tensor::<Base, 1>::from_floats(rgb, &cpu()).reshape([1, 3, 1, 1]);
        ColourMap::apply(&[map], x).into_data().to_vec().unwrap()
    }

    fn assert_rgb(map: ColourMap, rgb: [f32; 3], expected: [f32; 3]) {
        let found = mapped(map, rgb);
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
    }

    #[test]
    fn each_operation_by_hand() {
        let none = ColourMap::IDENTITY;
        assert_rgb(none.brightened(0.5).contrasted(2.0), [0.0, 0.25, -1.0], [1.0, 1.5, -1.0]);
        // Grey changes sign, a colour without grey stays.
        assert_rgb(none.luma_flipped(), [0.3, 0.3, 0.3], [-0.3, -0.3, -0.3]);
        assert_rgb(none.luma_flipped(), [0.5, -0.5, 0.0], [0.5, -0.5, 0.0]);
        // A third of a turn: red becomes green, green blue, blue red; grey stays.
        assert_rgb(none.hue_rotated(2.0 * PI / 3.0), [1.0, 0.5, 0.0], [0.0, 1.0, 0.5]);
        assert_rgb(none.hue_rotated(1.1), [0.4, 0.4, 0.4], [0.4, 0.4, 0.4]);
        assert_rgb(none.saturated(0.0), [0.9, 0.3, 0.0], [0.4, 0.4, 0.4]);
        assert_rgb(none.saturated(2.0), [0.9, 0.3, 0.0], [1.4, 0.2, -0.4]);
    }

    #[test]
    fn images_have_maps_of_their_own() {
        let x = Tensor::<Base, 4>::ones([2, 3, 2, 2], &cpu());
        let maps = [ColourMap::IDENTITY, ColourMap::IDENTITY.contrasted(3.0)];
        let found: Vec<f32> = ColourMap::apply(&maps, x).into_data().to_vec().unwrap();
        assert_eq!(found, [[1.0; 12], [3.0; 12]].concat());
    }
}
