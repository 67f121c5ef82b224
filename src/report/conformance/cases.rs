//! A check as JUnit, in which CI systems show each message of the diagram as a test case.

use super::drawn::Drawn;
use crate::report::junit::{Case, Status, written};
use crate::sequence::conform::{Deviation, Instance, Report, StepState, Verdict};

/// The report as JUnit's XML.
#[must_use]
pub fn junit(drawn: &Drawn<'_>, report: &Report) -> String {
    let mut cases: Vec<Case> = drawn
        .diagram
        .messages()
        .into_iter()
        .enumerate()
        .map(|(index, message)| Case {
            name: drawn.say(message),
            class: Some(format!("{}:{}", drawn.file, drawn.place(message.span).0)),
            status: of_message(drawn, report, index),
        })
        .collect();
    let others = deviations(report).filter(|one| one.message.is_none());
    cases.push(Case { name: "nothing happens that is not drawn".into(), class: None, status: failed(drawn, others) });
    cases.push(Case { name: "the verdict".into(), class: Some(drawn.file.clone()), status: whole(report) });
    written(("interlock sequence verify", drawn.name), &cases)
}

fn deviations(report: &Report) -> impl Iterator<Item = &Deviation> {
    report.instances.iter().flat_map(|instance| &instance.deviations)
}

fn failed<'a>(drawn: &Drawn<'_>, deviations: impl Iterator<Item = &'a Deviation>) -> Status {
    let told: Vec<String> =
        deviations.map(|one| format!("{}: {}: {}", drawn.cite(one.place), one.kind.word(), one.what)).collect();
    told.first().map_or(Status::Passed, |first| Status::Failed(first.clone(), told.join("\n")))
}

fn of_message(drawn: &Drawn<'_>, report: &Report, index: usize) -> Status {
    let wrong = failed(drawn, deviations(report).filter(|one| one.message == Some(index)));
    if !matches!(wrong, Status::Passed) {
        return wrong;
    }
    let states = || report.instances.iter().filter_map(|instance: &Instance| instance.steps.get(index));
    if states().any(|state| matches!(state, StepState::Seen(_))) {
        return Status::Passed;
    }
    let why = states().find_map(|state| match state {
        StepState::Unobservable(why) => Some(why.clone()),
        StepState::NotTaken => Some("its branch was not taken".to_owned()),
        StepState::Advisory => Some("it is not bound to a span".to_owned()),
        StepState::Seen(_) | StepState::Missing | StepState::Wrong(_) => None,
    });
    Status::Skipped(why.unwrap_or_else(|| "nothing of it was observed".to_owned()))
}

/// What is neither well nor wrong is an error of the run, so that no pipeline takes it for a pass.
fn whole(report: &Report) -> Status {
    let status = match report.verdict {
        Verdict::Pass => return Status::Passed,
        Verdict::Fail => Status::Failed,
        Verdict::Inconclusive | Verdict::Vacuous => Status::Error,
    };
    let doubts: Vec<&str> =
        report.doubts.iter().chain(report.instances.iter().flat_map(|one| &one.doubts)).map(String::as_str).collect();
    status(report.verdict.word().to_owned(), doubts.join("\n"))
}
