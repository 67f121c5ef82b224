//! What people are told of a bad end.

use super::{Outcome, Plan};
use crate::{journal::Grant, ports::Notice};

/// How a run ended, and what to do next.
pub(super) fn notice(grant: &Grant, plan: &Plan, outcome: &Outcome) -> Notice {
    let run = &grant.run;
    let next = match outcome {
        Outcome::Held { .. } => format!("decide: interlock runs resume {run} --keep, --undo or --watch"),
        Outcome::Stuck { .. } => format!(
            "look: interlock runs show {run}; try again: interlock runs recover {run}; or settle it by hand: \
             interlock runs resolve {run} --as kept|undone --reason TEXT"
        ),
        _ => format!("read the evidence: interlock runs show {run}"),
    };
    let outcome_word = outcome.word().to_owned();
    Notice {
        run: run.to_string(),
        title: plan.title.clone(),
        outcome: outcome_word,
        why: outcome.why().to_owned(),
        next,
    }
}
