//! Sends the requests, and waits for what becomes of them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, header};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    pacer::{self, Pace},
    report::{End, Report, Tally},
};
use crate::{
    error::Error,
    lab::{
        http::{Lease, Pool},
        state::broken,
    },
};

/// The most requests that one load may offer.
const MOST: f64 = 1e9;

/// What load to offer.
#[derive(Debug, Clone)]
pub struct Spec {
    pub address: SocketAddr,
    /// Path and query of every request.
    pub path: String,
    /// Requests a second.
    pub rate: f64,
    pub duration: Duration,
    /// Whether every request has a connection of its own.
    pub new_connections: bool,
    /// How many may be in flight; what is due beyond that counts as failed.
    pub in_flight: usize,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The token that every request shows.
    pub token: Option<String>,
    /// What every request names as its host.
    pub host: String,
}

impl Spec {
    /// A load with kept-alive connections, 1024 in flight at most, and 10 s for an answer.
    #[must_use]
    pub fn new(address: SocketAddr, path: impl Into<String>, rate: f64, duration: Duration) -> Self {
        let timeout = Duration::from_secs(10);
        let (path, host) = (path.into(), "lab".to_owned());
        Self { address, path, rate, duration, new_connections: false, in_flight: 1024, timeout, token: None, host }
    }
}

/// How far a load has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Since the start.
    pub elapsed: Duration,
    /// Good answers so far.
    pub ok: u64,
    /// Failed requests so far.
    pub failed: u64,
}

struct Runner {
    pool: Pool<Empty<Bytes>>,
    spec: Spec,
    start: Instant,
    tally: Mutex<Tally>,
}

/// Offers the load until it is over or `stop`, tells `progress` twice a second, and waits for the last answers.
///
/// # Errors
/// Where rate or duration make no sense, or the pacing thread cannot be started. Failed requests are no error.
pub async fn run(spec: Spec, stop: CancellationToken, mut progress: impl FnMut(Progress)) -> Result<Report, Error> {
    let total = check(&spec)?;
    let seconds = usize::try_from(spec.duration.as_secs_f64().ceil() as u64).unwrap_or(1);
    let (rate, timeout) = (spec.rate, spec.timeout);
    let slots = Arc::new(Semaphore::new(spec.in_flight));
    let (due, mut arrivals) = mpsc::channel(spec.in_flight);
    let pace = Arc::new(Pace::default());
    let start = Instant::now() + Duration::from_millis(20);
    let tally = Mutex::new(Tally::new(seconds)?);
    let runner = Arc::new(Runner { pool: Pool::new(spec.address), spec, start, tally });
    let pacer = pacer::start(start, rate, total, due, pace.clone()).map_err(|e| broken("the pacing thread", e))?;
    let tasks = TaskTracker::new();
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    let mut offered = 0;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = tick.tick() => progress(runner.progress()),
            arrival = arrivals.recv() => match arrival {
                None => break,
                Some(at) => {
                    offered += 1;
                    match slots.clone().try_acquire_owned() {
                        Err(_) => runner.add(at, End::NotSent),
                        Ok(slot) => {
                            let runner = runner.clone();
                            tasks.spawn(async move {
                                runner.tally().add_lag(at.elapsed());
                                let end = runner.request().await;
                                runner.add(at, end);
                                drop(slot);
                            });
                        }
                    }
                }
            },
        }
    }
    pace.stop.store(true, Ordering::Relaxed);
    let until = start.elapsed();
    drop(arrivals);
    // The pacer looks at its flag every tenth of a second; its thread ends by itself.
    drop(pacer);
    tasks.close();
    let _ = tokio::time::timeout(timeout + Duration::from_secs(1), tasks.wait()).await;
    progress(runner.progress());
    let took = Instant::now().saturating_duration_since(start);
    let dropped = pace.dropped.load(Ordering::Relaxed);
    let empty = Tally::new(1)?;
    let tally = std::mem::replace(&mut *runner.tally(), empty);
    Ok(tally.report(rate, (offered + dropped, dropped), (until, took)))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be from 1 to 1e9")]
fn check(spec: &Spec) -> Result<u64, Error> {
    let total = spec.rate * spec.duration.as_secs_f64();
    if !(spec.rate > 0.0 && (1.0..=MOST).contains(&total)) || spec.duration > Duration::from_secs(86_400) {
        let what = format!("a rate of {} a second for {:?} makes no load", spec.rate, spec.duration);
        return Err(Error::usage(what, "offer 1 to 1,000,000,000 requests within a day"));
    }
    if !(1..=65_536).contains(&spec.in_flight) {
        return Err(Error::usage("the bound on requests in flight is from 1 to 65536", "1024 suits most machines"));
    }
    Ok(total.round() as u64)
}

impl Runner {
    async fn request(&self) -> End {
        let exchange = tokio::time::timeout(self.spec.timeout, self.exchange()).await;
        match exchange {
            Err(_) => End::Timeout,
            Ok(Err(why)) => End::Transport(why),
            Ok(Ok(end)) => end,
        }
    }

    async fn exchange(&self) -> Result<End, String> {
        let within = self.spec.timeout;
        let request = Request::get(&self.spec.path).header(header::HOST, &self.spec.host).body(Empty::new());
        let mut request = request.map_err(|e| e.to_string())?;
        if let Some(token) = &self.spec.token {
            let shown = header::HeaderValue::try_from(format!("Bearer {token}")).map_err(|e| e.to_string())?;
            request.headers_mut().insert(header::AUTHORIZATION, shown);
        }
        if self.spec.new_connections {
            request.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        }
        let begun = Instant::now();
        let mut lease: Lease<_> =
            if self.spec.new_connections { self.pool.connect(within).await? } else { self.pool.lease(within).await? };
        if !lease.reused {
            self.tally().add_connection(begun.elapsed());
        }
        let response = match lease.sender.try_send_request(request).await {
            Ok(response) => response,
            Err(mut e) => match e.take_message() {
                // Nothing of it left this machine, so this is no second request.
                Some(unsent) if lease.reused => {
                    lease = self.pool.connect(within).await?;
                    lease.sender.send_request(unsent).await.map_err(|e| e.to_string())?
                }
                _ => return Err(e.into_error().to_string()),
            },
        };
        let (head, mut body) = response.into_parts();
        while let Some(frame) = body.frame().await {
            frame.map_err(|e| e.to_string())?;
        }
        if !self.spec.new_connections {
            self.pool.put(lease.sender);
        }
        let slot = head.headers.get("x-lab-slot").and_then(|slot| slot.to_str().ok()?.parse().ok());
        Ok(End::Answered(head.status.as_u16(), slot))
    }

    fn add(&self, at: Instant, end: End) {
        let took = Instant::now().saturating_duration_since(at);
        let due = at.saturating_duration_since(self.start);
        self.tally().add(due, took, end);
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> Progress {
        let (ok, failed) = self.tally().counts();
        Progress { elapsed: Instant::now().saturating_duration_since(self.start), ok, failed }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// A server that answers at once, but nobody between `from` and `to` after its start.
    async fn stalling(from: u64, to: u64) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let start = tokio::time::Instant::now();
        let (from, to) = (start + Duration::from_millis(from), start + Duration::from_millis(to));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut head = [0; 1024];
                    while stream.read(&mut head).await.is_ok_and(|n| n > 0) {
                        if (from..to).contains(&tokio::time::Instant::now()) {
                            tokio::time::sleep_until(to).await;
                        }
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                    }
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_stall_shows_in_every_request_that_was_due_in_it() {
        let address = stalling(300, 800).await;
        let spec = Spec::new(address, "/", 200.0, Duration::from_secs(1));
        let report = run(spec, CancellationToken::new(), |_| {}).await.unwrap();
        assert_eq!((report.offered, report.ok, report.failed), (200, 200, 0));
        // Half of the requests were due in the stall; a closed loop would show it in one of them.
        assert!(report.latency.p90_ms > 300.0 && report.latency.max_ms > 400.0, "{:?}", report.latency);
    }

    #[tokio::test]
    async fn a_load_that_is_interrupted_lists_only_the_seconds_that_it_has_offered() {
        let address = stalling(0, 0).await;
        let spec = Spec::new(address, "/", 100.0, Duration::from_secs(900));
        let stop = CancellationToken::new();
        let report = run(spec, stop.clone(), |so_far| {
            if so_far.ok >= 120 {
                stop.cancel();
            }
        });
        let report = report.await.unwrap();
        let offered: u64 = report.timeline.iter().map(|second| second.ok + second.failed).sum();
        assert_eq!(offered, report.offered);
        assert!((2..60).contains(&report.timeline.len()), "{} seconds", report.timeline.len());
        assert!(report.connections.made > 0 && report.lag.max_ms > 0.0);
    }

    #[tokio::test]
    async fn what_is_due_over_the_bound_counts_as_not_sent() {
        let address = stalling(0, 60_000).await;
        let mut spec = Spec::new(address, "/", 100.0, Duration::from_millis(500));
        (spec.in_flight, spec.timeout) = (5, Duration::from_secs(1));
        let report = run(spec, CancellationToken::new(), |_| {}).await.unwrap();
        assert_eq!((report.failures.timeout, report.failures.not_sent, report.ok), (5, 45, 0));
        assert!(report.busy().unwrap().contains("45 requests were never sent"), "{:?}", report.busy());
    }

    #[tokio::test]
    async fn a_request_that_breaks_with_its_kept_connection_has_failed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 1024];
                // Answers one request, takes another one, and leaves.
                if stream.read(&mut head).await.is_ok_and(|n| n > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                    let _ = stream.read(&mut head).await;
                }
            }
        });
        let spec = Spec::new(address, "/", 20.0, Duration::from_millis(500));
        let report = run(spec, CancellationToken::new(), |_| {}).await.unwrap();
        assert_eq!((report.offered, report.ok, report.failures.transport), (10, 5, 5), "{report:?}");
    }
}
