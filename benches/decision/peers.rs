//! The rules of other tools, as their documents state them.
//!
//! All see the same looks. A look without metrics adds nothing to a window. Windows are warm: a minute of the stream's own
//! past for the windows of one minute, its expected share for the longer ones.

use crate::streams::{LOOK, LOOKS, P0, Seen, Stream, WARM};

/// The bad share that Argo's and Flagger's checks allow in a window of a minute.
pub const THRESHOLD: f64 = 0.01;
/// Looks in a minute, which is their interval and their window.
const MINUTE: usize = 60 / LOOK as usize;

/// The bad share of the minute that ends with look `at`; `None` is what Prometheus answers NaN to.
fn last_minute(looks: &[Seen], at: usize) -> Option<f64> {
    let end = WARM + at + 1;
    let window = looks.get(end - MINUTE..end)?.iter().filter(|seen| seen.fresh);
    let (total, bad) = window.fold((0, 0), |(n, e), seen| (n + seen.counts.total, e + seen.counts.bad));
    (total > 0).then(|| bad as f64 / total as f64)
}

/// Argo Rollouts' AnalysisRun: `interval: 1m`, a success condition, `failureLimit` given, `consecutiveErrorLimit` 4.
///
/// NaN fails a success condition. An error of the metrics is tried again after 10 s; the fifth in a row aborts.
pub fn argo(limit: u32, looks: &[Seen]) -> Option<usize> {
    let (mut failed, mut errors) = (0, 0);
    let mut at = MINUTE - 1;
    while at < LOOKS {
        if !looks.get(WARM + at)?.fresh {
            errors += 1;
            if errors > 4 {
                return Some(at);
            }
            at += 10 / LOOK as usize;
            continue;
        }
        errors = 0;
        if last_minute(looks, at).is_none_or(|share| share > THRESHOLD) {
            failed += 1;
            if failed > limit {
                return Some(at);
            }
        }
        at += MINUTE;
    }
    None
}

/// Flagger: every minute; a breach, NaN or an error of the metrics adds one to a counter that success never resets.
///
/// It rolls back one interval after the counter has reached the threshold.
pub fn flagger(threshold: u32, looks: &[Seen]) -> Option<usize> {
    let mut failed = 0;
    for at in (MINUTE - 1..LOOKS).step_by(MINUTE) {
        if failed >= threshold {
            return Some(at);
        }
        let fresh = looks.get(WARM + at)?.fresh;
        if !fresh || last_minute(looks, at).is_none_or(|share| share > THRESHOLD) {
            failed += 1;
        }
    }
    None
}

/// The two pages of the multi-window multi-burn-rate alerts of a 30-day objective (Google, The SRE Workbook, chapter 5).
///
/// 5 min and 1 h at 14.4, 30 min and 6 h at 6, of an error budget rate of p0. Tickets roll nothing back.
pub fn burn_rate(stream: &Stream, looks: &[Seen]) -> Option<usize> {
    let hour = 60 * MINUTE;
    let pages = [(5 * MINUTE, hour, 14.4), (30 * MINUTE, 6 * hour, 6.0)];
    let mut sums = vec![(0u64, 0u64)];
    for seen in looks.iter().skip(WARM) {
        let (n, e) = sums.last().copied().unwrap_or_default();
        let (more, bad) = if seen.fresh { (seen.counts.total, seen.counts.bad) } else { (0, 0) };
        sums.push((n + more, e + bad));
    }
    let share = |end: usize, window: usize| {
        let (n, e) = sums.get(end).copied().unwrap_or_default();
        let (n0, e0) = sums.get(end.saturating_sub(window)).copied().unwrap_or_default();
        // What lies before the first look is taken at its expectation.
        let past = (window.saturating_sub(end) as u64 * stream.per_block()) as f64;
        let total = (n - n0) as f64 + past;
        if total > 0.0 { ((e - e0) as f64 + past * stream.before) / total } else { 0.0 }
    };
    (0..LOOKS).find(|at| {
        let fires = |(short, long, burn): &(usize, usize, f64)| {
            share(at + 1, *short) >= burn * P0 && share(at + 1, *long) >= burn * P0
        };
        pages.iter().any(fires)
    })
}
