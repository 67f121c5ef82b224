//! UTF-8 that was once read as a Windows code page: each of its bytes has become a character.

use crate::sequence::{Code, Diagnostic, Span};

/// The characters of the bytes from 0x80 in code page 1252; 1254 differs in six more.
const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// What code page 1254 has where 1252 has Icelandic letters.
const TURKISH: [(char, u8); 6] = [('Ğ', 0xd0), ('İ', 0xdd), ('Ş', 0xde), ('ğ', 0xf0), ('ı', 0xfd), ('ş', 0xfe)];

/// The finding, where a document holds text that decodes once more: one, at the first place, with the number of places.
pub(super) fn find(text: &str) -> Option<Diagnostic> {
    let mut first: Option<(Span, char)> = None;
    let mut count = 0_usize;
    let mut turkish = false;
    let mut at = 0;
    while let Some(offset) = text[at..].find(|c: char| !c.is_ascii()) {
        at += offset;
        match decoded(&text[at..]) {
            Some((c, length)) => {
                count += 1;
                turkish |= text[at..at + length].contains(TURKISH.map(|(c, _)| c));
                first.get_or_insert((Span::new(at, at + length), c));
                at += length;
            }
            None => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    let (span, c) = first?;
    let page = if turkish { "Windows-1254" } else { "Windows-1252" };
    let places = if count == 1 { "1 place".to_owned() } else { format!("{count} places") };
    let what = format!("UTF-8 was once read as {page} and saved so, in {places}; this was `{c}`");
    let fix = format!("open the file's older version as UTF-8, or convert it: iconv -f UTF-8 -t {page} FILE");
    Some(Diagnostic::new(Code::Mojibake, span, what, fix))
}

/// The character that the first characters of a text were, as bytes; and their length in the text.
fn decoded(text: &str) -> Option<(char, usize)> {
    let mut bytes = [0_u8; 4];
    let mut chars = text.chars();
    let first = chars.next()?;
    bytes[0] = byte(first)?;
    let wanted = match bytes[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let mut length = first.len_utf8();
    for slot in bytes.get_mut(1..wanted)? {
        let c = chars.next()?;
        *slot = byte(c)?;
        length += c.len_utf8();
    }
    let c = std::str::from_utf8(&bytes[..wanted]).ok()?.chars().next()?;
    // Controls are no text: what decodes to one was something else.
    (!c.is_control()).then_some((c, length))
}

/// The byte of a character in code pages 1252 and 1254.
fn byte(c: char) -> Option<u8> {
    if let Some((_, byte)) = TURKISH.iter().find(|(known, _)| *known == c) {
        return Some(*byte);
    }
    if let Some(index) = HIGH.iter().position(|known| *known == c) {
        return u8::try_from(index).ok().map(|index| index + 0x80);
    }
    u8::try_from(u32::from(c)).ok().filter(|byte| *byte >= 0xa0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_decodes_once_more_is_found_once() {
        let found = find("a â€” b ğŸ›’ c").unwrap();
        assert_eq!(found.span, Span::new(2, 10));
        insta::assert_snapshot!(found.what, @"UTF-8 was once read as Windows-1254 and saved so, in 2 places; this was `—`");
    }

    #[test]
    fn accents_and_symbols_are_left_alone() {
        for text in ["größe", "naïve café — “so”", "İstanbul ğ ş", "→ ✓ 🛒", "Ãx", "5 €"] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
