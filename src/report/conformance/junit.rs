//! A check as JUnit, in which CI systems show each message of the diagram as a test case.

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::drawn::Drawn;
use crate::sequence::conform::{Deviation, Instance, Report, StepState, Verdict};

/// The report as JUnit's XML.
///
/// # Errors
/// Where the serializer fails; with plain text in memory it does not.
pub fn junit(drawn: &Drawn<'_>, report: &Report) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new(drawn.name);
    for (index, message) in drawn.diagram.messages().into_iter().enumerate() {
        let mut case = TestCase::new(drawn.say(message), of_message(drawn, report, index));
        case.set_classname(format!("{}:{}", drawn.file, drawn.place(message.span).0));
        suite.add_test_case(case);
    }
    let others = deviations(report).filter(|one| one.message.is_none());
    suite.add_test_case(TestCase::new("nothing happens that is not drawn", failed(drawn, others)));
    let mut verdict = TestCase::new("the verdict", whole(report));
    verdict.set_classname(drawn.file.clone());
    suite.add_test_case(verdict);
    let mut all = Junit::new("interlock sequence verify");
    all.add_test_suite(suite);
    all.to_string()
}

fn deviations(report: &Report) -> impl Iterator<Item = &Deviation> {
    report.instances.iter().flat_map(|instance| &instance.deviations)
}

fn failed<'a>(drawn: &Drawn<'_>, deviations: impl Iterator<Item = &'a Deviation>) -> TestCaseStatus {
    let told: Vec<String> =
        deviations.map(|one| format!("{}: {}: {}", drawn.cite(one.place), one.kind.word(), one.what)).collect();
    if told.is_empty() {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(told[0].clone());
    status.set_description(told.join("\n"));
    status
}

fn of_message(drawn: &Drawn<'_>, report: &Report, index: usize) -> TestCaseStatus {
    let wrong = failed(drawn, deviations(report).filter(|one| one.message == Some(index)));
    if !matches!(wrong, TestCaseStatus::Success { .. }) {
        return wrong;
    }
    let states = || report.instances.iter().filter_map(|instance: &Instance| instance.steps.get(index));
    if states().any(|state| matches!(state, StepState::Seen(_))) {
        return TestCaseStatus::success();
    }
    let why = states().find_map(|state| match state {
        StepState::Unobservable(why) => Some(why.clone()),
        StepState::NotTaken => Some("its branch was not taken".to_owned()),
        StepState::Advisory => Some("it is not bound to a span".to_owned()),
        StepState::Seen(_) | StepState::Missing | StepState::Wrong(_) => None,
    });
    let mut status = TestCaseStatus::skipped();
    status.set_message(why.unwrap_or_else(|| "nothing of it was observed".to_owned()));
    status
}

/// What is neither well nor wrong is an error of the run, so that no pipeline takes it for a pass.
fn whole(report: &Report) -> TestCaseStatus {
    let kind = match report.verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Fail => NonSuccessKind::Failure,
        Verdict::Inconclusive | Verdict::Vacuous => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(report.verdict.word());
    let doubts: Vec<&str> =
        report.doubts.iter().chain(report.instances.iter().flat_map(|one| &one.doubts)).map(String::as_str).collect();
    status.set_description(doubts.join("\n"));
    status
}
