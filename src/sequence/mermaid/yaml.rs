//! The YAML inside of diagrams: front matter, and what stands between `@{` and `}`.

use serde_json::Value;

/// Reads a mapping; nothing is an empty one.
///
/// # Errors
/// In the reader's words, where the text is no YAML.
pub(super) fn map(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: 32, max_nodes: 10_000, max_documents: 1 },
    };
    match serde_saphyr::from_str_with_options::<Value>(text, options) {
        Ok(value) => Ok(value),
        Err(error) => Err(error.to_string().lines().next().unwrap_or_default().to_owned()),
    }
}

pub(super) fn get(map: &Value, key: &str) -> Option<String> {
    map.get(key).and_then(Value::as_str).map(str::to_owned)
}
