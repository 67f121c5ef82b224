//! What a platform file has to mean beside its shape: ranges, windows, names that have to exist.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{
    Identity, Metrics, Platform, PrometheusSource, PrometheusSources, Service, Target, Webhook, Window,
    cluster_checks::check_reach, nearest,
};
use crate::{model, slo::Problem};

/// Checks a platform; the first problem is returned.
///
/// # Errors
/// Where a value is out of its range, or names what does not exist.
pub fn check(platform: &Platform) -> Result<(), Problem> {
    check_no_credentials(platform)?;
    expect_word("apiVersion", &platform.api_version, "interlock/v1alpha1")?;
    expect_word("kind", &platform.kind, "Platform")?;
    model::Target::parse(&platform.metadata.name)
        .map_err(|e| Problem::new("metadata.name", e, "give it a name such as `shop`"))?;
    check_windows("freeze", &platform.freeze)?;
    check_entries("services", "tenant", &platform.services, |service| {
        check_service(service).and_then(|()| check_reach(service, &platform.target))
    })?;
    check_entries("databases", "orders", &platform.databases, |database| {
        super::database::check(database, &platform.target)
    })?;
    check_entries("configs", "orders", &platform.configs, |config| super::config::check(config, platform))?;
    check_metrics(platform)?;
    if let Some(hook) = &platform.notify.webhook {
        check_webhook(hook)?;
    }
    if let Some(alertmanager) = &platform.notify.alertmanager {
        check_url("notify.alertmanager.url", &alertmanager.url)?;
    }
    for (i, credential) in platform.credentials.iter().enumerate() {
        check_variable(&format!("credentials.{i}.env"), &credential.env)?;
        if let Some(name) = &credential.expires_env {
            check_variable(&format!("credentials.{i}.expiresEnv"), name)?;
        }
    }
    check_defaults(platform)
}

/// Checks what stands in a section by its name.
fn check_entries<T>(
    section: &str,
    such_as: &str,
    entries: &BTreeMap<String, T>,
    check: impl Fn(&T) -> Result<(), Problem>,
) -> Result<(), Problem> {
    for (name, entry) in entries {
        let named = model::Target::parse(name);
        let named = named.map_err(|e| Problem::new("", e, format!("give it a name such as `{such_as}`")));
        named.and_then(|_| check(entry)).map_err(|mut problem| {
            // A name may hold dots, so it is no part of a dotted path.
            problem.at.splice(0..0, [section.to_owned(), name.clone()]);
            problem
        })?;
    }
    Ok(())
}

fn expect_word(at: &str, found: &str, wanted: &str) -> Result<(), Problem> {
    if found == wanted {
        return Ok(());
    }
    Err(Problem::new(at, format!("`{found}` is not known as {at}"), format!("write `{at}: {wanted}`")))
}

fn check_windows(at: &str, windows: &[Window]) -> Result<(), Problem> {
    match windows.iter().position(|w| w.from >= w.to) {
        None => Ok(()),
        Some(i) => Err(Problem::new(
            &format!("{at}.{i}.to"),
            format!("the window ends at {}, which is not after it begins ({})", windows[i].to, windows[i].from),
            "let `to` be later than `from`",
        )),
    }
}

fn check_service(service: &Service) -> Result<(), Problem> {
    check_windows("freeze", &service.freeze)?;
    for (i, smoke) in service.smoke.iter().enumerate() {
        check_path(&format!("smoke.{i}.path"), &smoke.path)?;
        if smoke.status.is_some_and(|status| !(100..600).contains(&status)) {
            return Err(Problem::new(
                &format!("smoke.{i}.status"),
                "this is no HTTP status",
                "write one from 100 to 599, such as `status: 200`",
            ));
        }
    }
    if let Some(identity) = &service.identity {
        check_identity(identity)?;
    }
    if let Some(selectors) = &service.selectors {
        for (slot, matchers) in [("blue", &selectors.blue), ("green", &selectors.green)] {
            if matchers.is_empty() {
                let at = format!("selectors.{slot}");
                return Err(Problem::new(&at, "no label picks this slot's series", "add one, such as `slot: green`"));
            }
        }
        if selectors.blue == selectors.green {
            let what = "both slots are picked by the same labels";
            return Err(Problem::new("selectors", what, "let at least one label differ, such as `slot`"));
        }
    }
    Ok(())
}

fn check_identity(identity: &Identity) -> Result<(), Problem> {
    check_path("identity.path", &identity.path)?;
    if let Some(name) = &identity.header {
        check_header("identity.header", name, "x-slot")?;
    }
    match &identity.body {
        Some(_) if identity.header.is_some() => Err(Problem::new(
            "identity",
            "`header` and `body` both say where the slot is named",
            "leave one of them out",
        )),
        Some(pointer) if !pointer.starts_with('/') => {
            let what = format!("`{pointer}` is no JSON pointer");
            Err(Problem::new("identity.body", what, "write one such as `/release`, or `/app/release`"))
        }
        _ => Ok(()),
    }
}

fn check_header(at: &str, name: &str, such_as: &str) -> Result<(), Problem> {
    reqwest::header::HeaderName::from_bytes(name.as_bytes()).map(|_| ()).map_err(|_| {
        Problem::new(at, format!("`{name}` is no name of a header"), format!("write one such as `{such_as}`"))
    })
}

pub(super) fn check_path(at: &str, path: &str) -> Result<(), Problem> {
    if path.starts_with('/') && !path.chars().any(char::is_whitespace) {
        return Ok(());
    }
    Err(Problem::new(at, format!("`{path}` is no path"), "let it start with `/` and hold no blanks"))
}

/// The platform is kept in journals, which hold no secret: no text of it, whatever it is for, has an address with a password or
/// begins with somebody's name before one.
fn check_no_credentials(platform: &Platform) -> Result<(), Problem> {
    match serde_json::to_value(platform).ok().as_ref().and_then(with_credentials) {
        None => Ok(()),
        Some(at) => {
            let hint = "leave them out; `bearerTokenEnv`, `basicAuth`, `passwordEnv` and `urlEnv` name variables that hold secrets";
            Err(Problem { at, ..Problem::new("", "the address holds credentials", hint) })
        }
    }
}

/// Where the first text with credentials stands.
fn with_credentials(value: &Value) -> Option<Vec<String>> {
    let inside = |key: String, value: &Value| {
        let mut at = with_credentials(value)?;
        at.insert(0, key);
        Some(at)
    };
    match value {
        Value::String(text) => holds_credentials(text).then(Vec::new),
        Value::Array(items) => items.iter().enumerate().find_map(|(i, item)| inside(i.to_string(), item)),
        Value::Object(map) => map.iter().find_map(|(key, value)| inside(key.clone(), value)),
        _ => None,
    }
}

/// Whether a text has an address with `user:password@` in it, or is one with `user@`; `ssh://root@host` in a command is none.
fn holds_credentials(text: &str) -> bool {
    let user_of = |rest: &str| {
        let authority =
            rest.split(|c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace()).next().unwrap_or_default();
        authority.rsplit_once('@').map(|(user, _)| user.to_owned())
    };
    let mut after = text.match_indices("://").map(|(at, mark)| &text[at + mark.len()..]);
    let is_http = text.starts_with("http://") || text.starts_with("https://");
    after.any(|rest| user_of(rest).is_some_and(|user| is_http || user.contains(':')))
}

pub(super) fn check_url(at: &str, url: &str) -> Result<(), Problem> {
    match reqwest::Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => Ok(()),
        // The text itself is not repeated: it may hold a password.
        _ => Err(Problem::new(at, "this is no http or https address", "write one such as `http://127.0.0.1:9090`")),
    }
}

pub(super) fn check_variable(at: &str, name: &str) -> Result<(), Problem> {
    let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if fits {
        return Ok(());
    }
    let hint = "write the name of the variable, such as `DEPLOY_TOKEN`, and never the secret itself";
    Err(Problem::new(at, "this is no name of an environment variable", hint))
}

/// By what a Prometheus server knows us: one way only, no secret in the document, and what belongs together.
fn check_access(place: &str, source: &PrometheusSource) -> Result<(), Problem> {
    let at = |what: &str| format!("{place}.{what}");
    source.bearer_token_env.as_deref().map_or(Ok(()), |name| check_variable(&at("bearerTokenEnv"), name))?;
    if let Some(user) = &source.basic_auth {
        check_variable(&at("basicAuth.passwordEnv"), &user.password_env)?;
        if source.bearer_token_env.is_some() {
            return Err(Problem::new(&at("basicAuth"), "there is a bearer token as well", "leave one of them out"));
        }
    }
    for (name, variable) in &source.headers_env {
        check_variable(&at(&format!("headersEnv.{name}")), variable)?;
        if source.headers.contains_key(name) {
            return Err(Problem::new(
                &at("headersEnv"),
                format!("`{name}` is under `headers` as well"),
                "leave one out",
            ));
        }
    }
    for name in source.headers.keys().chain(source.headers_env.keys()) {
        check_header(&at("headers"), name, "X-Scope-OrgID")?;
    }
    if source.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization")) {
        let hint = "name a variable under `bearerTokenEnv`, `basicAuth.passwordEnv` or `headersEnv`";
        return Err(Problem::new(
            &at("headers"),
            "`Authorization` is a secret, and the platform file holds none",
            hint,
        ));
    }
    match &source.tls {
        Some(tls) if tls.certificate.is_some() != tls.key.is_some() => {
            Err(Problem::new(&at("tls"), "a certificate and its key belong together", "name both files, or neither"))
        }
        _ => Ok(()),
    }
}

fn check_servers(sources: &PrometheusSources) -> Result<(), Problem> {
    if sources.servers().is_empty() {
        return Err(Problem::new("metrics.prometheus", "no server is given", "add one such as `{url: ...}`"));
    }
    let mut seen = Vec::new();
    for (at, source) in sources.placed() {
        let place = format!("metrics.prometheus{at}");
        check_url(&format!("{place}.url"), &source.url)?;
        check_wait(&format!("{place}.timeout"), source.timeout.0)?;
        check_access(&place, source)?;
        // One address may stand for several tenants.
        if seen.contains(&(&source.url, &source.headers, &source.headers_env)) {
            let what = "the same server stands there already";
            return Err(Problem::new(
                &format!("{place}.url"),
                what,
                "leave it out, or give the header of another tenant",
            ));
        }
        seen.push((&source.url, &source.headers, &source.headers_env));
    }
    Ok(())
}

fn check_metrics(platform: &Platform) -> Result<(), Problem> {
    match (&platform.metrics, &platform.target) {
        (Some(Metrics::Prometheus(sources)), _) => check_servers(sources),
        (Some(Metrics::Scrape(source)), _) => {
            if source.urls.is_empty() {
                return Err(Problem::new("metrics.scrape.urls", "no address is given", "add the `/metrics` addresses"));
            }
            for (i, url) in source.urls.iter().enumerate() {
                check_url(&format!("metrics.scrape.urls.{i}"), url)?;
            }
            check_wait("metrics.scrape.timeout", source.timeout.0)
        }
        (Some(Metrics::Lab(_)), Target::Kubernetes(_)) => Err(Problem::new(
            "metrics.lab",
            "the target is a cluster and has no lab",
            "name a source: `pods: {}`, `prometheus: {url: ...}` or `scrape: {urls: [...]}`",
        )),
        (Some(Metrics::Lab(_)), Target::Hosts(_)) => Err(Problem::new(
            "metrics.lab",
            "no target is named, so there is no lab",
            "name a source: `prometheus: {url: ...}` or `scrape: {urls: [...]}`",
        )),
        (Some(Metrics::Pods(_)), Target::Lab(_)) => Err(Problem::new(
            "metrics.pods",
            "the target is a lab and has no pods",
            "leave `metrics` out: the lab knows its own sources",
        )),
        (Some(Metrics::Pods(_)), Target::Hosts(_)) => Err(Problem::new(
            "metrics.pods",
            "no target is named, so there are no pods",
            "name a source: `prometheus: {url: ...}` or `scrape: {urls: [...]}`",
        )),
        (Some(Metrics::Pods(_)), _) if platform.services.values().all(|service| service.pods.is_none()) => Err(
            Problem::new("metrics.pods", "no service says what its pods tell", "add `pods: {port: 9090}` to a service"),
        ),
        (Some(Metrics::Pods(_)), _) => Ok(()),
        // Who only asks instances what they run on decides nothing by counters.
        (None, Target::Kubernetes(_)) if platform.services.is_empty() && !platform.configs.is_empty() => Ok(()),
        (None, Target::Kubernetes(_)) => Err(Problem::new(
            "target.kubernetes",
            "no source of counters is named, so nothing could be decided",
            "add `metrics: {pods: {}}` or `metrics: {prometheus: {url: ...}}`",
        )),
        (None, Target::Hosts(_)) if !platform.services.is_empty() => Err(Problem::new(
            "services",
            "no source of counters is named, so nothing could be decided",
            "add `metrics: {prometheus: {url: ...}}`, or say where they run: `target: {lab: {}}`",
        )),
        (Some(Metrics::Lab(_)) | None, Target::Lab(_)) | (None, Target::Hosts(_)) => Ok(()),
    }
}

fn check_webhook(hook: &Webhook) -> Result<(), Problem> {
    match (&hook.url, &hook.url_env) {
        (Some(url), None) => check_url("notify.webhook.url", url),
        (None, Some(name)) => check_variable("notify.webhook.urlEnv", name),
        _ => {
            let what = "exactly one of `url` and `urlEnv` is needed";
            Err(Problem::new("notify.webhook", what, "prefer `urlEnv`: the URL often is a secret"))
        }
    }
}

fn check_wait(at: &str, wait: Duration) -> Result<(), Problem> {
    if (Duration::from_millis(1)..=Duration::from_secs(300)).contains(&wait) {
        return Ok(());
    }
    Err(Problem::new(at, "the time is outside of 1ms to 5m", "write one such as `5s`"))
}

fn check_defaults(platform: &Platform) -> Result<(), Problem> {
    let d = &platform.defaults;
    if !(d.alpha > 0.0 && d.alpha < 0.5) {
        return Err(Problem::new("defaults.alpha", "alpha has to be above 0 and below 0.5", "write `alpha: 0.01`"));
    }
    for (at, span) in [
        ("bake", d.bake),
        ("look", d.look),
        ("block", d.block),
        ("freshness", d.freshness),
        ("inFlightAge", d.in_flight_age),
    ] {
        if span.0.is_zero() {
            let at = format!("defaults.{at}");
            return Err(Problem::new(&at, "the time has to be longer than zero", "write one such as `5s`"));
        }
    }
    check_wait("defaults.answerWithin", d.answer_within.0)?;
    if d.max_bake < d.bake {
        let what = format!("`maxBake` ({}) is shorter than `bake` ({})", d.max_bake, d.bake);
        return Err(Problem::new("defaults.maxBake", what, "let it be at least as long"));
    }
    if d.bake < d.look {
        let what = format!("`look` ({}) is longer than `bake` ({}): nothing would be seen", d.look, d.bake);
        return Err(Problem::new("defaults.look", what, "let it be much shorter, such as `1s`"));
    }
    if d.exits == 0 {
        let what = "with `exits: 0` every change would be put back at once";
        return Err(Problem::new("defaults.exits", what, "write at least 1"));
    }
    Ok(())
}

/// Checks that the SLOs that services name are among the ones that were read.
///
/// # Errors
/// Where one is not.
pub fn check_slos<'a>(platform: &Platform, known: impl Iterator<Item = &'a str> + Clone) -> Result<(), Problem> {
    for (name, service) in &platform.services {
        for (i, slo) in service.slos.iter().enumerate() {
            if known.clone().any(|k| k == slo) {
                continue;
            }
            let hint = match (nearest(slo, known.clone()), platform.slos.is_empty()) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, true) => "name the files that hold the SLOs: `slos: [slo.yaml]`".to_owned(),
                (None, false) => match super::words::listed(&known.clone().collect::<Vec<_>>()) {
                    all if all.is_empty() => "the files under `slos` hold no SLO".to_owned(),
                    all => format!("the files under `slos` hold {all}"),
                },
            };
            let mut problem = Problem::new("", format!("there is no SLO `{slo}`"), hint);
            problem.at = ["services", name.as_str(), "slos", &i.to_string()].map(str::to_owned).into();
            return Err(problem);
        }
    }
    Ok(())
}
