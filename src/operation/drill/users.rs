//! The users of a service that lives on the database: a drill ends at once where they suffer more than was agreed.

use std::time::Duration;

use futures::future::try_join_all;

use super::{Drill, Evidence, Users};
use crate::{
    guard::Verdict,
    model::HumanDuration,
    ports::{Metrics, PortError},
    slo::Tally,
};

/// How long the counters may be silent before the drill ends: a drill never goes on blind.
const UNSEEN: Duration = Duration::from_secs(15);

/// Looks at the users' counters.
///
/// # Errors
/// The verdict that ends the drill: too many bad requests, or none that could be seen for too long.
pub(super) async fn suffer(drill: &Drill, evidence: &mut Evidence, elapsed: Duration) -> Result<(), Verdict> {
    let (Some(users), Some(metrics)) = (&drill.spec.users, &drill.ports.metrics) else { return Ok(()) };
    if evidence.users.is_empty() {
        let start = drill.ports.clock.now().wall;
        evidence.users = users.objectives.iter().map(|one| Tally::new(one.counting.clone(), start)).collect();
    }
    let newest = evidence.users.iter().filter_map(Tally::newest).max();
    let read = read(&**metrics, &mut evidence.users).await;
    let fresh = evidence.users.iter().filter_map(Tally::newest).max() > newest;
    evidence.unseen = if fresh { Duration::ZERO } else { evidence.unseen + elapsed };
    if evidence.unseen > UNSEEN {
        let why = read.err().map_or_else(|| "nothing newer came".to_owned(), |e| e.to_string());
        let why = format!("the users of {} could not be seen for {}: {why}", users.service, HumanDuration(UNSEEN));
        return Err(Verdict::NoData { why });
    }
    worst(users, &evidence.users).map_or(Ok(()), |why| Err(Verdict::Breach { why }))
}

/// Says which objective has more bad requests than was agreed.
fn worst(users: &Users, tallies: &[Tally]) -> Option<String> {
    users.objectives.iter().zip(tallies).find_map(|(objective, tally)| {
        let counts = tally.counts();
        (counts.bad > users.most_bad).then(|| {
            format!(
                "{}: {} of {} requests were bad, {} were agreed",
                objective.name, counts.bad, counts.total, users.most_bad
            )
        })
    })
}

async fn read(metrics: &dyn Metrics, tallies: &mut [Tally]) -> Result<(), PortError> {
    let asked = tallies
        .iter()
        .map(|tally| try_join_all(tally.selectors().map(|selector| metrics.samples(selector, tally.since()))));
    let answers = try_join_all(asked).await?;
    for (tally, answers) in tallies.iter_mut().zip(&answers) {
        tally.look(answers);
    }
    Ok(())
}
