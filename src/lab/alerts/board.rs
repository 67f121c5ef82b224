//! What was logged, and what of it is worth an alert.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// How many logs and how many alerts are kept; the oldest go first.
const KEPT: usize = 200;

/// How bad a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Info,
    /// A request has failed.
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Who logs.
    pub service: String,
    pub instance: String,
    pub level: Level,
    /// The request that it belongs to.
    pub correlation_id: String,
    pub message: String,
    /// What led to it, the first first; never shown to users.
    #[serde(default)]
    pub causes: Vec<String>,
}

/// What somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Its number, from 1.
    pub number: u64,
    /// Whose error it was.
    pub service: String,
    /// The request that failed.
    pub correlation_id: String,
    pub message: String,
}

/// All that was logged.
#[derive(Debug, Default)]
pub struct Board {
    /// How many logs came in.
    pub logs: u64,
    /// How many of them were errors.
    pub errors: u64,
    raised: u64,
    latest: VecDeque<Log>,
    alerts: VecDeque<Alert>,
}

impl Board {
    /// Takes a log; gives the alert that it raises. A request raises one, however often its failure is logged.
    pub fn take(&mut self, log: Log) -> Option<Alert> {
        self.logs += 1;
        let known = self.alerts.iter().any(|alert| alert.correlation_id == log.correlation_id);
        let is_error = log.level == Level::Error;
        self.errors += u64::from(is_error);
        let raised = (is_error && !known).then(|| {
            self.raised += 1;
            let Log { service, correlation_id, message, .. } = log.clone();
            Alert { number: self.raised, service, correlation_id, message }
        });
        if let Some(alert) = &raised {
            keep(&mut self.alerts, alert.clone());
        }
        keep(&mut self.latest, log);
        raised
    }

    /// How many alerts were raised.
    #[must_use]
    pub const fn raised(&self) -> u64 {
        self.raised
    }

    /// The latest alerts, the oldest first.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        self.alerts.iter().cloned().collect()
    }

    /// The latest logs, the oldest first.
    #[must_use]
    pub fn latest(&self) -> Vec<Log> {
        self.latest.iter().cloned().collect()
    }
}

fn keep<T>(all: &mut VecDeque<T>, one: T) {
    if all.len() == KEPT {
        all.pop_front();
    }
    all.push_back(one);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(level: Level, correlation_id: &str) -> Log {
        Log {
            service: "tenant".into(),
            instance: "tenant-blue-0".into(),
            level,
            correlation_id: correlation_id.into(),
            message: "the store is out of order".into(),
            causes: vec!["status 503".into()],
        }
    }

    #[test]
    fn a_failed_request_raises_one_alert() {
        let mut board = Board::default();
        assert_eq!(board.take(log(Level::Info, "a")), None);
        assert_eq!(board.take(log(Level::Error, "a")).map(|alert| alert.number), Some(1));
        assert_eq!(board.take(log(Level::Error, "a")), None);
        assert_eq!(board.take(log(Level::Error, "b")).map(|alert| alert.number), Some(2));
        assert_eq!((board.logs, board.errors, board.raised()), (4, 3, 2));
    }

    #[test]
    fn only_the_latest_are_kept() {
        let mut board = Board::default();
        for n in 0..KEPT + 5 {
            board.take(log(Level::Error, &n.to_string()));
        }
        assert_eq!((board.alerts().len(), board.latest().len()), (KEPT, KEPT));
        assert_eq!(board.alerts()[0].correlation_id, "5");
    }
}
