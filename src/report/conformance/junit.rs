//! A check as JUnit, in which CI systems show each message of the diagram as a test case.
//!
//! Format: <https://github.com/testmoapp/junitxml>.

use std::fmt::Write as _;

use super::drawn::Drawn;
use crate::sequence::conform::{Deviation, Instance, Report, StepState, Verdict};

/// How a test case ended; what is said of it beside.
enum Status {
    Passed,
    Failed(String, String),
    Error(String, String),
    Skipped(String),
}

struct Case {
    name: String,
    class: Option<String>,
    status: Status,
}

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
    written(drawn.name, &cases)
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

fn written(name: &str, cases: &[Case]) -> String {
    let count = |is: fn(&Status) -> bool| cases.iter().filter(|case| is(&case.status)).count();
    let all = cases.len();
    let skipped = count(|status| matches!(status, Status::Skipped(_)));
    let failures = count(|status| matches!(status, Status::Failed(..)));
    let errors = count(|status| matches!(status, Status::Error(..)));
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string does not fail.
    let _ = writeln!(
        xml,
        "<testsuites name=\"interlock sequence verify\" tests=\"{all}\" skipped=\"{skipped}\" failures=\"{failures}\" \
         errors=\"{errors}\">\n    <testsuite name=\"{}\" tests=\"{all}\" skipped=\"{skipped}\" errors=\"{errors}\" \
         failures=\"{failures}\">",
        escaped(name)
    );
    for case in cases {
        let class = case.class.as_deref().map(|class| format!(" classname=\"{}\"", escaped(class))).unwrap_or_default();
        let _ = write!(xml, "        <testcase name=\"{}\"{class}", escaped(&case.name));
        let _ = match &case.status {
            Status::Passed => writeln!(xml, "/>"),
            Status::Failed(message, text) => writeln!(xml, ">{}", outcome("failure", message, text)),
            Status::Error(message, text) => writeln!(xml, ">{}", outcome("error", message, text)),
            Status::Skipped(why) => {
                writeln!(xml, ">\n            <skipped message=\"{}\"/>\n        </testcase>", escaped(why))
            }
        };
    }
    xml.push_str("    </testsuite>\n</testsuites>\n");
    xml
}

fn outcome(tag: &str, message: &str, text: &str) -> String {
    let (message, text) = (escaped(message), escaped(text));
    format!("\n            <{tag} message=\"{message}\">{text}</{tag}>\n        </testcase>")
}

/// Text for an element or a quoted attribute; characters that XML has no way to write are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c < ' ' => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_escaped_or_left_out() {
        let case = |name: &str, status| Case { name: name.into(), class: Some("a \"b\".md:1".into()), status };
        let cases = [
            case("A->>B: x & 'y'", Status::Passed),
            case("ctrl \u{1b}[31m\u{0}", Status::Skipped("<why>".into())),
            case("bad", Status::Failed("one".into(), "one\ntwo]]>".into())),
            case("unknown", Status::Error("INCONCLUSIVE".into(), String::new())),
        ];
        insta::assert_snapshot!(written("a<b", &cases), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="interlock sequence verify" tests="4" skipped="1" failures="1" errors="1">
            <testsuite name="a&lt;b" tests="4" skipped="1" errors="1" failures="1">
                <testcase name="A-&gt;&gt;B: x &amp; &apos;y&apos;" classname="a &quot;b&quot;.md:1"/>
                <testcase name="ctrl [31m" classname="a &quot;b&quot;.md:1">
                    <skipped message="&lt;why&gt;"/>
                </testcase>
                <testcase name="bad" classname="a &quot;b&quot;.md:1">
                    <failure message="one">one
        two]]&gt;</failure>
                </testcase>
                <testcase name="unknown" classname="a &quot;b&quot;.md:1">
                    <error message="INCONCLUSIVE"></error>
                </testcase>
            </testsuite>
        </testsuites>
        "#);
    }
}
