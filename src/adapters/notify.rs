//! Notices to people: a webhook, and Alertmanager's API.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use reqwest::{Client, Url};
use serde::Serialize;

use super::http;
use crate::{
    model::Timestamp,
    ports::{Notice, Notify, PortError},
};

/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before the second and last attempt.
const PAUSE: Duration = Duration::from_millis(500);

/// A URL that gets each notice as JSON.
pub struct WebhookPost {
    to: Receiver,
}

/// An Alertmanager that gets each notice as an alert.
pub struct AlertmanagerApi {
    to: Receiver,
}

/// A receiver that could not be built. Each notice to it fails, and is recorded so; the other receivers get theirs.
pub struct Unbuilt {
    name: &'static str,
    why: String,
}

impl Unbuilt {
    /// The receiver by its kind, and why it could not be built.
    #[must_use]
    pub const fn new(name: &'static str, why: String) -> Self {
        Self { name, why }
    }
}

#[async_trait]
impl Notify for Unbuilt {
    async fn notify(&self, _: &Notice) -> Result<(), PortError> {
        Err(PortError::unreachable(self.name, &self.why))
    }

    fn name(&self) -> String {
        self.name.to_owned()
    }
}

struct Receiver {
    name: String,
    url: Url,
    client: Client,
}

impl WebhookPost {
    /// A webhook; its path and query often are secret and are never shown.
    ///
    /// # Errors
    /// Where the address is none, or TLS cannot be set up.
    pub fn new(url: &str) -> Result<Self, PortError> {
        let url = http::address("webhook", url)?;
        Ok(Self { to: Receiver::new("webhook", url)? })
    }
}

impl AlertmanagerApi {
    /// An Alertmanager at an address such as `http://127.0.0.1:9093`.
    ///
    /// # Errors
    /// Where the address is none, or TLS cannot be set up.
    pub fn new(url: &str) -> Result<Self, PortError> {
        let mut url = http::address("alertmanager", url)?;
        let path = format!("{}/api/v2/alerts", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self { to: Receiver::new("alertmanager", url)? })
    }
}

impl Receiver {
    fn new(kind: &str, url: Url) -> Result<Self, PortError> {
        let client = http::client_of_one_place(&url, TIMEOUT)?;
        Ok(Self { name: format!("{kind} {}", http::place(&url)), url, client })
    }

    async fn post(&self, body: &(impl Serialize + Sync)) -> Result<(), PortError> {
        match self.once(body).await {
            Err(PortError::Unreachable { .. }) => {
                tokio::time::sleep(PAUSE).await;
                self.once(body).await
            }
            other => other,
        }
    }

    async fn once(&self, body: &(impl Serialize + Sync)) -> Result<(), PortError> {
        let sent = self.client.post(self.url.clone()).json(body).send().await;
        let response = sent.map_err(|e| PortError::unreachable(&self.name, http::explain(&e, TIMEOUT)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        if status.is_redirection() {
            // Such as to the page where people log in, which answers that all is well.
            let why = format!("HTTP {status}: it leads elsewhere, where no notice is sent");
            return Err(PortError::unexpected(&self.name, why));
        }
        let body = http::body(&self.name, response, 64 * 1024, TIMEOUT).await.unwrap_or_default();
        http::refused(&self.name, "notify", status, &http::excerpt(&body)).map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Notify for WebhookPost {
    async fn notify(&self, notice: &Notice) -> Result<(), PortError> {
        self.to.post(notice).await
    }

    fn name(&self) -> String {
        self.to.name.clone()
    }
}

/// An alert, as `POST /api/v2/alerts` takes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert<'n> {
    labels: BTreeMap<&'static str, &'n str>,
    annotations: BTreeMap<&'static str, &'n str>,
    starts_at: Timestamp,
}

#[async_trait]
impl Notify for AlertmanagerApi {
    async fn notify(&self, notice: &Notice) -> Result<(), PortError> {
        let severity = if notice.outcome == "rolled-back" { "ticket" } else { "page" };
        let alert = Alert {
            labels: [
                ("alertname", "InterlockRun"),
                ("run", notice.run.as_str()),
                ("operation", notice.title.as_str()),
                ("outcome", notice.outcome.as_str()),
                ("severity", severity),
            ]
            .into(),
            annotations: [("summary", notice.why.as_str()), ("description", notice.next.as_str())].into(),
            starts_at: Timestamp::now(),
        };
        self.to.post(&[alert]).await
    }

    fn name(&self) -> String {
        self.to.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hide_secrets() {
        let hook = WebhookPost::new("https://user:pass@hooks.example.com/services/T0/SECRET?key=1").unwrap();
        assert_eq!(hook.name(), "webhook https://hooks.example.com");
        let manager = AlertmanagerApi::new("http://127.0.0.1:9093/am/").unwrap();
        assert_eq!(
            (manager.name().as_str(), manager.to.url.path()),
            ("alertmanager http://127.0.0.1:9093", "/am/api/v2/alerts")
        );
        assert!(!WebhookPost::new("ftp://SECRET").err().unwrap().to_string().contains("SECRET"));
    }
}
