//! The words of a sequence diagram that mean something by themselves.

use super::token::Kind;
use crate::sequence::mermaid::chars::{from, is_space, skip_space, skip_word};

/// The keyword at a byte and the end of it; words count in any case.
///
/// `title`, `accTitle` and `accDescr` are keywords only with what has to follow them.
pub(super) fn keyword(text: &str, at: usize) -> Option<(Kind, usize)> {
    let bytes = text.as_bytes();
    let end = skip_word(bytes, at);
    let word = bytes.get(at..end)?;
    if word.len() < 2 || word.len() > 15 {
        return None;
    }
    let mut small = [0_u8; 15];
    let small = small.get_mut(..word.len())?;
    small.copy_from_slice(word);
    small.make_ascii_lowercase();
    let kind = match &*small {
        b"box" => Kind::Box,
        b"participant" => Kind::Participant,
        b"actor" => Kind::ActorWord,
        b"create" => Kind::Create,
        b"destroy" => Kind::Destroy,
        b"loop" => Kind::Loop,
        b"rect" => Kind::Rect,
        b"opt" => Kind::Opt,
        b"alt" => Kind::Alt,
        b"else" => Kind::Else,
        b"par" => Kind::Par,
        b"par_over" => Kind::ParOver,
        b"and" => Kind::And,
        b"critical" => Kind::Critical,
        b"option" => Kind::Option,
        b"break" => Kind::Break,
        b"end" => Kind::End,
        b"left" | b"right" => return placement(text, at, end),
        b"links" => Kind::Links,
        b"link" => Kind::Link,
        b"properties" => Kind::Properties,
        b"details" => Kind::Details,
        b"over" => Kind::Over,
        b"note" => Kind::Note,
        b"activate" => Kind::Activate,
        b"deactivate" => Kind::Deactivate,
        b"title" => return title(text, end),
        b"acctitle" => return accessible(text, end, b':').map(|end| (Kind::AccTitle, end)),
        b"accdescr" => {
            return accessible(text, end, b':')
                .map(|end| (Kind::AccDescr, end))
                .or_else(|| accessible(text, end, b'{').map(|end| (Kind::AccDescrLines, end)));
        }
        b"sequencediagram" => Kind::Header,
        b"autonumber" => Kind::Autonumber,
        b"off" => Kind::Off,
        _ => return None,
    };
    Some((kind, end))
}

fn placement(text: &str, at: usize, end: usize) -> Option<(Kind, usize)> {
    let of = text.as_bytes().get(end..end + 3)?;
    let ends = skip_word(text.as_bytes(), end + 1) == end + 3;
    let kind = if end - at == 4 { Kind::LeftOf } else { Kind::RightOf };
    (of.eq_ignore_ascii_case(b" of") && ends).then_some((kind, end + 3))
}

/// `title`, perhaps a colon, one `\s`, and at least one character of the title.
fn title(text: &str, end: usize) -> Option<(Kind, usize)> {
    let after = if text.as_bytes().get(end) == Some(&b':') { end + 1 } else { end };
    let mut chars = from(text, after).chars();
    let space = chars.next().filter(|c| is_space(*c))?;
    let begin = after + space.len_utf8();
    let end = begin + from(text, begin).find(['#', '\n', ';']).unwrap_or(from(text, begin).len());
    (end > begin).then_some((Kind::Title, end))
}

fn accessible(text: &str, end: usize, mark: u8) -> Option<usize> {
    let at = skip_space(text, end);
    (text.as_bytes().get(at) == Some(&mark)).then(|| skip_space(text, at + 1))
}
