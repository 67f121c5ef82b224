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

/// What an object was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// One with traces, metrics, logs, or nothing at all.
    Otlp,
    /// Another one.
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
    for object in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let object = object.map_err(|e| broken(text, text, &e))?.get();
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
    let read = Document(&mut each).deserialize(&mut json).and_then(|found| json.end().map(|()| found));
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
    let resource = batch.share(resource);
    let Some(scopes) = parts.scope_spans else { return Ok(()) };
    list(whole, scopes.get(), |scope| {
        let scope: ScopeSpans<'_> = object(whole, scope, "an element of `scopeSpans`")?;
        match scope.spans {
            Some(spans) => list(whole, spans.get(), |span| one_span(whole, span, &resource, batch)),
            None => Ok(()),
        }
    })
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
        return Ok(());
    }
    match object::<JsonSpan>(whole, part, "an element of `spans`") {
        Ok(span) => match span.of(resource) {
            Ok(span) => batch.push(span),
            Err(why) => batch.reject(why),
        },
        // It is whole all the same: its brackets have been matched before.
        Err(e) if e.what.starts_with("recursion limit exceeded") => batch.reject(Invalid::Depth),
        Err(e) => return Err(e),
    }
    Ok(())
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

/// The offset of an error in the text that was read.
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

/// The whole object: what it holds of traces goes element by element to the function.
struct Document<'f, F>(&'f mut F);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Key {
    ResourceSpans,
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
                Key::ResourceSpans => {
                    known = true;
                    map.next_value_seed(Each(&mut *self.0, PhantomData))?;
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
