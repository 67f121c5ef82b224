//! Pages of samples as the lab's parts show them, in the Prometheus text format (version 0.0.4).
//!
//! Format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::{self, Write};

use axum::response::{IntoResponse, Response};
use hyper::header;

/// What a family of samples is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count of what has been observed.
    Histogram,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A page that is being written; the samples of a family have to follow its head.
pub struct Page {
    text: String,
    /// The labels that every sample carries, as they are written.
    common: String,
}

impl Page {
    /// An empty page whose samples all carry `common`.
    #[must_use]
    pub fn new(common: &[(&str, &str)]) -> Self {
        let mut written = String::new();
        for (name, value) in common {
            label(&mut written, name, value);
        }
        Self { text: String::with_capacity(4096), common: written }
    }

    /// Begins a family: what its samples are called, what they are, and what that means.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        // Writing to a string cannot fail; the same holds below.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
    }

    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        let mut all = self.common.clone();
        for (name, value) in labels {
            label(&mut all, name, value);
        }
        let _ = if all.is_empty() {
            writeln!(self.text, "{name} {value}")
        } else {
            writeln!(self.text, "{name}{{{all}}} {value}")
        };
    }

    /// The page's text.
    #[must_use]
    pub fn text(self) -> String {
        self.text
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], self.text()).into_response()
    }
}

/// Adds a label; what its value holds may come from outside, as a path does.
fn label(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    let _ = write!(out, "{name}=\"");
    for c in value.chars() {
        match c {
            '\\' => out.push_str(r"\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str(r"\n"),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_holds_whatever_it_is_given() {
        let mut page = Page::new(&[("service", "tenant")]);
        page.family("m", Kind::Gauge, "Something.");
        page.sample("m", &[("request", "GET /\"\\\nm{} 1")], 2);
        insta::assert_snapshot!(page.text(), @r##"
# HELP m Something.
# TYPE m gauge
m{service="tenant",request="GET /\"\\\nm{} 1"} 2
"##);
    }

    #[test]
    fn a_sample_needs_no_label() {
        let mut page = Page::new(&[]);
        page.sample("m", &[], 0.5);
        assert_eq!(page.text(), "m 0.5\n");
    }
}
