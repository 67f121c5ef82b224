//! Bodies of requests: read and inflated within bounds.

use std::{io::Read, time::Duration};

use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

/// Why a body was not read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is longer than is taken.
    TooLong,
    /// Its sender took too long.
    Slow,
    /// Its sender went away, or it makes no sense.
    Broken(String),
}

/// Reads a body of at most `limit` bytes within a time.
pub(super) async fn read(body: &mut Incoming, limit: usize, within: Duration) -> Result<Vec<u8>, Unread> {
    let told = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if told > limit {
        return Err(Unread::TooLong);
    }
    let reading = async {
        let mut read = Vec::with_capacity(told);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| Unread::Broken(format!("the body is cut off: {e}")))?;
            let Ok(data) = frame.into_data() else { continue };
            if read.len() + data.len() > limit {
                return Err(Unread::TooLong);
            }
            read.extend_from_slice(&data);
        }
        Ok(read)
    };
    timeout(within, reading).await.unwrap_or(Err(Unread::Slow))
}

/// Reads what is left of a body and forgets it, as far as `limit` bytes within a time.
///
/// A sender that is answered while it still sends may see its connection reset instead of the answer, and try again.
pub(super) async fn discard(mut body: Incoming, limit: usize, within: Duration) {
    let reading = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, |data| data.len());
            if read > limit {
                return;
            }
        }
    };
    let _ = timeout(within, reading).await;
}

/// Inflates a body to at most `limit` bytes.
pub(super) fn inflate(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Unread> {
    let mut inflated = Vec::new();
    let mut inflating = MultiGzDecoder::new(bytes).take(limit as u64 + 1);
    inflating.read_to_end(&mut inflated).map_err(|e| Unread::Broken(format!("no gzip: {e}")))?;
    if inflated.len() > limit { Err(Unread::TooLong) } else { Ok(inflated) }
}
