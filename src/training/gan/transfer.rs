//! Weights of one network into another of a somewhat different shape (docs/spec/gan-training.md §9).

use std::any::Any;
use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, backend::Backend};

/// Copies every tensor of `source` whose name and shape `network` has too; the others of `network` keep their values.
pub fn copy_by_name<B: Backend, M: Module<B>>(network: M, source: &M) -> M {
    let mut named = Named::default();
    source.visit(&mut named);
    network.map(&mut Copying { tensors: named.tensors, path: vec![] })
}

#[derive(Default)]
struct Named {
    tensors: HashMap<String, Box<dyn Any>>,
    path: Vec<String>,
}

impl<B: Backend> ModuleVisitor<B> for Named {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.tensors.insert(self.path.join("."), Box::new(param.val()));
    }
}

struct Copying {
    tensors: HashMap<String, Box<dyn Any>>,
    path: Vec<String>,
}

impl<B: Backend> ModuleMapper<B> for Copying {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let found =
            self.tensors.get(&self.path.join(".")).and_then(|tensor| tensor.downcast_ref::<Tensor<B, D>>());
        // Rank and shape must agree: a head of another width stays as drawn.
        match found.filter(|tensor| tensor.dims() == param.val().dims()) {
            Some(tensor) => param.map(|_| tensor.clone()),
            None => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::stylegan2::{
        Condition, ConditionHeads, Generator, GeneratorConfig, Noise, Truncation,
    };
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn a_second_head_of_another_width_keeps_its_first_weights_and_all_else_is_copied() {
        let one = GeneratorConfig {
            z_dim: 4,
            w_dim: 4,
            code_dim: 4,
            mapping_layers: 1,
            resolution: 8,
            channel_base: 32,
            channel_max: 4,
            condition_dim: 6,
            heads: ConditionHeads::One,
            ..Default::default()
        };
        let two =
            GeneratorConfig { heads: ConditionHeads::TwoByMaximum, second_condition_dim: 5, ..one.clone() };
        let source: Generator<Base> = one.init(1, &cpu()).unwrap();
        let fresh: Generator<Base> = two.init(2, &cpu()).unwrap();
        let joined = copy_by_name(fresh.clone(), &source);
        assert_eq!(joined.num_params(), fresh.num_params());
        let w =
            |generator: &Generator<Base>| generator.mapping.forward(Tensor::ones([1, 4], &cpu())).into_data();
        assert_eq!(w(&joined), w(&source));
        assert_ne!(w(&joined), w(&fresh));
        // The second head is the only thing that is still the fresh network's: its codes are as large as drawn, and count.
        let draw = |second: f32| {
            let condition =
                Condition::two(Tensor::ones([1, 6], &cpu()), Tensor::full([1, 5], second, &cpu()));
            joined
                .forward(Tensor::ones([1, 4], &cpu()), &condition, &Noise::Off, Truncation::NONE)
                .into_data()
        };
        assert_ne!(draw(1.0), draw(-1.0));
    }
}
