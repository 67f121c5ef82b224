//! The messages that a replica takes from bus and queue, and their way to the handlers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rhai::{Dynamic, Map};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    backings::{self, Unsent},
    declared::Subscription,
    doors::MessageKey,
    host::Host,
    observed::Outcome,
    program::Program,
    relay,
    reply::Reply,
    run::{Call, NOTICE, run},
    turn::Asker,
    value,
};
use crate::lab::{
    backing::{
        Backing,
        messages::{self, About, Delivery, Failure, Held, Message, Registration, Take, now},
    },
    telemetry::Parcel,
};

/// How many messages of the bus, and of the queue, a replica handles at a time.
const AT_A_TIME: u32 = 8;
/// How long a request for messages waits for some.
const WAIT: Duration = Duration::from_secs(1);
/// How much longer than its handler may take a replica keeps a message: for the way there and back.
const MARGIN: Duration = Duration::from_secs(1);
/// The wait after bus or queue did not answer: at first, and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Begins to take the messages of a program, and to send those of its transactions, until `stop`.
pub fn begin(host: &Arc<Host>, program: &Arc<Program>, stop: &CancellationToken) {
    // One that knows of subscriptions which the program before had is told as well.
    let sources = &program.declared.sources() | &*host.registered();
    for from in sources {
        let (consumer, stop) = (Consumer { host: host.clone(), program: program.clone(), from }, stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = consumer.keep() => {}
            }
        });
    }
    if program.uses.is_messaging() {
        tokio::spawn(relay::keep(host.clone(), stop.clone()));
    }
}

struct Consumer {
    host: Arc<Host>,
    program: Arc<Program>,
    from: Backing,
}

impl Consumer {
    async fn keep(&self) {
        if !self.register().await {
            return;
        }
        let places = Arc::new(Semaphore::new(AT_A_TIME as usize));
        let mut wait = BACK_OFF.0;
        loop {
            // One place at least, and as many messages as there are places then.
            let Ok(first) = places.clone().acquire_owned().await else { return };
            drop(first);
            match self.take(u32::try_from(places.available_permits()).unwrap_or(AT_A_TIME)).await {
                Ok(deliveries) => {
                    wait = BACK_OFF.0;
                    for delivery in deliveries {
                        let Ok(place) = places.clone().acquire_owned().await else { return };
                        let (host, program, from) = (self.host.clone(), self.program.clone(), self.from);
                        self.host.handling.spawn(async move {
                            let _place = place;
                            handle(&host, program, from, delivery).await;
                        });
                    }
                }
                Err(why) => wait = self.wait(&why, wait).await,
            }
        }
    }

    /// Says what the service subscribes to, until it is heard; gives whether that is anything.
    async fn register(&self) -> bool {
        let path = format!("/services/{}", self.host.service);
        let mine = self.program.declared.subscriptions.iter().filter(|one| one.from == self.from);
        let subscriptions: Vec<_> = mine.map(|one| wire(one, self.program.declared.deadline)).collect();
        let count = subscriptions.len();
        let body = json!(Registration { subscriptions });
        let mut wait = BACK_OFF.0;
        while let Err(why) = self.ask::<Value>((Method::PUT, &path), body.clone(), Duration::ZERO).await {
            wait = self.wait(&why, wait).await;
        }
        tracing::info!(service = self.host.service, from = self.from.name(), count, "subscriptions are known");
        match count {
            0 => self.host.registered().remove(&self.from),
            _ => self.host.registered().insert(self.from),
        };
        count > 0
    }

    async fn take(&self, most: u32) -> Result<Vec<Delivery>, Unsent> {
        let wait = u64::try_from(WAIT.as_millis()).unwrap_or(u64::MAX);
        let take = Take { service: self.host.service.clone(), most, wait };
        self.ask((Method::POST, "/deliveries"), json!(take), WAIT).await
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        at: (Method, &str),
        body: Value,
        waits: Duration,
    ) -> Result<T, Unsent> {
        backings::ask(&self.host, self.from, at, body, waits).await
    }

    /// Waits a while, and gives the next wait: not all replicas come back at the same time.
    async fn wait(&self, why: &Unsent, wait: Duration) -> Duration {
        // Once for each outage that takes longer than a restart.
        if wait < BACK_OFF.1 && wait * 2 >= BACK_OFF.1 {
            tracing::warn!(from = self.from.name(), "no messages come: {why:?}");
        }
        tokio::time::sleep(wait.mul_f64(rand::random_range(0.5..1.0))).await;
        (wait * 2).min(BACK_OFF.1)
    }
}

/// A subscription as bus and queue know it.
fn wire(one: &Subscription, deadline: Duration) -> messages::Subscription {
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    messages::Subscription {
        name: one.name.clone(),
        pattern: one.pattern.text().to_owned(),
        rule: one.rule.clone(),
        every: one.every.map(millis),
        attempts: one.redelivery.attempts,
        back_off: millis(one.redelivery.back_off),
        // A handler may wait for its place as long as it may run.
        lease: millis(deadline * 2 + NOTICE + MARGIN),
    }
}

/// Has a message handled, and says what came of it.
async fn handle(host: &Arc<Host>, program: Arc<Program>, from: Backing, delivery: Delivery) {
    let Delivery { held, subscription, attempt, message } = delivery;
    let is_it = |one: &&Subscription| one.from == from && one.name == subscription;
    let Some(subscription) = program.declared.subscriptions.iter().find(is_it).cloned() else {
        // Another replica runs a newer script already, or still an older one.
        return end(host, from, held, Some("the replica does not know its subscription".to_owned())).await;
    };
    let begun = Instant::now();
    let reply = called(host, program, &subscription, attempt, message).await;
    let failed = (reply.status.as_u16() >= 400).then(|| reply.detail());
    let outcome = match &failed {
        Some(_) => Outcome::Failed,
        None if reply.status == StatusCode::ALREADY_REPORTED => Outcome::Repeated,
        None => Outcome::Handled,
    };
    let took = begun.elapsed();
    host.observed.handled(from, &subscription.name, outcome, took);
    tracing::debug!(from = from.name(), subscription = subscription.name, attempt, ?outcome, ?took, "message");
    end(host, from, held, failed).await;
}

async fn called(
    host: &Arc<Host>,
    program: Arc<Program>,
    subscription: &Subscription,
    attempt: u32,
    message: Message,
) -> Reply {
    let Message { id, topic, about, .. } = &message;
    let (system, correlation_id) = (subscription.from.name(), &*about.correlation_id);
    let parcel = Parcel { system, destination: topic, id, correlation_id };
    let work = host.tracing.consumer(&headers(about), &parcel, &host.service, &subscription.name);
    let work = Arc::new(work);
    if host.faults.common.act().await {
        work.fail("faulty", "the release is faulty");
        return Reply::problem(StatusCode::INTERNAL_SERVER_ERROR, "the release is faulty");
    }
    let call = Call {
        handler: subscription.handler.clone(),
        at: subscription.at,
        within: None,
        message: Some(MessageKey { subscription: subscription.name.clone(), id: message.id.clone() }),
        asker: asker(&message.about),
        body: Bytes::new(),
        request: subscription.every.is_none().then(|| map(message, attempt)),
        work: work.clone(),
    };
    let reply = run(host, program, call).await;
    if reply.status.as_u16() >= 400 {
        work.fail("failed", "its handler failed");
    }
    reply
}

/// Acknowledges a message, or gives it back with the reason. Where nobody hears that, it is delivered again after its lease.
async fn end(host: &Host, from: Backing, held: Held, failed: Option<String>) {
    let (path, body) = match failed {
        None => ("/acknowledgements", json!(held)),
        Some(why) => ("/failures", json!(Failure { held, why })),
    };
    if let Err(why) = backings::ask::<Value>(host, from, (Method::POST, path), body, Duration::ZERO).await {
        tracing::warn!(from = from.name(), number = held.number, "not heard what came of a message: {why:?}");
    }
}

fn asker(About { correlation_id, actor, role, site, .. }: &About) -> Asker {
    let (correlation_id, actor) = (correlation_id.clone(), actor.clone());
    Asker { correlation_id, actor, role: role.clone(), site: site.clone(), ..Asker::default() }
}

fn headers(about: &About) -> HeaderMap {
    let carried = [("traceparent", &about.traceparent), ("tracestate", &about.tracestate)];
    let header = |(name, value): (&'static str, &Option<String>)| {
        Some((HeaderName::from_static(name), HeaderValue::from_str(value.as_deref()?).ok()?))
    };
    carried.into_iter().filter_map(header).collect()
}

/// A message as a handler sees it.
fn map(message: Message, attempt: u32) -> Map {
    let Message { id, topic, value, key, at, about, .. } = message;
    let text = |text: Option<String>| text.map_or(Dynamic::UNIT, Into::into);
    let age = Duration::from_millis(u64::try_from(now() - at).unwrap_or(0)).as_secs_f64();
    let fields: [(&str, Dynamic); 10] = [
        ("id", id.into()),
        ("topic", topic.into()),
        ("value", value::dynamic(value)),
        ("key", text(key)),
        ("attempt", i64::from(attempt).into()),
        ("age", age.into()),
        ("request", about.correlation_id.into()),
        ("actor", text(about.actor)),
        ("role", text(about.role)),
        ("site", text(about.site)),
    ];
    fields.into_iter().map(|(name, value)| (name.into(), value)).collect()
}
