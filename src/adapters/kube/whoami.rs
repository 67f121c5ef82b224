//! Who we are to the server, and whether the namespace is there.

use k8s_openapi::api::{
    authentication::v1::SelfSubjectReview,
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::Namespace,
};
use kube::{Api, api::PostParams};

use super::Cluster;
use crate::ports::PortError;

impl Cluster {
    /// Who the server takes us for; `None` of a server before 1.28, which knows us and does not say.
    ///
    /// # Errors
    /// Where it does not know us, or cannot be asked.
    pub async fn who(&self) -> Result<Option<String>, PortError> {
        let api: Api<SelfSubjectReview> = Api::all(self.client.clone());
        match api.create(&PostParams::default(), &SelfSubjectReview::default()).await {
            Ok(review) => Ok(review.status.and_then(|status| status.user_info?.username)),
            // Anyone who is known may ask the other question, and nobody else.
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_forbidden() => {
                self.is_known().await.map(|()| None)
            }
            Err(e) => Err(self.failure("create selfsubjectreviews", &e)),
        }
    }

    async fn is_known(&self) -> Result<(), PortError> {
        let attributes = ResourceAttributes {
            namespace: Some(self.namespace.clone()),
            verb: Some("get".to_owned()),
            resource: Some("pods".to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let answer = api.create(&PostParams::default(), &review).await;
        answer.map(drop).map_err(|e| self.failure("create selfsubjectaccessreviews", &e))
    }

    /// Whether the namespace is there; `None` for those who may not look, which nothing needs.
    ///
    /// # Errors
    /// Where the server cannot be asked.
    pub async fn has_namespace(&self) -> Result<Option<bool>, PortError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        match api.get_opt(&self.namespace).await {
            Ok(found) => Ok(Some(found.is_some())),
            Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(None),
            Err(e) => Err(self.failure("get namespaces", &e)),
        }
    }
}
