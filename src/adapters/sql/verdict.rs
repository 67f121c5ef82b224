//! Findings in words: all is well, or why not and how to mend it.

use crate::ports::{Finding, Objection};

/// All is well.
pub fn fine(name: &str, found: impl Into<String>) -> Finding {
    Finding { name: name.to_owned(), found: found.into(), objection: None }
}

/// Why no drill may begin.
pub fn objection(name: &str, found: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding { objection: Some(Objection { mend: mend.into() }), ..fine(name, found) }
}

/// All is well, unless there are faults.
pub fn judged(name: &str, found: String, faults: &[String], mend: impl Into<String>) -> Finding {
    if faults.is_empty() { fine(name, found) } else { objection(name, faults.join("; "), mend) }
}
