//! What the gates have to know of the objectives' past: their budget, their last hour, their histograms.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    adapters::PrometheusServers,
    error::Error,
    model::Timestamp,
    operation::preconditions::{History, Past, Remembered},
    ports::{Metrics, Native, PortError, Selector, Series},
    slo::{Counting, Objective, budget_left, check_edge, replica_labels, without_replicas},
};

/// How far back the old slot's own share is looked at.
const RECENT: Duration = Duration::from_secs(3600);

/// How far back series are looked at for what is to be known of them.
const SEEN: Duration = Duration::from_secs(60);

/// Asks a Prometheus for the past of objectives.
pub(super) async fn past(of: &Remembered<'_>, source: &PrometheusServers) -> History {
    let mut pasts = Vec::new();
    for objective in of.objectives {
        let recent = source.bad_share(&objective.counting.with(&of.matchers), RECENT).await;
        let window = match objective.window() {
            Ok(window) => source.bad_share(&objective.counting, window).await,
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
                remarks: remarks(source, &objective.counting.with(&of.matchers)).await,
            }),
            (Err(e), _) | (_, Err(e)) => return History::Unreachable(e),
        }
    }
    History::Known(pasts)
}

/// What is to be known of the series: which replicas of the source each have them, and whether two jobs scrape one target.
async fn remarks(source: &PrometheusServers, counting: &Counting) -> BTreeSet<String> {
    let mut remarks = BTreeSet::new();
    for (_, selector) in &counting.selectors {
        // What cannot be read here is the business of what is measured.
        let Ok(series) = source.samples(selector, Timestamp::now() - SEEN).await else { continue };
        let replicas = replica_labels(&series);
        remarks.extend(
            replicas.iter().map(|label| format!("replicas of the source are told apart by `{label}` and counted once")),
        );
        if differ_in_job(&without_replicas(&series)) {
            remarks.insert(
                "series of one instance differ in `job` alone and count twice if both jobs scrape it: narrow the query"
                    .to_owned(),
            );
        }
    }
    remarks
}

/// Whether two series of one instance are the same but for the job that scrapes it.
fn differ_in_job(series: &[Series]) -> bool {
    let mut seen = BTreeSet::new();
    let scraped = series.iter().filter(|one| one.labels.contains_key("instance") && one.labels.contains_key("job"));
    scraped
        .map(|one| one.labels.iter().filter(|(label, _)| *label != "job").collect::<Vec<_>>())
        .any(|name| !seen.insert(name))
}

/// Refuses a threshold that lies between the edges of its histogram, once the histogram can be seen.
///
/// # Errors
/// Names the nearest edges.
pub async fn check_edges(objectives: &[Objective], metrics: &dyn Metrics) -> Result<(), Error> {
    for objective in objectives {
        let since = Timestamp::now() - Duration::from_secs(300);
        for (_, part) in &objective.counting.selectors {
            let Some(Native::UpTo(_)) = part.native else { continue };
            let whole = Selector { native: Some(Native::Count), ..part.clone() };
            // Where the whole can be counted and the part cannot, the threshold is no edge.
            if metrics.samples(&whole, since).await.is_ok()
                && let Err(PortError::UnexpectedResponse { why, .. }) = metrics.samples(part, since).await
            {
                return Err(Error::usage(format!("{}: {why}", objective.name), "use an edge as the threshold"));
            }
        }
        let (Some(edge), Some(buckets)) = (objective.counting.edge, objective.counting.buckets()) else { continue };
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
