//! Topics such as `order.created`, and patterns of them: `*` is one word, `**` at the end one or more.

/// The longest topic, in bytes.
const LONGEST: usize = 200;

/// A pattern of topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let last = text.split('.').count() - 1;
        let fits = |(at, word): (usize, &str)| is_word(word) || word == "*" || (word == "**" && at == last);
        match text.len() <= LONGEST && text.split('.').enumerate().all(fits) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!(
                "`{text}` is no pattern of topics -> write words with dots between, `*` for one of them, and `**` at the end \
                 for all that follow"
            )),
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether a topic fits.
    #[must_use]
    pub fn fits(&self, topic: &str) -> bool {
        let mut words = topic.split('.');
        for wanted in self.0.split('.') {
            match (wanted, words.next()) {
                ("**", word) => return word.is_some(),
                (_, None) => return false,
                ("*", Some(_)) => {}
                (wanted, Some(word)) if wanted == word => {}
                _ => return false,
            }
        }
        words.next().is_none()
    }
}

/// Checks a topic.
///
/// # Errors
/// Where it is none.
pub fn topic(text: &str) -> Result<(), String> {
    match text.len() <= LONGEST && text.split('.').all(is_word) {
        true => Ok(()),
        false => Err(format!("`{text}` is no topic -> write words with dots between, such as \"order.created\"")),
    }
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_topics_word_by_word() {
        let fits = |pattern: &str, topic: &str| Pattern::parse(pattern).unwrap().fits(topic);
        assert!(fits("order.created", "order.created") && fits("order.*", "order.created"));
        assert!(fits("*.created", "order.created") && fits("**", "order") && fits("order.**", "order.line.added"));
        assert!(!fits("order.*", "order") && !fits("order.*", "order.line.added") && !fits("order.**", "order"));
        assert!(!fits("order.created", "order.create") && !fits("order", "order.created"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", ".", "order.", "order..created", "order.**.created", "order.cre*", "order created"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
            assert!(topic(text).is_err(), "{text}");
        }
        assert!(topic("order.*").is_err() && topic("order.created_2").is_ok());
    }
}
