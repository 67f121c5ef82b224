//! What to do about one key when going back: compares only what interlock itself wrote.

use serde_json::Value;

/// What to do about one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    Nothing,
    /// It is as interlock left it: put the prior value back.
    PutBack,
    /// Someone else has written there: hands off.
    Foreign,
}

/// Decides by what stands at the key now.
pub fn undo(prior: &Value, written: &[&Value], found: &Value) -> Undo {
    if found == prior {
        Undo::Nothing
    } else if written.contains(&found) {
        Undo::PutBack
    } else {
        Undo::Foreign
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_interlock_wrote_is_put_back() {
        let (prior, five, all, strange) = (json!(0), json!(5), json!(100), json!(40));
        let written = [&five, &all];
        assert_eq!(undo(&prior, &written, &prior), Undo::Nothing);
        assert_eq!(undo(&prior, &written, &five), Undo::PutBack);
        assert_eq!(undo(&prior, &written, &all), Undo::PutBack);
        assert_eq!(undo(&prior, &written, &strange), Undo::Foreign);
    }
}
