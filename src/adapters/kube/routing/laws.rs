//! What holds for every way of routing, over an API server that has one object, in memory.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::{Client, api::ApiResource, client::Body};
use serde_json::{Value, json};
use tower::service_fn;

use super::{super::Cluster, Router, Routing};
use crate::{
    document::Traffic,
    model::{Epoch, Slot, Weights},
    ports::{Fence, PortError},
};

/// The object, and what was asked for: each request's verb and path.
struct Server {
    object: Value,
    asked: Vec<(&'static str, String)>,
}

impl Server {
    fn answer(&mut self, method: &Method, uri: &http::Uri, body: &[u8]) -> (StatusCode, Value) {
        let verb = if method == Method::PATCH { "patch" } else { "get" };
        self.asked.push((verb, uri.path().to_owned()));
        if verb == "get" {
            return (StatusCode::OK, self.object.clone());
        }
        let mut patched = self.object.clone();
        let patch: json_patch::Patch = serde_json::from_slice(body).unwrap();
        if let Err(e) = json_patch::patch(&mut patched, &patch) {
            let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                                 "message": e.to_string(), "reason": "Invalid", "code": 422 });
            return (StatusCode::UNPROCESSABLE_ENTITY, status);
        }
        if patched != self.object && !uri.query().unwrap_or_default().contains("dryRun=All") {
            let version: u64 = self.object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
            patched["metadata"]["resourceVersion"] = json!((version + 1).to_string());
            self.object = patched.clone();
        }
        (StatusCode::OK, patched)
    }
}

fn router(traffic: &Traffic, object: Value) -> (Router, Arc<Mutex<Server>>) {
    let mut object = object;
    object["metadata"]["resourceVersion"] = json!("41");
    object["metadata"]["uid"] = json!("first");
    let server = Arc::new(Mutex::new(Server { object, asked: Vec::new() }));
    let kept = server.clone();
    let service = service_fn(move |request: Request<Body>| {
        let kept = kept.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let (status, answer) = kept.lock().unwrap().answer(&head.method, &head.uri, &body);
            let answer = Body::from(serde_json::to_vec(&answer).unwrap());
            Ok::<_, Infallible>(Response::builder().status(status).body(answer).unwrap())
        }
    });
    (Router::new(&Cluster::over(Client::new(service, "shop")), Routing::of(traffic)), server)
}

fn fence(epoch: u64, from: Weights) -> Fence<Weights> {
    Fence { epoch: Epoch(epoch), from }
}

/// Holds a way of routing, and an object of it that gives blue everything, to what all of them have to do.
pub async fn keeps_the_laws(traffic: &Traffic, object: Value) {
    let (blue, green) = (Weights::all(Slot::Blue), Weights::all(Slot::Green));
    let (router, server) = router(traffic, object);
    let stands = || server.lock().unwrap().object.clone();
    let weights = async || router.weights(&router.read().await.unwrap()).unwrap();
    let started = stands();
    assert_eq!(weights().await, blue);

    // A rehearsal changes nothing.
    router.rehearse().await.unwrap();
    assert_eq!(stands(), started);

    // What was set is read; nothing beside the field and the epoch has changed, and the same again changes nothing.
    router.set(&green, &fence(3, blue)).await.unwrap();
    assert_eq!(weights().await, green);
    assert_eq!(beside(&router, stands()), beside(&router, started));
    assert_eq!(stands()["metadata"]["annotations"]["interlock/epoch"], "3");
    let once = stands();
    router.set(&green, &fence(3, blue)).await.unwrap();
    assert_eq!(stands(), once);

    // Something else than what was seen is left alone, and so is what a later owner has fenced, which keeps the value.
    let refused = router.set(&blue, &fence(3, blue)).await;
    assert!(matches!(refused, Err(PortError::Conflict { .. })), "{:?}", refused.err());
    assert_eq!(router.fence(Epoch(5)).await.unwrap(), green);
    assert_eq!(weights().await, green);
    let refused = router.set(&blue, &fence(4, green)).await;
    assert!(matches!(refused, Err(PortError::Superseded { ours: 4, theirs: 5 })), "{:?}", refused.err());
    assert!(matches!(router.fence(Epoch(4)).await, Err(PortError::Superseded { .. })));

    // Where anything of it has changed since it was read, the write is tried again on what stands there now.
    server.lock().unwrap().object["metadata"]["resourceVersion"] = json!("99");
    router.set(&blue, &fence(5, green)).await.unwrap();
    assert_eq!(weights().await, blue);
    router.set(&green, &fence(5, blue)).await.unwrap();

    // A part of the traffic is given, or it is said beforehand that it cannot be.
    let quarter = Weights::giving(Slot::Green, 25);
    let given = router.set(&quarter, &fence(5, green)).await;
    match Routing::of(traffic).undivided() {
        None => assert_eq!((given.is_ok(), weights().await), (true, quarter)),
        Some(_) => {
            assert!(matches!(given, Err(PortError::UnexpectedResponse { .. })), "{:?}", given.err());
            assert_eq!(weights().await, green);
        }
    }
    let too_much = router.set(&Weights { blue: 50, green: 60 }, &fence(5, weights().await)).await;
    assert!(matches!(too_much, Err(PortError::UnexpectedResponse { .. })), "{:?}", too_much.err());

    is_somebody_elses_once_made_anew(&router, &server).await;
    asks_for_what_is_permitted(&router, traffic, &server.lock().unwrap().asked);
}

/// Once it was captured, an object that others make anew, or take the mark from, is written no more.
async fn is_somebody_elses_once_made_anew(router: &Router, server: &Mutex<Server>) {
    let captured = server.lock().unwrap().object.clone();
    let found = router.weights(&router.read().await.unwrap()).unwrap();
    router.object.bind("first", false);
    router.fence(Epoch(6)).await.unwrap();
    let refuses = async |what: &str| {
        let before = server.lock().unwrap().object.clone();
        for refused in [
            router.fence(Epoch(7)).await.map(drop),
            router.set(&Weights::all(Slot::Blue), &fence(7, found)).await.map(drop),
        ] {
            assert!(matches!(refused, Err(PortError::Replaced { .. })), "{what}: {refused:?}");
        }
        assert_eq!(server.lock().unwrap().object, before, "{what}");
    };
    let unmarked = || {
        let mut object = captured.clone();
        object["metadata"].as_object_mut().unwrap().remove("annotations");
        object["metadata"]["resourceVersion"] = json!("200");
        object
    };
    server.lock().unwrap().object = unmarked();
    refuses("without a mark").await;
    let mut anew = unmarked();
    anew["metadata"]["uid"] = json!("second");
    server.lock().unwrap().object = anew;
    refuses("made anew").await;
    let mut anew = captured.clone();
    anew["metadata"]["uid"] = json!("third");
    server.lock().unwrap().object = anew;
    refuses("made anew, with a mark").await;
    server.lock().unwrap().object = captured;
    router.fence(Epoch(8)).await.unwrap();
}

/// An object without the field that is said to be written, the epoch, and the server's count.
fn beside(router: &Router, mut object: Value) -> Value {
    object["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    if let Some(annotations) = object["metadata"].get_mut("annotations") {
        annotations.as_object_mut().unwrap().remove("interlock/epoch");
        if annotations == &json!({}) {
            object["metadata"].as_object_mut().unwrap().remove("annotations");
        }
    }
    let field = router.field();
    let (last, parents) = field.split_last().unwrap();
    let parent = parents.iter().fold(&mut object, |at, name| at.get_mut(name).unwrap());
    assert!(parent.as_object_mut().unwrap().remove(last).is_some(), "there is no {field:?} to be owned");
    object
}

/// What was asked of the server is what the gate `permissions` asks for.
fn asks_for_what_is_permitted(router: &Router, traffic: &Traffic, asked: &[(&str, String)]) {
    let routing = Routing::of(traffic);
    let (kind, name) = routing.0.object();
    let url = ApiResource::from_gvk(&kind);
    let root = if kind.group.is_empty() { "api".to_owned() } else { format!("apis/{}", kind.group) };
    let path = format!("/{root}/{}/namespaces/shop/{}/{name}", kind.version, url.plural);
    let needs = [vec![router.reads()], router.writes()].concat();
    for (verb, at) in asked {
        assert_eq!(*at, path);
        let granted = needs.iter().any(|need| {
            need.verb == *verb
                && need.group == kind.group
                && need.resource == url.plural
                && need.name.as_deref() == Some(name)
        });
        assert!(granted, "{verb} {at} is in no role: {needs:?}");
    }
}
