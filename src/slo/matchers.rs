//! Label matchers as people write them: labels with their values, or the matchers of a PromQL selector.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Problem, rules::matcher, selectors};
use crate::ports::{Labels, MatchOp, Matcher};

/// Label matchers that all have to hold, such as `service=~"shop-blue-.*",code!="499"`.
///
/// Those that only compare for equality are written as a map of labels, others as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matchers(Vec<Matcher>);

impl Matchers {
    /// Reads the matchers of a PromQL selector, with or without the braces around them.
    ///
    /// # Errors
    /// Where they are none, or name a metric.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        const METRIC: &str = "any";
        let hint = "write matchers as PromQL has them, without a metric: `service=~\"shop-blue-.*\",code!=\"499\"`";
        let bare = text.trim();
        let bare = bare.strip_prefix('{').and_then(|bare| bare.strip_suffix('}')).unwrap_or(bare);
        match selectors(&format!("{METRIC}{{{bare}}}")) {
            Ok((found, _)) => match <[_; 1]>::try_from(found) {
                Ok([mut one]) if one.metric == METRIC => {
                    one.matchers.sort();
                    Ok(Self(one.matchers))
                }
                _ => Err(Problem::new("", format!("`{text}` names a metric"), hint)),
            },
            Err(_) => Err(Problem::new("", format!("`{text}` holds no label matchers"), hint)),
        }
    }

    /// Whether nothing has to hold.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The matchers, one by one.
    pub fn iter(&self) -> impl Iterator<Item = &Matcher> {
        self.0.iter()
    }

    /// The labels and their values, where nothing else has to hold.
    fn labels(&self) -> Option<Labels> {
        let labels: Option<Labels> =
            self.iter().map(|m| (m.op == MatchOp::Equal).then(|| (m.label.clone(), m.value.clone()))).collect();
        labels.filter(|labels| labels.len() == self.0.len())
    }
}

impl From<Labels> for Matchers {
    fn from(labels: Labels) -> Self {
        Self(labels.into_iter().map(|(label, value)| Matcher { label, op: MatchOp::Equal, value }).collect())
    }
}

impl FromIterator<Matcher> for Matchers {
    fn from_iter<I: IntoIterator<Item = Matcher>>(matchers: I) -> Self {
        Self(matchers.into_iter().collect())
    }
}

impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().map(matcher).collect::<Vec<_>>().join(","))
    }
}

impl Serialize for Matchers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.labels() {
            Some(labels) => labels.serialize(serializer),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Matchers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> de::Visitor<'de> for Either {
            type Value = Matchers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels with their values, or PromQL's label matchers")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Matchers, E> {
                Matchers::parse(text).map_err(|problem| E::custom(format!("{} -> {}", problem.what, problem.hint)))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Matchers, A::Error> {
                let mut labels = Labels::new();
                while let Some((label, value)) = map.next_entry::<String, Option<String>>()? {
                    let Some(value) = value else {
                        // Braces without quotes around them are a map in YAML.
                        let hint = "write `label: value`, or put matchers into quotes: 'service=~\"shop-blue-.*\"'";
                        return Err(de::Error::custom(format!("`{label}` has no value -> {hint}")));
                    };
                    labels.insert(label, value);
                }
                Ok(labels.into())
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Matchers {
    fn schema_name() -> Cow<'static, str> {
        "Matchers".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "labels with their values, or label matchers as PromQL has them",
            "anyOf": [
                { "type": "object", "additionalProperties": { "type": "string" } },
                { "type": "string", "examples": ["service=~\"shop-blue-.*\",code!=\"499\""] },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read_and_written_as_text_or_as_labels() {
        let read = |json: &str| serde_json::from_str::<Matchers>(json);
        for (json, promql) in [
            (r#"{"slot":"blue"}"#, r#"slot="blue""#),
            (r#""a=~\"x-.*\",b!=\"y\",c!~\"z|\\\\d\"""#, r#"a=~"x-.*",b!="y",c!~"z|\\d""#),
            (r#""a=\"x\",a!=\"y\"""#, r#"a="x",a!="y""#),
        ] {
            let found = read(json).unwrap();
            assert_eq!(found.to_string(), promql);
            assert_eq!(serde_json::to_string(&found).unwrap(), json);
        }
        // What only compares for equality is a map again, as every release has written it.
        assert_eq!(serde_json::to_string(&read(r#""{slot=\"blue\"}""#).unwrap()).unwrap(), r#"{"slot":"blue"}"#);
        for wrong in ["slot", "slot=blue", "up", "up{a=\"b\"}", "a=\"b\"} + up{c=\"d\"", "a=~\"(\"", "__name__=\"up\""]
        {
            assert!(Matchers::parse(wrong).is_err(), "{wrong}");
        }
    }
}
