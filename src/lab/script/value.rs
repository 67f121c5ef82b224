//! Values of scripts as JSON, and back.

use rhai::{Array, Dynamic, Map};
use serde_json::{Number, Value};

/// How deep a value may be nested.
const DEEPEST: usize = 64;

/// The JSON of a value.
///
/// # Errors
/// Where JSON has no such value.
pub fn json(value: &Dynamic) -> Result<Value, String> {
    to_json(value, DEEPEST)
}

fn to_json(value: &Dynamic, left: usize) -> Result<Value, String> {
    let left = left.checked_sub(1).ok_or_else(|| format!("a value is nested more than {DEEPEST} deep"))?;
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(truth) = value.as_bool() {
        return Ok(Value::Bool(truth));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Value::Number(number.into()));
    }
    if let Ok(number) = value.as_float() {
        return Number::from_f64(number).map(Value::Number).ok_or_else(|| format!("JSON has no number {number}"));
    }
    if let Ok(c) = value.as_char() {
        return Ok(Value::String(c.into()));
    }
    if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        return Ok(Value::String(text.to_string()));
    }
    if let Some(array) = value.read_lock::<Array>() {
        return array.iter().map(|one| to_json(one, left)).collect::<Result<_, _>>().map(Value::Array);
    }
    if let Some(map) = value.read_lock::<Map>() {
        let pairs = map.iter().map(|(key, one)| Ok((key.to_string(), to_json(one, left)?)));
        return pairs.collect::<Result<_, String>>().map(Value::Object);
    }
    Err(format!("a value of the type {} cannot be written as JSON", value.type_name()))
}

/// The value that a script sees of some JSON.
pub fn dynamic(value: Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(truth) => truth.into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.into(),
            (None, number) => number.unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.into(),
        Value::Array(all) => all.into_iter().map(dynamic).collect::<Array>().into(),
        Value::Object(all) => all.into_iter().map(|(key, one)| (key.into(), dynamic(one))).collect::<Map>().into(),
    }
}

/// The text of a value that stands for itself in a path or as a label.
///
/// # Errors
/// Where it is none of a text, a number and a truth.
pub fn text(value: &Dynamic) -> Result<String, String> {
    match json(value)? {
        Value::String(text) => Ok(text),
        plain @ (Value::Number(_) | Value::Bool(_)) => Ok(plain.to_string()),
        _ => Err(format!("a text or a number is wanted, not a value of the type {}", value.type_name())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_comes_back_as_it_was() {
        let value = json!({ "a": [1, 2.5, "x", true, null], "b": { "c": -7 } });
        assert_eq!(json(&dynamic(value.clone())), Ok(value));
    }

    #[test]
    fn what_json_does_not_have_is_told() {
        assert!(json(&f64::NAN.into()).is_err());
        let deep = (0..DEEPEST).fold(Dynamic::UNIT, |inner, _| vec![inner].into());
        assert_eq!(json(&deep), Err("a value is nested more than 64 deep".into()));
    }
}
