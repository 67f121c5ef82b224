//! Dead letters: what was delivered too often in vain, until somebody has it sent again.

use rusqlite::{Row, params};

use super::{
    protocol::{About, Letter},
    table::{Table, parsed},
};

/// The most that are listed; the oldest first.
const MOST: u32 = 1000;

impl Table {
    /// The dead letters.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn letters(&self) -> Result<Vec<Letter>, rusqlite::Error> {
        let mut query = self.0.prepare_cached(
            "select number, service, subscription, topic, id, about, attempts, coalesce(why, '') from message
             where dead = 1 order by number limit ?1",
        )?;
        query.query_map([MOST], letter)?.collect()
    }

    /// Has one of them delivered again, or all, as if it were the first time; gives how many.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn send_again(&self, number: Option<i64>, now: i64) -> Result<usize, rusqlite::Error> {
        // One whose subscription is gone stays: nobody would take it.
        let mut update = self.0.prepare_cached(
            "update message set dead = 0, attempts = 0, why = null, ready_at = ?2
             where dead = 1 and (?1 is null or number = ?1) and exists (
                 select 1 from subscription as s where s.service = message.service and s.name = message.subscription)",
        )?;
        update.execute(params![number, now])
    }
}

fn letter(row: &Row<'_>) -> Result<Letter, rusqlite::Error> {
    let about: String = row.get(5)?;
    let About { correlation_id, .. } = parsed(5, &about)?;
    Ok(Letter {
        number: row.get(0)?,
        service: row.get(1)?,
        subscription: row.get(2)?,
        topic: row.get(3)?,
        id: row.get(4)?,
        correlation_id,
        attempts: row.get(6)?,
        why: row.get(7)?,
    })
}
