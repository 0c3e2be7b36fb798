//! What a command tells of the files that it uses, once for each: whoever looks on knows where the numbers come from.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use tracing::{info, warn};

/// Target of what is said to the user: shown as it is, without level and target.
pub const SAID: &str = "mindreader::said";

/// What was said already.
static EARLIER: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Says that a file is used; `what` it is goes in front of its name.
pub fn say_used(what: &str, path: &Path) {
    let text = format!("using {what} `{}`", path.display());
    if is_new(&text) {
        info!(target: SAID, "{text}");
    }
}

/// Warns of something that does not stop the work.
pub fn warn_once(text: &str) {
    if is_new(text) {
        warn!(target: SAID, "warning: {text}");
    }
}

fn is_new(text: &str) -> bool {
    EARLIER.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_string())
}
