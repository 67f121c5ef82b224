//! Prometheus servers as a source of metrics, and how they know us.

use std::{collections::BTreeMap, fmt, slice};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        Error, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};

use super::platform::five_seconds;
use crate::model::HumanDuration;

/// A Prometheus server, or a list of them whose series are joined: one for each zone or cluster, or replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum PrometheusSources {
    /// One server.
    One(Box<PrometheusSource>),
    /// Several servers.
    Several(Vec<PrometheusSource>),
}

impl PrometheusSources {
    /// The servers.
    #[must_use]
    pub fn servers(&self) -> &[PrometheusSource] {
        match self {
            Self::One(server) => slice::from_ref(&**server),
            Self::Several(servers) => servers.as_slice(),
        }
    }

    /// Each server with the path to it below `prometheus`.
    pub fn placed(&self) -> impl Iterator<Item = (String, &PrometheusSource)> {
        let listed = matches!(self, Self::Several(_));
        let path = move |i: usize| if listed { format!(".{i}") } else { String::new() };
        self.servers().iter().enumerate().map(move |(i, server)| (path(i), server))
    }
}

/// Read by what is found there, so that a fault in a server keeps its own words and place.
impl<'de> Deserialize<'de> for PrometheusSources {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;

        impl<'de> Visitor<'de> for OneOrSeveral {
            type Value = PrometheusSources;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map such as `{url: ...}`, or a list of such maps")
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
                Err(E::custom(
                    "a server is wanted here, or a list of servers -> write `prometheus: {url: \"http://...\"}`, or each entry of a \
                     list as `- url: http://...`",
                ))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Deserialize::deserialize(MapAccessDeserializer::new(map)).map(PrometheusSources::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(list)).map(PrometheusSources::Several)
            }
        }

        from.deserialize_any(OneOrSeveral)
    }
}

/// A Prometheus server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrometheusSource {
    /// Its address, such as `http://127.0.0.1:9090`.
    pub url: String,
    /// The environment variable that holds a bearer token.
    #[serde(default)]
    pub bearer_token_env: Option<String>,
    /// A user of the server, instead of a bearer token.
    #[serde(default)]
    pub basic_auth: Option<BasicAuth>,
    /// Headers of every query, such as `X-Scope-OrgID: shop` where several tenants share a server.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Headers whose values are secret, with the environment variables that hold them.
    #[serde(default)]
    pub headers_env: BTreeMap<String, String>,
    /// Certificates, where those of the system do not do.
    #[serde(default)]
    pub tls: Option<TlsFiles>,
    /// How long one query may take.
    #[serde(default = "five_seconds")]
    pub timeout: HumanDuration,
}

impl PrometheusSource {
    /// The variables with secrets that are read to ask it.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let named = self.bearer_token_env.as_ref().into_iter();
        let password = self.basic_auth.as_ref().map(|user| &user.password_env);
        named.chain(password).chain(self.headers_env.values()).map(String::as_str)
    }
}

/// A user of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BasicAuth {
    /// The user's name.
    pub username: String,
    /// The environment variable that holds the password.
    pub password_env: String,
}

/// Files in PEM, relative to the platform file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsFiles {
    /// The certificate authorities that the server's certificate has to come from; those of the system when left out.
    #[serde(default)]
    pub ca: Option<String>,
    /// Our own certificate, for a server that asks for one.
    #[serde(default)]
    pub certificate: Option<String>,
    /// The key of our certificate.
    #[serde(default)]
    pub key: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::super::{
        Metrics, Platform,
        tests::{FULL, loaded},
    };

    const ONE: &str = "{url: \"http://127.0.0.1:9090\", bearerTokenEnv: PROM_TOKEN, timeout: 5s}";

    fn with(sources: &str) -> Result<Platform, String> {
        assert!(FULL.contains(ONE));
        loaded(&FULL.replace(ONE, sources), &[], &[]).map(|loaded| loaded.platform)
    }

    #[test]
    fn one_server_or_several_are_read_and_journalled_as_they_were_written() {
        let several = with(&format!("[{ONE}, {{url: \"http://b\", headersEnv: {{X-Key: KEY}}}}]")).unwrap();
        let Some(Metrics::Prometheus(sources)) = &several.metrics else { panic!("{:?}", several.metrics) };
        assert_eq!(
            sources.servers().iter().map(|one| one.url.as_str()).collect::<Vec<_>>(),
            ["http://127.0.0.1:9090", "http://b"]
        );
        assert!(several.secrets(None, true).is_superset(&["PROM_TOKEN", "KEY"].into()));
        for (platform, is_list) in [(several, true), (with(ONE).unwrap(), false)] {
            let journalled = serde_json::to_value(&platform).unwrap();
            assert_eq!(journalled["metrics"]["prometheus"].is_array(), is_list);
            assert_eq!(serde_json::from_value::<Platform>(journalled).unwrap(), platform);
        }
        let set = ["metrics.prometheus.1.url=http://c"];
        let platform =
            loaded(&FULL.replace(ONE, &format!("[{ONE}, {{url: \"http://b\"}}]")), &set, &[]).unwrap().platform;
        let Some(Metrics::Prometheus(sources)) = &platform.metrics else { panic!("{:?}", platform.metrics) };
        assert_eq!(sources.servers()[1].url, "http://c");
    }

    #[test]
    fn faults_of_each_server_have_their_place() {
        // Of another kind altogether: the reader tells at least which key it is about.
        for (sources, words) in
            [("http://h", "a server is wanted here, or a list of servers"), ("[http://h]", "wanted here")]
        {
            let said = with(sources).unwrap_err();
            assert!(said.starts_with("interlock.yaml:1") && said.contains(words), "{said}");
        }
        let wrong = [
            ("[]", "no server is given"),
            ("[{url: \"http://h\"}, {ulr: \"http://h\"}]", "did you mean `url`?"),
            ("[{url: \"http://h\"}, {url: \"ftp://h\"}]", "this is no http or https address"),
            ("[{url: \"http://h\"}, {url: \"http://u:SECRET@h\"}]", "the address holds credentials"),
            ("[{url: \"http://h\"}, {url: \"http://h\"}]", "the same server stands there already"),
            ("[{url: \"http://h\"}, {url: \"http://i\", tls: {key: a}}]", "a certificate and its key belong together"),
        ];
        for (sources, words) in wrong {
            let said = with(sources).unwrap_err();
            assert!(
                said.starts_with("interlock.yaml:19:") && said.contains(words) && !said.contains("SECRET"),
                "{said}"
            );
        }
        let tenants = "[{url: \"http://h\", headers: {X-Tenant: a}}, {url: \"http://h\", headers: {X-Tenant: b}}]";
        with(tenants).unwrap();
    }
}
