//! Names and texts as mermaid reads them back: identifiers of letters and digits, and what means something escaped.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
};

use super::item::Who;

/// How many characters of a text are drawn.
const LONGEST: usize = 160;

/// Words that begin a statement, in any case, and so cannot be identifiers.
const KEYWORDS: &[&str] = &[
    "acctitle",
    "accdescr",
    "activate",
    "actor",
    "alt",
    "and",
    "as",
    "autonumber",
    "box",
    "break",
    "create",
    "critical",
    "deactivate",
    "destroy",
    "details",
    "else",
    "end",
    "left",
    "link",
    "links",
    "loop",
    "note",
    "off",
    "opt",
    "option",
    "over",
    "par",
    "par_over",
    "participant",
    "properties",
    "rect",
    "right",
    "sequencediagram",
    "title",
];

/// The participants, in the order in which they are first drawn.
#[derive(Default)]
pub(super) struct Names<'a> {
    /// Whether each is somebody outside, its identifier and its label.
    pub all: Vec<(bool, String, String)>,
    known: HashMap<Who<'a>, usize>,
    ids: HashSet<String>,
    labels: HashSet<String>,
}

impl<'a> Names<'a> {
    /// The identifier of a participant.
    pub fn id(&mut self, who: Who<'a>) -> &str {
        let at = match self.known.get(&who) {
            Some(at) => *at,
            None => self.add(who),
        };
        &self.all[at].1
    }

    fn add(&mut self, who: Who<'a>) -> usize {
        let name = match who {
            Who::Client(_) => "Client",
            Who::Service("") => "unknown service",
            Who::Service(name) | Who::Peer(name) => name,
        };
        let label = unused(&mut self.labels, &plain(name), " ");
        let id = unused(&mut self.ids, &identifier(&label), "_");
        self.known.insert(who, self.all.len());
        self.all.push((matches!(who, Who::Client(_)), id, label));
        self.all.len() - 1
    }
}

/// A name that is not in use, with a number behind it if need be.
fn unused(used: &mut HashSet<String>, name: &str, between: &str) -> String {
    // Mermaid tells names apart by their case, and people do not.
    let free = (1..).map(|number| if number == 1 { name.to_owned() } else { format!("{name}{between}{number}") });
    let found = free.into_iter().find(|name| !used.contains(&name.to_lowercase())).unwrap_or_default();
    used.insert(found.to_lowercase());
    found
}

fn identifier(label: &str) -> String {
    let safe: String = label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    // `C4Container` anywhere makes mermaid take a diagram for one of another kind.
    let safe = safe.trim_matches('_').replace("C4", "C_4");
    if safe.is_empty() || safe.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("P_{safe}").trim_end_matches('_').to_owned();
    }
    if KEYWORDS.contains(&safe.to_lowercase().as_str()) {
        return safe + "_";
    }
    safe
}

/// A text on one line, without blanks around it, and not too long; said to be unnamed where nothing is left.
fn plain(text: &str) -> String {
    let blank = |c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}';
    let words: Vec<&str> = text.split(blank).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    if line.is_empty() {
        return "unnamed".to_owned();
    }
    match line.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", line[..cut].trim_end()),
        None => line,
    }
}

/// A text so that mermaid draws it as it is.
pub(super) fn escaped(text: &str) -> String {
    let text = plain(text);
    let wraps = text.trim_start_matches(':').to_lowercase();
    let wraps = text.starts_with(':') || wraps.starts_with("wrap:") || wraps.starts_with("nowrap:");
    let comment = text.contains("%%");
    let mut found = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    for c in text.chars() {
        match c {
            // They end a statement or a text, begin an entity, or are taken for HTML.
            '#' | ';' | '<' | '>' | '&' => _ = write!(found, "#{};", c as u32),
            '%' if comment => found.push_str("#37;"),
            ':' if wraps => found.push_str("#58;"),
            '4' if before == 'C' => found.push_str("#52;"),
            c => found.push(c),
        }
        before = c;
    }
    found
}
