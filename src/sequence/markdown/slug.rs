//! The anchors that GitHub makes from headings.

use std::collections::HashMap;

/// Makes anchors from headings; a text that comes again gets a number.
#[derive(Debug, Default)]
pub(super) struct Slugs {
    seen: HashMap<String, usize>,
}

impl Slugs {
    /// The anchor of a heading with that text.
    pub(super) fn of(&mut self, heading: &str) -> String {
        let mut slug = String::with_capacity(heading.len());
        for c in heading.trim().chars().flat_map(char::to_lowercase) {
            match c {
                ' ' => slug.push('-'),
                c if c.is_alphanumeric() || c == '-' || c == '_' => slug.push(c),
                _ => {}
            }
        }
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
        let made: Vec<String> =
            ["RT-7 Pay & go", "What's new?", "`make test`", "Again", "Again", "Über_uns"].map(|h| slugs.of(h)).into();
        assert_eq!(made, ["rt-7-pay--go", "whats-new", "make-test", "again", "again-1", "über_uns"]);
    }
}
