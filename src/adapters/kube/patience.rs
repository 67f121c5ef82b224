//! Waiting out brief outages of the API server: bounded, with back-off, and only where a call may be repeated.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep};

use crate::ports::PortError;

/// The first pause between two tries; it doubles up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// Repeats a call that cannot reach the server for as long as `outage`; every other end is final.
///
/// The call has to be one that changes nothing more when it is repeated.
///
/// # Errors
/// What the last try said.
pub async fn outlast<T, F>(outage: Duration, mut call: impl FnMut() -> F) -> Result<T, PortError>
where
    F: Future<Output = Result<T, PortError>>,
{
    let end = Instant::now() + outage;
    let mut pause = FIRST;
    loop {
        match call().await {
            Err(PortError::Unreachable { .. }) if Instant::now() + pause < end => sleep(pause).await,
            other => return other,
        }
        pause = (pause * 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn an_outage_is_outlasted_and_a_refusal_is_not() {
        let tries = AtomicU32::new(0);
        let call = || async {
            match tries.fetch_add(1, Ordering::Relaxed) {
                0..3 => Err(PortError::unreachable("the server", "away")),
                _ => Ok(7),
            }
        };
        assert_eq!(outlast(Duration::from_secs(10), call).await.unwrap(), 7);

        let refused = || async { Err::<(), _>(PortError::Forbidden { what: "get".into(), why: "no".into() }) };
        assert!(matches!(outlast(Duration::from_secs(10), refused).await, Err(PortError::Forbidden { .. })));
    }

    #[tokio::test]
    async fn patience_ends() {
        let tries = AtomicU32::new(0);
        let away = || async {
            tries.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(PortError::unreachable("the server", "away"))
        };
        assert!(outlast(Duration::from_millis(300), away).await.is_err());
        assert!((2..5).contains(&tries.load(Ordering::Relaxed)), "{tries:?}");
    }
}
