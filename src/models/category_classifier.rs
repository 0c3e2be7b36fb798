//! Which categories an input tells of: three linear layers with ReLU between, a logit for every category
//! (docs/spec/mapper.md §9).

use burn::module::Module;
use burn::tensor::{Tensor, activation::relu, backend::Backend};

use super::mapper::Dense;

/// Sizes of a classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CategoryClassifierConfig {
    /// Values of an input: voxels, or the width of an embedding.
    pub inputs: usize,
    /// Units of the two hidden layers.
    pub hidden: [usize; 2],
    /// Categories.
    pub categories: usize,
}

/// The network.
#[derive(Module, Debug)]
pub struct CategoryClassifier<B: Backend> {
    first: Dense<B>,
    second: Dense<B>,
    logits: Dense<B>,
}

impl CategoryClassifierConfig {
    /// Weights that depend on the seed alone, U(−b, b) with `b = 1/√inputs` of a layer; biases 0.
    pub fn init<B: Backend>(&self, seed: u64, device: &B::Device) -> CategoryClassifier<B> {
        let Self { inputs, hidden: [first, second], categories } = *self;
        let drawn =
            |sizes, layer: &str| Dense::drawn(sizes, seed, &format!("category classifier {layer}"), device);
        CategoryClassifier {
            first: drawn([inputs, first], "first"),
            second: drawn([first, second], "second"),
            logits: drawn([second, categories], "logits"),
        }
    }

    /// Weights and biases of all layers.
    pub fn num_values(&self) -> u128 {
        let Self { inputs, hidden: [first, second], categories } = *self;
        let layers = [(inputs, first), (first, second), (second, categories)];
        layers.into_iter().map(|(inputs, outputs)| (inputs as u128 + 1) * outputs as u128).sum()
    }
}

impl<B: Backend> CategoryClassifier<B> {
    /// A logit per category.
    ///
    /// # Shapes
    /// - inputs: `[batch, inputs]`, output: `[batch, categories]`
    pub fn forward(&self, inputs: Tensor<B, 2>) -> Tensor<B, 2> {
        let hidden = relu(self.second.forward(relu(self.first.forward(inputs))));
        self.logits.forward(hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::host_values::values;
    use burn::module::Module;

    #[test]
    fn sizes_are_the_papers() {
        for (inputs, hidden, parameters) in
            [(15_744, [2048, 512], 33_382_571), (512, [384, 256], 339_499), (2048, [512, 256], 1_224_363)]
        {
            let config = CategoryClassifierConfig { inputs, hidden, categories: 171 };
            assert_eq!(config.num_values(), parameters);
        }
    }

    #[test]
    fn a_network_has_the_values_that_are_counted_and_its_seed_decides_them() {
        let config = CategoryClassifierConfig { inputs: 3, hidden: [5, 4], categories: 2 };
        let network = |seed| config.init::<Base>(seed, &cpu());
        assert_eq!(network(1).num_params() as u128, config.num_values());
        let logits = |seed| {
            let inputs = Tensor::from_floats([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]], &cpu());
            values(network(seed).forward(inputs))
        };
        assert_eq!(logits(1), logits(1));
        assert_ne!(logits(1), logits(2));
        // Biases are 0: of an input of zeros nothing is said.
        assert_eq!(logits(1)[2..], [0.0, 0.0]);
    }
}
