//! The choice of one network among several in a file.

use std::collections::BTreeMap;

use super::foreign::{ForeignFile, ForeignNetwork};
use super::import_error::ImportError;
use super::kind::NetworkKind;
use crate::error::one_line;

/// Entries of a network pickle in the order in which they are wanted.
const PREFERENCE: [&str; 5] = ["G_ema", "G", "D", "fmri_vec", "fmri_vec2"];

/// The network that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Its kind; told by its tensors when unset.
    pub kind: Option<NetworkKind>,
    /// Its name in the file; when unset, the averaged generator before all others.
    pub network: Option<String>,
}

/// A network of a file with its kind.
#[derive(Clone, Debug)]
pub struct ChosenNetwork<'a> {
    /// Its name in the file; empty for a bare state dict.
    pub name: &'a str,
    /// Its kind, as its tensors or the caller told.
    pub kind: NetworkKind,
    /// Its tensors, without a prefix that all of them have.
    pub network: ForeignNetwork,
}

impl Choice {
    /// The wanted network of `file`.
    ///
    /// # Errors
    /// [`ImportError::Choice`] when there is none such, with what there is.
    pub fn of<'a>(&self, file: &'a ForeignFile) -> Result<ChosenNetwork<'a>, ImportError> {
        let refuse = |field: &str, expected: String, found: String| {
            Err(ImportError::Choice { path: file.path.clone(), field: field.into(), expected, found })
        };
        let kinds: BTreeMap<&str, Option<NetworkKind>> =
            file.networks.iter().map(|(name, network)| (name.as_str(), NetworkKind::of(network))).collect();
        let wanted = |kind: Option<NetworkKind>| match self.kind {
            Some(wanted) => kind == Some(wanted),
            None => kind.is_some(),
        };
        let chosen = match &self.network {
            Some(name) => kinds.get_key_value(name.as_str()),
            None => PREFERENCE
                .iter()
                .filter_map(|name| kinds.get_key_value(name))
                // The others by name: the choice does not hang on the order of the file.
                .chain(kinds.iter())
                .find(|(_, kind)| wanted(**kind)),
        };
        let there = describe(&kinds);
        let Some((name, kind)) = chosen else {
            return match (&self.network, self.kind) {
                (Some(name), _) => refuse("network", format!("`{name}`"), there),
                (None, Some(kind)) => refuse("kind", format!("the tensors of a {kind}"), there),
                (None, None) => refuse("kind", "the tensors of a known network".into(), there),
            };
        };
        let Some(kind) = kind.filter(|kind| wanted(Some(*kind))) else {
            let expected =
                self.kind.map_or("a known network".into(), |kind| format!("the tensors of a {kind}"));
            return refuse("kind", expected, there);
        };
        match file.networks.get(*name) {
            Some(network) => Ok(ChosenNetwork { name, kind, network: kind.tensors_of(network) }),
            None => refuse("network", format!("`{name}`"), there),
        }
    }
}

/// The networks of a file in words: `G_ema (generator), augment_pipe (unknown)`.
fn describe(kinds: &BTreeMap<&str, Option<NetworkKind>>) -> String {
    let words = |(name, kind): (&&str, &Option<NetworkKind>)| {
        let kind = kind.map_or("those of no known network", NetworkKind::as_str);
        if name.is_empty() { kind.to_string() } else { format!("`{}` ({kind})", one_line(name)) }
    };
    match kinds.len() {
        0 => "no network".into(),
        _ => kinds.iter().map(words).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::foreign::{Dtype, FileFormat, ForeignTensor};

    fn network(name: &str) -> ForeignNetwork {
        let tensor = ForeignTensor { dtype: Dtype::F32, shape: vec![1], bytes: vec![0; 4] };
        ForeignNetwork { tensors: [(name.to_string(), tensor)].into(), ..Default::default() }
    }

    fn file(networks: &[(&str, &str)]) -> ForeignFile {
        ForeignFile {
            path: "f.pkl".into(),
            format: FileFormat::NetworkPickle,
            sha256: String::new(),
            size_bytes: 0,
            networks: networks.iter().map(|(name, tensor)| (name.to_string(), network(tensor))).collect(),
        }
    }

    #[test]
    fn the_averaged_generator_comes_first_and_the_kind_decides_otherwise() {
        let constant = "synthesis.b4.const";
        let file =
            file(&[("G", constant), ("G_ema", constant), ("D", "b4.out.weight"), ("augment_pipe", "p")]);
        let name = |kind, network: Option<&str>| {
            let choice = Choice { kind, network: network.map(str::to_string) };
            choice.of(&file).map(|chosen| chosen.name.to_string()).map_err(|error| error.to_string())
        };
        assert_eq!(name(None, None).unwrap(), "G_ema");
        assert_eq!(name(Some(NetworkKind::Discriminator), None).unwrap(), "D");
        assert_eq!(name(None, Some("G")).unwrap(), "G");
        let error = name(Some(NetworkKind::Mapper), None).unwrap_err();
        assert!(error.contains("a mapper") && error.contains("`D` (discriminator)"), "{error}");
        let error = name(None, Some("G2")).unwrap_err();
        assert!(error.contains("`G2`") && error.contains("`G_ema` (generator)"), "{error}");
        let error = name(None, Some("augment_pipe")).unwrap_err();
        assert!(error.contains("a known network"), "{error}");
        let error = name(Some(NetworkKind::Clip), Some("D")).unwrap_err();
        assert!(error.contains("a clip"), "{error}");
    }

    #[test]
    fn prefixes_of_wrappers_go() {
        for prefix in ["module.", "_orig_mod.", "module._orig_mod.", "model.", "clip.", "any.thing."] {
            let file = file(&[("", &format!("{prefix}visual.conv1.weight"))]);
            let chosen = Choice::default().of(&file).unwrap();
            assert_eq!(chosen.kind, NetworkKind::Clip);
            assert!(chosen.network.tensors.contains_key("visual.conv1.weight"), "{prefix}");
        }
    }

    #[test]
    fn a_prefix_that_only_some_names_have_is_no_wrapper() {
        let mut mixed = network("model.visual.conv1.weight");
        mixed.tensors.extend(network("loss.weight").tensors);
        assert_eq!(NetworkKind::of(&mixed), None);
        // Part of a name is no prefix.
        assert_eq!(NetworkKind::of(&network("audiovisual.conv1.weight")), None);
    }
}
