//! The anchors that GitHub makes from headings.

use std::{collections::HashMap, sync::LazyLock};

use regex::Regex;

/// What is left out: all but letters, marks, decimal digits, connectors, hyphens and blanks.
///
/// Source: `/[^\p{Word}\- ]/u` of GitHub's html-pipeline; its words have no joiners.
#[expect(clippy::expect_used, reason = "the pattern is written here, and a test reads it")]
static LEFT_OUT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[^\w\- ]|[\u{200c}\u{200d}]").expect("a regular expression"));

/// Makes anchors from headings; a text that comes again gets a number.
#[derive(Debug, Default)]
pub(super) struct Slugs {
    seen: HashMap<String, usize>,
}

impl Slugs {
    /// The anchor of a heading with that text.
    pub(super) fn of(&mut self, heading: &str) -> String {
        let slug = LEFT_OUT.replace_all(&heading.to_lowercase(), "").replace(' ', "-");
        let count = self.seen.entry(slug.clone()).or_insert(0);
        *count += 1;
        if *count > 1 { format!("{slug}-{}", *count - 1) } else { slug }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_those_of_github() {
        let mut slugs = Slugs::default();
        let made: Vec<String> = [
            "RT-7 Pay & go",
            "What's new?",
            "`make test`",
            "Again",
            "Again",
            "Über_uns",
            "⚙️ Setup",
            "स्थापना",
            "การติดตั้ง",
            "x² ½",
        ]
        .map(|h| slugs.of(h))
        .into();
        assert_eq!(
            made,
            [
                "rt-7-pay--go",
                "whats-new",
                "make-test",
                "again",
                "again-1",
                "über_uns",
                "️-setup",
                "स्थापना",
                "การติดตั้ง",
                "x-"
            ]
        );
    }
}
