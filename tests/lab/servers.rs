//! What stands beside the lab: a receiver of notices, and a gate before its Prometheus that spoils answers.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::post,
};
use interlock::{model::RunId, ports::Notice};
use serde_json::{Value, json};

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// Takes notices at an address whose path is a secret.
pub struct Receiver {
    address: SocketAddr,
    secret: String,
    notices: Arc<Mutex<Vec<Notice>>>,
    refuses: Arc<AtomicBool>,
}

impl Receiver {
    pub async fn start() -> Self {
        let secret = format!("s3cret-{:032x}", rand::random::<u128>());
        let notices = Arc::new(Mutex::new(Vec::new()));
        let refuses = Arc::new(AtomicBool::new(false));
        let (taken, refusing) = (notices.clone(), refuses.clone());
        let take = async move |Json(notice): Json<Notice>| {
            if refusing.load(Ordering::SeqCst) {
                return StatusCode::INTERNAL_SERVER_ERROR;
            }
            taken.lock().unwrap().push(notice);
            StatusCode::NO_CONTENT
        };
        let address = serve(Router::new().route(&format!("/hook/{secret}"), post(take))).await;
        Self { address, secret, notices, refuses }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook/{}", self.address, self.secret)
    }

    /// From now on answers every notice with status 500.
    pub fn refuse(&self) {
        self.refuses.store(true, Ordering::SeqCst);
    }

    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// What was told of a run, in order.
    pub fn outcomes(&self, run: &RunId) -> Vec<String> {
        let notices = self.notices.lock().unwrap();
        notices.iter().filter(|notice| notice.run == run.as_str()).map(|notice| notice.outcome.clone()).collect()
    }
}

/// How a spoiled Prometheus answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoil {
    /// As the real one does.
    No,
    /// Later than anybody waits.
    Slow,
    /// Every value is no number.
    Nan,
    /// There is no series.
    Empty,
    /// Status 500.
    Broken,
    /// What it said when it began to be stale.
    Stale,
    /// The same, the newest sample first.
    Unordered,
}

struct Gate {
    real: SocketAddr,
    client: reqwest::Client,
    /// How it answers, and the last good answer to each question but for its window, which grows.
    state: Mutex<(Spoil, std::collections::BTreeMap<String, Value>)>,
}

/// Stands before a real Prometheus and spoils its answers on demand.
#[derive(Clone)]
pub struct Spoiler {
    gate: Arc<Gate>,
    pub address: SocketAddr,
}

impl Spoiler {
    pub async fn start(real: SocketAddr) -> Self {
        let url = format!("http://{real}").parse().unwrap();
        let gate = Arc::new(Gate {
            real,
            client: interlock::adapters::client(&url, Duration::from_secs(5), None).unwrap(),
            state: Mutex::new((Spoil::No, std::collections::BTreeMap::new())),
        });
        let router = Router::new().fallback(answer).with_state(gate.clone());
        Self { gate, address: serve(router).await }
    }

    pub fn set(&self, spoil: Spoil) {
        self.gate.state.lock().unwrap().0 = spoil;
    }
}

/// A question without its window of time.
fn question(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body).into_owned();
    text.split("%5B").next().unwrap_or_default().to_owned()
}

async fn answer(State(gate): State<Arc<Gate>>, uri: Uri, body: Bytes) -> Response {
    let (spoil, last) = {
        let state = gate.state.lock().unwrap();
        (state.0, state.1.get(&question(&body)).cloned())
    };
    let spoiled = |change: &dyn Fn(&mut Value)| {
        let mut value = last.clone().unwrap_or_else(|| json!({}));
        each_series(&mut value, change);
        Json(value).into_response()
    };
    match spoil {
        Spoil::Slow => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            StatusCode::OK.into_response()
        }
        Spoil::Empty => {
            Json(json!({"status": "success", "data": {"resultType": "matrix", "result": []}})).into_response()
        }
        Spoil::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "the disk is full").into_response(),
        Spoil::Stale => spoiled(&|_| {}),
        Spoil::Unordered => spoiled(&|values| {
            if let Some(values) = values.as_array_mut() {
                values.reverse();
            }
        }),
        Spoil::No | Spoil::Nan => {
            let url = format!("http://{}{uri}", gate.real);
            let form = "application/x-www-form-urlencoded";
            let asked = gate.client.post(url).header("content-type", form).body(body.clone()).send().await;
            let Ok(answer) = asked else { return StatusCode::BAD_GATEWAY.into_response() };
            let Ok(mut value) = answer.json::<Value>().await else { return StatusCode::BAD_GATEWAY.into_response() };
            if spoil == Spoil::Nan {
                each_series(&mut value, &|values| {
                    values.as_array_mut().into_iter().flatten().for_each(|point| point[1] = json!("NaN"));
                });
            } else {
                gate.state.lock().unwrap().1.insert(question(&body), value.clone());
            }
            Json(value).into_response()
        }
    }
}

fn each_series(answer: &mut Value, change: &dyn Fn(&mut Value)) {
    let series = answer.pointer_mut("/data/result").and_then(Value::as_array_mut);
    series.into_iter().flatten().filter_map(|series| series.get_mut("values")).for_each(change);
}
