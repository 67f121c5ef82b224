//! Errors as a compiler shows them: the line, the place in it, and the mend.

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
    let (line, column) = (at_least_one(fault.place.line), at_least_one(fault.place.column));
    let offset = SourceOffset::from_location(&fault.text, line, column).offset();
    let rest = fault.text.get(offset..).unwrap_or_default();
    // The word at the place is underlined; an empty one by its place alone.
    let length = rest.find(|c: char| c.is_whitespace() || ",:{}[]".contains(c)).unwrap_or(rest.len());
    let source = NamedSource::new(&fault.place.file, fault.text.clone()).with_language("yaml");
    let label = LabeledSpan::new(Some("here".to_owned()), offset, length);
    Shown { what: fault.what.clone(), hint: fault.hint.clone(), source: Some((source, label)) }
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
