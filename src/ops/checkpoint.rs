//! What a look is handed by the journal and hands back to it. What cannot be read is never taken for nothing: evidence that
//! begins anew would forget what counts against the release.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::guard::{Look, Looked, Verdict};

/// Reads what a look is to look at, and what the looks before it have found.
///
/// # Errors
/// The look that says what cannot be read. It leaves the evidence as it is, for a release that can read it.
pub fn read<W: DeserializeOwned, E: DeserializeOwned + Default>(look: &Look<'_>) -> Result<(W, E), Box<Looked>> {
    let watch = serde_json::from_value(look.what.clone())
        .map_err(|e| unreadable(look, format!("the plan has a watch that this release does not know: {e}")))?;
    let evidence = match look.evidence {
        None => E::default(),
        Some(found) => serde_json::from_value(found.clone()).map_err(|e| {
            unreadable(look, format!("what the looks before have found cannot be read by this release: {e}"))
        })?,
    };
    Ok((watch, evidence))
}

/// What a look found, as the journal keeps it.
#[must_use]
pub fn looked<E: Serialize>(look: &Look<'_>, evidence: &E, (verdict, line): (Verdict, String)) -> Looked {
    match serde_json::to_value(evidence) {
        Ok(evidence) => Looked { evidence, verdict, line },
        Err(e) => *unreadable(look, format!("what was found cannot be written down: {e}")),
    }
}

fn unreadable(look: &Look<'_>, why: String) -> Box<Looked> {
    let evidence = look.evidence.cloned().unwrap_or(Value::Null);
    // A held run waits for a person already.
    let verdict = if look.held { Verdict::Wait } else { Verdict::Blind { why: why.clone() } };
    Box::new(Looked { evidence, verdict, line: why })
}
