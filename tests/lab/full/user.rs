//! A user of a full lab: asks with a token, and in a trace of each request's own.

use interlock::lab::http::{Answer, Ask, Client};
use serde_json::Value;

use crate::stage::{PATIENCE, Stage};

/// One answer, and the trace that the request was made in.
#[derive(Debug)]
pub struct Asked {
    pub answer: Answer,
    pub trace: String,
}

impl Asked {
    pub fn status(&self) -> u16 {
        self.answer.status.as_u16()
    }

    /// The answer's problem details, which have to be some.
    pub fn problem(&self) -> Value {
        assert_eq!(self.answer.headers["content-type"], "application/problem+json", "{self:?}");
        let problem: Value = self.answer.json().unwrap();
        assert_eq!(problem["status"], self.status(), "{self:?}");
        problem
    }
}

/// A token as the command prints it.
pub fn token(stage: &Stage, more: &[&str]) -> String {
    let done = stage.ask(&[&["lab", "token"], more].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    done.out.trim().to_owned()
}

/// Asks with further headers.
pub fn ask(stage: &Stage, token: Option<&str>, more: &[(&str, &str)], ask: Ask<'_>) -> Asked {
    let trace = format!("{:032x}", rand::random::<u128>() | 1);
    let traceparent = format!("00-{trace}-{:016x}-01", rand::random::<u64>() | 1);
    let shown = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("traceparent", &*traceparent)];
    headers.extend(shown.as_deref().map(|shown| ("authorization", shown)));
    headers.extend(more);
    let client = Client::new(stage.lab().file.gateway, None);
    let answer = stage.runtime.block_on(client.ask(Ask { headers: &headers, ..ask }, PATIENCE)).unwrap();
    Asked { answer, trace }
}
