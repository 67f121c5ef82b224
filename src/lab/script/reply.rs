//! What a handler answers, and what another service has answered.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use rhai::{Dynamic, EvalAltResult, Position};
use serde_json::Value;

use super::value::{dynamic, json};
use crate::lab::http::problem_of;

/// An answer over HTTP. A handler may return one or throw one.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub content: Content,
}

/// What an answer consists of.
#[derive(Debug, Clone)]
pub enum Content {
    Nothing,
    Json(Value),
    /// What went wrong, as problem details.
    Problem(String),
}

impl Reply {
    /// An answer with JSON.
    #[must_use]
    pub const fn json(status: StatusCode, value: Value) -> Self {
        Self { status, headers: Vec::new(), content: Content::Json(value) }
    }

    /// An answer that says what went wrong.
    #[must_use]
    pub fn problem(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), content: Content::Problem(why.into()) }
    }

    /// An answer that says what went wrong, and after how many seconds to ask again.
    #[must_use]
    pub fn later(status: StatusCode, seconds: u64, why: impl Into<String>) -> Self {
        Self { headers: vec![(header::RETRY_AFTER, seconds.into())], ..Self::problem(status, why) }
    }

    /// The answer that a handler's value stands for.
    ///
    /// # Errors
    /// Where the value cannot be written as JSON.
    pub fn of(value: Dynamic) -> Result<Self, String> {
        if value.is_unit() {
            return Ok(Self { status: StatusCode::NO_CONTENT, headers: Vec::new(), content: Content::Nothing });
        }
        match value.try_cast_result::<Self>() {
            Ok(reply) => Ok(reply),
            Err(plain) => Ok(Self::json(StatusCode::OK, json(&plain)?)),
        }
    }

    /// The body as a script sees it.
    pub fn body(&self) -> Dynamic {
        match &self.content {
            Content::Nothing => Dynamic::UNIT,
            Content::Json(value) => dynamic(value.clone()),
            Content::Problem(why) => why.into(),
        }
    }

    /// What went wrong: of ours or in the details of another service.
    #[must_use]
    pub fn detail(&self) -> String {
        match &self.content {
            Content::Problem(why) => why.clone(),
            Content::Json(value) => value.get("detail").and_then(Value::as_str).unwrap_or_default().to_owned(),
            Content::Nothing => String::new(),
        }
    }

    /// The value of a header; nothing where it has none that is text.
    pub fn header(&self, name: &str) -> Dynamic {
        let found = self.headers.iter().find(|(known, _)| known.as_str().eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.to_str().ok()).map_or(Dynamic::UNIT, Into::into)
    }

    /// The same with one more header.
    ///
    /// # Errors
    /// Where that is no header.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, String> {
        let name = HeaderName::try_from(name).map_err(|_| format!("`{name}` is no name of a header"))?;
        let value = HeaderValue::try_from(value).map_err(|_| format!("`{value}` is no value of a header"))?;
        self.headers.push((name, value));
        Ok(self)
    }

    /// The answer on its way to the client.
    #[must_use]
    pub fn response(self, correlation_id: &str) -> Response {
        let Self { status, headers, content } = self;
        let mut response = match content {
            Content::Nothing => status.into_response(),
            Content::Json(value) => (status, axum::Json(value)).into_response(),
            Content::Problem(why) => problem_of(status, &why, correlation_id).map(Body::new),
        };
        headers.into_iter().for_each(|(name, value)| drop(response.headers_mut().insert(name, value)));
        response
    }
}

/// Ends the handler with this answer, unless the script catches it.
impl From<Reply> for Box<EvalAltResult> {
    fn from(reply: Reply) -> Self {
        EvalAltResult::ErrorRuntime(Dynamic::from(reply), Position::NONE).into()
    }
}

/// The answer that a script or a door has thrown, if that is what ended the handler.
#[must_use]
pub fn thrown(error: &EvalAltResult) -> Option<Reply> {
    match error.unwrap_inner() {
        EvalAltResult::ErrorRuntime(value, _) => value.clone().try_cast::<Reply>(),
        _ => None,
    }
}
