//! Gives a diagram on one line its line breaks back, by the words that begin statements.
//!
//! A blank becomes a line feed, so that everything stays where it is. Read from the back to the front, for whether `end`
//! or `alt` is a keyword or prose is told by what follows.

use super::token::arrow;
use crate::sequence::Span;

/// The text with line feeds before its statements, and how many statements there are; nothing where the text has line
/// breaks of its own, or fewer than two statements.
pub(in crate::sequence::mermaid) fn line_breaks(text: &str, header: usize) -> Option<(String, usize)> {
    let body = text.get(header..)?.trim_end();
    if body.contains('\n') {
        return None;
    }
    let words = words(text, header, header + body.len());
    let kinds = statements(text, &words);
    let starts: Vec<usize> = (1..words.len()).filter(|i| kinds[*i] != Word::Prose).collect();
    if starts.len() < 2 {
        return None;
    }
    let mut bytes = text.as_bytes().to_vec();
    for start in &starts {
        // The byte before a word is an ASCII blank, or the header's last one.
        bytes[words[*start].start - 1] = b'\n';
    }
    String::from_utf8(bytes).ok().map(|text| (text, starts.len()))
}

fn words(text: &str, start: usize, end: usize) -> Vec<Span> {
    let mut words = Vec::new();
    let mut at = start;
    for word in text[start..end].split([' ', '\t']) {
        if !word.is_empty() {
            words.push(Span::new(at, at + word.len()));
        }
        at += word.len() + 1;
    }
    words
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Prose,
    Statement,
    Opens(&'static str),
    Divides,
    Ends,
}

fn statements(text: &str, words: &[Span]) -> Vec<Word> {
    let word = |i: usize| words.get(i).map_or("", |span| span.of(text));
    let mut kinds = vec![Word::Prose; words.len()];
    let mut ends = 0_usize;
    for i in (1..words.len()).rev() {
        let before_statement = i + 1 >= words.len() || kinds[i + 1] != Word::Prose;
        kinds[i] = match word(i) {
            "participant" | "actor" if i + 1 < words.len() && declares(&word, &kinds, i) => Word::Statement,
            "note" | "Note" if is_note(&word, i) => Word::Statement,
            "autonumber" if before_statement => Word::Statement,
            "activate" | "deactivate" | "destroy" | "create"
                if kinds.get(i + 2).is_none_or(|kind| *kind != Word::Prose) =>
            {
                Word::Statement
            }
            "end" if before_statement => {
                ends += 1;
                Word::Ends
            }
            "else" | "and" | "option" if ends > 0 => Word::Divides,
            name if ends > 0 && opener(name).is_some() => {
                ends -= 1;
                Word::Opens(opener(name).unwrap_or_default())
            }
            _ if begins_message(&word, i) => Word::Statement,
            _ => Word::Prose,
        };
    }
    one_end_for_each(&mut kinds);
    only_in_their_fragments(&mut kinds, &word);
    kinds
}

fn opener(word: &str) -> Option<&'static str> {
    ["alt", "opt", "loop", "par", "critical", "break", "rect"].into_iter().find(|known| *known == word)
}

/// Of `end end` with nothing left to close, the first is prose: "by the end end".
fn one_end_for_each(kinds: &mut [Word]) {
    let count = |wanted: fn(&Word) -> bool| kinds.iter().filter(|kind| wanted(kind)).count();
    let mut excess = count(|kind| *kind == Word::Ends).saturating_sub(count(|kind| matches!(kind, Word::Opens(_))));
    for i in 1..kinds.len() {
        if excess > 0 && kinds[i - 1] == Word::Ends && kinds[i] == Word::Ends {
            kinds[i - 1] = Word::Prose;
            excess -= 1;
        }
    }
}

/// `end` is prose where nothing is open, and so are a fragment's words where no statement stands in it; `else`, `and` and
/// `option` are prose where the innermost fragment has no such operands.
fn only_in_their_fragments<'a>(kinds: &mut [Word], word: &impl Fn(usize) -> &'a str) {
    let mut open: Vec<(usize, &str, usize)> = Vec::new();
    let mut statements = 0;
    for i in 0..kinds.len() {
        match kinds[i] {
            Word::Opens(name) => open.push((i, name, statements)),
            Word::Ends => match open.pop() {
                Some((_, _, before)) if statements > before => {}
                Some((opener, ..)) => (kinds[opener], kinds[i]) = (Word::Prose, Word::Prose),
                None => kinds[i] = Word::Prose,
            },
            Word::Divides => {
                let fits = matches!(
                    (open.last().map(|(_, name, _)| *name), word(i)),
                    (Some("alt"), "else") | (Some("par"), "and") | (Some("critical"), "option")
                );
                if !fits {
                    kinds[i] = Word::Prose;
                }
            }
            Word::Statement => statements += 1,
            Word::Prose => {}
        }
    }
}

/// A declaration is followed by a name, and then by a statement, a label in brackets or `as`.
fn declares<'a>(word: &impl Fn(usize) -> &'a str, kinds: &[Word], i: usize) -> bool {
    let ends = |at: usize| kinds.get(at).is_none_or(|kind| *kind != Word::Prose);
    kinds[i + 1] == Word::Prose && (ends(i + 2) || word(i + 2) == "as" || word(i + 1).contains('['))
}

fn is_note<'a>(word: &impl Fn(usize) -> &'a str, i: usize) -> bool {
    match word(i + 1) {
        "over" => true,
        "left" | "right" => word(i + 2) == "of",
        _ => false,
    }
}

/// `A->>B:`, `A ->> B:`, `A->> B:` and `A ->>B:` begin a message at `A`.
fn begins_message<'a>(word: &impl Fn(usize) -> &'a str, i: usize) -> bool {
    let here = word(i);
    let next_has_colon = |from: usize| (from..from + 3).any(|at| word(at).contains(':'));
    if arrow(here.as_bytes()).is_some() {
        return false;
    }
    match inner_arrow(here) {
        Some(after) => here[after..].contains(':') || next_has_colon(i + 1),
        None => arrow(word(i + 1).as_bytes()).is_some() && next_has_colon(i + 1),
    }
}

/// The byte after the first arrow within a word that does not begin with it.
fn inner_arrow(word: &str) -> Option<usize> {
    let colon = word.find(':').unwrap_or(word.len());
    (1..colon).find_map(|at| arrow(&word.as_bytes()[at..]).map(|(_, length)| at + length)).filter(|end| *end <= colon)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> String {
        line_breaks(text, 0).map_or_else(|| "as it was".to_owned(), |(text, _)| text)
    }

    #[test]
    fn statements_get_lines_of_their_own() {
        let text = "sequenceDiagram participant Till[Shop Till] participant Store Till->>Store: loop over all and end \
                    alt in stock Store-->>Till: yes else sold out Store -->> Till: no end Note over Till: the end";
        insta::assert_snapshot!(lines(text), @r"
sequenceDiagram
participant Till[Shop Till]
participant Store
Till->>Store: loop over all and end
alt in stock
Store-->>Till: yes
else sold out
Store -->> Till: no
end
Note over Till: the end
");
    }

    #[test]
    fn one_statement_may_stand_behind_the_header() {
        assert_eq!(lines("sequenceDiagram A->>B: hello, or B->C"), "as it was");
        assert_eq!(lines("sequenceDiagram\nA->>B: x"), "as it was");
    }
}
