//! GTID positions: a list of `domain-server-sequence`, one for each domain.

/// One entry of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gtid {
    pub domain: u32,
    /// The server that wrote the transaction.
    pub server: u32,
    /// The transaction's number in its domain.
    pub sequence: u64,
}

impl Gtid {
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (domain, server, sequence) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        Some(Self { domain: domain.parse().ok()?, server: server.parse().ok()?, sequence: sequence.parse().ok()? })
    }

    /// The history that it belongs to.
    pub fn timeline(&self) -> String {
        timeline(self.domain, self.server)
    }
}

/// A history: who writes in which domain.
pub fn timeline(domain: u32, server: u32) -> String {
    format!("{domain}-{server}")
}

/// The entry of one domain in a position; entries that are none are passed over.
pub fn in_domain(position: &str, domain: u32) -> Option<Gtid> {
    position.split(',').filter_map(Gtid::read).find(|gtid| gtid.domain == domain)
}

/// The first entry of `wanted` that `reached` has not come to.
pub fn missing(wanted: &str, reached: &str) -> Option<String> {
    let lacks = |gtid: &Gtid| in_domain(reached, gtid.domain).is_none_or(|at| at.sequence < gtid.sequence);
    let first = wanted.split(',').filter_map(Gtid::read).find(lacks);
    first.map(|gtid| format!("{}-{}", gtid.timeline(), gtid.sequence))
}

/// The first entry of a position that goes beyond what a history has of the same server. Of a server that the history does not
/// name, it may have thrown away what it had.
pub fn beyond(position: &str, history: &str) -> Option<String> {
    let last = |of: &Gtid| {
        let known = history.split(',').filter_map(Gtid::read);
        known.filter(|gtid| (gtid.domain, gtid.server) == (of.domain, of.server)).map(|gtid| gtid.sequence).max()
    };
    let mut entries = position.split(',').filter_map(Gtid::read);
    let first = entries.find(|gtid| last(gtid).is_some_and(|last| last < gtid.sequence));
    first.map(|gtid| format!("{}-{}", gtid.timeline(), gtid.sequence))
}

pub fn domains(position: &str) -> usize {
    position.split(',').filter_map(Gtid::read).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_reached_in_every_domain() {
        assert_eq!(missing("0-1-5,2-1-7", "0-9-5,2-1-8,3-3-3"), None);
        assert_eq!(missing("0-1-5,2-1-7", "0-1-5").as_deref(), Some("2-1-7"));
        assert_eq!(missing("0-1-5", "0-1-4").as_deref(), Some("0-1-5"));
        assert_eq!(missing("", ""), None);
    }

    #[test]
    fn a_position_is_beyond_a_history_that_has_less_of_the_same_server() {
        assert_eq!(beyond("0-1-125", "0-1-110,0-2-140,0-2-90").as_deref(), Some("0-1-125"));
        assert_eq!(beyond("0-1-110", "0-1-110,0-2-140"), None);
        // What was applied, and not logged, counts as well.
        assert_eq!(beyond("0-1-125", "0-2-140,0-1-125"), None);
        assert_eq!(beyond("0-1-125", "0-2-140"), None, "it may have thrown its older log away");
        assert_eq!(beyond("0-1-125", "1-1-110"), None, "another domain says nothing");
    }

    #[test]
    fn positions_are_lists_of_three_numbers() {
        let position = "0-17011-4,\n 7-3-18446744073709551615";
        assert_eq!(in_domain(position, 0), Some(Gtid { domain: 0, server: 17011, sequence: 4 }));
        assert_eq!(
            in_domain(position, 7).map(|gtid| (gtid.timeline(), gtid.sequence)),
            Some(("7-3".to_owned(), u64::MAX))
        );
        assert_eq!((domains(position), domains("")), (2, 0));
        for wrong in ["", "0-1", "0-1-2-3", "a-1-2", "0-1-", "-1-2"] {
            assert_eq!(Gtid::read(wrong), None, "{wrong}");
        }
    }
}
