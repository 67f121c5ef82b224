//! What the gates have to know of the objectives' past: their budget, their last hour, their histograms.

use std::time::Duration;

use crate::{
    adapters::Prometheus,
    error::Error,
    model::Timestamp,
    operation::preconditions::{History, Past, Remembered},
    ports::{Metrics, PortError},
    slo::{Counting, Objective, bad_share, budget_left, check_edge},
};

/// How far back the old slot's own share is looked at.
const RECENT: Duration = Duration::from_secs(3600);

/// Asks a Prometheus for the past of objectives.
pub(super) async fn past(of: &Remembered<'_>, source: &Prometheus) -> History {
    let mut pasts = Vec::new();
    for objective in of.objectives {
        let recent = share(source, &objective.counting.with(&of.labels), RECENT).await;
        let window = match objective.window() {
            Ok(window) => share(source, &objective.counting, window).await,
            // A calendar window has no rolling budget; the objective decides all the same.
            Err(_) => Ok(None),
        };
        match (recent, window) {
            (Ok(share), Ok(bad)) => pasts.push(Past {
                name: objective.name.clone(),
                share,
                tolerated: objective.burn * objective.budget(),
                cap: of.cap.max(objective.burn) * objective.budget(),
                budget_left: bad.map(|bad| budget_left(bad, objective.target)),
            }),
            (Err(e), _) | (_, Err(e)) => return History::Unreachable(e),
        }
    }
    History::Known(pasts)
}

async fn share(source: &Prometheus, counting: &Counting, over: Duration) -> Result<Option<f64>, PortError> {
    let values = source.instant(&bad_share(counting, over)).await?;
    Ok(values.first().map(|(_, value)| *value).filter(|value| value.is_finite()))
}

/// Refuses a threshold that lies between the edges of its histogram, once the histogram can be seen.
///
/// # Errors
/// Names the nearest edges.
pub async fn check_edges(objectives: &[Objective], metrics: &dyn Metrics) -> Result<(), Error> {
    for objective in objectives {
        let (Some(edge), Some(buckets)) = (objective.counting.edge, objective.counting.buckets()) else { continue };
        let since = Timestamp::now() - Duration::from_secs(300);
        // A source that does not answer is the gates' business.
        let Ok(series) = metrics.samples(&buckets, since).await else { continue };
        if series.is_empty() {
            continue;
        }
        let seen = series.iter().filter_map(|series| series.labels.get("le")).map(String::as_str);
        check_edge(edge, seen).map_err(|p| Error::usage(format!("{}: {}", objective.name, p.what), p.hint))?;
    }
    Ok(())
}
