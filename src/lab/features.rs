//! What a lab has beyond gateway, replicas and Prometheus; nothing of it unless asked for.

use std::{fmt, str::FromStr};

use super::{Service, telemetry::Traces};

/// What a lab has beyond gateway, replicas and Prometheus.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// Whether there are a store, an identity provider and a sink of alerts, and requests have to show a token.
    pub full: bool,
    /// The base address of the collector that all processes send their spans to.
    pub otlp: Option<String>,
    /// The services that make no spans.
    pub untraced: Vec<Untraced>,
    pub gateway_defects: Vec<GatewayDefect>,
}

impl Features {
    /// What the processes of a service do about traces.
    #[must_use]
    pub fn traces(&self, service: Service) -> Traces {
        match (self.untraced.iter().find(|untraced| untraced.service == service), &self.otlp) {
            (Some(untraced), _) if untraced.passes => Traces::Pass,
            (Some(_), _) => Traces::Silent,
            (None, Some(endpoint)) => Traces::Otlp(endpoint.clone()),
            (None, None) => Traces::Pass,
        }
    }
}

/// A service without instrumentation: `tenant`, or `tenant:passes` where it passes the headers of a trace on all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untraced {
    pub service: Service,
    /// Whether it passes the headers of a trace on.
    pub passes: bool,
}

impl FromStr for Untraced {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, passes) = match text.split_once(':') {
            None => (text, false),
            Some((name, "passes")) => (name, true),
            Some((_, other)) => return Err(format!("`{other}` is no way to be untraced; there is `passes`")),
        };
        let service = Service::ALL.into_iter().find(|service| service.name() == name);
        let service = service.ok_or_else(|| {
            format!("`{name}` is no service; there are {}", Service::ALL.map(Service::name).join(", "))
        })?;
        Ok(Self { service, passes })
    }
}

impl fmt::Display for Untraced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.service.name(), if self.passes { ":passes" } else { "" })
    }
}

/// What can be wrong with the gateway of a full lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayDefect {
    /// `skip-validation`: takes what a token says without checking it.
    SkipValidation,
}

impl FromStr for GatewayDefect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "skip-validation" => Ok(Self::SkipValidation),
            _ => Err(format!("`{text}` is no defect of the gateway; there is skip-validation")),
        }
    }
}

impl fmt::Display for GatewayDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SkipValidation => "skip-validation",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_untraced_service_makes_no_spans_whatever_the_others_do() {
        let untraced = vec!["store".parse().unwrap(), "alerts:passes".parse().unwrap()];
        let features = Features { otlp: Some("http://127.0.0.1:4318".into()), untraced, ..Features::default() };
        let otlp = Traces::Otlp("http://127.0.0.1:4318".into());
        let told = Service::ALL.map(|service| features.traces(service));
        assert_eq!(told, [otlp.clone(), otlp.clone(), Traces::Silent, otlp, Traces::Pass]);
        assert_eq!(Features::default().traces(Service::Gateway), Traces::Pass);
    }

    #[test]
    fn what_is_odd_is_told() {
        let odd = ["ledger", "store:often"].map(|text| text.parse::<Untraced>().unwrap_err());
        insta::assert_snapshot!(odd.join("\n"), @r"
`ledger` is no service; there are gateway, tenant, store, identity, alerts
`often` is no way to be untraced; there is `passes`
");
        for text in ["tenant", "gateway:passes"] {
            assert_eq!(text.parse::<Untraced>().unwrap().to_string(), text);
        }
    }
}
