//! Scenario documents: a diagram, and who and what its participants and messages are on a platform.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Document, Metadata};
use crate::{
    error::Fault,
    sequence::{
        conform::{Binding, Expectation, Party, Repeat, StateSource},
        mermaid::sequence::Sequence,
    },
    slo::Problem,
};

/// A scenario: a diagram that traces are held against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// The version of this format: `interlock/v1alpha1`.
    #[schemars(extend("const" = "interlock/v1alpha1"))]
    pub api_version: String,
    /// The kind of document: `Scenario`.
    #[schemars(extend("const" = "Scenario"))]
    pub kind: String,
    /// Names the scenario.
    pub metadata: Metadata,
    /// The diagram.
    pub diagram: DiagramAt,
    /// Who the participants are, by the names that messages use. One that is left out is the service of the same name.
    #[serde(default)]
    pub participants: BTreeMap<String, PartySpec>,
    /// What is expected of single messages.
    #[serde(default)]
    pub messages: Vec<MessageSpec>,
    /// For a state diagram: which attributes of spans, or of events within them, tell of states.
    #[serde(default)]
    pub states: Option<StatesSpec>,
}

/// Which attributes tell that something has gone from state to state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatesSpec {
    /// The attribute that names whose state it is, such as `order.id`.
    pub entity: String,
    /// The attribute with the state before, where there is one.
    #[serde(default)]
    pub from: Option<String>,
    /// The attribute with the new state.
    pub to: String,
}

/// Where the diagram stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiagramAt {
    /// A Markdown document, or a file with one diagram (`*.mmd`, `*.mermaid`); relative to this file.
    pub file: String,
    /// The anchor above the diagram; not needed where the document holds one sequence diagram.
    #[serde(default)]
    pub anchor: Option<String>,
}

/// Who a participant is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PartySpec {
    /// The service with this `service.name`.
    Service(String),
    /// Something without spans of its own, by the attributes that its callers' spans have, such as `db.system.name`.
    Peer(BTreeMap<String, String>),
    /// A person or another caller from outside; its messages set the scenario off.
    Stimulus,
    /// On the platform, but without spans.
    Uninstrumented,
}

/// What is expected of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MessageSpec {
    /// The text of the message, as it stands in the diagram.
    pub at: String,
    /// Which of several messages with this text, counted from 1.
    #[serde(default)]
    pub nth: Option<usize>,
    /// The name of its span; `*` stands for any text.
    #[serde(default)]
    pub operation: Option<String>,
    /// The HTTP status that the call ends with.
    #[serde(default)]
    pub status: Option<u16>,
    /// The part of the diagram from this message on that happens several times.
    #[serde(default)]
    pub repeats: Option<RepeatSpec>,
    /// Whether traces are not asked for it.
    #[serde(default)]
    pub ignored: bool,
}

/// How often a part of a diagram happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RepeatSpec {
    /// The text of the last message of the part; the same message where it is left out.
    #[serde(default)]
    pub through: Option<String>,
    /// How often at least; once where it is left out.
    #[serde(default = "once")]
    pub least: u32,
    /// How often at most; any number where it is left out.
    #[serde(default)]
    pub most: Option<u32>,
}

const fn once() -> u32 {
    1
}

/// The JSON Schema of scenarios.
#[must_use]
pub fn scenario_schema() -> serde_json::Value {
    schemars::schema_for!(Scenario).to_value()
}

impl Scenario {
    /// Binds what the scenario says to the messages and participants of its diagram.
    ///
    /// # Errors
    /// Where it names a participant or a message that the diagram does not have, or one that it has several times.
    pub fn bind(&self, document: &Document<'_>, diagram: &Sequence) -> Result<Binding, Fault> {
        self.bound(diagram).map_err(|problem| document.fault(&problem))
    }

    /// What tells of states, where the scenario is of a state diagram.
    ///
    /// # Errors
    /// Where it speaks of messages as well.
    pub fn states(&self, document: &Document<'_>) -> Result<Option<StateSource>, Fault> {
        self.told().map_err(|problem| document.fault(&problem))
    }

    fn told(&self) -> Result<Option<StateSource>, Problem> {
        self.head()?;
        let Some(StatesSpec { entity, from, to }) = &self.states else { return Ok(None) };
        for (key, said) in [("participants", !self.participants.is_empty()), ("messages", !self.messages.is_empty())] {
            if said {
                return Err(Problem::new(
                    key,
                    format!("a state diagram has no {key}"),
                    "leave it out, or leave out `states`",
                ));
            }
        }
        Ok(Some(StateSource { entity: entity.clone(), from: from.clone(), to: to.clone() }))
    }

    fn head(&self) -> Result<(), Problem> {
        for (key, said, meant) in
            [("apiVersion", &self.api_version, "interlock/v1alpha1"), ("kind", &self.kind, "Scenario")]
        {
            if said != meant {
                return Err(Problem::new(key, format!("`{key}` is `{said}`"), format!("write `{meant}`")));
            }
        }
        Ok(())
    }

    fn bound(&self, diagram: &Sequence) -> Result<Binding, Problem> {
        self.head()?;
        let mut participants = BTreeMap::new();
        for (name, party) in &self.participants {
            if diagram.who(name).is_none() {
                let known: Vec<&str> = diagram.participants.iter().map(|one| one.id.as_str()).collect();
                let mut problem = Problem::new(
                    "participants",
                    format!("the diagram has no participant `{name}`"),
                    super::nearest(name, known.iter().copied()).map_or_else(
                        || format!("it has {}", known.join(", ")),
                        |near| format!("did you mean `{near}`?"),
                    ),
                );
                problem.at.push(name.clone());
                return Err(problem);
            }
            participants.insert(name.clone(), party.party());
        }
        let texts: Vec<&str> = diagram.messages().iter().map(|message| message.text.text.as_str()).collect();
        let messages = self.messages.iter().enumerate();
        let messages =
            messages.map(|(i, spec)| spec.expectation(&texts).map_err(|p| p.under(&format!("messages.{i}"))));
        Ok(Binding { participants, messages: messages.collect::<Result<_, _>>()? })
    }
}

impl PartySpec {
    fn party(&self) -> Party {
        match self {
            Self::Service(name) => Party::Service(name.clone()),
            Self::Peer(attributes) => Party::Peer(attributes.clone()),
            Self::Stimulus => Party::Stimulus,
            Self::Uninstrumented => Party::Uninstrumented,
        }
    }
}

impl MessageSpec {
    fn expectation(&self, texts: &[&str]) -> Result<Expectation, Problem> {
        let message = self.place(texts)?;
        let repeat = match &self.repeats {
            None => None,
            Some(spec) => Some(spec.repeat(message, texts).map_err(|problem| problem.under("repeats"))?),
        };
        if let Some(status) = self.status.filter(|status| !(100..=599).contains(status)) {
            return Err(Problem::new("status", format!("{status} is no HTTP status"), "write one from 100 to 599"));
        }
        Ok(Expectation {
            message,
            operation: self.operation.clone(),
            status: self.status,
            repeat,
            ignored: self.ignored,
        })
    }

    /// The message that is meant, as an index.
    fn place(&self, texts: &[&str]) -> Result<usize, Problem> {
        let found: Vec<usize> = (0..texts.len()).filter(|i| texts[*i] == self.at).collect();
        match (found.as_slice(), self.nth) {
            ([one], None | Some(1)) => Ok(*one),
            ([], _) => Err(unknown("at", &self.at, texts)),
            (several, None) => Err(Problem::new(
                "at",
                format!("the diagram has {} messages with the text `{}`", several.len(), self.at),
                "say which one with `nth`, counted from 1",
            )),
            (several, Some(nth)) => nth.checked_sub(1).and_then(|i| several.get(i)).copied().ok_or_else(|| {
                let what = format!("there is no message {nth} of {} with the text `{}`", several.len(), self.at);
                Problem::new("nth", what, format!("write a number from 1 to {}", several.len()))
            }),
        }
    }
}

impl RepeatSpec {
    /// The part from message `from` on.
    fn repeat(&self, from: usize, texts: &[&str]) -> Result<Repeat, Problem> {
        let through = match &self.through {
            None => from,
            Some(text) => (from..texts.len())
                .find(|i| texts[*i] == text)
                .ok_or_else(|| unknown("through", text, texts.get(from..).unwrap_or_default()))?,
        };
        if let Some(most) = self.most.filter(|most| *most < self.least || *most == 0) {
            let what = format!("at least {} times and at most {most} times", self.least);
            return Err(Problem::new("most", what, "write a number that is not below `least`, and above 0"));
        }
        Ok(Repeat { through, least: self.least, most: self.most })
    }
}

fn unknown(key: &str, text: &str, texts: &[&str]) -> Problem {
    let hint = super::nearest(text, texts.iter().copied()).map_or_else(
        || "copy the text of a message behind its colon".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Problem::new(key, format!("the diagram has no message `{text}` there"), hint)
}
