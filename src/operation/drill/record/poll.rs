//! Asks one node for its role again and again, on a connection of its own.

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::shared::Shared;
use crate::{
    operation::drill::ledger::{Line, Micros},
    ports::{PortError, Sample, Session},
};

/// How long a node that does not answer is listened to, while others of its connections are asked.
const PATIENCE: Duration = Duration::from_secs(30);

type Asked = Pin<Box<dyn Future<Output = (Box<dyn Session>, Result<Sample, PortError>)> + Send>>;

/// Polls one node until `stop`.
///
/// What a stopped host answers when it runs again is the first sign of a primary that does not know that it is none. So a
/// question that is not answered in time is not withdrawn: one for each node is left waiting, and counts when its answer comes.
pub async fn poll(shared: Arc<Shared>, node: u16, stop: CancellationToken, tasks: TaskTracker) {
    let mut ticks = interval(shared.spec.poll_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut session: Option<Box<dyn Session>> = None;
    let waiting = Arc::new(());
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let asked = shared.clock.now();
        let within = shared.spec.connect_within;
        let ready = match session.take() {
            Some(session) => Some(session),
            None => connect(&shared, node).await,
        };
        let Some(mut ready) = ready else {
            note(&shared, node, asked, None);
            continue;
        };
        let mut question: Asked = Box::pin(async move {
            let answer = ready.sample(PATIENCE).await;
            (ready, answer)
        });
        match timeout(within, &mut question).await {
            Ok((kept, Ok(sample))) => {
                note(&shared, node, asked, Some(sample));
                session = Some(kept);
            }
            Ok((_, Err(_))) => note(&shared, node, asked, None),
            Err(_) => {
                note(&shared, node, asked, None);
                if Arc::strong_count(&waiting) == 1 {
                    let (shared, stop, waiting) = (shared.clone(), stop.clone(), waiting.clone());
                    tasks.spawn(async move {
                        listen(&shared, node, asked, question, &stop).await;
                        drop(waiting);
                    });
                }
            }
        }
    }
}

async fn connect(shared: &Shared, node: u16) -> Option<Box<dyn Session>> {
    let within = shared.spec.connect_within;
    timeout(within, shared.database.connect(shared.node(node), within)).await.ok()?.ok()
}

/// Waits for a late answer.
async fn listen(shared: &Shared, node: u16, asked: Micros, question: Asked, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        answer = timeout(PATIENCE, question) => {
            if let Ok((_, Ok(sample))) = answer {
                note(shared, node, asked, Some(sample));
            }
        }
    }
}

fn note(shared: &Shared, node: u16, asked: Micros, seen: Option<Sample>) {
    let answered = shared.clock.now();
    shared.book.begin(Line::Polled { node, asked, answered, seen });
}
