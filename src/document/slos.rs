//! The SLO files that a platform names, read and resolved into objectives.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Document, documents, foreign, nearest};
use crate::{
    error::Fault,
    slo::{Indicator, Objective, Problem, Sli, Slo, Unused, resolve},
};

/// What was read from `OpenSLO` files.
#[derive(Debug, Clone, Default)]
pub struct SloSet {
    entries: BTreeMap<String, Entry>,
    unused: Vec<String>,
}

/// One SLO with the objectives that can be decided on.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The document.
    pub slo: Slo,
    /// Its objectives, or why interlock cannot decide on it.
    pub objectives: Result<Vec<Objective>, Fault>,
}

/// What every `OpenSLO` document has; the rest depends on the kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    api_version: String,
    kind: String,
}

const KINDS: [&str; 7] =
    ["SLO", "SLI", "DataSource", "Service", "AlertPolicy", "AlertCondition", "AlertNotificationTarget"];

impl SloSet {
    /// Reads the documents of several files, given as (name, text).
    ///
    /// An SLO that interlock cannot decide on is kept with the reason, and refused only where it is needed.
    ///
    /// # Errors
    /// Where a document is not what its kind says, or two have the same name.
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Fault> {
        let mut slos: Vec<(Document<'a>, Slo)> = Vec::new();
        let mut slis: BTreeMap<String, (Document<'a>, Indicator)> = BTreeMap::new();
        let mut unused = Vec::new();
        for document in files.into_iter().flat_map(|(file, text)| documents(file, text)) {
            let header: Header = document
                .parse()
                .map_err(|fault| foreign::refusal(&document).map_or(fault, |problem| document.fault(&problem)))?;
            if header.api_version != "openslo/v1"
                && let Some(problem) = foreign::refusal(&document)
            {
                return Err(document.fault(&problem));
            }
            if header.api_version != "openslo/v1" {
                let what = format!("`{}` is not known as apiVersion", header.api_version);
                return Err(document.fault(&Problem::new("apiVersion", what, "write `apiVersion: openslo/v1`")));
            }
            match header.kind.as_str() {
                "SLO" => {
                    let slo: Slo = document.parse()?;
                    if slos.iter().any(|(_, other)| other.metadata.name == slo.metadata.name) {
                        return Err(document.fault(&twice("SLO", &slo.metadata.name)));
                    }
                    slos.push((document, slo));
                }
                "SLI" => {
                    let sli: Sli = document.parse()?;
                    let name = sli.metadata.name;
                    if slis.insert(name.clone(), (document, sli.spec)).is_some() {
                        return Err(document.fault(&twice("SLI", &name)));
                    }
                }
                kind if KINDS.contains(&kind) => {
                    let other: Unused = document.parse()?;
                    unused.push(format!("{} {}", other.kind, other.metadata.name));
                }
                kind => {
                    let hint = match nearest(kind, KINDS) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("one of {} may stand here", super::words::listed(&KINDS)),
                    };
                    return Err(document.fault(&Problem::new("kind", format!("unknown kind `{kind}`"), hint)));
                }
            }
        }
        let lookup = |name: &str| slis.get(name).map(|(_, indicator)| indicator.clone());
        let entries = slos
            .iter()
            .map(|(document, slo)| {
                let objectives = resolve(slo, &lookup, &slis.keys().map(String::as_str).collect::<Vec<_>>());
                let objectives = objectives.map_err(|problem| {
                    let sli = problem.of.as_deref().and_then(|name| slis.get(name));
                    sli.map_or(*document, |(document, _)| *document).fault(&problem)
                });
                (slo.metadata.name.clone(), Entry { slo: slo.clone(), objectives })
            })
            .collect();
        Ok(Self { entries, unused })
    }

    /// The names of the SLOs.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.entries.keys().map(String::as_str)
    }

    /// All SLOs, by name.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// Documents that parse and that interlock has no use for, such as `AlertPolicy page`.
    #[must_use]
    pub fn unused(&self) -> &[String] {
        &self.unused
    }

    /// The objectives of the SLOs that are named, in that order; names that do not exist are passed over, for a
    /// loaded platform has none.
    ///
    /// # Errors
    /// Where interlock cannot decide on one of them.
    pub fn objectives(&self, names: &[String]) -> Result<Vec<Objective>, Fault> {
        let mut all = Vec::new();
        for entry in names.iter().filter_map(|name| self.entries.get(name)) {
            all.extend(entry.objectives.clone()?);
        }
        Ok(all)
    }
}

fn twice(kind: &str, name: &str) -> Problem {
    Problem::new("metadata.name", format!("there is another {kind} `{name}`"), "give each a name of its own")
}

#[cfg(test)]
#[path = "slos_tests.rs"]
mod tests;
