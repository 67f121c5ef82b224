//! Who each participant is on the platform: as the scenario says, or by name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    binding::{Binding, Party},
    report::Problem,
    texts::{is_bus, letters, plain, shown, words},
};
use crate::{
    model::trace::Attributes,
    sequence::{
        Span,
        lint::PEOPLE,
        mermaid::sequence::{Participant, Role, Sequence, Who},
    },
};

/// Who a participant is, and what can be seen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// A service with spans.
    Seen(String),
    /// A service without a single span anywhere.
    Dark(String),
    /// Named by the attributes of its callers' spans.
    Peer(BTreeMap<String, String>),
    /// A person, or a caller outside of the platform.
    Stimulus,
    /// Nothing is known of it but its name.
    Unseen,
}

/// All participants.
#[derive(Debug, Clone, Default)]
pub(super) struct Parties {
    pub standing: Vec<Standing>,
    /// Whether the participant hands on what it is sent.
    pub bus: Vec<bool>,
    by_service: HashMap<String, Who>,
    by_name: HashMap<String, Who>,
    services: BTreeSet<String>,
}

impl Parties {
    /// The participant that a service is.
    pub fn of_service(&self, service: &str) -> Option<Who> {
        self.by_service.get(service).copied()
    }

    /// The participant of that name, as spans name their peers; also by the first label of a host's name.
    pub fn of_name(&self, name: &str) -> Option<Who> {
        let short = name.split(['.', ':']).next().unwrap_or_default();
        [name, short].into_iter().find_map(|name| self.by_name.get(&letters(name)).copied())
    }

    /// Whether it is the name of a service that is no participant.
    pub fn is_other_service(&self, name: &str) -> bool {
        let short = name.split(['.', ':']).next().unwrap_or_default();
        self.services.iter().any(|s| (s == name || s == short) && !self.by_service.contains_key(s))
    }

    /// The participant that attributes of a caller's span name.
    pub fn of_attributes(&self, attributes: &Attributes) -> Option<Who> {
        self.standing.iter().position(|standing| match standing {
            Standing::Peer(wanted) => {
                let stands = |(key, value): (&String, &String)| {
                    attributes.get(key).is_some_and(|found| found.to_string() == *value)
                };
                !wanted.is_empty() && wanted.iter().all(stands)
            }
            _ => false,
        })
    }

    /// Whether it has spans of its own.
    pub fn is_seen(&self, who: Who) -> bool {
        matches!(self.standing.get(who), Some(Standing::Seen(_)))
    }

    /// Whether it is said to be a service, and no service of that name has told anything.
    pub fn is_dark(&self, who: Who) -> bool {
        matches!(self.standing.get(who), Some(Standing::Dark(_)))
    }

    /// Whether what it sends are stimuli.
    pub fn is_stimulus(&self, who: Who) -> bool {
        matches!(self.standing.get(who), Some(Standing::Stimulus))
    }

    /// Whether something that nobody names may be it.
    pub fn may_be_nameless(&self, who: Who) -> bool {
        !matches!(self.standing.get(who), Some(Standing::Peer(_) | Standing::Stimulus) | None)
    }
}

/// Binds every participant; `services` are the names of all services with spans.
pub(super) fn bind(diagram: &Sequence, binding: &Binding, services: &BTreeSet<&str>) -> Result<Parties, Vec<Problem>> {
    let mut problems: Vec<Problem> =
        binding.participants.keys().filter(|id| diagram.who(id).is_none()).map(|id| unknown(diagram, id)).collect();
    let mut by_plain: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for service in services {
        by_plain.entry(letters(service)).or_default().push(service);
    }
    let mut parties = Parties { services: services.iter().map(|s| (*s).to_owned()).collect(), ..Parties::default() };
    let first_senders = first_mentioned_as_sender(diagram);
    // Names that participants have to the letter are theirs, also where others are alike.
    let exact: BTreeSet<String> = diagram
        .participants
        .iter()
        .flat_map(|p| [shown(&p.id), shown(&p.label)])
        .map(|name| name.into_owned())
        .collect();
    for (who, participant) in diagram.participants.iter().enumerate() {
        let standing = match binding.participants.get(&participant.id) {
            Some(Party::Service(name)) if services.contains(name.as_str()) => Standing::Seen(name.clone()),
            Some(Party::Service(name)) => Standing::Dark(name.clone()),
            Some(Party::Peer(attributes)) => Standing::Peer(attributes.clone()),
            Some(Party::Stimulus) => Standing::Stimulus,
            Some(Party::Uninstrumented) => Standing::Unseen,
            None if participant.role == Role::Actor => Standing::Stimulus,
            None => by_name(participant, &by_plain, &exact)
                .unwrap_or_else(|problem| {
                    problems.push(problem);
                    Some(Standing::Unseen)
                })
                .unwrap_or_else(|| {
                    if first_senders.contains(&who) && is_person(participant) {
                        Standing::Stimulus
                    } else {
                        Standing::Unseen
                    }
                }),
        };
        if let Standing::Seen(service) | Standing::Dark(service) = &standing {
            match parties.by_service.get(service) {
                Some(other) => problems.push(shared(diagram, *other, who, service)),
                None => {
                    parties.by_service.insert(service.clone(), who);
                }
            }
            parties.by_name.entry(letters(service)).or_insert(who);
        }
        let queue = participant.role == Role::Typed("queue".to_owned());
        let messaging = matches!(&standing, Standing::Peer(a) if a.keys().any(|key| key.starts_with("messaging.")));
        let named = !matches!(standing, Standing::Seen(_)) && (is_bus(&participant.id) || is_bus(&participant.label));
        parties.bus.push(queue || messaging || named);
        parties.standing.push(standing);
    }
    for (who, participant) in diagram.participants.iter().enumerate() {
        for name in [&participant.id, &participant.label] {
            parties.by_name.entry(plain(name)).or_insert(who);
        }
    }
    if problems.is_empty() { Ok(parties) } else { Err(problems) }
}

/// The service that is named as the participant is; none where there is no such one.
fn by_name(
    participant: &Participant,
    services: &BTreeMap<String, Vec<&str>>,
    exact: &BTreeSet<String>,
) -> Result<Option<Standing>, Problem> {
    let mut found: Vec<&str> = Vec::new();
    for name in [&participant.id, &participant.label] {
        found.extend(services.get(&plain(name)).into_iter().flatten());
    }
    // Of several that are alike, the one that is written so is meant.
    let (id, label) = (shown(&participant.id), shown(&participant.label));
    if found.contains(&label.as_ref()) {
        found.retain(|name| *name == label);
    } else if found.contains(&id.as_ref()) {
        found.retain(|name| *name == id);
    } else {
        found.retain(|name| !exact.contains(*name));
    }
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [] => Ok(None),
        [service] => Ok(Some(Standing::Seen((*service).to_owned()))),
        several => Err(Problem {
            place: participant.declared.unwrap_or(participant.first),
            what: format!("`{}` may be any of these services: {}", participant.id, several.join(", ")),
            fix: format!("bind it: `{}: {{service: {}}}`", participant.id, several[0]),
        }),
    }
}

fn shared(diagram: &Sequence, first: Who, second: Who, service: &str) -> Problem {
    let place = diagram.participants.get(second).map_or(Span::default(), |p| p.declared.unwrap_or(p.first));
    Problem {
        place,
        what: format!("`{}` and `{}` are both the service `{service}`", diagram.id(first), diagram.id(second)),
        fix: "bind one of them to another service, or draw one participant".to_owned(),
    }
}

fn unknown(diagram: &Sequence, id: &str) -> Problem {
    let near = diagram
        .participants
        .iter()
        .map(|p| (strsim::damerau_levenshtein(&p.id, id), &p.id))
        .filter(|(distance, other)| *distance <= 1 + other.chars().count() / 3)
        .min();
    let names: Vec<&str> = diagram.participants.iter().map(|p| p.id.as_str()).collect();
    Problem {
        place: Span::default(),
        what: format!("the diagram has no participant `{id}`"),
        fix: near
            .map_or_else(|| format!("it has: {}", names.join(", ")), |(_, near)| format!("did you mean `{near}`?")),
    }
}

fn first_mentioned_as_sender(diagram: &Sequence) -> BTreeSet<Who> {
    let (mut known, mut senders) = (BTreeSet::new(), BTreeSet::new());
    for message in diagram.messages() {
        if known.insert(message.from) && message.from != message.to {
            senders.insert(message.from);
        }
        known.insert(message.to);
    }
    senders
}

/// Whether a name is that of a person, and not of what serves persons.
fn is_person(participant: &Participant) -> bool {
    let words: Vec<String> = [&participant.id, &participant.label].into_iter().flat_map(|name| words(name)).collect();
    let any = |of: &[&str]| words.iter().any(|word| of.contains(&word.as_str()));
    any(PEOPLE) && !any(&["service", "api", "svc", "controller", "gateway", "store", "db", "database"])
}
