//! Paths with their variable parts named, such as `/orders/{id}`.

use std::{collections::BTreeMap, fmt::Write as _};

/// The longest path, in bytes.
const LONGEST: usize = 2048;

/// A path whose variable parts are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Fixed(String),
    Part(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix('/').ok_or_else(|| format!("the path `{text}` does not begin with a slash"))?;
        if text.len() > LONGEST {
            return Err(format!("a path has {LONGEST} bytes at most"));
        }
        let segments = rest.split('/').map(segment).collect::<Result<Vec<_>, _>>()?;
        let mut names: Vec<_> = segments.iter().filter_map(Segment::name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("the path `{text}` names the part `{}` twice", twice[0]));
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    /// The template as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of its variable parts.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::name)
    }

    /// The variable parts of a path that fits, decoded.
    #[must_use]
    pub fn matches(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let found: Vec<_> = path.strip_prefix('/')?.split('/').collect();
        if found.len() != self.segments.len() {
            return None;
        }
        let mut parts = BTreeMap::new();
        for (segment, found) in self.segments.iter().zip(found) {
            let found = decoded(found)?;
            match segment {
                Segment::Fixed(fixed) if *fixed == found => {}
                Segment::Part(name) if !found.is_empty() => drop(parts.insert(name.clone(), found)),
                Segment::Fixed(_) | Segment::Part(_) => return None,
            }
        }
        Some(parts)
    }

    /// The path with its variable parts filled in and encoded.
    ///
    /// # Errors
    /// Which part is missing or empty.
    pub fn fill(&self, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            match segment {
                Segment::Fixed(fixed) => path.push_str(fixed),
                Segment::Part(name) => match value(name).filter(|value| !value.is_empty()) {
                    Some(value) => path.push_str(&encoded(&value)),
                    None => return Err(format!("the part `{name}` of {} has no value", self.text)),
                },
            }
        }
        Ok(path)
    }

    /// Whether both stand for the same paths.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|pair| match pair {
                (Segment::Fixed(a), Segment::Fixed(b)) => a == b,
                (Segment::Part(_), Segment::Part(_)) => true,
                (Segment::Fixed(_), Segment::Part(_)) | (Segment::Part(_), Segment::Fixed(_)) => false,
            })
    }

    /// Orders templates so that of those which fit a path the most exact comes first.
    #[must_use]
    pub fn rank(&self) -> Vec<bool> {
        self.segments.iter().map(|segment| segment.name().is_some()).collect()
    }
}

impl Segment {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Fixed(_) => None,
            Self::Part(name) => Some(name),
        }
    }
}

fn segment(text: &str) -> Result<Segment, String> {
    let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return match text.bytes().all(is_plain) {
            true => Ok(Segment::Fixed(text.to_owned())),
            false => Err(format!("`{text}` cannot stand in a path; a variable part is a whole segment: `{{id}}`")),
        };
    };
    let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if fits { Ok(Segment::Part(name.to_owned())) } else { Err(format!("`{name}` names no part of a path")) }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

/// Encodes what may stand neither in a segment nor in a query: <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The text that was encoded; none where that is broken.
#[must_use]
pub fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit()? << 4 | digit()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap()
    }

    #[test]
    fn a_path_is_taken_apart_and_put_together() {
        let orders = template("/sites/{site}/orders/{id}");
        let parts = orders.matches("/sites/a%20b/orders/7").unwrap();
        assert_eq!(parts.into_iter().collect::<Vec<_>>(), [("id".into(), "7".into()), ("site".into(), "a b".into())]);
        let path = orders.fill(|name| Some(format!("{name}/ü"))).unwrap();
        assert_eq!(path, "/sites/site%2F%C3%BC/orders/id%2F%C3%BC");
        assert_eq!(orders.matches(&path).unwrap()["id"], "id/ü");
        assert_eq!(orders.fill(|_| None), Err("the part `site` of /sites/{site}/orders/{id} has no value".into()));
    }

    #[test]
    fn other_paths_do_not_fit() {
        let order = template("/orders/{id}");
        for path in
            ["/orders", "/orders/", "/orders/7/", "/Orders/7", "orders/7", "/orders/%", "/orders/%ff", "/orders/%+1"]
        {
            assert_eq!(order.matches(path), None, "{path}");
        }
        assert!(template("/").matches("/").is_some());
    }

    #[test]
    fn templates_that_stand_for_the_same_are_the_same() {
        assert!(template("/orders/{id}").is_same(&template("/orders/{order}")));
        assert!(!template("/orders/{id}").is_same(&template("/orders/open")));
        assert!(template("/orders/open").rank() < template("/orders/{id}").rank());
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in
            ["orders", "/orders/{id", "/{}", "/{a}/{a}", "/o rders", "/x{id}", &format!("/{}", "x".repeat(LONGEST))]
        {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
