//! The step to the 17×17 grid and the four blocks on it, with 7×7 convolutions as 1×7 after 7×1.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use super::conv_unit::{BranchPool, ConvUnit, UnitBuilder, halving_max_pool};

/// `Mixed_6a`: 288 channels to 768 on half the size.
#[derive(Module, Debug)]
#[expect(missing_docs, reason = "the published names of the units")]
pub struct Mixed6a<B: Backend> {
    pub branch3x3: ConvUnit<B>,
    pub branch3x3dbl_1: ConvUnit<B>,
    pub branch3x3dbl_2: ConvUnit<B>,
    pub branch3x3dbl_3: ConvUnit<B>,
}

impl<B: Backend> Mixed6a<B> {
    pub(super) fn new(units: &UnitBuilder<'_, B>) -> Self {
        Self {
            branch3x3: units.valid("mixed_6a.branch3x3", 288, 384, 2),
            branch3x3dbl_1: units.same("mixed_6a.branch3x3dbl_1", 288, 64, [1, 1]),
            branch3x3dbl_2: units.same("mixed_6a.branch3x3dbl_2", 64, 96, [3, 3]),
            branch3x3dbl_3: units.valid("mixed_6a.branch3x3dbl_3", 96, 96, 2),
        }
    }

    /// # Shapes
    /// - x: `[batch, 288, n, n]`, output: `[batch, 768, (n − 3)/2 + 1, …]`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let single = self.branch3x3.forward(x.clone());
        let double = self.branch3x3dbl_2.forward(self.branch3x3dbl_1.forward(x.clone()));
        let double = self.branch3x3dbl_3.forward(double);
        Tensor::cat(vec![single, double, halving_max_pool(x)], 1)
    }
}

/// `Mixed_6b` to `6e`: 768 channels, the size stays.
#[derive(Module, Debug)]
#[expect(missing_docs, reason = "the published names of the units")]
pub struct Mixed6<B: Backend> {
    pub branch1x1: ConvUnit<B>,
    pub branch7x7_1: ConvUnit<B>,
    pub branch7x7_2: ConvUnit<B>,
    pub branch7x7_3: ConvUnit<B>,
    pub branch7x7dbl_1: ConvUnit<B>,
    pub branch7x7dbl_2: ConvUnit<B>,
    pub branch7x7dbl_3: ConvUnit<B>,
    pub branch7x7dbl_4: ConvUnit<B>,
    pub branch7x7dbl_5: ConvUnit<B>,
    pub branch_pool: ConvUnit<B>,
}

impl<B: Backend> Mixed6<B> {
    /// `inner`: channels between the convolutions of a branch (128, 160, 160, 192).
    pub(super) fn new(units: &UnitBuilder<'_, B>, name: &str, inner: usize) -> Self {
        let same = |part: &str, channels_in, channels_out, kernel| {
            units.same(&format!("{name}.{part}"), channels_in, channels_out, kernel)
        };
        Self {
            branch1x1: same("branch1x1", 768, 192, [1, 1]),
            branch7x7_1: same("branch7x7_1", 768, inner, [1, 1]),
            branch7x7_2: same("branch7x7_2", inner, inner, [1, 7]),
            branch7x7_3: same("branch7x7_3", inner, 192, [7, 1]),
            branch7x7dbl_1: same("branch7x7dbl_1", 768, inner, [1, 1]),
            branch7x7dbl_2: same("branch7x7dbl_2", inner, inner, [7, 1]),
            branch7x7dbl_3: same("branch7x7dbl_3", inner, inner, [1, 7]),
            branch7x7dbl_4: same("branch7x7dbl_4", inner, inner, [7, 1]),
            branch7x7dbl_5: same("branch7x7dbl_5", inner, 192, [1, 7]),
            branch_pool: same("branch_pool", 768, 192, [1, 1]),
        }
    }

    /// # Shapes
    /// - x, output: `[batch, 768, height, width]`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let through =
            |units: &[&ConvUnit<B>], x: Tensor<B, 4>| units.iter().fold(x, |x, unit| unit.forward(x));
        let single = self.branch1x1.forward(x.clone());
        let seven = through(&[&self.branch7x7_1, &self.branch7x7_2, &self.branch7x7_3], x.clone());
        let double = through(
            &[
                &self.branch7x7dbl_1,
                &self.branch7x7dbl_2,
                &self.branch7x7dbl_3,
                &self.branch7x7dbl_4,
                &self.branch7x7dbl_5,
            ],
            x.clone(),
        );
        let pooled = self.branch_pool.forward(BranchPool::Mean.apply(x));
        Tensor::cat(vec![single, seven, double, pooled], 1)
    }
}
