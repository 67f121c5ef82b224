//! What bus and queue answer: messages come in, are taken and acknowledged; dead letters are for those who operate the lab.

use std::{
    path::Path,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{self, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use tokio::sync::Notify;

use super::{
    protocol::{Accepted, Failure, Held, Message, Registration, Selection, Sent, Take, now},
    table::{Standing, Table},
};
use crate::{
    error::Error,
    lab::{
        backing::{
            Backing,
            disk::{Disk, answer, out},
            serve::Routes,
        },
        http::problem,
        page::{Kind, Page},
        state::fault,
    },
};

/// The longest that a wish for messages waits.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What becomes of a message that nobody subscribes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclaimed {
    /// It goes to nobody.
    Accepted,
    /// Whoever sends it is told.
    Refused,
}

struct Messages {
    backing: Backing,
    table: Disk<Table>,
    unclaimed: Unclaimed,
    /// Whoever waits for messages looks again.
    changed: Notify,
    counts: Counts,
}

/// What has happened since the process began.
#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    delivered: AtomicU64,
    redelivered: AtomicU64,
    acknowledged: AtomicU64,
    failed: AtomicU64,
}

type Shared = Arc<Messages>;

/// The routes of `backing`, with its state in `file`.
///
/// # Errors
/// Where the file cannot be opened.
pub fn routes(backing: Backing, file: &Path, unclaimed: Unclaimed) -> Result<Routes, Error> {
    let table = Table::open(file).map_err(|e| fault(file, &e))?;
    let (table, changed) = (Disk::new(table), Notify::new());
    let messages = Arc::new(Messages { backing, table, unclaimed, changed, counts: Counts::default() });
    let service = Router::new()
        .route("/services/{service}", put(register))
        .route("/messages", post(accept))
        .route("/deliveries", post(take))
        .route("/acknowledgements", post(acknowledge))
        .route("/failures", post(fail));
    let operator = Router::new().route("/letters", get(letters).post(send_again));
    let open = Router::new().route("/metrics", get(exposed));
    Ok(Routes {
        service: service.with_state(messages.clone()),
        operator: operator.with_state(messages.clone()),
        open: open.with_state(messages),
    })
}

async fn register(
    State(messages): State<Shared>,
    extract::Path(service): extract::Path<String>,
    Json(Registration { subscriptions }): Json<Registration>,
) -> Response {
    let registered = messages.table.run(move |table| table.register(&service, &subscriptions, now())).await;
    messages.changed.notify_waiters();
    registered.map_or_else(|why| out(&why), |()| StatusCode::NO_CONTENT.into_response())
}

async fn accept(State(messages): State<Shared>, Json(message): Json<Message>) -> Response {
    let topic = message.topic.clone();
    let accepted = messages.table.run(move |table| table.accept(&message)).await;
    if matches!((messages.unclaimed, &accepted), (Unclaimed::Refused, Ok(0))) {
        let why = format!("no service has a job `{topic}`");
        return problem(StatusCode::UNPROCESSABLE_ENTITY, &why).into_response();
    }
    if accepted.is_ok() {
        messages.counts.accepted.fetch_add(1, Ordering::Relaxed);
        messages.changed.notify_waiters();
    }
    answer(accepted.map(|subscriptions| Accepted { subscriptions }))
}

async fn take(State(messages): State<Shared>, Json(take): Json<Take>) -> Response {
    let until = Instant::now() + Duration::from_millis(take.wait).min(LONGEST_WAIT);
    loop {
        let mut changed = pin!(messages.changed.notified());
        // From here on no change is missed.
        changed.as_mut().enable();
        let wanted = take.clone();
        let found = messages.table.run(move |table| {
            let taken = table.take(&wanted, now())?;
            Ok((taken, table.next_due(&wanted.service)?))
        });
        let (taken, due) = match found.await {
            Ok(found) => found,
            Err(why) => return out(&why),
        };
        let left = until.saturating_duration_since(Instant::now());
        if !taken.is_empty() || left.is_zero() {
            let again = taken.iter().filter(|delivery| delivery.attempt > 1).count();
            messages.counts.delivered.fetch_add(taken.len() as u64, Ordering::Relaxed);
            messages.counts.redelivered.fetch_add(again as u64, Ordering::Relaxed);
            return Json(taken).into_response();
        }
        let due = due.map_or(left, |due| Duration::from_millis(u64::try_from(due - now()).unwrap_or(0)));
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(due.min(left)) => {}
        }
    }
}

async fn acknowledge(State(messages): State<Shared>, Json(held): Json<Held>) -> Response {
    ended(messages.table.run(move |table| table.acknowledge(held)).await, &messages.counts.acknowledged)
}

async fn fail(State(messages): State<Shared>, Json(failure): Json<Failure>) -> Response {
    let failed = messages.table.run(move |table| table.fail(&failure, now())).await;
    messages.changed.notify_waiters();
    ended(failed, &messages.counts.failed)
}

/// What is answered to whoever gives a message back: somebody else may have it meanwhile.
fn ended(held: Result<bool, String>, count: &AtomicU64) -> Response {
    match held {
        Ok(true) => {
            count.fetch_add(1, Ordering::Relaxed);
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(false) => problem(StatusCode::CONFLICT, "the lease of the message has ended").into_response(),
        Err(why) => out(&why),
    }
}

async fn letters(State(messages): State<Shared>) -> Response {
    answer(messages.table.run(|table| table.letters()).await)
}

async fn send_again(State(messages): State<Shared>, Json(Selection { number }): Json<Selection>) -> Response {
    let sent = messages.table.run(move |table| table.send_again(number, now())).await;
    messages.changed.notify_waiters();
    answer(sent.map(|letters| Sent { letters }))
}

async fn exposed(State(messages): State<Shared>) -> Response {
    match messages.table.run(|table| table.standings()).await {
        Ok(standings) => page(&messages, &standings).into_response(),
        Err(why) => out(&why),
    }
}

fn page(Messages { backing, counts, .. }: &Messages, standings: &[Standing]) -> Page {
    let name = backing.name();
    let mut page = Page::new(&[("service", name)]);
    let Counts { accepted, delivered, redelivered, acknowledged, failed } = counts;
    for (what, help, count) in [
        ("accepted", "Messages taken in.", accepted),
        ("delivered", "Messages given to a replica.", delivered),
        ("redelivered", "Messages given to a replica that were given to one before.", redelivered),
        ("acknowledged", "Messages whose handler has ended well.", acknowledged),
        ("failed", "Messages whose handler has failed.", failed),
    ] {
        let family = format!("{name}_{what}_total");
        page.family(&family, Kind::Counter, help);
        page.sample(&family, &[], count.load(Ordering::Relaxed));
    }
    let family = format!("{name}_messages");
    page.family(&family, Kind::Gauge, "Messages that wait, are held by a replica, or are dead letters.");
    for Standing { service, subscription, waiting, held, dead } in standings {
        for (state, count) in [("waiting", waiting), ("held", held), ("dead", dead)] {
            page.sample(&family, &[("subscriber", service), ("subscription", subscription), ("state", state)], count);
        }
    }
    page
}
