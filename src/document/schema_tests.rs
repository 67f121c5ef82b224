//! The schema of the platform file against the file that the other tests read.

use serde_json::Value;

use super::{tests::FULL, *};

#[test]
fn the_schema_knows_every_key_of_the_example() {
    let schema = schema();
    for text in [FULL, include_str!("../../scenarios/lab/interlock.yaml")] {
        let example: Value = parse("a.yaml", text).unwrap();
        fits(&schema, &schema, &example, "$").unwrap();
    }
    let matchers = FULL.replace("{service: tenant, slot: green}", "service=~\"tenant-.*\"");
    fits(&schema, &schema, &parse("a.yaml", &matchers).unwrap(), "$").unwrap();
    let several =
        FULL.replace("{url: \"http://127.0.0.1:9090\"", "[{url: \"http://h\"}, {url: \"http://127.0.0.1:9090\"");
    let several: Value = parse("a.yaml", &several.replace("timeout: 5s}", "timeout: 5s}]")).unwrap();
    assert_eq!(several["metrics"]["prometheus"].as_array().unwrap().len(), 2);
    fits(&schema, &schema, &several, "$").unwrap();
    let wrong: Value = parse("a.yaml", &FULL.replace("bake: 5m", "bakee: 5m")).unwrap();
    assert_eq!(fits(&schema, &schema, &wrong, "$").unwrap_err(), "$.defaults.bakee is unknown");
    let wrong: Value = parse("a.yaml", &FULL.replace("bake: 5m", "bake: 5")).unwrap();
    assert_eq!(fits(&schema, &schema, &wrong, "$").unwrap_err(), "$.defaults.bake is no string");
    assert!(schema["properties"]["services"]["description"].as_str().unwrap().contains("blue"));
}

/// As much of JSON Schema as the platform file's own schema uses.
fn fits(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        fits(root, root.pointer(reference.trim_start_matches('#')).ok_or("dangling reference")?, value, at)?;
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(options) = schema[choice].as_array() {
            let mut failed = options.iter().map(|o| fits(root, o, value, at)).collect::<Result<Vec<_>, _>>();
            if options.iter().any(|o| fits(root, o, value, at).is_ok()) {
                failed = Ok(vec![]);
            }
            failed?;
        }
    }
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        return Err(format!("{at} is not {constant}"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fitting = types.is_empty() || types.contains(&found) || (found == "integer" && types.contains(&"number"));
    if !fitting {
        return Err(format!("{at} is no {}", types[0]));
    }
    if let Value::Array(items) = value {
        for (i, item) in items.iter().enumerate() {
            fits(root, &schema["items"], item, &format!("{at}.{i}"))?;
        }
    }
    if let Value::Object(map) = value {
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !map.contains_key(required) {
                return Err(format!("{at}.{required} is missing"));
            }
        }
        for (key, item) in map {
            let here = format!("{at}.{key}");
            match (schema["properties"].get(key), &schema["additionalProperties"]) {
                (Some(known), _) => fits(root, known, item, &here)?,
                (None, Value::Bool(false)) => return Err(format!("{here} is unknown")),
                (None, rest @ Value::Object(_)) => fits(root, rest, item, &here)?,
                _ => {}
            }
        }
    }
    Ok(())
}
