//! Durations as people write them: `90s`, `5m`, `1h 30m`.

use std::{borrow::Cow, fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time that is written with its unit, such as `5m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct HumanDuration(pub Duration);

impl HumanDuration {
    /// A span of whole seconds.
    #[must_use]
    pub const fn secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing finer than a millisecond is of use to a reader.
        let shown = Duration::from_millis(u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX));
        f.pad(&humantime::format_duration(shown).to_string())
    }
}

impl std::str::FromStr for HumanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim_start().starts_with('-') {
            return Err(format!("`{text}` is below zero; a duration is such as 90s or 5m"));
        }
        humantime::parse_duration(text).map(Self).map_err(|e| format!("`{text}` is no duration such as 90s or 5m: {e}"))
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <Cow<'_, str>>::deserialize(d)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "a duration with its unit, such as 90s, 5m or 1h 30m", "examples": ["90s", "5m"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_write_with_units() {
        let span: HumanDuration = serde_json::from_str("\"5m 30s\"").unwrap();
        assert_eq!(span, HumanDuration::secs(330));
        assert_eq!(serde_json::to_string(&span).unwrap(), "\"5m 30s\"");
        assert!(serde_json::from_str::<HumanDuration>("\"5\"").is_err());
    }
}
