//! What became of every tensor of a foreign file: applied, dropped with a reason, or a problem.

use std::fmt;

use serde::Serialize;

use crate::error::one_line;

/// Problems that an error lists before it only counts them.
const LISTED: usize = 20;

/// Names longer than this are not compared: no published key comes near it.
const LONGEST_COMPARED: usize = 200;

/// Whether a network with problems may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// Every parameter is filled and every tensor is accounted for.
    #[default]
    Strict,
    /// Parameters without a fitting tensor keep their initial values; unknown tensors are dropped.
    AllowPartial,
}

/// One size of the network and the tensor or setting it was read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SizeEvidence {
    /// Name of the size in the configuration.
    pub quantity: String,
    /// The value as it is written there.
    pub value: String,
    /// Tensor or setting of the file.
    pub source: String,
}

/// A tensor that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DroppedTensor {
    /// Foreign name of the tensor.
    pub tensor: String,
    /// Why our network does not need it.
    pub reason: String,
}

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "problem", rename_all = "kebab-case")]
pub enum Problem {
    /// A tensor that a parameter needs is not there.
    Missing {
        /// Foreign name.
        tensor: String,
        /// Our path.
        parameter: String,
    },
    /// A tensor has another shape than the parameter.
    Misshapen {
        /// Foreign names, joined.
        tensor: String,
        /// Our path.
        parameter: String,
        /// Shape after joining and transposing.
        found: Vec<usize>,
        /// Shape of the parameter.
        expected: Vec<usize>,
    },
    /// A tensor that belongs to no parameter.
    Unused {
        /// Foreign name.
        tensor: String,
        /// The shape that it has.
        shape: Vec<usize>,
    },
    /// NaN or infinite values: such weights are never used.
    NotFinite {
        /// Foreign name.
        tensor: String,
        /// How many values are not finite.
        count: usize,
    },
    /// A constant of the published networks with another value, which this program does not compute.
    Unexpected {
        /// Foreign name.
        tensor: String,
        /// Its value in every published network.
        expected: String,
        /// Its value in this file.
        found: String,
    },
}

/// Account of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Tensors of the foreign network.
    pub tensors: usize,
    /// Of these, put into parameters.
    pub applied: usize,
    /// Parameters that were filled.
    pub parameters: usize,
    /// Numbers in these parameters.
    pub values: usize,
    /// Tensors that are not needed.
    pub dropped: Vec<DroppedTensor>,
    /// Tensors and parameters that do not go together; empty for a clean import.
    pub problems: Vec<Problem>,
    /// Sizes, and what they were read from.
    pub sizes: Vec<SizeEvidence>,
    /// What the file does not say and was assumed.
    pub assumed: Vec<String>,
}

impl ImportReport {
    /// Why the network may not be used; none when it may.
    pub fn refusal(&self, strictness: Strictness) -> Option<String> {
        let grave: Vec<&Problem> = self
            .problems
            .iter()
            .filter(|problem| {
                strictness == Strictness::Strict || matches!(problem, Problem::NotFinite { .. })
            })
            .collect();
        if grave.is_empty() {
            return None;
        }
        let mut text = match grave.len() {
            1 => "one tensor does not fit".to_string(),
            count => format!("{count} tensors do not fit"),
        };
        for problem in grave.iter().take(LISTED) {
            text.push_str(&format!("\n  {problem}"));
            if let Some(nearest) = self.nearest(problem) {
                text.push_str(&format!(" ({nearest})"));
            }
        }
        if grave.len() > LISTED {
            text.push_str(&format!("\n  … and {} more", grave.len() - LISTED));
        }
        if grave.iter().any(|problem| matches!(problem, Problem::Misshapen { .. })) {
            let sizes: Vec<_> = self.sizes.iter().map(SizeEvidence::to_string).collect();
            text.push_str(&format!("\n  sizes were read from: {}", sizes.join(", ")));
        }
        Some(text)
    }

    /// The name that may be meant: an unused tensor for a missing one and the other way round.
    fn nearest(&self, problem: &Problem) -> Option<String> {
        let (name, verb) = match problem {
            Problem::Missing { tensor, .. } => (tensor, "the file has"),
            Problem::Unused { tensor, .. } => (tensor, "missing is"),
            _ => return None,
        };
        let wants_unused = matches!(problem, Problem::Missing { .. });
        let candidates = self.problems.iter().filter_map(|other| match other {
            Problem::Unused { tensor, .. } if wants_unused => Some(tensor),
            Problem::Missing { tensor, .. } if !wants_unused => Some(tensor),
            _ => None,
        });
        nearest_name(name, candidates.map(String::as_str))
            .map(|nearest| format!("{verb} `{}`", one_line(nearest)))
    }
}

/// The candidate with the smallest edit distance, if at most a third of the name would have to change.
fn nearest_name<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let comparable = |text: &str| text.len() <= LONGEST_COMPARED;
    candidates
        .filter(|candidate| comparable(candidate) && comparable(name))
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= name.len() / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Bytes to insert, delete or replace.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        // One row of the table is enough: `diagonal` is the upper left neighbour before it is overwritten.
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

impl fmt::Display for SizeEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} from `{}`", self.quantity, self.value, self.source)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |name: &str| one_line(name);
        match self {
            Self::Missing { tensor, parameter } => {
                write!(f, "tensor `{tensor}` is missing; parameter `{parameter}` needs it")
            }
            Self::Misshapen { tensor, parameter, found, expected } => {
                let what = format!("tensor `{tensor}` for parameter `{parameter}`");
                write!(f, "{what}: found {found:?}, expected {expected:?}")
            }
            Self::Unused { tensor, shape } => {
                write!(f, "tensor `{}` of shape {shape:?} belongs to no parameter", shown(tensor))
            }
            Self::NotFinite { tensor, count } => {
                let found = format!("found {count} values that are NaN or infinite");
                write!(f, "tensor `{}`: {found}, expected numbers", shown(tensor))
            }
            Self::Unexpected { tensor, expected, found } => {
                write!(f, "tensor `{}`: found {found}, expected {expected}", shown(tensor))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(tensor: &str) -> Problem {
        Problem::Missing { tensor: tensor.into(), parameter: "p".into() }
    }

    fn unused(tensor: &str) -> Problem {
        Problem::Unused { tensor: tensor.into(), shape: vec![2] }
    }

    #[test]
    fn a_misspelt_name_is_suggested_in_both_directions() {
        let report = ImportReport {
            problems: vec![missing("conv1.weight"), unused("conv_1.weight"), unused("elsewhere.altogether")],
            ..Default::default()
        };
        let text = report.refusal(Strictness::Strict).unwrap();
        assert!(text.starts_with("3 tensors do not fit"), "{text}");
        assert!(text.contains("needs it (the file has `conv_1.weight`)"), "{text}");
        assert!(text.contains("belongs to no parameter (missing is `conv1.weight`)"), "{text}");
        assert!(text.ends_with("`elsewhere.altogether` of shape [2] belongs to no parameter"), "{text}");
    }

    #[test]
    fn long_lists_are_cut_and_partial_files_pass_unless_a_value_is_not_a_number() {
        let problems = (0..25).map(|index| missing(&format!("layer{index}"))).collect();
        let mut report = ImportReport { problems, ..Default::default() };
        let text = report.refusal(Strictness::Strict).unwrap();
        assert!(text.contains("layer19") && !text.contains("layer20") && text.contains("… and 5 more"));
        assert_eq!(report.refusal(Strictness::AllowPartial), None);
        report.problems.push(Problem::NotFinite { tensor: "w".into(), count: 2 });
        let text = report.refusal(Strictness::AllowPartial).unwrap();
        assert!(text.contains("`w`: found 2 values that are NaN"), "{text}");
    }

    #[test]
    fn distances() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(nearest_name("abcdef", ["uvwxyz"].into_iter()), None);
        assert_eq!(nearest_name("abcdef", ["abXYef", "abcdeX"].into_iter()), Some("abcdeX"));
    }
}
