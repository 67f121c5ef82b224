//! Errors as a compiler shows them: the line, the place in it, and the fix.

use std::{fmt, io::IsTerminal};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, SourceOffset};

use crate::error::{Error, Fault};

/// An error in the form that the renderer takes.
#[derive(Debug)]
struct Shown {
    what: String,
    hint: String,
    source: Option<(NamedSource<String>, LabeledSpan)>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.hint.is_empty()).then(|| Box::new(&self.hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|(source, _)| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source.as_ref().map(|(_, label)| Box::new(std::iter::once(label.clone())) as Box<dyn Iterator<Item = _>>)
    }
}

/// Whether errors are to be shown without colour and drawing: no terminal, or `NO_COLOR` is set.
#[must_use]
pub fn plain_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) || !std::io::stderr().is_terminal()
}

/// Renders an error for people; `plain` leaves out colour and everything that is not ASCII.
#[must_use]
pub fn render(error: &Error, plain: bool) -> String {
    let shown = match error {
        Error::Document(fault) => located(fault),
        other => Shown { what: other.to_string(), hint: other.hint().to_owned(), source: None },
    };
    let theme = if plain { GraphicalTheme::none() } else { GraphicalTheme::unicode() };
    let mut text = String::new();
    let drawn =
        GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false).render_report(&mut text, &shown);
    match drawn {
        Ok(()) => text,
        Err(_) => format!("{shown}\n  help: {}\n", shown.hint),
    }
}

fn located(fault: &Fault) -> Shown {
    let line = at_least_one(fault.place.line);
    let (text, column) = brief(&masked(&fault.text), line, at_least_one(fault.place.column));
    let offset = SourceOffset::from_location(&text, line, column).offset();
    let rest = text.get(offset..).unwrap_or_default();
    // The word at the place is underlined; an empty one by its place alone.
    let length = rest.find(|c: char| c.is_whitespace() || ",:{}[]".contains(c)).unwrap_or(rest.len());
    let what = match column == at_least_one(fault.place.column) {
        true => fault.what.clone(),
        // The line is shown from another column on.
        false => format!("{} (column {})", fault.what, fault.place.column),
    };
    let source = NamedSource::new(&fault.place.file, text).with_language("yaml");
    let label = LabeledSpan::new(Some("here".to_owned()), offset, length);
    Shown { what, hint: fault.hint.clone(), source: Some((source, label)) }
}

/// How much of a line is shown before a place, and all together, in characters.
const SHOWN: (usize, usize) = (40, 160);

/// The same text with as many lines, of which long ones are cut: that of the place around it, which gives the place another column.
/// Characters that a terminal would take for orders are replaced.
fn brief(text: &str, line: usize, column: usize) -> (String, usize) {
    let (before, whole) = SHOWN;
    let plain = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
    let mut shown_column = column;
    let cut = |(at, content): (usize, &str)| {
        // What lies far from the place is not shown, and only keeps the lines' numbers.
        if at + 4 < line || at > line + 2 {
            return String::new();
        }
        let content = content.strip_suffix('\r').unwrap_or(content);
        let skipped =
            if at + 1 == line && content.chars().nth(whole).is_some() { column.saturating_sub(before + 1) } else { 0 };
        let mut shown: String = content.chars().skip(skipped).take(whole).map(plain).collect();
        if content.chars().nth(skipped + whole).is_some() {
            shown.push('\u{2026}');
        }
        if skipped > 0 {
            shown.insert(0, '\u{2026}');
            shown_column = column - skipped + 1;
        }
        shown
    };
    let lines: Vec<String> = text.split('\n').enumerate().map(cut).collect();
    (lines.join("\n"), shown_column)
}

/// The same text, in which the names and passwords of addresses are stars: what is shown may go into the log of a pipeline.
fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://").map(|at| at + 3) {
        let (before, address) = rest.split_at(start);
        shown.push_str(before);
        let end = address.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\''));
        let authority = &address[..end.unwrap_or(address.len())];
        let secret = authority.rfind('@').unwrap_or(0);
        // As many bytes as before, so that places stay.
        shown.push_str(&"*".repeat(secret));
        rest = &address[secret..];
    }
    shown + rest
}

fn at_least_one(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Platform, parse};

    #[test]
    fn faults_show_their_line() {
        let text = include_str!("../../scenarios/lab/interlock.yaml").replace("maxBake", "maxBakr");
        let fault = parse::<Platform>("interlock.yaml", &text).unwrap_err();
        insta::assert_snapshot!(render(&fault.into(), true), @r"
 x unknown key `maxBakr`
   ,-[interlock.yaml:25:3]
24 |   bake: 20s
25 |   maxBakr: 60s
   :   ^^^|^^^
   :      `-- here
26 |   baseline: 5s
   `----
 help: did you mean `maxBake`?
");
    }

    #[test]
    fn long_lines_are_cut_around_their_place() {
        let long = format!("a: 1\nb: {}HERE{}\nc: {}\n", "x".repeat(5000), "y".repeat(5000), "z".repeat(9000));
        for text in [long, format!("a: 1\n{}\n", "\0".repeat(4 << 20))] {
            let place = crate::error::Place { file: "a.yaml".to_owned(), line: 2, column: 5004 };
            let fault = Fault { place, what: "wrong".to_owned(), hint: "fix it".to_owned(), text };
            let shown = render(&fault.into(), true);
            assert!(shown.len() < 2000 && !shown.contains('\0'), "{} bytes", shown.len());
            assert!(shown.contains("wrong (column 5004)") && shown.contains("a: 1"), "{shown}");
        }
        assert_eq!(brief("a\nbc\n", 2, 2), ("a\nbc\n".to_owned(), 2));
    }

    #[test]
    fn no_password_of_an_address_is_shown() {
        let text = "metrics:\n  url: \"http://me:SECRET@ä.example/a@b\" # x\nnotify: https://x.example/@y\n";
        assert_eq!(
            masked(text),
            "metrics:\n  url: \"http://*********@ä.example/a@b\" # x\nnotify: https://x.example/@y\n"
        );
    }

    #[test]
    fn other_errors_show_their_mend() {
        insta::assert_snapshot!(render(&Error::usage("there is no slot `red`", "use blue or green"), true), @r"
x there is no slot `red`
help: use blue or green
");
    }

    #[test]
    fn places_beyond_the_text_do_no_harm() {
        let mut fault = parse::<Platform>("interlock.yaml", "ä").unwrap_err();
        for (line, column) in [(0, 0), (1, 99), (99, 1), (1, 2)] {
            (fault.place.line, fault.place.column) = (line, column);
            assert!(!render(&fault.clone().into(), true).is_empty());
        }
    }
}
