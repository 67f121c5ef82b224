//! Notices reach a webhook and an Alertmanager, and are tried once more at most.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use interlock::{
    adapters::{AlertmanagerApi, WebhookPost},
    ports::{Notice, Notify, PortError},
};
use serde_json::Value;

use crate::{serve, servers::Server};

type Got = Arc<Mutex<Vec<Value>>>;

fn notice() -> Notice {
    Notice {
        run: "20261121-093000-1f2e".into(),
        title: "switchover tenant".into(),
        outcome: "held".into(),
        why: "no data for 15s".into(),
        next: "interlock runs resume".into(),
    }
}

#[tokio::test]
async fn notices_are_tried_once_more_and_then_given_up() {
    async fn take(State((got, failures)): State<(Got, usize)>, Json(body): Json<Value>) -> StatusCode {
        let mut got = got.lock().unwrap();
        got.push(body);
        if got.len() <= failures { StatusCode::BAD_GATEWAY } else { StatusCode::OK }
    }
    for (failures, works) in [(0, true), (1, true), (9, false)] {
        let got = Got::default();
        let router = Router::new().route("/hook", post(take)).with_state((got.clone(), failures));
        let hook = WebhookPost::new(&format!("http://{}/hook?key=SECRET", serve(router).await)).unwrap();
        let sent = hook.notify(&notice()).await;
        assert_eq!(sent.is_ok(), works);
        assert!(!format!("{sent:?}").contains("SECRET"));
        let got = got.lock().unwrap();
        assert_eq!(got.len(), if failures == 0 { 1 } else { 2 });
        assert_eq!(got[0]["outcome"], "held");
    }
}

#[tokio::test]
async fn alerts_have_the_shape_of_the_api() {
    async fn take(State(got): State<Got>, Json(body): Json<Value>) {
        got.lock().unwrap().push(body);
    }
    let got = Got::default();
    let router = Router::new().route("/api/v2/alerts", post(take)).with_state(got.clone());
    let manager = AlertmanagerApi::new(&format!("http://{}", serve(router).await)).unwrap();
    manager.notify(&notice()).await.unwrap();
    insta::assert_json_snapshot!(got.lock().unwrap()[0], {"[].startsAt" => "NOW"}, @r#"
[
  {
    "annotations": {
      "description": "interlock runs resume",
      "summary": "no data for 15s"
    },
    "labels": {
      "alertname": "InterlockRun",
      "operation": "switchover tenant",
      "outcome": "held",
      "run": "20261121-093000-1f2e",
      "severity": "page"
    },
    "startsAt": "NOW"
  }
]
"#);
}

#[tokio::test]
async fn a_receiver_that_refuses_is_not_asked_again() {
    let router = Router::new().route("/", post(|| async { StatusCode::FORBIDDEN }));
    let hook = WebhookPost::new(&format!("http://{}", serve(router).await)).unwrap();
    assert!(matches!(hook.notify(&notice()).await, Err(PortError::Forbidden { .. })));
}

/// Such as one that wants us to log in first, on a page that answers that all is well.
#[tokio::test]
async fn a_receiver_that_leads_elsewhere_has_not_got_the_notice() {
    for status in [301, 302, 303, 307, 308] {
        let read = Arc::new(Mutex::new(0));
        let page = read.clone();
        let login = axum::routing::any(move || async move { *page.lock().unwrap() += 1 });
        let leads = move || async move { (StatusCode::from_u16(status).unwrap(), [("location", "/login")]) };
        let router = Router::new().route("/", post(leads)).route("/login", login);
        let hook = WebhookPost::new(&format!("http://{}", serve(router).await)).unwrap();
        let failed = hook.notify(&notice()).await.unwrap_err();
        assert!(failed.to_string().contains(&status.to_string()), "{failed}");
        assert_eq!(*read.lock().unwrap(), 0, "{status} was followed");
    }
}

#[tokio::test]
async fn a_real_alertmanager_takes_the_alert() {
    let config = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";
    let mut server = Server::start("prometheus-alertmanager", config, |file, address| {
        vec![
            format!("--config.file={}", file.display()),
            format!("--storage.path={}", file.with_file_name("data").display()),
            format!("--web.listen-address={address}"),
            "--cluster.listen-address=".to_owned(),
            "--log.level=error".to_owned(),
        ]
    });
    server.ready("/-/ready").await;
    AlertmanagerApi::new(&server.url).unwrap().notify(&notice()).await.unwrap();

    let client = interlock::adapters::client(&server.url.parse().unwrap(), Duration::from_secs(5), None).unwrap();
    let reply = client.get(format!("{}/api/v2/alerts", server.url)).send().await.unwrap();
    let alerts: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    assert_eq!(alerts[0]["labels"]["run"], "20261121-093000-1f2e", "{alerts}");
    assert_eq!(alerts[0]["labels"]["severity"], "page");
    assert_eq!(alerts[0]["annotations"]["summary"], "no data for 15s");
}
