//! Reads OTLP JSON span by span, so that a body never grows to more than one span beside what is taken of it.

use std::{fmt, marker::PhantomData, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, IgnoredAny},
};
use serde_json::value::RawValue;

use super::shapes::{JsonResource, JsonSpan, ResourceSpans, ScopeSpans};
use crate::{
    adapters::otlp::batch::{Batch, Broken, Invalid, LONGEST, shallow},
    model::trace::{Attributes, Resource},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// One with traces, metrics, logs, or nothing at all.
    Otlp,
    Other,
}

/// Decodes one object and nothing behind it.
///
/// # Errors
/// Where the text is no such object.
pub(in crate::adapters::otlp) fn one(text: &str, batch: &mut Batch<'_>) -> Result<(), Broken> {
    document(text, text, batch).map(drop)
}

/// Decodes objects one after the other, as the OpenTelemetry collector writes them to files, one on a line.
///
/// # Errors
/// Where something else is among them.
pub(in crate::adapters::otlp) fn several(text: &str, batch: &mut Batch<'_>) -> Result<(), Broken> {
    for (read, object) in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>().enumerate() {
        let object = match object {
            Ok(object) => object.get(),
            // Its writer is not done yet; what it has written before is whole.
            Err(e) if e.is_eof() && read > 0 => {
                batch.reject(Invalid::Cut);
                return Ok(());
            }
            Err(e) => return Err(broken(text, text, &e)),
        };
        if document(text, object, batch)? == Found::Other {
            return Err(Broken::new("an object without `resourceSpans`", place(text, object)));
        }
    }
    Ok(())
}

fn document<'a>(whole: &'a str, part: &'a str, batch: &mut Batch<'_>) -> Result<Found, Broken> {
    let mut inner = None;
    let mut json = serde_json::Deserializer::from_str(part);
    let mut each = |raw: &'a RawValue| note(&mut inner, resource_spans(whole, raw.get(), batch));
    let read = Document(&mut each, WRAPPED).deserialize(&mut json).and_then(|found| json.end().map(|()| found));
    match (inner, read) {
        (Some(inner), _) => Err(inner),
        (None, read) => read.map_err(|e| broken(whole, part, &e)),
    }
}

/// Keeps an error with its place, which a reader's error cannot carry.
fn note(inner: &mut Option<Broken>, done: Result<(), Broken>) -> bool {
    match done {
        Ok(()) => true,
        Err(broken) => {
            *inner = Some(broken);
            false
        }
    }
}

fn resource_spans(whole: &str, part: &str, batch: &mut Batch<'_>) -> Result<(), Broken> {
    let parts: ResourceSpans<'_> = object(whole, part, "an element of `resourceSpans`")?;
    let resource = match parts.resource {
        Some(resource) => attributes(whole, resource.get())?,
        None => Attributes::default(),
    };
    let mut shared: Option<Arc<Resource>> = None;
    // The latter is what it was called before OTLP 0.19.
    for scopes in [parts.scope_spans, parts.instrumentation_library_spans].into_iter().flatten() {
        list(whole, scopes.get(), |part| {
            let scope: ScopeSpans<'_> = object(whole, part, "an element of `scopeSpans`")?;
            let mut spans = 0;
            if let Some(all) = scope.spans {
                list(whole, all.get(), |span| {
                    let shared = match &shared {
                        Some(known) => known.clone(),
                        None => shared.insert(batch.share(resource.clone())).clone(),
                    };
                    spans += 1;
                    one_span(whole, span, &shared, batch)
                })?;
            }
            if spans == 0 { batch.empty(place(whole, part)) } else { Ok(()) }
        })?;
    }
    if shared.is_none() { batch.empty(place(whole, part)) } else { Ok(()) }
}

fn attributes(whole: &str, part: &str) -> Result<Attributes, Broken> {
    let at = place(whole, part);
    if part.len() > LONGEST {
        return Err(Broken::new(format!("the resource is longer than {} KiB", LONGEST >> 10), at));
    }
    let attributes = object::<JsonResource>(whole, part, "`resource`")?.attributes();
    if shallow(&attributes.0, 0) {
        Ok(attributes)
    } else {
        Err(Broken::new("the values of the resource are nested too deeply", at))
    }
}

fn one_span(whole: &str, part: &str, resource: &Arc<Resource>, batch: &mut Batch<'_>) -> Result<(), Broken> {
    if part.len() > LONGEST {
        batch.reject(Invalid::Length);
        return batch.empty(place(whole, part));
    }
    match object::<JsonSpan>(whole, part, "an element of `spans`") {
        Ok(span) => match span.of(resource) {
            Ok(span) => {
                batch.push(span);
                return Ok(());
            }
            Err(why) => batch.reject(why),
        },
        // It is whole all the same: its brackets have been matched before.
        Err(e) if e.what.starts_with("recursion limit exceeded") => batch.reject(Invalid::Depth),
        Err(e) => return Err(e),
    }
    batch.empty(place(whole, part))
}

/// Reads an object; a derived reader would take a list for one, too.
fn object<'a, T: Deserialize<'a>>(whole: &str, part: &'a str, of: &str) -> Result<T, Broken> {
    if !part.starts_with('{') {
        return Err(Broken::new(format!("{of} is no object"), place(whole, part)));
    }
    serde_json::from_str(part).map_err(|e| broken(whole, part, &e))
}

fn list<'a>(whole: &str, part: &'a str, mut each: impl FnMut(&'a str) -> Result<(), Broken>) -> Result<(), Broken> {
    let mut inner = None;
    let mut json = serde_json::Deserializer::from_str(part);
    let mut take = |raw: &'a RawValue| note(&mut inner, each(raw.get()));
    let read = Each(&mut take, PhantomData).deserialize(&mut json);
    match (inner, read) {
        (Some(inner), _) => Err(inner),
        (None, read) => read.map_err(|e| broken(whole, part, &e)),
    }
}

/// Where a part begins in the whole text that it was borrowed from.
fn place(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

fn offset(text: &str, error: &serde_json::Error) -> usize {
    let mut begin = 0;
    for _ in 1..error.line() {
        begin += text[begin..].find('\n').map_or(0, |at| at + 1);
    }
    (begin + error.column().saturating_sub(1)).min(text.len())
}

fn broken(whole: &str, part: &str, error: &serde_json::Error) -> Broken {
    let words = error.to_string();
    // The line and column are those within the part.
    let tail = format!(" at line {} column {}", error.line(), error.column());
    Broken::new(words.strip_suffix(&tail).unwrap_or(&words), place(whole, part) + offset(part, error))
}

/// How many objects may stand around one with traces, as backends answer.
const WRAPPED: u8 = 2;

/// The whole object: what it holds of traces goes element by element to the function; so deep it may be wrapped.
struct Document<'f, F>(&'f mut F, u8);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Key {
    ResourceSpans,
    /// What Tempo calls them under `/api/traces`.
    Batches,
    /// What Jaeger puts around them under `/api/v3`.
    Result,
    /// What Tempo puts around them under `/api/v2`.
    Trace,
    ResourceMetrics,
    ResourceLogs,
    #[serde(other)]
    Other,
}

impl<'de, F: FnMut(&'de RawValue) -> bool> DeserializeSeed<'de> for Document<'_, F> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Found, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&'de RawValue) -> bool> de::Visitor<'de> for Document<'_, F> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `resourceSpans`")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let (mut known, mut other) = (false, false);
        while let Some(key) = map.next_key()? {
            match key {
                Key::ResourceSpans | Key::Batches => {
                    known = true;
                    map.next_value_seed(Each(&mut *self.0, PhantomData))?;
                }
                Key::Result | Key::Trace => {
                    let inner: &'de RawValue = map.next_value()?;
                    let inner = inner.get();
                    let Some(deeper) = self.1.checked_sub(1).filter(|_| inner.starts_with('{')) else {
                        other = true;
                        continue;
                    };
                    let read =
                        Document(&mut *self.0, deeper).deserialize(&mut serde_json::Deserializer::from_str(inner));
                    match read.map_err(de::Error::custom)? {
                        Found::Otlp => known = true,
                        Found::Other => other = true,
                    }
                }
                Key::ResourceMetrics | Key::ResourceLogs => {
                    known = true;
                    map.next_value::<IgnoredAny>()?;
                }
                Key::Other => {
                    other = true;
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(if known || !other { Found::Otlp } else { Found::Other })
    }
}

/// A list, of which each element goes to the function as it stands; `false` from it ends the reading.
struct Each<'f, 'de, F>(&'f mut F, PhantomData<&'de ()>);

impl<'de, F: FnMut(&'de RawValue) -> bool> DeserializeSeed<'de> for Each<'_, 'de, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&'de RawValue) -> bool> de::Visitor<'de> for Each<'_, 'de, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(raw) = list.next_element::<&'de RawValue>()? {
            if !(self.0)(raw) {
                return Err(de::Error::custom("see the inner error"));
            }
        }
        Ok(())
    }
}
