//! The values of a cache, within bounds: what was asked for longest ago is given up first.

use std::collections::{BTreeMap, HashMap};

use super::protocol::{Drop, Drops, Fill, Found, Key, Value};

/// The most values.
const VALUES: usize = 10_000;
/// The most bytes of all keys and values.
const BYTES: usize = 32 << 20;
/// The most fetches that are waited for; the oldest is given up first.
const FILLS: usize = 10_000;

struct Entry {
    value: serde_json::Value,
    until: i64,
    bytes: usize,
    /// When it was used last, as a count of uses.
    used: u64,
}

/// Values, and who may bring others.
pub struct Table {
    process: u64,
    /// Counts uses and fetches.
    count: u64,
    entries: HashMap<Key, Entry>,
    by_use: BTreeMap<u64, Key>,
    bytes: usize,
    fills: BTreeMap<u64, Key>,
    /// How many values were given up before their time.
    pub given_up: u64,
}

impl Table {
    /// A table without values, which takes nothing that was fetched for another `process`.
    #[must_use]
    pub fn new(process: u64) -> Self {
        let (entries, by_use, fills) = (HashMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { process, count: 0, entries, by_use, bytes: 0, fills, given_up: 0 }
    }

    /// The value of a key, or leave to bring it.
    pub fn read(&mut self, key: &Key, now: i64) -> Found {
        match self.entries.get(key).map(|entry| entry.until > now) {
            Some(true) => self.used(key),
            Some(false) => self.remove(key),
            None => {}
        }
        match self.entries.get(key) {
            Some(entry) => Found::Value(entry.value.clone()),
            None => Found::Missing(self.fill(key)),
        }
    }

    /// Leave to bring the value of a key, whether there is one or not.
    pub fn fill(&mut self, key: &Key) -> Fill {
        if self.fills.len() >= FILLS {
            self.fills.pop_first();
        }
        let number = self.next();
        self.fills.insert(number, key.clone());
        Fill { process: self.process, number }
    }

    /// Takes a value, if its key was not dropped since leave was given; says whether it was taken.
    pub fn keep(&mut self, Value { key, fill, value, until }: Value, now: i64) -> bool {
        let has_leave = fill.process == self.process && self.fills.remove(&fill.number).is_some_and(|of| of == key);
        let bytes = key.service.len() + key.key.len() + value.to_string().len();
        if !has_leave || until <= now || bytes > BYTES {
            return false;
        }
        self.remove(&key);
        let used = self.next();
        self.bytes += bytes;
        self.by_use.insert(used, key.clone());
        self.entries.insert(key, Entry { value, until, bytes, used });
        self.fit();
        true
    }

    /// Forgets values, and takes none that is being fetched; gives how many there were.
    pub fn forget(&mut self, Drops { service, drops }: &Drops) -> usize {
        let is_dropped = |key: &Key| key.service == *service && drops.iter().any(|drop| drop.is_of(&key.key));
        self.fills.retain(|_, key| !is_dropped(key));
        let dropped: Vec<_> = self.entries.keys().filter(|key| is_dropped(key)).cloned().collect();
        dropped.iter().for_each(|key| self.remove(key));
        dropped.len()
    }

    /// How many values there are, and how many bytes they have.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    const fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn used(&mut self, key: &Key) {
        let now = self.next();
        if let Some(entry) = self.entries.get_mut(key) {
            self.by_use.remove(&entry.used);
            entry.used = now;
            self.by_use.insert(now, key.clone());
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_use.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }

    fn fit(&mut self) {
        while self.entries.len() > VALUES || self.bytes > BYTES {
            let Some((_, oldest)) = self.by_use.pop_first() else { return };
            self.remove(&oldest);
            self.given_up += 1;
        }
    }
}

impl Drop {
    fn is_of(&self, key: &str) -> bool {
        if self.prefix { key.starts_with(&self.key) } else { key == self.key }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(key: &str) -> Key {
        Key { service: "catalogue".to_owned(), key: key.to_owned() }
    }

    fn drops(key: &str, prefix: bool) -> Drops {
        Drops { service: "catalogue".to_owned(), drops: vec![Drop { key: key.to_owned(), prefix }] }
    }

    /// Brings a value that holds for a second from 0 on.
    fn bring(table: &mut Table, name: &str, fill: Fill) -> bool {
        table.keep(Value { key: key(name), fill, value: json!(name), until: 1_000 }, 0)
    }

    fn fill(table: &mut Table, name: &str) -> Fill {
        match table.read(&key(name), 0) {
            Found::Missing(fill) => fill,
            found @ Found::Value(_) => panic!("{found:?}"),
        }
    }

    fn is_there(table: &mut Table, name: &str, now: i64) -> bool {
        table.read(&key(name), now) == Found::Value(json!(name))
    }

    #[test]
    fn a_value_is_there_until_its_time_is_over_and_for_its_service_only() {
        let mut table = Table::new(1);
        let leave = fill(&mut table, "mug");
        assert!(bring(&mut table, "mug", leave));
        assert!(!bring(&mut table, "mug", leave), "leave is given for one value");
        assert!(is_there(&mut table, "mug", 999) && !is_there(&mut table, "mug", 1_000));
        assert_eq!(table.size(), (0, 0));
        let leave = fill(&mut table, "mug");
        assert!(bring(&mut table, "mug", leave));
        let other = Key { service: "orders".to_owned(), key: "mug".to_owned() };
        assert!(matches!(table.read(&other, 0), Found::Missing(_)));
    }

    #[test]
    fn what_was_dropped_meanwhile_is_not_taken() {
        let mut table = Table::new(1);
        let [mug, lamp, other] = ["product/mug", "product/lamp", "offer/mug"].map(|name| fill(&mut table, name));
        assert_eq!(table.forget(&drops("product/mug", false)), 0);
        assert!(!bring(&mut table, "product/mug", mug));
        assert!(bring(&mut table, "product/lamp", lamp) && bring(&mut table, "offer/mug", other));
        assert_eq!(table.forget(&drops("product/", true)), 1);
        assert!(!is_there(&mut table, "product/lamp", 0) && is_there(&mut table, "offer/mug", 0));
        let again = table.fill(&key("offer/mug"));
        assert_eq!(table.forget(&drops("offer/mug", false)), 1);
        assert!(!bring(&mut table, "offer/mug", again));
    }

    #[test]
    fn what_was_fetched_for_a_process_before_or_for_another_key_is_not_taken() {
        let before = fill(&mut Table::new(1), "mug");
        let mut table = Table::new(2);
        let now = fill(&mut table, "mug");
        assert_eq!(before.number, now.number);
        assert!(!bring(&mut table, "mug", before) && !bring(&mut table, "lamp", now));
        assert_eq!(table.size(), (0, 0));
    }

    #[test]
    fn what_was_asked_for_longest_ago_is_given_up_first() {
        let mut table = Table::new(1);
        let names: Vec<_> = (0..VALUES).map(|n| n.to_string()).collect();
        for name in &names {
            let leave = fill(&mut table, name);
            assert!(bring(&mut table, name, leave));
        }
        assert!(is_there(&mut table, "0", 0));
        let leave = fill(&mut table, "one more");
        assert!(bring(&mut table, "one more", leave));
        assert_eq!((table.size().0, table.given_up), (VALUES, 1));
        assert!(is_there(&mut table, "0", 0) && !is_there(&mut table, "1", 0) && is_there(&mut table, "one more", 0));
        let large = Value { value: json!("x".repeat(BYTES - 100)), key: key("large"), fill: leave, until: 1_000 };
        let leave = table.fill(&key("large"));
        assert!(table.keep(Value { fill: leave, ..large }, 0));
        assert!(table.size().1 <= BYTES && is_there(&mut table, "one more", 0));
    }
}
