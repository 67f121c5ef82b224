//! Counters from `/metrics` pages themselves, without a Prometheus between.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::future::try_join_all;
use jiff::SignedDuration;
use regex::Regex;
use reqwest::{Client, Url, header::ACCEPT};
use tokio::sync::Mutex;

use super::{exposition, http};
use crate::{
    model::Timestamp,
    ports::{Labels, MatchOp, Metrics, Point, PortError, Selector, Series},
};

/// The largest page that is read.
const LARGEST: usize = 16 * 1024 * 1024;

/// How long a page answers all selectors of one look, so that good and total are of the same moment.
const FRESH: Duration = Duration::from_millis(200);

/// How long pages are kept. A look may ask again for what an earlier one could not use yet.
const KEPT: SignedDuration = SignedDuration::from_secs(180);

/// How many samples of earlier pages are kept at most.
const MOST_SAMPLES: usize = 500_000;

/// Where pages in the Prometheus text format come from.
#[async_trait]
pub trait Pages: Send + Sync {
    /// Reads all pages. One that fails fails them all: without it the counts would be too low, and nobody would know.
    ///
    /// # Errors
    /// Where a page that has to be there cannot be read.
    async fn read(&self) -> Result<Vec<exposition::Sample>, PortError>;
    /// Names them for people.
    fn name(&self) -> String;
}

/// Counters of pages in the Prometheus text format.
pub struct Scrape {
    pages: Box<dyn Pages>,
    state: Mutex<State>,
}

/// Wall time that no setting of the clock moves, for samples that have no time of their own.
struct Steady {
    wall: Timestamp,
    read: Instant,
}

impl Default for Steady {
    fn default() -> Self {
        Self { wall: Timestamp::now(), read: Instant::now() }
    }
}

impl Steady {
    /// Now, and after `since`: who asks may have it from a process that began before the clock was set back.
    fn now(&mut self, since: Timestamp) -> Timestamp {
        let now = self.wall.checked_add(self.read.elapsed()).unwrap_or(self.wall);
        if now > since {
            return now;
        }
        self.wall = since.checked_add(SignedDuration::from_millis(2)).unwrap_or(since);
        self.read = Instant::now();
        self.wall
    }
}

struct Addresses {
    pages: Vec<(Url, Client)>,
    timeout: Duration,
}

#[derive(Default)]
struct State {
    steady: Steady,
    /// The newest reading of all pages, whole.
    newest: Option<(Instant, Arc<Reading>)>,
    /// Earlier readings, of which only the metrics that somebody asked for are kept.
    earlier: VecDeque<Arc<Reading>>,
    asked: BTreeSet<String>,
}

/// All pages, read at one time.
struct Reading {
    at: Timestamp,
    samples: Vec<exposition::Sample>,
}

impl Scrape {
    /// The pages at `urls`, each read within `timeout`.
    ///
    /// # Errors
    /// Where there is no address, one is none, or TLS cannot be set up.
    pub fn new(urls: &[String], timeout: Duration) -> Result<Self, PortError> {
        if urls.is_empty() {
            return Err(PortError::unexpected("scrape", "there is no address"));
        }
        let pages = urls
            .iter()
            .map(|text| {
                let url = http::address("scrape", text)?;
                let client = http::client(&url, timeout, None)?;
                Ok((url, client))
            })
            .collect::<Result<_, PortError>>()?;
        Ok(Self::of(Addresses { pages, timeout }))
    }

    /// Counters of other pages.
    pub fn of(pages: impl Pages + 'static) -> Self {
        Self { pages: Box::new(pages), state: Mutex::default() }
    }
}

#[async_trait]
impl Pages for Addresses {
    async fn read(&self) -> Result<Vec<exposition::Sample>, PortError> {
        let pages = try_join_all(self.pages.iter().map(|(url, client)| self.page(url, client))).await?;
        Ok(pages.into_iter().flatten().collect())
    }

    fn name(&self) -> String {
        let places: Vec<String> = self.pages.iter().map(|(url, _)| http::place(url)).collect();
        format!("metrics pages {}", places.join(", "))
    }
}

impl Addresses {
    async fn page(&self, url: &Url, client: &Client) -> Result<Vec<exposition::Sample>, PortError> {
        let name = format!("metrics page {}", http::place(url));
        let asked = client.get(url.clone()).header(ACCEPT, "text/plain;version=0.0.4").send().await;
        let response = asked.map_err(|e| PortError::unreachable(&name, http::explain(&e, self.timeout)))?;
        let status = response.status();
        let body = http::body(&name, response, LARGEST, self.timeout).await?;
        if let Some(error) = http::refused(&name, "read", status, &http::excerpt(&body)) {
            return Err(error);
        }
        let text = std::str::from_utf8(&body).map_err(|_| PortError::unexpected(&name, "the page is no UTF-8"))?;
        let mut samples = exposition::parse(text).map_err(|why| PortError::unexpected(&name, why))?;
        let host = url.host_str().unwrap_or_default();
        let instance = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        for sample in &mut samples {
            sample.labels.entry("instance".to_owned()).or_insert_with(|| instance.clone());
        }
        Ok(samples)
    }
}

impl State {
    /// Takes a new reading; of the one before it, what was asked for is kept.
    fn push(&mut self, reading: Reading) {
        let oldest = reading.at.checked_sub(KEPT).unwrap_or(reading.at);
        if let Some((_, before)) = self.newest.replace((Instant::now(), Arc::new(reading))) {
            let samples = before.samples.iter().filter(|s| self.asked.contains(&s.metric)).cloned().collect();
            self.earlier.push_back(Arc::new(Reading { at: before.at, samples }));
        }
        let mut kept: usize = self.earlier.iter().map(|r| r.samples.len()).sum();
        while let Some(first) = self.earlier.front()
            && (first.at < oldest || kept > MOST_SAMPLES)
        {
            kept -= first.samples.len();
            self.earlier.pop_front();
        }
    }
}

#[async_trait]
impl Metrics for Scrape {
    async fn samples(&self, selector: &Selector, since: Timestamp) -> Result<Vec<Series>, PortError> {
        if selector.native.is_some() {
            let why = format!("pages have no native histograms such as {}; a Prometheus has", selector.metric);
            return Err(PortError::unexpected(self.name(), why));
        }
        let picks = Picks::new(selector).map_err(|why| PortError::unexpected(self.name(), why))?;
        let mut state = self.state.lock().await;
        state.asked.insert(selector.metric.clone());
        if state.newest.as_ref().is_none_or(|(read, _)| read.elapsed() >= FRESH) {
            let at = state.steady.now(since);
            let samples = self.pages.read().await?;
            state.push(Reading { at, samples });
        }
        let mut all: BTreeMap<Labels, Vec<Point>> = BTreeMap::new();
        for reading in state.earlier.iter().chain(state.newest.iter().map(|(_, newest)| newest)) {
            for sample in reading.samples.iter().filter(|s| picks.holds(s)) {
                let at = sample.at.and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(reading.at);
                if at > since {
                    all.entry(sample.labels.clone()).or_default().push(Point { at, value: sample.value });
                }
            }
        }
        Ok(all.into_iter().map(|(labels, points)| Series { labels, points }).collect())
    }

    fn name(&self) -> String {
        self.pages.name()
    }
}

/// A selector that is ready to be held against samples.
struct Picks<'s> {
    metric: &'s str,
    matchers: Vec<(&'s str, Test<'s>)>,
}

enum Test<'s> {
    Text(&'s str, bool),
    Pattern(Regex, bool),
}

impl<'s> Picks<'s> {
    fn new(selector: &'s Selector) -> Result<Self, String> {
        let matchers = selector.matchers.iter().map(|m| {
            // Prometheus anchors its patterns at both ends.
            let pattern = || Regex::new(&format!("^(?s:{})$", m.value)).map_err(|e| e.to_string());
            let test = match m.op {
                MatchOp::Equal => Test::Text(&m.value, true),
                MatchOp::NotEqual => Test::Text(&m.value, false),
                MatchOp::Matches => Test::Pattern(pattern()?, true),
                MatchOp::NotMatches => Test::Pattern(pattern()?, false),
            };
            Ok((m.label.as_str(), test))
        });
        Ok(Self { metric: &selector.metric, matchers: matchers.collect::<Result<_, String>>()? })
    }

    fn holds(&self, sample: &exposition::Sample) -> bool {
        sample.metric == self.metric
            && self.matchers.iter().all(|(label, test)| {
                // A label that is not there is an empty one.
                let value = sample.labels.get(*label).map_or("", String::as_str);
                match test {
                    Test::Text(text, wanted) => (value == *text) == *wanted,
                    Test::Pattern(pattern, wanted) => pattern.is_match(value) == *wanted,
                }
            })
    }
}
