//! Servers that want to know who asks, and whose certificates come from an authority of their own: real ones.

use std::{path::Path, process::Command, time::Duration};

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use interlock::{
    adapters::{Access, Prometheus},
    ports::{Metrics, PortError, Selector, Series},
};
use serde_json::json;

use crate::{
    release::{Release, on_each_release},
    serve,
    servers::Server,
};

/// The password `secret`, as `htpasswd -B` writes it.
const HASHED: &str = "$2b$12$QCmDHkxP2vpdfShqyay3runW8MfxbgKTT8GNxdnZgPPJpycDzuwG.";

fn openssl(folder: &Path, line: &str) {
    let done = Command::new("openssl").args(line.split(' ')).current_dir(folder).output();
    let done = done.unwrap_or_else(|e| panic!("`openssl` makes the certificates of this test, and does not run: {e}"));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// An authority, and a certificate of it for the server and for us: `ca.pem`, `server.pem`, `client.pem` and their keys.
fn certificates(folder: &Path) {
    let key = "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout";
    openssl(folder, &format!("{key} ca.key -out ca.pem -subj /CN=authority"));
    for name in ["server", "client"] {
        let by =
            "-CA ca.pem -CAkey ca.key -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
        openssl(folder, &format!("{key} {name}.key -out {name}.pem -subj /CN={name} {by}"));
    }
}

/// A Prometheus that scrapes itself, behind TLS, and asks for what `web` says.
fn secured(release: Release, folder: &Path, web: &str) -> Server {
    let file = folder.join("web.yml");
    std::fs::write(&file, web).unwrap();
    release.start(
        "global: {scrape_interval: 1s}
",
        &[format!("--web.config.file={}", file.display())],
    )
}

/// Asks as soon as somebody listens.
async fn ask(server: &mut Server, access: &Access) -> Result<f64, PortError> {
    let url = server.url.replace("http://", "https://");
    let source = Prometheus::known_by(&url, access, Duration::from_secs(5)).unwrap();
    for _ in 0..300 {
        server.check();
        match source.instant("vector(7)").await {
            Err(error) if error.to_string().contains("refused") || error.to_string().contains("503") => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            answered => return answered.map(|series| series[0].1),
        }
    }
    panic!("nobody listens");
}

on_each_release!(an_authority_a_certificate_and_a_user_of_their_own);

async fn an_authority_a_certificate_and_a_user_of_their_own(release: Release) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    certificates(folder);
    let pem = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let web = format!(
        "tls_server_config: {{cert_file: server.pem, key_file: server.key, client_auth_type: RequireAndVerifyClientCert, \
         client_ca_file: ca.pem}}\nbasic_auth_users: {{'shop@home': '{HASHED}'}}\n"
    );
    let mut server = secured(release, folder, &web);
    let whole = || Access {
        basic: Some(("shop@home".to_owned(), "secret".to_owned())),
        authorities: pem("ca.pem"),
        identity: [pem("client.pem"), pem("client.key")].concat(),
        ..Access::default()
    };
    assert_eq!(ask(&mut server, &whole()).await.unwrap(), 7.0);
    // Each part is needed.
    let unknown = ask(&mut server, &Access { basic: None, ..whole() }).await.unwrap_err();
    assert!(unknown.to_string().contains("401"), "{unknown}");
    let wrong = Access { basic: Some(("shop@home".to_owned(), "SESAME".to_owned())), ..whole() };
    let refused = ask(&mut server, &wrong).await.unwrap_err();
    assert!(refused.to_string().contains("401") && !refused.to_string().contains("SESAME"), "{refused}");
    for lacking in [Access { authorities: Vec::new(), ..whole() }, Access { identity: Vec::new(), ..whole() }] {
        let error = ask(&mut server, &lacking).await.unwrap_err();
        assert!(matches!(error, PortError::Unreachable { .. }), "{error}");
    }
}

async fn for_tenants(headers: HeaderMap) -> Response {
    match headers.get("x-scope-orgid").map(|tenant| tenant.to_str().unwrap()) {
        Some("shop") => {
            let result = json!([{"metric": {"instance": "a"}, "values": [[1.0, "3"]]}]);
            Json(json!({"status": "success", "data": {"resultType": "matrix", "result": result}})).into_response()
        }
        _ => (StatusCode::UNAUTHORIZED, "no org id").into_response(),
    }
}

async fn series(source: &Prometheus) -> Result<Vec<Series>, PortError> {
    source.samples(&Selector::counters("m".to_owned(), vec![]), interlock::model::Timestamp::UNIX_EPOCH).await
}

#[tokio::test]
async fn a_tenants_header_goes_with_every_query_and_nowhere_else() {
    let address = serve(Router::new().route("/prometheus/api/v1/query", post(for_tenants))).await;
    let access = Access { headers: vec![("X-Scope-OrgID".to_owned(), "shop".to_owned())], ..Access::default() };
    let known = Prometheus::known_by(&format!("http://{address}/prometheus"), &access, Duration::from_secs(5)).unwrap();
    assert_eq!(series(&known).await.unwrap().len(), 1);
    let unknown = Prometheus::new(&format!("http://{address}/prometheus"), None, Duration::from_secs(5)).unwrap();
    assert!(series(&unknown).await.unwrap_err().to_string().contains("no org id"));
    // Who sends us elsewhere does not get it there.
    let elsewhere = format!("http://{address}/prometheus/api/v1/query");
    let gate =
        serve(Router::new().route("/api/v1/query", post(move || async move { Redirect::temporary(&elsewhere) }))).await;
    let led = Prometheus::known_by(&format!("http://{gate}"), &access, Duration::from_secs(5)).unwrap();
    assert!(series(&led).await.unwrap_err().to_string().contains("307"));
}
