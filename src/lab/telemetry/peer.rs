//! Another service as one of the lab's parts calls it: a span for each call, and the trace goes along.

use std::{borrow::Cow, net::SocketAddr, time::Duration};

use http::{HeaderMap, Method};

use super::work::Work;
use crate::lab::http::{Answer, Ask, Client};

/// Another service.
pub struct Peer {
    service: Cow<'static, str>,
    address: SocketAddr,
    client: Client,
}

pub struct Call<'a> {
    pub method: Method,
    /// The path with its variable parts named.
    pub template: &'a str,
    pub path: &'a str,
    /// The path as spans show it.
    pub shown: &'a str,
    /// Beside those of the trace.
    pub headers: &'a [(&'a str, &'a str)],
    pub body: Option<serde_json::Value>,
    /// How often it was asked the same before.
    pub resent: u32,
}

impl Peer {
    /// The service `service` at `address`.
    #[must_use]
    pub const fn new(service: Cow<'static, str>, address: SocketAddr) -> Self {
        Self { service, address, client: Client::new(address, None) }
    }

    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Calls it as a part of `work`, and waits `within` for the whole answer.
    ///
    /// # Errors
    /// Where no whole answer came in time. An HTTP error status is an answer.
    pub async fn call(&self, work: &Work, call: Call<'_>, within: Duration) -> Result<Answer, String> {
        let Call { method, template, path, shown, headers: own, body, resent } = call;
        let work = work.client((&self.service, self.address), &method, template, shown);
        if resent > 0 {
            work.set("http.request.resend_count", i64::from(resent));
        }
        let mut headers = HeaderMap::new();
        work.inject(&mut headers);
        let traced = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let headers: Vec<_> = traced.chain(own.iter().copied()).collect();
        let answer = self.client.ask(Ask { method, path, headers: &headers, body }, within).await;
        match &answer {
            Ok(answer) => work.answered(answer.status),
            Err(why) => work.fail("no answer", why.clone()),
        }
        answer
    }
}
