//! How the weights of an `HTTPRoute` are written, at the API alone: `site` has a gateway that routes by them.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    time::{Duration, Instant},
};

use interlock::{
    adapters::{Cluster, KubePlatform, Routing, ServiceInCluster, WorkloadName},
    document::{Traffic, traffic::HttpRouteTraffic},
    model::{Epoch, Slot, Weights},
    ports::{Fence, Field, Footprint, PortError, Preflight as _, Traffic as _},
};
use serde_json::{Value, json};

use crate::{
    api_server::shared,
    contract,
    refusals::words,
    stage::{Stage, backends},
};

const ROUTE: &str = include_str!("../../manifests/lab-httproute/httproute.yaml");
/// Where the manifest's route has its live rule.
const LIVE: usize = 2;

/// One route.
struct Route<'a>(&'a Stage);

impl<'a> Route<'a> {
    fn apply(stage: &'a Stage) -> Self {
        stage.apply(ROUTE);
        Self(stage)
    }

    fn read(&self) -> Value {
        serde_json::from_str(&self.0.kubectl(&["get", "httproute", "tenant", "-o", "json"])).unwrap()
    }

    fn patch(&self, operations: &Value) {
        self.0.kubectl(&["patch", "httproute", "tenant", "--type=json", "-p", &operations.to_string()]);
    }

    /// Gives the route back its rules.
    fn reset(&self) {
        self.0.kubectl(&["delete", "httproute", "tenant"]);
        self.0.apply(ROUTE);
    }
}

/// A gateway that answers everybody and names no slot, so that nobody waits for it to follow.
fn gateway() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    address
}

fn platform(stage: &Stage) -> KubePlatform {
    let service = ServiceInCluster {
        name: "tenant".to_owned(),
        workloads: ["blue", "green"].map(|slot| WorkloadName::parse(&format!("deployment/tenant-{slot}")).unwrap()),
        routing: Routing::of(&Traffic::HttpRoute(HttpRouteTraffic {
            route: "tenant".to_owned(),
            backends: backends(),
            preview_header: Some("x-slot".to_owned()),
            address: gateway(),
        })),
        identity: ("/version".to_owned(), Field::Header("x-lab-slot".to_owned())),
        telling: None,
    };
    let cluster = stage.runtime.block_on(Cluster::connect(&stage.reach())).unwrap();
    let _entered = stage.runtime.enter();
    KubePlatform::new(&cluster, service).unwrap()
}

fn fence(epoch: u64, green: u8) -> Fence<Weights> {
    Fence { epoch: Epoch(epoch), from: Weights::giving(Slot::Green, green) }
}

#[test]
fn a_route_is_written_with_care() {
    let Some(stage) = Stage::bare("routes", shared) else { return };
    let route = Route::apply(&stage);
    let platform = platform(&stage);
    keeps_the_contract(&stage, &platform);
    route.reset();
    changes_its_weights_alone(&stage, &route, &platform);
    route.reset();
    notices_others(&stage, &route, &platform);
    route.reset();
    is_planned(&stage, &route);
    managers_are_named(&stage, &platform);
}

fn keeps_the_contract(stage: &Stage, platform: &KubePlatform) {
    stage.runtime.block_on(async {
        contract::weights_are_idempotent(platform, Weights::giving(Slot::Green, 50)).await;
        contract::a_stale_epoch_is_refused(platform).await;
        contract::a_wrong_from_is_refused(platform).await;
        contract::parts_are_refused(platform).await;
    });
}

/// What a route has beside the live weights, what we note on it, and what the server counts.
fn beside_the_weights(mut route: Value, rule: usize) -> String {
    for reference in route["spec"]["rules"][rule]["backendRefs"].as_array_mut().unwrap() {
        reference.as_object_mut().unwrap().remove("weight");
    }
    route["metadata"]["annotations"].as_object_mut().unwrap().remove("interlock/epoch");
    for counted in ["resourceVersion", "generation", "managedFields"] {
        route["metadata"].as_object_mut().unwrap().remove(counted);
    }
    route.to_string()
}

fn weights(route: &Value, rule: usize) -> Vec<Value> {
    let refs = route["spec"]["rules"][rule]["backendRefs"].as_array().unwrap();
    refs.iter().map(|reference| reference["weight"].clone()).collect()
}

fn changes_its_weights_alone(stage: &Stage, route: &Route, platform: &KubePlatform) {
    let filter = json!({ "type": "RequestHeaderModifier",
                         "requestHeaderModifier": { "set": [{ "name": "x~1", "value": " Straße \"~1/ " }] } });
    let live = format!("/spec/rules/{LIVE}");
    route.patch(&json!([
        { "op": "add", "path": "/spec/hostnames", "value": ["shop.example.org", "*.example.org"] },
        { "op": "add", "path": format!("{live}/timeouts"), "value": { "request": "10s" } },
        { "op": "add", "path": format!("{live}/filters"), "value": [filter] },
        { "op": "add", "path": format!("{live}/backendRefs/1/filters"), "value": [filter] },
        { "op": "add", "path": "/metadata/labels/team", "value": "shop" },
    ]));
    let before = route.read();
    for (from, to) in [(0, 5), (5, 25), (25, 100), (100, 0)] {
        let to = Weights::giving(Slot::Green, to);
        stage.runtime.block_on(platform.set_weights(&to, &fence(1, from))).unwrap();
        let after = route.read();
        assert_eq!(weights(&after, LIVE), [json!(to.blue), json!(to.green)]);
        assert_eq!(beside_the_weights(after.clone(), LIVE), beside_the_weights(before.clone(), LIVE));
        assert_eq!(after["metadata"]["annotations"]["interlock/epoch"], "1");
    }
}

fn notices_others(stage: &Stage, route: &Route, platform: &KubePlatform) {
    let blue = Weights::all(Slot::Blue);
    let half = Weights::giving(Slot::Green, 50);
    let read = || stage.runtime.block_on(platform.weights());
    let set = |from: u8| stage.runtime.block_on(platform.set_weights(&half, &fence(2, from)));
    let live = format!("/spec/rules/{LIVE}/backendRefs");

    // Other weights than those that were read a moment ago.
    assert_eq!(read().unwrap(), blue);
    route.patch(&json!([{ "op": "replace", "path": format!("{live}/0/weight"), "value": 70 },
                        { "op": "replace", "path": format!("{live}/1/weight"), "value": 30 }]));
    let before = route.read();
    let refused = set(0);
    let Err(PortError::Conflict { found, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(found, json!(Weights::giving(Slot::Green, 30)));
    assert_eq!(route.read(), before);

    // A rule in front: the live one has moved, and is found where it is now.
    assert_eq!(read().unwrap(), Weights::giving(Slot::Green, 30));
    let front =
        json!({ "matches": [{ "path": { "value": "/health" } }], "backendRefs": [{ "name": "health", "port": 1 }] });
    route.patch(&json!([{ "op": "add", "path": "/spec/rules/0", "value": front }]));
    let before = route.read();
    set(30).unwrap();
    let after = route.read();
    assert_eq!(weights(&after, LIVE + 1), [50, 50].map(Value::from));
    assert_eq!(beside_the_weights(after, LIVE + 1), beside_the_weights(before, LIVE + 1));

    // The same rule twice: which one is live cannot be told.
    route.reset();
    assert_eq!(read().unwrap(), blue);
    let copied = route.read()["spec"]["rules"][LIVE].clone();
    route.patch(&json!([{ "op": "add", "path": format!("/spec/rules/{LIVE}"), "value": copied }]));
    let before = route.read();
    assert!(set(0).unwrap_err().to_string().contains("several rules name both tenant-blue and tenant-green"));
    assert_eq!(route.read(), before);

    // A third backend.
    route.reset();
    let third = json!({ "name": "tenant-canary", "port": 8080, "weight": 25 });
    route.patch(&json!([{ "op": "add", "path": format!("{live}/-"), "value": third },
                        { "op": "replace", "path": format!("{live}/0/weight"), "value": 75 }]));
    let before = route.read();
    for refused in [read().unwrap_err(), set(0).unwrap_err()] {
        assert!(
            refused.to_string().ends_with(
                "tenant-canary has a share of the live rule's traffic: give it the weight 0, or take it out"
            )
        );
    }
    assert_eq!(route.read(), before);
}

fn managers_are_named(stage: &Stage, platform: &KubePlatform) {
    let footprint = Footprint { operation: "switchover", weights: true, scales: Vec::new() };
    let managers = || stage.runtime.block_on(platform.managers(&footprint)).unwrap();
    assert_eq!(managers(), []);
    let file = stage.folder().join("route.yaml");
    fs::write(&file, ROUTE).unwrap();
    let file = file.to_str().unwrap();
    stage.kubectl(&["apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller", "-f", file]);
    let found = managers();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].what, "`argocd-controller` owns spec.rules of httproutes/tenant");
    assert!(found[0].hint.contains("ignoreDifferences"), "{found:?}");
}

fn is_planned(stage: &Stage, route: &Route) {
    let file = stage.folder().join("interlock.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let begin = text.find("      selector:\n").unwrap();
    let end = text.find("    # The pods tell").unwrap();
    let before = route.read();
    for header in ["", ", previewHeader: x-slot"] {
        let routed = format!(
            "      httpRoute: {{route: tenant, address: \"http://127.0.0.1:1\"{header}, \
             backends: {{blue: tenant-blue, green: tenant-green}}}}\n"
        );
        fs::write(&file, [&text[..begin], &routed, &text[end..]].concat()).unwrap();
        let begun = Instant::now();
        let weights = ["--weights", "5,25,100", "--accept-local-guardian"];
        let plan = stage.ask(&[["switchover", "plan", "tenant", "--to", "green"].as_slice(), &weights].concat());
        assert!(begun.elapsed() < Duration::from_secs(120), "{plan:?}");
        // There are no workloads, which decides.
        assert_eq!(plan.code, Some(3), "{plan:?}");
        for told in ["shift 5 % to green", "bake at 25 %", "{\"blue\":0,\"green\":100}", "blue 100 %, green 0 %"] {
            assert!(plan.out.contains(told), "{told}: {plan:?}");
        }
        // Nobody is at the address, and that is said beside it.
        for told in [
            "refused: replicas: no deployments/",
            "could not be asked: smoke: cannot reach http://127.0.0.1:1",
            "refused (os error",
        ] {
            assert!(words(&plan.err).contains(told), "{told}: {plan:?}");
        }
    }
    assert_eq!(route.read(), before);
}
