//! Rate limits: a bucket of tokens for each key, which fills again with time.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::StatusCode;
use rhai::{FuncRegistration, Module, NativeCallContext};

use super::{Given, placed, refused};
use crate::lab::script::{declared::Limit, reply::Reply, turn};

/// The most keys that are remembered.
const KEYS: usize = 10_000;

/// The functions of the door.
pub fn module() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("take")
        .set_into_module(&mut module, |context: NativeCallContext<'_>, name: &str, key: &str| {
            placed(&context, take(name, key))
        });
    module
}

fn take(name: &str, key: &str) -> Given<()> {
    let turn = turn::current().map_err(refused)?;
    let limit =
        turn.program.declared.limits.get(name).copied().ok_or_else(|| {
            refused(format!("there is no limit `{name}` -> declare it: limit(\"{name}\", 20, \"1s\")"))
        })?;
    turn.host.limits.take((name, key), limit, Instant::now()).map_err(|wait| {
        let why = format!("more than {} within {:?}", limit.burst, limit.per);
        Reply::later(StatusCode::TOO_MANY_REQUESTS, wait.as_secs() + 1, why).into()
    })
}

/// The buckets of a process.
#[derive(Default)]
pub struct Limits(Mutex<HashMap<(String, String), Bucket>>);

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn filled(self, limit: Limit, now: Instant) -> Self {
        let share = now.saturating_duration_since(self.at).as_secs_f64() / limit.per.as_secs_f64();
        let most = f64::from(limit.burst);
        Self { tokens: share.mul_add(most, self.tokens).min(most), at: now }
    }
}

impl Limits {
    /// Takes one token.
    ///
    /// # Errors
    /// How long it takes until there is one.
    pub fn take(&self, key: (&str, &str), limit: Limit, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = f64::from(limit.burst);
        if buckets.len() >= KEYS {
            // One that is full is as good as forgotten; where all are in use, they begin anew.
            buckets.retain(|_, bucket| now.saturating_duration_since(bucket.at) < limit.per);
            if buckets.len() >= KEYS {
                buckets.clear();
            }
        }
        let bucket = buckets.entry((key.0.to_owned(), key.1.to_owned())).or_insert(Bucket { tokens: most, at: now });
        *bucket = bucket.filled(limit, now);
        if bucket.tokens < 1.0 {
            return Err(limit.per.mul_f64((1.0 - bucket.tokens) / most));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again_for_each_key() {
        let (limits, now) = (Limits::default(), Instant::now());
        let limit = Limit { burst: 2, per: Duration::from_secs(1) };
        let take = |key, at| limits.take(("checkout", key), limit, at);
        assert_eq!((take("a", now), take("a", now)), (Ok(()), Ok(())));
        assert_eq!(take("a", now), Err(Duration::from_millis(500)));
        assert_eq!(take("b", now), Ok(()));
        assert_eq!(take("a", now + Duration::from_millis(500)), Ok(()));
        assert!(take("a", now + Duration::from_millis(500)).is_err());
    }

    #[test]
    fn keys_without_end_are_forgotten() {
        let (limits, now) = (Limits::default(), Instant::now());
        let limit = Limit { burst: 1, per: Duration::from_secs(1) };
        for key in 0..=KEYS {
            assert_eq!(limits.take(("checkout", &key.to_string()), limit, now), Ok(()));
        }
        assert!(limits.0.lock().unwrap().len() <= KEYS);
    }
}
