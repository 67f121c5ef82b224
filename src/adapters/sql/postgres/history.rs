//! Timeline history files: where the present timeline left the one before.

/// The position at which the last timeline of a history file began, in bytes of the log.
///
/// Each line is `parent <tab> position <tab> reason`; see `restore_command` and `readTimeLineHistory` of `PostgreSQL`.
pub fn switched_at(history: &str) -> Option<u64> {
    let line = history.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with('#'))?;
    lsn(line.split_whitespace().nth(1)?)
}

/// Reads a position such as `0/3000060`.
pub fn lsn(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let part = |text: &str| u32::from_str_radix(text, 16).ok().filter(|_| text.len() <= 8);
    Some(u64::from(part(high)?) << 32 | u64::from(part(low)?))
}

/// The name of a timeline's history file.
pub fn file(timeline: u32) -> String {
    format!("pg_wal/{timeline:08X}.history")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_where_the_present_timeline_began() {
        let history = "1\t0/3000060\tno recovery target specified\n\n2\t1/A0000F8\tno recovery target specified\n";
        assert_eq!(switched_at(history), Some(0x1_0A00_00F8));
        assert_eq!(switched_at(""), None);
        assert_eq!(switched_at("# nothing\n"), None);
        assert_eq!(file(11), "pg_wal/0000000B.history");
    }

    #[test]
    fn positions_are_two_numbers_of_32_bits() {
        assert_eq!(lsn("FFFFFFFF/FFFFFFFF"), Some(u64::MAX));
        for wrong in ["", "0", "0/", "/0", "0/100000000", "0/g", "1/2/3"] {
            assert_eq!(lsn(wrong), None, "{wrong}");
        }
    }
}
