//! How a drill takes the primary away: as planned, by promoting another node, or by a fault.

use std::{borrow::Cow, fmt, sync::LazyLock};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::json;

use crate::{
    model::Victim,
    operation::faults::{self, Ends, Fault, POWER_OFF},
};

/// How the primary is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Its role is handed over as planned.
    Switchover,
    /// Its host is killed, and we promote a standby, for clusters in which nothing else does.
    Promote,
    /// By a fault of this method, and who takes over is none of our business.
    Fault(&'static str),
}

/// All of them, each with what it does to the primary.
static METHODS: LazyLock<Vec<(Method, &'static str)>> = LazyLock::new(|| {
    let own = [
        (Method::Switchover, "Its role is handed over as planned."),
        (Method::Promote, "Its host is killed, and we promote a standby, for clusters in which nothing else does."),
    ];
    own.into_iter().chain(faults::methods().map(|fault| (Method::Fault(fault.method), fault.about))).collect()
});

static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| METHODS.iter().map(|(method, _)| method.word()).collect());

impl Method {
    /// One word for plans and reports, and in documents and journals.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Switchover => "switchover",
            Self::Promote => "promote",
            Self::Fault(method) => method,
        }
    }

    /// What befalls the host; `None` where nothing does, or the method has no such victim.
    #[must_use]
    pub fn fault(self, victim: Victim) -> Option<&'static Fault> {
        match self {
            Self::Switchover => None,
            Self::Promote => Some(&POWER_OFF),
            Self::Fault(method) => faults::asked_by(method, victim),
        }
    }

    /// Whether somebody else decides who takes over.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        matches!(self, Self::Fault(_))
    }

    /// Whether the fault ends by itself after a length of time, rather than with the failover.
    #[must_use]
    pub fn is_timed(self) -> bool {
        self.fault(Victim::Host).is_some_and(|fault| fault.ends == Ends::AfterTime)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Serialize for Method {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let found = METHODS.iter().find(|(method, _)| method.word() == word);
        found.map(|(method, _)| *method).ok_or_else(|| D::Error::unknown_variant(&word, &WORDS))
    }
}

impl JsonSchema for Method {
    fn schema_name() -> Cow<'static, str> {
        "Method".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one =
            |(method, about): &(Self, &str)| json!({"type": "string", "const": method.word(), "description": about});
        let all: Vec<_> = METHODS.iter().map(one).collect();
        json_schema!({"description": "How the primary is taken away.", "oneOf": all})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_written_as_earlier_releases_did() {
        let written = ["switchover", "promote", "kill", "pause", "partition", "stall"];
        for word in written {
            let method: Method = serde_json::from_value(word.into()).unwrap();
            assert_eq!(serde_json::to_value(method).unwrap(), word);
            assert_eq!(method.is_fault(), !["switchover", "promote"].contains(&word));
            assert_eq!(method.is_timed(), ["pause", "partition", "stall"].contains(&word));
        }
        let odd = serde_json::from_value::<Method>("unplug".into()).unwrap_err().to_string();
        assert!(odd.starts_with("unknown variant `unplug`, expected one of `switchover`, `promote`, `kill`"), "{odd}");
    }
}
