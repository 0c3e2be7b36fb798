//! The step to the 8×8 grid and the two blocks on it, whose 3×3 convolutions end in 1×3 beside 3×1.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use super::conv_unit::{BranchPool, ConvUnit, UnitBuilder, halving_max_pool};

/// `Mixed_7a`: 768 channels to 1280 on half the size.
#[derive(Module, Debug)]
#[expect(missing_docs, reason = "the published names of the units")]
pub struct Mixed7a<B: Backend> {
    pub branch3x3_1: ConvUnit<B>,
    pub branch3x3_2: ConvUnit<B>,
    pub branch7x7x3_1: ConvUnit<B>,
    pub branch7x7x3_2: ConvUnit<B>,
    pub branch7x7x3_3: ConvUnit<B>,
    pub branch7x7x3_4: ConvUnit<B>,
}

impl<B: Backend> Mixed7a<B> {
    pub(super) fn new(units: &UnitBuilder<'_, B>) -> Self {
        Self {
            branch3x3_1: units.same("mixed_7a.branch3x3_1", 768, 192, [1, 1]),
            branch3x3_2: units.valid("mixed_7a.branch3x3_2", 192, 320, 2),
            branch7x7x3_1: units.same("mixed_7a.branch7x7x3_1", 768, 192, [1, 1]),
            branch7x7x3_2: units.same("mixed_7a.branch7x7x3_2", 192, 192, [1, 7]),
            branch7x7x3_3: units.same("mixed_7a.branch7x7x3_3", 192, 192, [7, 1]),
            branch7x7x3_4: units.valid("mixed_7a.branch7x7x3_4", 192, 192, 2),
        }
    }

    /// # Shapes
    /// - x: `[batch, 768, n, n]`, output: `[batch, 1280, (n − 3)/2 + 1, …]`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let three = self.branch3x3_2.forward(self.branch3x3_1.forward(x.clone()));
        let seven = self.branch7x7x3_2.forward(self.branch7x7x3_1.forward(x.clone()));
        let seven = self.branch7x7x3_4.forward(self.branch7x7x3_3.forward(seven));
        Tensor::cat(vec![three, seven, halving_max_pool(x)], 1)
    }
}

/// `Mixed_7b` and `7c`: 2048 channels out, the size stays. The blocks differ in their pool.
#[derive(Module, Debug)]
#[expect(missing_docs, reason = "the published names of the units")]
pub struct Mixed7<B: Backend> {
    pub branch1x1: ConvUnit<B>,
    pub branch3x3_1: ConvUnit<B>,
    pub branch3x3_2a: ConvUnit<B>,
    pub branch3x3_2b: ConvUnit<B>,
    pub branch3x3dbl_1: ConvUnit<B>,
    pub branch3x3dbl_2: ConvUnit<B>,
    pub branch3x3dbl_3a: ConvUnit<B>,
    pub branch3x3dbl_3b: ConvUnit<B>,
    pub branch_pool: ConvUnit<B>,
}

impl<B: Backend> Mixed7<B> {
    pub(super) fn new(units: &UnitBuilder<'_, B>, name: &str, channels_in: usize) -> Self {
        let same = |part: &str, channels_in, channels_out, kernel| {
            units.same(&format!("{name}.{part}"), channels_in, channels_out, kernel)
        };
        Self {
            branch1x1: same("branch1x1", channels_in, 320, [1, 1]),
            branch3x3_1: same("branch3x3_1", channels_in, 384, [1, 1]),
            branch3x3_2a: same("branch3x3_2a", 384, 384, [1, 3]),
            branch3x3_2b: same("branch3x3_2b", 384, 384, [3, 1]),
            branch3x3dbl_1: same("branch3x3dbl_1", channels_in, 448, [1, 1]),
            branch3x3dbl_2: same("branch3x3dbl_2", 448, 384, [3, 3]),
            branch3x3dbl_3a: same("branch3x3dbl_3a", 384, 384, [1, 3]),
            branch3x3dbl_3b: same("branch3x3dbl_3b", 384, 384, [3, 1]),
            branch_pool: same("branch_pool", channels_in, 192, [1, 1]),
        }
    }

    /// # Shapes
    /// - x: `[batch, channels_in, height, width]`, output: `[batch, 2048, height, width]`
    pub(super) fn forward(&self, x: Tensor<B, 4>, pool: BranchPool) -> Tensor<B, 4> {
        let single = self.branch1x1.forward(x.clone());
        let three = self.branch3x3_1.forward(x.clone());
        let double = self.branch3x3dbl_2.forward(self.branch3x3dbl_1.forward(x.clone()));
        let pooled = self.branch_pool.forward(pool.apply(x));
        Tensor::cat(
            vec![
                single,
                self.branch3x3_2a.forward(three.clone()),
                self.branch3x3_2b.forward(three),
                self.branch3x3dbl_3a.forward(double.clone()),
                self.branch3x3dbl_3b.forward(double),
                pooled,
            ],
            1,
        )
    }
}
