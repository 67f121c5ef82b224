//! Messages and subscriptions in one file of SQLite: what was accepted is there until it was acknowledged.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, named_params, params};
use serde_json::{Map, Value};

use super::{
    protocol::{Delivery, Failure, Held, Message, Subscription, Take},
    topics::Pattern,
};
use crate::lab::backing::disk;

/// The longest wait between two deliveries of a message, in milliseconds.
const LONGEST_BACK_OFF: i64 = 60_000;

const SCHEMA: &str = "
create table if not exists subscription(
    service text not null, name text not null, pattern text not null, rule text not null,
    every integer, next_at integer,
    attempts integer not null, back_off integer not null, lease integer not null,
    primary key (service, name)
) strict, without rowid;
create table if not exists message(
    number integer primary key autoincrement,
    service text not null, subscription text not null,
    id text not null, topic text not null, key text, value text not null, about text not null, at integer not null,
    -- When it may be delivered; while it is held, when its lease ends.
    ready_at integer not null,
    held integer not null default 0, leases integer not null default 0,
    attempts integer not null default 0, dead integer not null default 0, why text,
    unique (service, subscription, id), unique (service, subscription, key)
) strict;
create index if not exists message_due on message(service, dead, ready_at);
";

/// What a message that is made by the queue itself has as its key: a run waits or goes on, but not two.
const RUN: &str = "run";

/// Messages and subscriptions.
pub struct Table(pub(super) Connection);

/// How many messages of a subscription there are.
#[derive(Debug, PartialEq, Eq)]
pub struct Standing {
    pub service: String,
    pub subscription: String,
    pub waiting: i64,
    pub held: i64,
    pub dead: i64,
}

type Outcome<T> = Result<T, rusqlite::Error>;

impl Table {
    /// Opens the file, and makes the tables where they are missing.
    ///
    /// # Errors
    /// Where the file cannot be opened or written.
    pub fn open(path: &Path) -> Outcome<Self> {
        disk::open(path, SCHEMA).map(Self)
    }

    /// Makes these the subscriptions of a service. Messages of one that is gone become dead letters.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn register(&mut self, service: &str, subscriptions: &[Subscription], now: i64) -> Outcome<()> {
        let names = Value::from(subscriptions.iter().map(|one| one.name.as_str()).collect::<Vec<_>>()).to_string();
        let all = self.0.transaction()?;
        all.execute(
            "update message set dead = 1, held = 0, key = null, why = 'its service subscribes to it no more'
             where service = ?1 and dead = 0 and subscription not in (select value from json_each(?2))",
            params![service, names],
        )?;
        all.execute(
            "delete from subscription where service = ?1 and name not in (select value from json_each(?2))",
            params![service, names],
        )?;
        for one in subscriptions {
            keep(&all, service, one, now)?;
        }
        all.commit()
    }

    /// Takes a message in for each subscription to its topic; says how many there are.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn accept(&mut self, message: &Message) -> Outcome<usize> {
        let all = self.0.transaction()?;
        let wanted = wanted(&all, message)?;
        for (service, subscription) in &wanted {
            let ready_at = message.at.saturating_add(message.after);
            all.prepare_cached(
                "insert or ignore into message(service, subscription, id, topic, key, value, about, at, ready_at)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                service,
                subscription,
                message.id,
                message.topic,
                message.key,
                message.value.to_string(),
                text(&message.about)?,
                message.at,
                ready_at
            ])?;
        }
        all.commit()?;
        Ok(wanted.len())
    }

    /// Gives a service messages that are due, each under a lease.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn take(&mut self, Take { service, most, .. }: &Take, now: i64) -> Outcome<Vec<Delivery>> {
        let all = self.0.transaction()?;
        make_runs(&all, service, now)?;
        bury(&all, service, now)?;
        let mut taken = all
            .prepare_cached(
                "update message set held = 1, leases = leases + 1, attempts = attempts + 1,
                     ready_at = :now + (select lease from subscription as s
                                        where s.service = message.service and s.name = message.subscription)
                 where number in (select number from message where service = :service and dead = 0 and ready_at <= :now
                                  order by ready_at, number limit :most)
                 returning number, leases, subscription, attempts, id, topic, key, value, about, at",
            )?
            .query_map(named_params! { ":service": service, ":now": now, ":most": most }, delivery)?
            .collect::<Outcome<Vec<_>>>()?;
        all.commit()?;
        taken.sort_by_key(|one| one.held.number);
        Ok(taken)
    }

    /// When the next message for a service is due, if any is expected.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn next_due(&self, service: &str) -> Outcome<Option<i64>> {
        let next = "select min(due) from (
            select min(ready_at) as due from message where service = ?1 and dead = 0
            union all select min(next_at) from subscription where service = ?1 and every is not null)";
        self.0.prepare_cached(next)?.query_row([service], |row| row.get(0))
    }

    /// Forgets a message that was handled; says whether that lease was its last, since otherwise somebody else has it.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn acknowledge(&self, Held { number, lease }: Held) -> Outcome<bool> {
        let mut delete = self.0.prepare_cached("delete from message where number = ?1 and leases = ?2")?;
        Ok(delete.execute([number, lease])? == 1)
    }

    /// Has a message delivered again after a while, or makes it a dead letter; says whether the lease held.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn fail(&mut self, Failure { held, why }: &Failure, now: i64) -> Outcome<bool> {
        let all = self.0.transaction()?;
        let found: Option<(u32, u32, i64, bool)> = all
            .prepare_cached(
                "select m.attempts, s.attempts, s.back_off, s.every is not null from message as m
                 join subscription as s on s.service = m.service and s.name = m.subscription
                 where m.number = ?1 and m.leases = ?2 and m.dead = 0",
            )?
            .query_row([held.number, held.lease], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
        let Some((attempts, most, back_off, is_run)) = found else { return Ok(false) };
        if is_run {
            // The next run is its next attempt.
            all.execute("delete from message where number = ?1", [held.number])?;
        } else if attempts >= most {
            tracing::warn!(number = held.number, attempts, why, "a dead letter");
            all.execute(
                "update message set dead = 1, held = 0, key = null, why = ?2 where number = ?1",
                params![held.number, why],
            )?;
        } else {
            all.execute(
                "update message set held = 0, ready_at = ?2 where number = ?1",
                params![held.number, now.saturating_add(wait(back_off, attempts))],
            )?;
        }
        all.commit()?;
        Ok(true)
    }

    /// How many messages there are, by subscription.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn standings(&self) -> Outcome<Vec<Standing>> {
        let mut query = self.0.prepare_cached(
            "select s.service, s.name, count(*) filter (where dead = 0 and held = 0), count(*) filter (where held = 1),
                 count(*) filter (where dead = 1)
             from subscription as s left join message as m on m.service = s.service and m.subscription = s.name
             group by 1, 2",
        )?;
        let standing = |row: &Row<'_>| {
            Ok(Standing {
                service: row.get(0)?,
                subscription: row.get(1)?,
                waiting: row.get(2)?,
                held: row.get(3)?,
                dead: row.get(4)?,
            })
        };
        query.query_map([], standing)?.collect()
    }
}

fn keep(all: &Transaction<'_>, service: &str, one: &Subscription, now: i64) -> Outcome<()> {
    let mut insert = all.prepare_cached(
        "insert into subscription(service, name, pattern, rule, every, next_at, attempts, back_off, lease)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         on conflict do update set pattern = excluded.pattern, rule = excluded.rule,
             next_at = case when every is excluded.every then next_at else excluded.next_at end, every = excluded.every,
             attempts = excluded.attempts, back_off = excluded.back_off, lease = excluded.lease",
    )?;
    let Subscription { name, pattern, rule, every, attempts, back_off, lease } = one;
    insert.execute(params![service, name, pattern, text(rule)?, every, now, attempts, back_off, lease])?;
    Ok(())
}

/// Service and name of the subscriptions that want a message.
fn wanted(all: &Transaction<'_>, message: &Message) -> Outcome<Vec<(String, String)>> {
    let mut query = all.prepare_cached("select service, name, pattern, rule from subscription where every is null")?;
    let mut rows = query.query([])?;
    let mut wanted = Vec::new();
    while let Some(row) = rows.next()? {
        let (pattern, rule): (String, String) = (row.get(2)?, row.get(3)?);
        let rule: Map<String, Value> = parsed(3, &rule)?;
        if Pattern::parse(&pattern).is_ok_and(|pattern| pattern.fits(&message.topic)) && holds(&rule, &message.value) {
            wanted.push((row.get(0)?, row.get(1)?));
        }
    }
    Ok(wanted)
}

/// Whether each field that a rule names is as the rule says: equal, or one of several.
fn holds(rule: &Map<String, Value>, value: &Value) -> bool {
    rule.iter().all(|(field, wanted)| match (wanted, value.get(field)) {
        (Value::Array(several), Some(found)) => several.contains(found),
        (wanted, found) => found == Some(wanted),
    })
}

/// Makes the messages that nobody sends: one for each run that is due.
fn make_runs(all: &Transaction<'_>, service: &str, now: i64) -> Outcome<()> {
    const DUE: &str = "service = :service and every is not null and next_at <= :now";
    let made = all
        .prepare_cached(&format!(
            "insert or ignore into message(service, subscription, id, topic, key, value, about, at, ready_at)
             select service, name, lower(hex(randomblob(8))), pattern, '{RUN}', 'null',
                 json_object('correlation_id', lower(hex(randomblob(8)))), next_at, :now
             from subscription where {DUE}"
        ))?
        .execute(named_params! { ":service": service, ":now": now })?;
    let next = format!("update subscription set next_at = :now + every where {DUE}");
    let moved = all.prepare_cached(&next)?.execute(named_params! { ":service": service, ":now": now })?;
    if moved > made {
        tracing::debug!(service, missed = moved - made, "runs before them still go on");
    }
    Ok(())
}

/// Ends with messages whose holder has not finished for the last time.
fn bury(all: &Transaction<'_>, service: &str, now: i64) -> Outcome<()> {
    let buried = all
        .prepare_cached(
            "update message set dead = 1, held = 0, key = null, why = 'its handler has not ended in time, or its replica has'
             where service = ?1 and dead = 0 and held = 1 and ready_at <= ?2 and attempts >=
                 (select attempts from subscription as s where s.service = message.service and s.name = message.subscription)",
        )?
        .execute(params![service, now])?;
    if buried > 0 {
        tracing::warn!(service, buried, "messages whose handlers never ended are dead letters");
    }
    Ok(())
}

/// The wait after so many attempts, in milliseconds: twice as long each time, and not the same for all that failed together.
fn wait(back_off: i64, attempts: u32) -> i64 {
    let longest = back_off.saturating_mul(2_i64.saturating_pow(attempts.saturating_sub(1))).clamp(0, LONGEST_BACK_OFF);
    longest / 2 + rand::random_range(0..=longest / 2)
}

fn delivery(row: &Row<'_>) -> Outcome<Delivery> {
    let (value, about): (String, String) = (row.get(7)?, row.get(8)?);
    let message = Message {
        id: row.get(4)?,
        topic: row.get(5)?,
        key: row.get(6)?,
        value: parsed(7, &value)?,
        about: parsed(8, &about)?,
        at: row.get(9)?,
        after: 0,
    };
    let held = Held { number: row.get(0)?, lease: row.get(1)? };
    Ok(Delivery { held, subscription: row.get(2)?, attempt: row.get(3)?, message })
}

fn text(value: &impl serde::Serialize) -> Outcome<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

pub(super) fn parsed<T: serde::de::DeserializeOwned>(column: usize, text: &str) -> Outcome<T> {
    serde_json::from_str(text)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, e.into()))
}
