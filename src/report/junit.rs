//! Checks as JUnit, which CI systems show as test cases.
//!
//! Format: <https://github.com/testmoapp/junitxml>.

use std::fmt::Write as _;

/// How a test case ended; what is said of it beside.
pub enum Status {
    Passed,
    Failed(String, String),
    Error(String, String),
    Skipped(String),
}

pub struct Case {
    pub name: String,
    pub class: Option<String>,
    pub status: Status,
}

/// The cases of a command's check, as JUnit's XML.
pub fn written((command, name): (&str, &str), cases: &[Case]) -> String {
    let count = |is: fn(&Status) -> bool| cases.iter().filter(|case| is(&case.status)).count();
    let all = cases.len();
    let skipped = count(|status| matches!(status, Status::Skipped(_)));
    let failures = count(|status| matches!(status, Status::Failed(..)));
    let errors = count(|status| matches!(status, Status::Error(..)));
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string does not fail.
    let _ = writeln!(
        xml,
        "<testsuites name=\"{command}\" tests=\"{all}\" skipped=\"{skipped}\" failures=\"{failures}\" \
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
        insta::assert_snapshot!(written(("interlock sequence verify", "a<b"), &cases), @r#"
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
