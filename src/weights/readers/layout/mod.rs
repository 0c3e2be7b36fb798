//! Where weights lie in what was pickled: modules, state dicts, script modules.

mod collector;
mod module;
mod script_module;
mod settings;
mod state_dict;

pub(super) use module::{is_module, module};
pub(super) use script_module::script_module;
pub(super) use state_dict::saved_object;
