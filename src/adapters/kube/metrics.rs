//! Counters from the pages of the pods themselves, so that a small cluster needs no Prometheus.

use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::platform::KubePlatform;
use crate::{
    adapters::{exposition::Sample, scrape::Pages},
    model::Slot,
    ports::PortError,
};

/// The pages of the pods of some services.
pub struct PodPages(pub Vec<Arc<KubePlatform>>);

#[async_trait]
impl Pages for PodPages {
    async fn read(&self) -> Result<Vec<Sample>, PortError> {
        let mut all = Vec::new();
        for platform in &self.0 {
            for slot in Slot::ALL {
                let (_, pages) = platform.pages(slot).await?;
                for (pod, samples) in pages.iter() {
                    all.extend(samples.iter().map(|sample| labelled(sample, &platform.service.name, slot, pod)));
                }
            }
        }
        Ok(all)
    }

    fn name(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|platform| platform.service.name.as_str()).collect();
        format!("the pods of {}", names.join(", "))
    }
}

/// A sample with the labels that a scrape by Prometheus would give it; what the pod says itself stands.
fn labelled(sample: &Sample, service: &str, slot: Slot, pod: &Pod) -> Sample {
    let mut sample = sample.clone();
    for (label, value) in [("service", service), ("slot", slot.name()), ("pod", &pod.name_any())] {
        sample.labels.entry(label.to_owned()).or_insert_with(|| value.to_owned());
    }
    // A pod that is made anew under an old name counts from zero, and is another series.
    sample.labels.insert("uid".to_owned(), pod.uid().unwrap_or_default());
    sample
}
