//! What is wrong with a release of a scripted service: defects that its script declares, and faults that any service can have.

use std::collections::{BTreeMap, BTreeSet};

use super::declared::Defect;
use crate::lab::{defects::Defects, fault::Fault};

/// The faults of a release.
pub struct ServiceFaults {
    /// Those that any service can have.
    pub common: Defects,
    /// The script's own that are switched on.
    switched: BTreeSet<String>,
}

impl ServiceFaults {
    /// Reads faults as they are written, each the name of a declared defect or one such as `latency=200ms`.
    ///
    /// # Errors
    /// Which is neither.
    pub fn read(texts: &[String], declared: &BTreeMap<String, Defect>) -> Result<Self, String> {
        let (mut common, mut switched) = (Vec::new(), BTreeSet::new());
        for text in texts {
            if declared.contains_key(text) {
                switched.insert(text.clone());
            } else {
                common.push(known(text, declared)?);
            }
        }
        Ok(Self { common: Defects::new(common), switched })
    }

    /// Whether a defect is switched on.
    #[must_use]
    pub fn has(&self, defect: &str) -> bool {
        self.switched.contains(defect)
    }
}

fn known(text: &str, declared: &BTreeMap<String, Defect>) -> Result<Fault, String> {
    match text.parse::<Fault>() {
        Ok(fault) if !fault.wants_full() => Ok(fault),
        Ok(_) => Err(format!("`{text}` is a fault of the tenant service")),
        Err(why) if text.contains('=') => Err(why),
        Err(_) => Err(format!("the script declares no defect `{text}`; {}", listed(declared))),
    }
}

fn listed(declared: &BTreeMap<String, Defect>) -> String {
    let list: Vec<_> = declared.iter().map(|(name, defect)| format!("{name} ({})", defect.what)).collect();
    if list.is_empty() { "it has none".to_owned() } else { format!("it has {}", list.join(", ")) }
}
