//! The document that changes settings: a section for all services, and one for each.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Settings;
use crate::{
    document::{self, nearest},
    error::{Error, Fault},
    lab::state::fault,
    slo::Problem,
};

/// Its name, in the folder of the scripts.
pub const FILE: &str = "config.yaml";
/// How much of a hash is shown: enough to tell generations apart.
const SHOWN: usize = 12;

type Section = BTreeMap<String, Value>;

/// What the document says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// For each service that declares such a setting.
    #[serde(default)]
    all: Section,
    /// For one service each; this comes before what is said for all.
    #[serde(default)]
    services: BTreeMap<String, Section>,
}

/// The settings of all services; none of those whose script cannot be read.
pub type Declared = BTreeMap<String, Option<Settings>>;

impl Document {
    /// What it says about a setting of a service.
    #[must_use]
    pub fn value(&self, service: &str, setting: &str) -> Option<&Value> {
        self.services.get(service).and_then(|section| section.get(setting)).or_else(|| self.all.get(setting))
    }

    /// What tells it from documents that say something else; comments and order do not count.
    #[must_use]
    pub fn generation(&self) -> String {
        // Its maps are sorted, and texts, numbers and truths can always be written.
        let canonical = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..SHOWN].to_owned()
    }

    fn problems(&self, declared: &Declared) -> Vec<Problem> {
        let of_all = self.all.iter().filter_map(|(name, value)| for_all(name, value, declared));
        let of_services = self.services.iter().flat_map(|(service, section)| match declared.get(service) {
            Some(Some(settings)) => section
                .iter()
                .filter_map(|(name, value)| wrong(&["services", service, name], value, settings))
                .collect(),
            // What cannot be read has a finding of its own.
            Some(None) => Vec::new(),
            None => vec![no_service(service, declared)],
        });
        of_all.chain(of_services).collect()
    }
}

/// The text of the document in a folder; none where there is no such file.
///
/// # Errors
/// Where it cannot be read.
pub fn text(folder: &Path) -> Result<Option<String>, Error> {
    let path = folder.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(fault(&path, &e)),
    }
}

/// The generation that the document in a folder asks for, whether it fits the services or not; none where there is no such
/// document, or none that can be read as one.
///
/// # Errors
/// Where the file cannot be read.
pub fn desired(folder: &Path) -> Result<Option<String>, Error> {
    let Some(text) = text(folder)? else { return Ok(None) };
    if document::documents(FILE, &text).is_empty() {
        return Ok(Some(Document::default().generation()));
    }
    let said = document::only(FILE, &text).and_then(|only| only.parse::<Document>());
    Ok(said.ok().map(|said| said.generation()))
}

/// Reads a document that fits what the services declare.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(file: &str, text: &str, declared: &Declared) -> Result<Document, Vec<Fault>> {
    if document::documents(file, text).is_empty() {
        return Ok(Document::default());
    }
    let parsed = document::only(file, text).and_then(|only| Ok((only, only.parse::<Document>()?)));
    let (only, said) = parsed.map_err(|fault| vec![worded(fault)])?;
    let faults: Vec<_> = said.problems(declared).iter().map(|problem| only.fault(problem)).collect();
    if faults.is_empty() { Ok(said) } else { Err(faults) }
}

/// What is wrong with the document in a folder.
///
/// # Errors
/// Where it cannot be read.
pub fn check(folder: &Path, declared: &Declared) -> Result<Vec<Fault>, Error> {
    let Some(text) = text(folder)? else { return Ok(Vec::new()) };
    let file = folder.join(FILE).display().to_string();
    Ok(read(&file, &text, declared).err().unwrap_or_default())
}

/// The reader of documents knows others of them, and points to their schemas.
fn worded(fault: Fault) -> Fault {
    if !fault.hint.contains("interlock schema") {
        return fault;
    }
    let hint = "there are `all`, with settings for every service, and `services`, with those of one each".to_owned();
    Fault { hint, ..fault }
}

fn for_all(name: &str, value: &Value, declared: &Declared) -> Option<Problem> {
    let readable: Vec<_> = declared.values().flatten().collect();
    let having: Vec<_> = readable.iter().filter(|settings| settings.contains_key(name)).collect();
    if having.is_empty() && readable.len() == declared.len() {
        let what = format!("no service has the setting `{name}`");
        return Some(problem(&["all", name], what, meant(name, readable.into_iter().flat_map(BTreeMap::keys))));
    }
    having.into_iter().find_map(|settings| wrong(&["all", name], value, settings))
}

/// What is wrong with a value that a service has, at a path that ends in the setting's name.
fn wrong(path: &[&str], value: &Value, settings: &Settings) -> Option<Problem> {
    let name = path.last()?;
    let Some(setting) = settings.get(*name) else {
        let what = format!("the service has no setting `{name}`");
        return Some(problem(path, what, meant(name, settings.keys())));
    };
    let hint = format!("write it as its default is written: `{name}: {}`", setting.default());
    match setting.takes(value) {
        Some(_) => None,
        None => Some(problem(path, format!("the setting `{name}` is {}", setting.kind()), hint)),
    }
}

fn no_service(service: &str, declared: &Declared) -> Problem {
    problem(&["services", service], format!("there is no service `{service}`"), meant(service, declared.keys()))
}

fn meant<'a>(written: &str, known: impl Iterator<Item = &'a String>) -> String {
    let known: BTreeSet<_> = known.map(String::as_str).collect();
    match nearest(written, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "remove it, or declare it in a script: setting(\"name\", false)".to_owned(),
        None => format!("there are {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

fn problem(path: &[&str], what: String, hint: String) -> Problem {
    // Names of settings have dots in them, so the path is no dotted text.
    Problem { of: None, at: path.iter().map(|part| (*part).to_owned()).collect(), what, hint }
}

#[cfg(test)]
mod tests {
    use rhai::Position;

    use super::*;
    use crate::lab::script::config::Setting;

    fn declared() -> Declared {
        let setting = |default: rhai::Dynamic| Setting::new(&default, Position::NONE).unwrap();
        let orders = [("advisory.enabled", false.into()), ("limit", 3_i64.into()), ("currency", "eur".into())];
        let orders = orders.map(|(name, default)| (name.to_owned(), setting(default)));
        BTreeMap::from([
            ("orders".to_owned(), Some(Settings::from(orders))),
            ("stock".to_owned(), Some(Settings::from([("limit".to_owned(), setting(0.5.into()))]))),
            ("broken".to_owned(), None),
        ])
    }

    fn said(text: &str) -> Document {
        read("config.yaml", text, &declared()).unwrap()
    }

    #[test]
    fn what_is_said_for_a_service_comes_before_what_is_said_for_all() {
        let document = said("all:\n  limit: 5\nservices:\n  orders:\n    limit: 7\n");
        assert_eq!(document.value("orders", "limit"), Some(&7.into()));
        assert_eq!(document.value("stock", "limit"), Some(&5.into()));
        assert_eq!(document.value("orders", "currency"), None);
        assert_eq!(said("# nothing yet\n"), Document::default());
    }

    #[test]
    fn a_generation_is_what_is_said_and_not_how() {
        let one = said("all: {limit: 5}\nservices: {orders: {currency: usd}}\n").generation();
        let same = said("# the same\nservices:\n  orders:\n    currency: usd\nall:\n  limit: 5\n").generation();
        assert_eq!((one.len(), &one), (SHOWN, &same));
        assert_ne!(one, said("all: {limit: 6}\n").generation());
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        let all = [
            "all:\n  limits: 5\n",
            "all:\n  limit: many\n",
            "services:\n  orders:\n    advisory.enabled: yes\n    advisory.enabeld: true\n    x: 1\n",
            "services:\n  odrers: {limit: 1}\n",
            "services:\n  broken: {anything: 1}\n  orders: {limit: 1.5}\n",
            "service:\n  orders: {}\n",
            "all:\n  limit: 1\n  limit: 2\n",
            "all: [\n",
        ];
        let told = all.map(|text| match read("config.yaml", text, &declared()) {
            Ok(document) => format!("{document:?}"),
            Err(faults) => faults.iter().map(|one| format!("{one}\n  {}", one.hint)).collect::<Vec<_>>().join("\n"),
        });
        insta::assert_snapshot!(told.join("\n"));
    }
}
