//! Gathers the tensors of one network under their names.

use super::super::budget::Budget;
use super::super::pickle::{Id, Tree};
use super::super::storage::Storages;
use super::super::tensor;
use super::settings;
use crate::error::Fault;
use crate::weights::foreign::ForeignNetwork;

/// Longest name of a tensor or setting, in bytes.
const MAX_NAME_BYTES: usize = 512;
/// Modules in modules in modules: published networks have at most 8 levels.
const MAX_DEPTH: usize = 64;

/// One network being read.
pub(super) struct Collector<'c, 'a, S> {
    pub tree: &'c Tree<'a>,
    pub budget: &'c mut Budget,
    storages: &'c mut S,
    /// The network's name in the file, for messages only.
    label: String,
    network: ForeignNetwork,
}

impl<'c, 'a, S: Storages<'a>> Collector<'c, 'a, S> {
    pub fn new(tree: &'c Tree<'a>, label: &str, storages: &'c mut S, budget: &'c mut Budget) -> Self {
        Self { tree, budget, storages, label: label.into(), network: ForeignNetwork::default() }
    }

    /// A name as messages show it.
    pub fn shown(&self, name: &str) -> String {
        match (&self.label[..], name) {
            ("", "") => "at the top level".into(),
            (label, "") => format!("`{label}`"),
            ("", name) => format!("`{name}`"),
            (label, name) => format!("`{label}/{name}`"),
        }
    }

    /// `prefix` and `name` joined by a dot.
    pub fn join(&self, prefix: &str, name: &str) -> Result<String, Fault> {
        if prefix.len() + name.len() >= MAX_NAME_BYTES {
            let found = format!("{} bytes", prefix.len() + name.len());
            return Err(Fault::new(
                format!("name {}", self.shown(prefix)),
                format!("below {MAX_NAME_BYTES} bytes"),
                found,
            ));
        }
        Ok(if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") })
    }

    /// Refuses modules that are too deep or hold themselves.
    pub fn check_depth(&self, prefix: &str, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            let found = "a deeper one, or one that holds itself";
            return Err(Fault::new(
                format!("module {}", self.shown(prefix)),
                format!("at most {MAX_DEPTH} levels"),
                found,
            ));
        }
        Ok(())
    }

    pub fn tensor(&mut self, name: &str, id: Id) -> Result<(), Fault> {
        if self.network.tensors.contains_key(name) {
            return Err(Fault::new(format!("tensor {}", self.shown(name)), "one of this name", "several"));
        }
        let shown = if self.label.is_empty() { name.to_string() } else { format!("{}/{name}", self.label) };
        let tensor = tensor::rebuild(self.tree, id, &shown, self.storages, self.budget)?;
        self.network.tensors.insert(name.to_string(), tensor);
        Ok(())
    }

    /// Keeps a plain value; everything else is left out.
    pub fn setting(&mut self, name: &str, id: Id) -> Result<(), Fault> {
        settings::collect(self.tree, id, name, &mut self.network.settings, self.budget)
    }

    pub fn finish(self, class_name: Option<&str>) -> ForeignNetwork {
        ForeignNetwork { class_name: class_name.map(str::to_string), ..self.network }
    }
}
