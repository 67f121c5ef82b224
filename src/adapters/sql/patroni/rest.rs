//! One member's REST API: short questions, and the one request that changes something, which is never repeated.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode, Url};
use serde_json::Value;

use crate::{
    adapters::{
        http,
        sql::{Tls, limits::ASK, usable},
    },
    ports::PortError,
};

/// The longest answer that is read.
const LARGEST: usize = 4 << 20;

/// Longer than Patroni itself looks after a switchover: 20 s with loops of 10 s or less.
pub const SWITCHOVER: Duration = Duration::from_secs(25);

/// One member's REST API.
#[derive(Clone)]
pub struct Rest {
    /// The member's name.
    pub name: String,
    place: String,
    url: Url,
    client: Client,
}

impl Rest {
    /// A member's API at `url`; user and password for it, where it wants them, are part of the address.
    pub fn new(name: &str, url: &str, tls: &Tls) -> Result<Self, PortError> {
        let url = http::address(&format!("the REST API of {name}"), url)?;
        let place = format!("patroni {name} ({})", http::place(&url));
        let ca_file = match tls {
            Tls::Require { ca_file: Some(file) } => usable(Some(file))?,
            _ => Vec::new(),
        };
        let client = http::client_trusting(&url, SWITCHOVER, &ca_file)?;
        Ok(Self { name: name.to_owned(), place, url, client })
    }

    /// What the member is called in errors.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Asks for one of its pages; [`ASK`] at most.
    pub async fn get(&self, page: &str) -> Result<Value, PortError> {
        let (status, body) = self.send(Method::GET, page, None, ASK).await?;
        // Its pages tell the member's state in their status too, so that 503 with a body is an answer.
        let read = serde_json::from_slice(&body);
        match read {
            Ok(json) if status.is_success() || (page == "patroni" && status == StatusCode::SERVICE_UNAVAILABLE) => {
                Ok(json)
            }
            _ => Err(http::refused(&self.place, "ask", status, &http::excerpt(&body))
                .unwrap_or_else(|| PortError::unexpected(&self.place, format!("`{page}` is no JSON")))),
        }
    }

    /// Asks for a switchover, once; the answer is a status and a sentence.
    pub async fn switch_over(&self, from: &str, to: &str) -> Result<(StatusCode, String), PortError> {
        let order = serde_json::json!({ "leader": from, "candidate": to });
        let (status, body) = self.send(Method::POST, "switchover", Some(order), SWITCHOVER).await?;
        Ok((status, http::excerpt(&body)))
    }

    async fn send(
        &self,
        method: Method,
        page: &str,
        body: Option<Value>,
        within: Duration,
    ) -> Result<(StatusCode, Vec<u8>), PortError> {
        let url =
            self.url.join(page).map_err(|_| PortError::unexpected(&self.place, "its address cannot be continued"))?;
        let mut request = self.client.request(method, url).timeout(within);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let lost = |error: &reqwest::Error| PortError::unreachable(&self.place, http::explain(error, within));
        let response = request.send().await.map_err(|error| lost(&error))?;
        let status = response.status();
        Ok((status, http::body(&self.place, response, LARGEST, within).await?))
    }
}
