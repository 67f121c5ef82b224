//! Requests to a full lab as it should be: who is let in, what is kept, and what an outage looks like from every side.

use std::fs;

use interlock::{
    lab::{
        alerts::Told,
        http::{Ask, Client},
        operate,
    },
    process::Signal,
};
use serde_json::json;

use super::{
    collector::Collector,
    user::{Asked, ask, token},
};
use crate::{
    stage::{PATIENCE, Setup, Stage, until},
    traces,
};

const GOOD: &str = "\
gateway server GET /tenants/{id} 200
  gateway internal validate token
  gateway client GET /tenants/{id} -> tenant 200
    tenant server GET /tenants/{id} 200
      tenant internal check authorization
      tenant client GET /tenants/{id} -> store 200
        store server GET /tenants/{id} 200
      tenant internal construct response";

const FORBIDDEN: &str = "\
gateway server POST /tenants 403
  gateway internal validate token
  gateway client POST /tenants -> tenant 403 error
    tenant server POST /tenants 403
      tenant internal check authorization error";

const REFUSED: &str = "\
gateway server GET /tenants/{id} 401
  gateway internal validate token error";

const OUTAGE: &str = "\
gateway server POST /tenants 503 error
  gateway internal validate token
  gateway client POST /tenants -> tenant 503 error
    tenant server POST /tenants 503 error
      tenant internal check authorization
      tenant client PUT /tenants/{id} -> store 503 error
        store server PUT /tenants/{id} 503 error
      tenant internal retry 1
      tenant client PUT /tenants/{id} -> store 503 error
        store server PUT /tenants/{id} 503 error
      tenant internal retry 2
      tenant client PUT /tenants/{id} -> store 503 error
        store server PUT /tenants/{id} 503 error
      tenant internal retry 3
      tenant client PUT /tenants/{id} -> store 503 error
        store server PUT /tenants/{id} 503 error
      tenant client POST /logs -> alerts 202
        alerts server POST /logs 202
          alerts internal trigger alert
      tenant internal construct response";

const NEW: &str = "/tenants";

fn refusals(stage: &Stage, collector: &Collector, fine: &str) {
    let get = |shown: Option<&str>| ask(stage, shown, &[], Ask::get("/tenants/7"));
    let why = |asked: &Asked| {
        assert_eq!(asked.status(), 401, "{asked:?}");
        assert!(asked.answer.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer "));
        asked.problem()["detail"].as_str().unwrap().to_owned()
    };
    let none = get(None);
    assert_eq!(why(&none), "a bearer token is asked for");
    collector.expect(&none.trace, REFUSED);
    assert_eq!(why(&get(Some("no.token.at-all"))), "the token is malformed");
    let elsewhere = token(stage, &["--audience", "billing"]);
    assert_eq!(why(&get(Some(&elsewhere))), "the token is meant for another audience");
    // A character in the middle of the signature, since the last one holds only some bits of it.
    let at = fine.rfind('.').unwrap() + 20;
    let other = if &fine[at..=at] == "A" { "B" } else { "A" };
    let forged = format!("{}{other}{}", &fine[..at], &fine[at + 1..]);
    assert_eq!(why(&get(Some(&forged))), "the token's signature is wrong");
    let brief = token(stage, &["--lifetime", "1s"]);
    until("the token has expired", || get(Some(&brief)).status() == 401);
    assert_eq!(why(&get(Some(&brief))), "the token has expired");
}

fn permissions(stage: &Stage, collector: &Collector) {
    let viewer = token(stage, &["--role", "viewer"]);
    assert_eq!(ask(stage, Some(&viewer), &[], Ask::get("/tenants/7")).status(), 200);
    let made = ask(stage, Some(&viewer), &[], Ask::post(NEW, json!({ "name": "Hooli" })));
    assert_eq!((made.status(), made.problem()["detail"].as_str()), (403, Some("it takes the role admin")));
    collector.expect(&made.trace, FORBIDDEN);
    let narrow = token(stage, &["--scope", "tenants:write"]);
    // Claims that a user brings along are worth nothing.
    let claimed = [("x-claim-scope", "tenants:read")];
    let read = ask(stage, Some(&narrow), &claimed, Ask::get("/tenants/7"));
    assert_eq!((read.status(), read.problem()["detail"].as_str()), (403, Some("it takes the scope tenants:read")));
}

fn good(stage: &Stage, collector: &Collector, fine: &str) {
    let read = ask(stage, Some(fine), &[], Ask::get("/tenants/7"));
    assert_eq!(read.answer.json(), Ok(json!({ "id": "7", "name": "Tenant 7", "plan": "standard", "active": true })));
    collector.expect(&read.trace, GOOD);
    let body = json!({ "id": "initech", "name": "Initech", "plan": "gold" });
    let made = ask(stage, Some(fine), &[], Ask::post(NEW, body));
    assert_eq!((made.status(), &made.answer.headers["location"]), (201, &"/tenants/initech".parse().unwrap()));
    let kept = ask(stage, Some(fine), &[], Ask::get("/tenants/initech"));
    assert_eq!(kept.answer.json::<serde_json::Value>().unwrap()["plan"], "gold");
    assert_eq!(ask(stage, Some(fine), &[], Ask::get("/tenants/nobody")).status(), 404);
    assert_eq!(ask(stage, Some(fine), &[], Ask::post(NEW, json!({ "title": "?" }))).status(), 422);
}

/// How a span of the good request is described beside its name.
fn described(collector: &Collector, trace: &str) {
    let spans = collector.of(trace);
    let of = |service: &str, name: &str| {
        let found = spans.iter().find(|seen| seen.resource["service.name"] == service && seen.span.name == name);
        found.unwrap_or_else(|| panic!("{service} has no {name}"))
    };
    let tenant = of("tenant", "check authorization");
    assert_eq!((&*tenant.resource["slot"], &*tenant.resource["service.version"]), ("blue", "1.0.0"));
    assert!(tenant.resource["service.instance.id"].starts_with("tenant-blue-"));
    assert_eq!(tenant.attributes["authorization.granted"], "true");
    let store = of("store", "GET /tenants/{id}");
    assert!(!store.resource.contains_key("slot"));
    assert_eq!((&*store.attributes["http.route"], &*store.attributes["url.path"]), ("/tenants/{id}", "/tenants/7"));
    assert_eq!(store.attributes["http.request.method"], "GET");
    let caller = spans.iter().find(|seen| seen.span.span_id == store.span.parent_span_id).unwrap();
    assert_eq!(caller.attributes["server.port"], store_address(&spans).1);
    assert_eq!(caller.attributes["server.address"], "127.0.0.1");
}

fn store_address(spans: &[super::collector::Seen]) -> (String, String) {
    let call = spans.iter().find(|seen| seen.attributes.get("peer.service").is_some_and(|peer| peer == "store"));
    let url = &call.unwrap().attributes["url.full"];
    let (host, rest) = url.strip_prefix("http://").unwrap().split_once(':').unwrap();
    (host.to_owned(), rest.split_once('/').unwrap().0.to_owned())
}

/// How often the store was asked so.
fn counted(stage: &Stage, method: &str, code: u16) -> u64 {
    let client = Client::new(stage.lab().file.full.unwrap().store, None);
    let page = stage.runtime.block_on(client.ask(Ask::get("/metrics"), PATIENCE)).unwrap().body;
    let start = format!("store_requests_total{{service=\"store\",method=\"{method}\",code=\"{code}\"}} ");
    str::from_utf8(&page).unwrap().lines().find_map(|line| line.strip_prefix(&start)?.parse().ok()).unwrap_or(0)
}

fn told(stage: &Stage) -> Told {
    stage.runtime.block_on(operate::alerts(stage.lab())).unwrap()
}

fn outage(stage: &Stage, collector: &Collector, fine: &str) -> Asked {
    assert_eq!(told(stage).raised, 0);
    let broken = stage.ask(&["lab", "break", "store"]);
    assert_eq!(broken.code, Some(0), "{broken:?}");
    let named = [("x-request-id", "outage-of-the-store-1")];
    let made = ask(stage, Some(fine), &named, Ask::post(NEW, json!({ "name": "Globex" })));
    assert_eq!((made.status(), &made.answer.headers["retry-after"]), (503, &"1".parse().unwrap()));
    assert_eq!(
        made.problem(),
        json!({
            "title": "Service Unavailable",
            "status": 503,
            "detail": "tenants cannot be read or kept at the moment",
            "correlation_id": "outage-of-the-store-1",
        }),
        "nothing of what is inside"
    );
    collector.expect(&made.trace, OUTAGE);
    assert_eq!(counted(stage, "PUT", 503), 4, "once, and three retries");
    let all = told(stage);
    assert_eq!((all.logs, all.errors, all.raised), (1, 1, 1));
    assert_eq!(all.alerts[0].correlation_id, "outage-of-the-store-1");
    assert_eq!((all.latest[0].service.as_str(), all.latest[0].causes.len()), ("tenant", 4));
    let listed = stage.ask(&["lab", "alerts"]);
    assert!(listed.out.contains("outage-of-the-store-1"), "{listed:?}");
    let mended = stage.ask(&["lab", "mend", "store"]);
    assert_eq!(mended.code, Some(0), "{mended:?}");
    assert_eq!(ask(stage, Some(fine), &[], Ask::post(NEW, json!({ "name": "Globex" }))).status(), 201);
    assert_eq!((counted(stage, "PUT", 503), told(stage).raised), (4, 1));
    made
}

/// Has the identity provider lose its key, and begin anew with another; gives a token of its.
fn with_another_key(stage: &Stage, old: &str) -> String {
    fs::remove_file(stage.lab_folder().join("identity.json")).unwrap();
    stage.signal("identity", Signal::SIGKILL);
    until("it is back", || stage.part("identity").exits == 1 && stage.part("identity").ready);
    let new = token(stage, &[]);
    assert_eq!(ask(stage, Some(&new), &[], Ask::get("/tenants/7")).status(), 200, "the key is fetched when it is met");
    let void = ask(stage, Some(old), &[], Ask::get("/tenants/7"));
    assert_eq!(void.problem()["detail"], "the token is signed with an unknown key");
    new
}

#[test]
fn a_full_lab_lets_in_whom_it_should_and_tells_an_outage_to_everybody_in_their_own_way() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let collector = Collector::start(&runtime);
    let more = ["--full".to_owned(), format!("--otlp=http://{}/", collector.address)];
    let stage = Stage::with(Setup { more: more.to_vec(), ..Setup::default() });
    for name in ["gateway", "store", "identity", "alerts", "tenant-blue-0", "tenant-green-1"] {
        assert!(stage.part(name).ready, "{name}");
    }
    let fine = token(&stage, &[]);
    good(&stage, &collector, &fine);
    refusals(&stage, &collector, &fine);
    permissions(&stage, &collector);
    let failed = outage(&stage, &collector, &fine);
    let last = ask(&stage, Some(&fine), &[], Ask::get("/tenants/7"));
    described_later(&collector, &last.trace);
    let new = with_another_key(&stage, &fine);
    let load = stage.ask(&["lab", "load", "--rate", "50", "--duration", "1s", "--token", &new, "-o", "json"]);
    assert_eq!(load.code, Some(0), "{load:?}");
    // Our own requests show a token as well.
    let platform = stage.lab_folder().join("../../interlock.yaml");
    let text = fs::read_to_string(&platform).unwrap();
    let smoke = text.replace("smoke: [{path: /version}]", "smoke: [{path: /tenants/1, status: 200}]");
    assert_ne!(text, smoke);
    fs::write(&platform, smoke).unwrap();
    let plan = stage.ask(&["switchover", "plan", "tenant", "--to", "green"]);
    assert!(plan.out.contains("pass on green through the preview path"), "{plan:?}");
    let (folder, gateway_log) = (stage.lab_folder(), stage.lab_folder().join("logs/gateway.log"));
    let secrets = [fine, new, stage.lab().file.token.clone()];
    stage.close_keeping(|| {
        // The lab is down: what was in the queues has come in.
        collector.expect(&failed.trace, OUTAGE);
        collector.expect(&last.trace, GOOD);
        let all = collector.all();
        let of_health = all.iter().filter(|seen| {
            seen.attributes.get("url.path").is_some_and(|path| {
                !["/tenants", "/logs", "/token", "/.well-known"].iter().any(|known| path.starts_with(known))
            })
        });
        assert_eq!(of_health.map(|seen| seen.span.name.clone()).collect::<Vec<_>>(), Vec::<String>::new());
        let gets =
            all.iter().filter(|seen| seen.resource["service.name"] == "store" && seen.span.name.starts_with("GET"));
        assert!(gets.count() >= 50, "the load is traced to the last span");
        assert!(fs::read_to_string(gateway_log).unwrap().contains("gateway ended"));
        let nowhere = traces::naming(&folder.join("logs"), &secrets);
        assert!(nowhere.is_empty(), "a token was logged: {nowhere:?}");
        let spans = format!("{all:?}");
        assert!(!secrets.iter().any(|secret| spans.contains(secret.as_str())), "a token is in a span");
    });
}

fn described_later(collector: &Collector, trace: &str) {
    collector.expect(trace, GOOD);
    described(collector, trace);
}
