//! Who is told of a bad end. Each receiver stands by itself: one that cannot be built keeps no other from being told.

use std::sync::Arc;

use super::{Snapshot, misconfigured, secret};
use crate::{
    adapters::{AlertmanagerApi, Unbuilt, WebhookPost},
    document::{Webhook, load},
    error::Error,
    ports::Notify,
};

/// A receiver by its kind, or why it cannot be built.
type Built = (&'static str, Result<Arc<dyn Notify>, Error>);

impl Snapshot {
    /// The receivers of notices, before anything begins.
    ///
    /// # Errors
    /// Where a receiver's address is missing or makes no sense.
    pub fn notify(&self) -> Result<Vec<Arc<dyn Notify>>, Error> {
        self.built().into_iter().map(|(_, built)| built).collect()
    }

    /// The receivers of notices of a run that has begun: one that cannot be built is there all the same, and fails when it is
    /// to be told.
    #[must_use]
    pub fn receivers(&self) -> Vec<Arc<dyn Notify>> {
        let or_unbuilt = |(kind, built): Built| -> Arc<dyn Notify> {
            built.unwrap_or_else(|e| Arc::new(Unbuilt::new(kind, format!("{e}; {}", e.hint()))))
        };
        self.built().into_iter().map(or_unbuilt).collect()
    }

    fn built(&self) -> Vec<Built> {
        let notify = &self.platform.notify;
        let webhook = notify.webhook.as_ref().map(|webhook| ("webhook", self.webhook(webhook)));
        let alertmanager = notify.alertmanager.as_ref().map(|to| {
            let built = AlertmanagerApi::new(&to.url).map_err(misconfigured);
            ("alertmanager", built.map(|built| Arc::new(built) as Arc<dyn Notify>))
        });
        webhook.into_iter().chain(alertmanager).collect()
    }

    fn webhook(&self, webhook: &Webhook) -> Result<Arc<dyn Notify>, Error> {
        let url = match (&self.webhook, &webhook.url_env) {
            (Some(url), _) => url.clone(),
            (None, Some(name)) => secret(name)?,
            (None, None) => self.webhook_of_file()?,
        };
        Ok(Arc::new(WebhookPost::new(&url).map_err(misconfigured)?))
    }

    fn webhook_of_file(&self) -> Result<String, Error> {
        let webhook = load(&self.file, &[], [])?.platform.notify.webhook;
        webhook.and_then(|webhook| webhook.url).ok_or_else(|| {
            Error::usage("notify.webhook has no address", format!("give `url` or `urlEnv` in {}", self.file.display()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::Exit, ports::Notice};

    #[tokio::test]
    async fn a_receiver_that_cannot_be_built_is_told_apart_and_keeps_no_other_away() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("interlock.yaml");
        let text = "apiVersion: interlock/v1alpha1\nkind: Platform\nmetadata: {name: lab}\ntarget: {lab: {}}\n\
                    notify: {webhook: {urlEnv: INTERLOCK_TEST_NOT_SET}, alertmanager: {url: \"http://127.0.0.1:1\"}}\n";
        std::fs::write(&file, text).unwrap();
        let snapshot = Snapshot::of(&load(&file, &[], []).unwrap()).unwrap();
        assert_eq!(snapshot.notify().err().unwrap().exit(), Exit::Invalid, "nothing begins so");
        let receivers = snapshot.receivers();
        assert_eq!(
            receivers.iter().map(|one| one.name()).collect::<Vec<_>>(),
            ["webhook", "alertmanager http://127.0.0.1:1"]
        );
        let notice = Notice {
            run: String::new(),
            title: String::new(),
            outcome: String::new(),
            why: String::new(),
            next: String::new(),
        };
        let failed = receivers[0].notify(&notice).await.unwrap_err().to_string();
        assert!(failed.contains("INTERLOCK_TEST_NOT_SET is not set; export"), "{failed}");
    }
}
