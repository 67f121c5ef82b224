//! What is wrong with the services of a platform, each by itself and with one another, before any of them starts.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use rhai::Position;

use super::{
    calls::{Asks, Called, CalledMethod, Sends},
    config::{self, Settings},
    declared::{Route, Subscription},
    doors,
    folder::{ScriptedService, files, misnamed},
    program::Program,
    route::Template,
};
use crate::{
    error::{Error, Fault},
    lab::{backing::Backing, identity::check_users},
};

/// What came of a check.
#[derive(Debug)]
pub struct Checked {
    /// Those that can be read.
    pub services: Vec<ScriptedService>,
    /// How many routes and defects they declare.
    pub routes: usize,
    pub defects: usize,
    /// What is wrong, by service and place.
    pub findings: Vec<Fault>,
}

/// A service whose script can be read.
struct Readable {
    name: String,
    file: PathBuf,
    program: Program,
}

/// Checks the services in a folder.
///
/// # Errors
/// Where the folder or a file in it cannot be read.
pub fn check(folder: &Path) -> Result<Checked, Error> {
    let (mut readable, mut findings) = (Vec::new(), Vec::new());
    let mut names = Vec::new();
    for (name, file) in files(folder)? {
        names.push(name.clone());
        match Program::read(&file) {
            Ok(program) => readable.push(Readable { name, file, program }),
            Err(Error::Document(fault)) => findings.push(*fault),
            Err(other) => return Err(other),
        }
    }
    for (at, service) in readable.iter().enumerate() {
        findings.extend(name(service));
        findings.extend(doors(service));
        findings.extend(defects(service));
        findings.extend(settings(service));
        findings.extend(twice(service, &readable[..at]));
        findings.extend(behind_gateway(service, &readable[..at]));
        findings.extend(service.program.uses.calls.iter().filter_map(|call| {
            unknown_service(service, &names, &call.service, call.service_at)
                .or_else(|| unknown_route(service, &readable, call))
        }));
        findings.extend(service.program.uses.rpcs.iter().filter_map(|call| {
            unknown_service(service, &names, &call.service, call.service_at)
                .or_else(|| unknown_method(service, &readable, call))
        }));
        let policies = service.program.uses.policies.iter();
        findings.extend(policies.filter_map(|(name, at)| unknown_service(service, &names, name, *at)));
    }
    // What cannot be read may send or take anything.
    if readable.len() == names.len() {
        findings.extend(unsubscribed(&readable));
        findings.extend(unpublished(&readable));
        findings.extend(unlisted(&readable));
        findings.extend(never_put(&readable));
    }
    findings.extend(shared_jobs(&readable));
    findings.extend(check_users(folder)?);
    findings.extend(config::check(folder, &declared(&names, &readable))?);
    findings.sort_by(|a, b| {
        let key = |fault: &Fault| (fault.place.file.clone(), fault.place.line, fault.place.column);
        key(a).cmp(&key(b))
    });
    Ok(Checked {
        routes: readable.iter().map(|service| service.program.declared.routes.len()).sum(),
        defects: readable.iter().map(|service| service.program.declared.defects.len()).sum(),
        services: readable.into_iter().map(Readable::service).collect(),
        findings,
    })
}

impl Readable {
    fn fault(&self, at: Position, what: impl Into<String>, hint: impl Into<String>) -> Fault {
        self.program.source.fault(at, what, hint)
    }

    fn route(&self, is_it: impl Fn(&Route) -> bool) -> Option<&Route> {
        self.program.declared.routes.iter().find(|route| is_it(route))
    }

    fn asks(&self) -> &[Asks] {
        &self.program.uses.asks
    }

    fn service(self) -> ScriptedService {
        let declared = &self.program.declared;
        let backings = self.program.uses.backings();
        ScriptedService {
            backings,
            replicas: declared.replicas.unwrap_or(1),
            in_slots: declared.slots.is_some(),
            requires_tokens: self.program.requires_tokens(),
            in_postgres: declared.postgres.is_some(),
            name: self.name,
            file: self.file,
        }
    }
}

fn name(service: &Readable) -> Option<Fault> {
    misnamed(&service.name).map(|(what, hint)| service.fault(Position::NONE, what, hint))
}

fn doors(service: &Readable) -> impl Iterator<Item = Fault> {
    service.program.uses.unknown.iter().map(|(function, at)| {
        service.fault(*at, format!("there is no function {function}"), doors::nearest_hint(function))
    })
}

/// Defects that are declared and never asked for, and the other way round.
fn defects(service: &Readable) -> Vec<Fault> {
    let (declared, asked) = (&service.program.declared.defects, &service.program.uses.defects);
    let unused = declared.iter().filter(|(name, _)| !asked.iter().any(|(one, _)| one == *name));
    let unused = unused.map(|(name, defect)| {
        let what = format!("the defect `{name}` is declared and never asked for");
        service.fault(
            defect.at,
            what,
            format!("ask for it where it changes something: if defect(\"{name}\") {{ ... }}"),
        )
    });
    let unknown = asked.iter().filter(|(name, _)| !declared.contains_key(name)).map(|(name, at)| {
        let what = format!("the defect `{name}` is asked for and never declared");
        service.fault(*at, what, format!("declare it at the top: defect(\"{name}\", \"what goes wrong\")"))
    });
    unused.chain(unknown).collect()
}

/// Settings that are declared and never asked for, and the other way round.
fn settings(service: &Readable) -> Vec<Fault> {
    let (declared, asked) = (&service.program.declared.settings, &service.program.uses.settings);
    let unused = declared.iter().filter(|(name, _)| !asked.iter().any(|(one, _)| one == *name));
    let unused = unused.map(|(name, setting)| {
        let what = format!("the setting `{name}` is declared and never asked for");
        service.fault(setting.at, what, format!("ask for it where it changes something: config::get(\"{name}\")"))
    });
    let unknown = asked.iter().filter(|(name, _)| !declared.contains_key(name)).map(|(name, at)| {
        let what = format!("the setting `{name}` is asked for and never declared");
        service.fault(*at, what, format!("declare it at the top with its default: setting(\"{name}\", false)"))
    });
    unused.chain(unknown).collect()
}

/// The settings of all services; none of those that cannot be read.
fn declared(names: &[String], readable: &[Readable]) -> BTreeMap<String, Option<Settings>> {
    let settings = |name: &String| {
        let found = readable.iter().find(|service| service.name == *name);
        (name.clone(), found.map(|service| service.program.declared.settings.clone()))
    };
    names.iter().map(settings).collect()
}

/// A route has one service, or nobody can say whose it is.
fn twice<'a>(service: &'a Readable, before: &'a [Readable]) -> impl Iterator<Item = Fault> + 'a {
    service.program.declared.routes.iter().filter_map(|route| {
        let is_it = |other: &Route| other.method == route.method && other.template.is_same(&route.template);
        let other = before.iter().find(|other| other.route(is_it).is_some())?;
        let what = format!("{} {} is a route of `{}` already", route.method, route.template.text(), other.name);
        Some(service.fault(route.at, what, "give one of the two another path"))
    })
}

/// The gateway has one pair of slots.
fn behind_gateway(service: &Readable, before: &[Readable]) -> Option<Fault> {
    let at = service.program.declared.slots?;
    let other = before.iter().find(|other| other.program.declared.slots.is_some())?;
    let what = format!("`{}` stands behind the gateway already", other.name);
    Some(service.fault(at, what, "let one of the two do without `slots()`"))
}

fn unknown_service(service: &Readable, names: &[String], called: &str, at: Position) -> Option<Fault> {
    if names.iter().any(|name| name == called) {
        return None;
    }
    let nearest = names.iter().map(|name| (strsim::damerau_levenshtein(name, called), name)).min();
    let hint = match nearest {
        Some((0..=3, name)) => format!("did you mean `{name}`?"),
        _ => format!("there are {}", names.join(", ")),
    };
    Some(service.fault(at, format!("there is no service `{called}`"), hint))
}

fn unknown_route(service: &Readable, all: &[Readable], call: &Called) -> Option<Fault> {
    let (path, at) = call.path.as_ref()?;
    // What cannot be read has a finding of its own.
    let called = all.iter().find(|other| other.name == call.service)?;
    let template = match Template::parse(path) {
        Ok(template) => template,
        Err(why) => return Some(service.fault(*at, why, "write the path as the service's route has it")),
    };
    if called.route(|route| route.method == call.method && route.template.is_same(&template)).is_some() {
        return None;
    }
    let routes = &called.program.declared.routes;
    let listed: Vec<_> = routes.iter().map(|route| format!("{} {}", route.method, route.template.text())).collect();
    let what = format!("`{}` has no route {} {path}", call.service, call.method);
    let hint =
        if listed.is_empty() { "it has none at all".to_owned() } else { format!("it has {}", listed.join(", ")) };
    Some(service.fault(*at, what, hint))
}

fn unknown_method(service: &Readable, all: &[Readable], call: &CalledMethod) -> Option<Fault> {
    let (method, at) = call.method.as_ref()?;
    // What cannot be read has a finding of its own.
    let called = all.iter().find(|other| other.name == call.service)?;
    let methods = &called.program.declared.rpcs;
    if methods.contains_key(method) {
        return None;
    }
    let nearest = methods.keys().map(|known| (strsim::damerau_levenshtein(known, method), known)).min();
    let hint = match nearest {
        Some((0..=3, known)) => format!("did you mean `{known}`?"),
        Some(_) => format!("it has {}", methods.keys().map(String::as_str).collect::<Vec<_>>().join(", ")),
        None => "it has none at all; one is declared by rpc(\"orders.Orders/Get\", |request| ...)".to_owned(),
    };
    Some(service.fault(*at, format!("`{}` has no method {method}", call.service), hint))
}

/// All subscriptions of a platform to the bus, or to the queue but for those to its own runs.
fn subscriptions(all: &[Readable], from: Backing) -> impl Iterator<Item = (&Readable, &Subscription)> {
    all.iter()
        .flat_map(|service| service.program.declared.subscriptions.iter().map(move |one| (service, one)))
        .filter(move |(_, one)| one.from == from && one.every.is_none())
}

/// Events that nobody subscribes to, and jobs that nobody does.
fn unsubscribed(all: &[Readable]) -> Vec<Fault> {
    let mut findings = Vec::new();
    for service in all {
        for Sends { to, topic } in &service.program.uses.sends {
            let Some((topic, at)) = topic else { continue };
            if subscriptions(all, *to).any(|(_, one)| one.pattern.fits(topic)) {
                continue;
            }
            let there: BTreeSet<_> = subscriptions(all, *to).map(|(_, one)| one.pattern.text()).collect();
            let there = there.into_iter().collect::<Vec<_>>().join(", ");
            let there = if there.is_empty() { "there is none".to_owned() } else { format!("there are {there}") };
            let (what, which) = match to {
                Backing::Queue => (format!("no service has a job `{topic}`"), "jobs"),
                _ => (format!("nobody subscribes to `{topic}`"), "subscriptions"),
            };
            findings.push(service.fault(*at, what, format!("{which}: {there}")));
        }
    }
    findings
}

/// Subscriptions to events that nobody publishes; that cannot be told where a topic is put together while a script runs.
fn unpublished(all: &[Readable]) -> Vec<Fault> {
    let sends = || all.iter().flat_map(|service| &service.program.uses.sends).filter(|sends| sends.to == Backing::Bus);
    let Some(topics) = sends().map(|sends| sends.topic.as_ref().map(|(topic, _)| topic)).collect::<Option<Vec<_>>>()
    else {
        return Vec::new();
    };
    let is_published = |one: &Subscription| topics.iter().any(|topic| one.pattern.fits(topic));
    let unpublished = subscriptions(all, Backing::Bus).filter(|(_, one)| !is_published(one));
    let told = unpublished.map(|(service, one)| {
        let what = format!("nobody publishes an event that fits `{}`", one.pattern.text());
        service.fault(one.at, what, "is the topic spelt as bus::publish has it?")
    });
    told.collect()
}

/// A job is done by one service.
fn shared_jobs(all: &[Readable]) -> Vec<Fault> {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for (service, job) in subscriptions(all, Backing::Queue) {
        match owners.get(job.name.as_str()) {
            Some(owner) => {
                let what = format!("`{}` is a job of `{owner}` already", job.name);
                findings.push(service.fault(job.at, what, "give one of the two another name"));
            }
            None => drop(owners.insert(&job.name, &service.name)),
        }
    }
    findings
}

/// What is asked of one process behind a door, by all services.
fn asks(all: &[Readable], of: Backing) -> impl Iterator<Item = (&Readable, &Asks)> {
    let each = |service| Readable::asks(service).iter().map(move |asks| (service, asks));
    all.iter().flat_map(each).filter(move |(_, asks)| asks.of == of)
}

/// The names that one function of a door is given; none where one of them cannot be told before a script runs.
fn names(all: &[Readable], of: Backing, function: &str) -> Option<BTreeSet<String>> {
    let given = asks(all, of).filter(|(_, asks)| asks.function == function);
    given.map(|(_, asks)| asks.name.as_ref().map(|(name, _)| name.clone())).collect()
}

/// Names that are looked up and nobody goes by.
fn unlisted(all: &[Readable]) -> Vec<Fault> {
    let Some(registered) = names(all, Backing::Registry, "register") else { return Vec::new() };
    let services = all.iter().map(|service| service.name.clone());
    let listed: BTreeSet<_> = services.chain(registered).collect();
    let hint = || format!("there are {}", listed.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
    misses(all, Backing::Registry, &["lookup"], &listed, |name| (format!("nobody registers as `{name}`"), hint()))
}

/// Collections that are searched and nobody puts anything into.
fn never_put(all: &[Readable]) -> Vec<Fault> {
    let Some(filled) = names(all, Backing::Vectors, "put") else { return Vec::new() };
    let hint = "is the collection spelt as vectors::put has it?".to_owned();
    misses(all, Backing::Vectors, &["near", "drop"], &filled, |name| {
        (format!("nobody puts vectors into `{name}`"), hint.clone())
    })
}

/// Names that functions of a door are given, and that are not among the known.
fn misses(
    all: &[Readable],
    of: Backing,
    functions: &[&str],
    known: &BTreeSet<String>,
    say: impl Fn(&str) -> (String, String),
) -> Vec<Fault> {
    let given = asks(all, of).filter(|(_, asks)| functions.contains(&asks.function.as_str()));
    let missed = given.filter_map(|(service, asks)| {
        let (name, at) = asks.name.as_ref().filter(|(name, _)| !known.contains(name))?;
        let (what, hint) = say(name);
        Some(service.fault(*at, what, hint))
    });
    missed.collect()
}
