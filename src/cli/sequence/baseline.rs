//! Findings that are known already: a file that names them, so that only new ones count.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    document::read_file,
    error::Error,
    sequence::lint::{Finding, Report, Source},
};

/// The version of the file's format.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    version: u32,
    findings: Vec<Known>,
}

/// A finding as it is known again: lines move, and what is wrong does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    file: String,
    code: String,
    message: String,
    /// How often it was found.
    times: usize,
}

fn key(finding: &Finding, sources: &[Source]) -> (String, String, String) {
    let file = sources.get(finding.document).map(|source| source.path.display().to_string()).unwrap_or_default();
    (file, finding.diagnostic.code.to_string(), finding.diagnostic.what.clone())
}

/// The text of a baseline with all that was found.
///
/// # Errors
/// None that can be brought about: every part of it is plain data.
pub(super) fn written(found: &Report, sources: &[Source]) -> Result<String, Error> {
    let mut times: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for finding in &found.findings {
        *times.entry(key(finding, sources)).or_default() += 1;
    }
    let known = |((file, code, message), times)| Known { file, code, message, times };
    let baseline = Baseline { version: VERSION, findings: times.into_iter().map(known).collect() };
    let text = serde_json::to_string_pretty(&baseline).map_err(|e| Error::usage(e.to_string(), "report this"))?;
    Ok(text + "\n")
}

/// Leaves out what a baseline names, each as often as it names it; gives how many.
///
/// # Errors
/// Where the file cannot be read, or is no baseline.
pub(super) fn leave_out(file: &Path, found: &mut Report, sources: &[Source]) -> Result<usize, Error> {
    let cannot = |why: String| {
        let what = format!("cannot read the baseline `{}`: {why}", file.display());
        Error::usage(what, "write it with `interlock sequence lint --write-baseline FILE`")
    };
    let text = read_file(file, "write it with `interlock sequence lint --write-baseline FILE`")?;
    let baseline: Baseline = serde_json::from_str(&text).map_err(|e| cannot(e.to_string()))?;
    if baseline.version != VERSION {
        return Err(cannot(format!("it has version {}, and {VERSION} is read", baseline.version)));
    }
    let mut left: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for known in baseline.findings {
        *left.entry((known.file, known.code, known.message)).or_default() += known.times;
    }
    let before = found.findings.len();
    found.retain(|finding| match left.get_mut(&key(finding, sources)) {
        Some(times) if *times > 0 => {
            *times -= 1;
            false
        }
        _ => true,
    });
    Ok(before - found.findings.len())
}
