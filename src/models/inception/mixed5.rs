//! The three blocks on the 35×35 grid: 1×1, 5×5, double 3×3 and a mean pool side by side.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use super::conv_unit::{BranchPool, ConvUnit, UnitBuilder};

/// `Mixed_5b`, `5c`, `5d`; the size stays.
#[derive(Module, Debug)]
#[expect(missing_docs, reason = "the published names of the units")]
pub struct Mixed5<B: Backend> {
    pub branch1x1: ConvUnit<B>,
    pub branch5x5_1: ConvUnit<B>,
    pub branch5x5_2: ConvUnit<B>,
    pub branch3x3dbl_1: ConvUnit<B>,
    pub branch3x3dbl_2: ConvUnit<B>,
    pub branch3x3dbl_3: ConvUnit<B>,
    pub branch_pool: ConvUnit<B>,
}

impl<B: Backend> Mixed5<B> {
    /// Channels out: 224 and those of the pool branch (32 or 64).
    pub(super) fn new(units: &UnitBuilder<'_, B>, name: &str, channels_in: usize, pool: usize) -> Self {
        let same = |part: &str, channels_in, channels_out, side| {
            units.same(&format!("{name}.{part}"), channels_in, channels_out, [side; 2])
        };
        Self {
            branch1x1: same("branch1x1", channels_in, 64, 1),
            branch5x5_1: same("branch5x5_1", channels_in, 48, 1),
            branch5x5_2: same("branch5x5_2", 48, 64, 5),
            branch3x3dbl_1: same("branch3x3dbl_1", channels_in, 64, 1),
            branch3x3dbl_2: same("branch3x3dbl_2", 64, 96, 3),
            branch3x3dbl_3: same("branch3x3dbl_3", 96, 96, 3),
            branch_pool: same("branch_pool", channels_in, pool, 1),
        }
    }

    /// # Shapes
    /// - x: `[batch, channels_in, height, width]`, output: `[batch, 224 + pool, height, width]`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let single = self.branch1x1.forward(x.clone());
        let five = self.branch5x5_2.forward(self.branch5x5_1.forward(x.clone()));
        let double = self.branch3x3dbl_2.forward(self.branch3x3dbl_1.forward(x.clone()));
        let double = self.branch3x3dbl_3.forward(double);
        let pooled = self.branch_pool.forward(BranchPool::Mean.apply(x));
        Tensor::cat(vec![single, five, double, pooled], 1)
    }
}
