//! What a script does again and again, in each of its replicas.

use std::sync::Arc;

use axum::body::Bytes;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{
    declared::Schedule,
    host::Host,
    program::Program,
    run::{Call, run},
    turn::Asker,
};

/// Begins all schedules of a program, until `stop`. One that takes longer than its interval misses its next runs.
pub fn begin(host: &Arc<Host>, program: &Arc<Program>, stop: &CancellationToken) {
    for schedule in &program.declared.schedules {
        tokio::spawn(keep(host.clone(), program.clone(), schedule.clone(), stop.clone()));
    }
}

async fn keep(host: Arc<Host>, program: Arc<Program>, schedule: Schedule, stop: CancellationToken) {
    let mut ticks = interval(schedule.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let work = Arc::new(host.tracing.own().internal(schedule.name.clone()));
        let asker = Asker { correlation_id: format!("{:016x}", rand::random::<u64>()), ..Asker::default() };
        let call = Call {
            handler: schedule.handler.clone(),
            at: schedule.at,
            request: None,
            body: Bytes::new(),
            message: None,
            within: None,
            asker,
            work,
        };
        // What fails is in the log; the next run tries again.
        run(&host, program.clone(), call).await;
    }
}
