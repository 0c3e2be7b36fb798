//! The one door through which foreign tensors enter a network: every parameter is filled, every tensor accounted for.

use std::collections::BTreeSet;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData, backend::Backend};

use super::foreign::{ForeignNetwork, ForeignTensor};
use super::key_map::{ForeignTensors, KeyTable, Leftover, Orientation};
use super::report::{DroppedTensor, ImportReport, Problem};
use super::sizes::SizeReader;
use crate::error::one_line;

/// A network with its configuration and the account of its weights. Look at the account before use.
#[derive(Clone, Debug)]
pub struct Filled<C, M> {
    /// Sizes.
    pub config: C,
    /// The network.
    pub network: M,
    /// Account of every tensor: used, dropped with its reason, or a problem.
    pub report: ImportReport,
}

/// Fills `module` with the tensors that `table` names. Parameters without a fitting tensor stay as they are;
/// the report says which.
pub fn fill<B: Backend, M: Module<B>, C>(
    config: C,
    module: M,
    table: &dyn KeyTable,
    network: &ForeignNetwork,
    sizes: SizeReader<'_>,
) -> Filled<C, M> {
    let (sizes, assumed) = sizes.into_parts();
    let report = ImportReport { tensors: network.tensors.len(), sizes, assumed, ..Default::default() };
    let mut filler = Filler { table, network, path: vec![], used: BTreeSet::new(), report };
    let module = module.map(&mut filler);
    let Filler { used, mut report, .. } = filler;
    for (name, tensor) in network.tensors.iter().filter(|(name, _)| !used.contains(*name)) {
        match table.leftover(name, tensor) {
            Leftover::Needless(reason) => {
                report.dropped.push(DroppedTensor { tensor: one_line(name), reason: reason.into() });
            }
            Leftover::Unknown => {
                report.problems.push(Problem::Unused { tensor: name.clone(), shape: tensor.shape.clone() });
            }
            Leftover::Wrong { expected, found } => {
                report.problems.push(Problem::Unexpected { tensor: name.clone(), expected, found });
            }
        }
    }
    Filled { config, network: module, report }
}

struct Filler<'a> {
    table: &'a dyn KeyTable,
    network: &'a ForeignNetwork,
    path: Vec<String>,
    used: BTreeSet<String>,
    report: ImportReport,
}

impl Filler<'_> {
    /// Values of a parameter in our order; none after saying why not.
    fn values(&mut self, parameter: &str, expected: &[usize]) -> Option<Vec<f32>> {
        let missing = |tensor: String| Problem::Missing { tensor, parameter: parameter.into() };
        let Some(foreign) = self.table.foreign_tensors(parameter) else {
            // A table with a gap is a defect of this program; it shows as a parameter that nothing fills.
            self.report.problems.push(missing(format!("({parameter})")));
            return None;
        };
        let mut parts: Vec<&ForeignTensor> = Vec::with_capacity(foreign.names.len());
        for name in &foreign.names {
            match self.network.tensors.get(name) {
                Some(tensor) => parts.push(tensor),
                None => self.report.problems.push(missing(name.clone())),
            }
        }
        // Used even where it does not fit: it is reported once, not as left over as well.
        self.used
            .extend(foreign.names.iter().filter(|name| self.network.tensors.contains_key(*name)).cloned());
        if parts.len() != foreign.names.len() {
            return None;
        }
        let found = joined_shape(&parts).map(|shape| oriented(shape, foreign.orientation));
        // A scalar, such as CLIP's logit scale, is a vector of one here.
        let fits =
            found.as_ref().is_some_and(|found| found == expected || (found.is_empty() && expected == [1]));
        if !fits {
            self.report.problems.push(Problem::Misshapen {
                tensor: foreign.names.join(", "),
                parameter: parameter.into(),
                found: found.unwrap_or_else(|| parts.iter().flat_map(|part| part.shape.clone()).collect()),
                expected: expected.to_vec(),
            });
            return None;
        }
        let values = self.finite_values(&foreign, &parts, expected)?;
        self.report.applied += foreign.names.len();
        Some(values)
    }

    fn finite_values(
        &mut self,
        foreign: &ForeignTensors,
        parts: &[&ForeignTensor],
        expected: &[usize],
    ) -> Option<Vec<f32>> {
        let mut joined = Vec::with_capacity(expected.iter().product());
        let mut is_finite = true;
        for (name, part) in foreign.names.iter().zip(parts) {
            // Counted after rounding: a double beyond single precision is infinite now.
            let values = part.to_f32();
            let count = values.iter().filter(|value| !value.is_finite()).count();
            if count > 0 {
                self.report.problems.push(Problem::NotFinite { tensor: name.clone(), count });
                is_finite = false;
            }
            joined.extend(values);
        }
        is_finite.then(|| match (foreign.orientation, expected) {
            (Orientation::Transposed, &[rows, columns]) => transpose(&joined, columns, rows),
            _ => joined,
        })
    }
}

/// The shape after joining along the first axis; none when the tensors do not go together.
fn joined_shape(parts: &[&ForeignTensor]) -> Option<Vec<usize>> {
    let mut shape = parts.first()?.shape.clone();
    for part in &parts[1..] {
        let fits = shape.len() == part.shape.len() && shape.get(1..)? == part.shape.get(1..)?;
        if !fits {
            return None;
        }
        *shape.first_mut()? += part.shape.first()?;
    }
    Some(shape)
}

fn oriented(shape: Vec<usize>, orientation: Orientation) -> Vec<usize> {
    match (orientation, shape.split_first()) {
        (Orientation::Transposed, Some((rows, rest))) => vec![rest.iter().product(), *rows],
        _ => shape,
    }
}

/// `[rows, columns]` to `[columns, rows]`.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

impl<B: Backend> ModuleMapper<B> for Filler<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let path = self.path.join(".");
        let shape = param.dims();
        let Some(values) = self.values(&path, &shape) else { return param };
        self.report.parameters += 1;
        self.report.values += values.len();
        // The id of the parameter stays; whether it has a gradient is taken over by hand.
        param.map(|built| {
            Tensor::from_data(TensorData::new(values, shape), &built.device())
                .set_require_grad(built.is_require_grad())
        })
    }
}
