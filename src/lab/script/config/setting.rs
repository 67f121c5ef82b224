//! A value that a script declares with its default, which says of which kind every other value is.

use std::collections::BTreeMap;

use rhai::{Dynamic, Position};
use serde_json::Value;

use crate::lab::script::value;

/// All settings of a service, by name.
pub type Settings = BTreeMap<String, Setting>;

/// A value that can be changed while the service runs.
#[derive(Debug, Clone)]
pub struct Setting {
    /// A truth, a number or a text.
    default: Value,
    pub at: Position,
}

impl Setting {
    /// A setting with that default.
    ///
    /// # Errors
    /// Where it is none of a truth, a number and a text.
    pub fn new(default: &Dynamic, at: Position) -> Result<Self, String> {
        let default = value::json(default)?;
        match default {
            Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(Self { default, at }),
            _ => Err("the default of a setting is a truth, a number or a text".to_owned()),
        }
    }

    /// The value that it has where nothing else is said.
    #[must_use]
    pub const fn default(&self) -> &Value {
        &self.default
    }

    /// What `value` is for it, if it is of the same kind; a whole number is a number as well.
    #[must_use]
    pub fn takes(&self, value: &Value) -> Option<Value> {
        match (&self.default, value) {
            (Value::Bool(_), Value::Bool(_)) | (Value::String(_), Value::String(_)) => Some(value.clone()),
            (Value::Number(default), Value::Number(number)) if default.is_f64() => number.as_f64().map(Value::from),
            (Value::Number(_), Value::Number(number)) => number.as_i64().map(Value::from),
            _ => None,
        }
    }

    /// What its values are.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.default {
            Value::Bool(_) => "true or false",
            Value::Number(number) if number.is_f64() => "a number",
            Value::Number(_) => "a whole number",
            _ => "a text",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn setting(default: impl Into<Dynamic>) -> Setting {
        Setting::new(&default.into(), Position::NONE).unwrap()
    }

    #[test]
    fn the_default_says_what_a_setting_takes() {
        let all = [setting(false), setting(3_i64), setting(0.5), setting("eur")];
        let values = [json!(true), json!(7), json!(1.5), json!("usd"), json!(null), json!([1])];
        let taken = all.map(|one| values.iter().filter_map(|value| one.takes(value)).collect::<Vec<_>>());
        assert_eq!(taken, [vec![json!(true)], vec![json!(7)], vec![json!(7.0), json!(1.5)], vec![json!("usd")]]);
        assert!(Setting::new(&Dynamic::UNIT, Position::NONE).is_err());
        assert!(Setting::new(&rhai::Array::new().into(), Position::NONE).is_err());
    }
}
