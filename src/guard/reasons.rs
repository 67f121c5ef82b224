//! Several reasons in one sentence, of which no part is said twice.

/// Joins reasons. Several keys often stay as they are for one reason; it is told with the first of them.
pub(crate) fn joined<'a>(reasons: impl IntoIterator<Item = &'a str>) -> String {
    let (mut told, mut known) = (Vec::new(), Vec::new());
    for part in reasons.into_iter().flat_map(|reason| reason.split("; ")) {
        let ends: Vec<&str> =
            std::iter::once(part).chain(part.match_indices(": ").map(|(at, mark)| &part[at + mark.len()..])).collect();
        match ends.iter().find(|end| known.contains(*end)) {
            Some(end) if *end == part => {}
            Some(end) => {
                let begin = part[..part.len() - end.len()].trim_end_matches([':', ' ']);
                told.push(format!("{begin} for the same reason"));
            }
            None => told.push(part.to_owned()),
        }
        known.extend(ends);
    }
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reason_that_several_keys_share_is_told_once() {
        let why = "no command `stop` for the host `pg1`; as things stand: pg1 is down; pg2 takes writes";
        let all = [format!("host/pg1: {why}"), format!("primary stays at elsewhere: {why}"), "ledger: gone".to_owned()];
        insta::assert_snapshot!(joined(all.iter().map(String::as_str)), @"host/pg1: no command `stop` for the host `pg1`; as things stand: pg1 is down; pg2 takes writes; primary stays at elsewhere for the same reason; ledger: gone");
        assert_eq!(joined(["gone", "gone"]), "gone");
        assert_eq!(joined(["scale/blue: gone"]), "scale/blue: gone");
    }

    proptest! {
        #[test]
        fn no_part_is_said_twice_and_none_is_lost(reasons in proptest::collection::vec("(a: |b: )?(c: )?[d-g]{1,2}(; [d-g]{1,2})?", 1..6)) {
            let told = joined(reasons.iter().map(String::as_str));
            let parts: Vec<&str> = told.split("; ").filter(|part| !part.ends_with("for the same reason")).collect();
            for (at, part) in parts.iter().enumerate() {
                prop_assert!(!parts[..at].contains(part), "{told}");
            }
            for part in reasons.iter().flat_map(|reason| reason.split("; ")) {
                let end = part.rsplit(": ").next().unwrap();
                prop_assert!(parts.iter().any(|told| told.rsplit(": ").next() == Some(end)), "{part} in {told}");
            }
        }
    }
}
