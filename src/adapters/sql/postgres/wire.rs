//! One connection that is driven by whoever waits for an answer on it, and by nobody else.
//!
//! So notices reach the statement that they belong to, no other task is between an answer and its clock, and a connection
//! that ended while it was idle is noticed before a statement is sent on it.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use futures::TryStreamExt;
use tokio::time::Instant;
use tokio_postgres::{
    AsyncMessage, Client, Connection, Error, Row, Socket, Statement,
    tls::MakeTlsConnect,
    types::{ToSql, Type},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    look::{self, Detail},
    settle,
};
use crate::{
    adapters::sql::{
        engine::{self, Answer},
        failure::Failure,
        limits::LEDGER,
    },
    ports::Sample,
};

type Line = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// A statement's parameter with its type.
pub type Param<'a> = (&'a (dyn ToSql + Sync), Type);

pub struct Wire {
    client: Client,
    driven: Driven,
    insert: Option<Statement>,
    sample: Option<Statement>,
}

struct Driven {
    line: Line,
    notices: Vec<String>,
    ended: bool,
}

impl Wire {
    /// A connection that has just been made.
    pub fn new(client: Client, line: Line) -> Self {
        let driven = Driven { line, notices: Vec::new(), ended: false };
        Self { client, driven, insert: None, sample: None }
    }

    /// Looks whether the connection has ended while nobody waited for it.
    async fn check(&mut self) -> Result<(), Failure> {
        if self.driven.ended {
            return Err(Failure::closed());
        }
        let ended = poll_fn(|cx| Poll::Ready(self.driven.poll(cx))).await;
        if let Poll::Ready(why) = ended {
            self.driven.ended = true;
            return Err(why);
        }
        Ok(())
    }

    /// Asks for rows, in one round trip.
    pub async fn rows(&mut self, sql: &str, params: &[Param<'_>], within: Duration) -> Result<Vec<Row>, Failure> {
        self.driven.carry(within, self.client.query_typed(sql, params)).await
    }

    /// Asks for exactly one row.
    pub async fn row(&mut self, sql: &str, params: &[Param<'_>], within: Duration) -> Result<Row, Failure> {
        self.driven.carry(within, self.client.query_typed_one(sql, params)).await
    }

    /// Has the server parse a statement that is used often.
    async fn prepare(&mut self, sql: &str, types: &[Type], within: Duration) -> Result<Statement, Failure> {
        self.driven.carry(within, self.client.prepare_typed(sql, types)).await
    }
}

#[async_trait]
impl engine::Wire for Wire {
    type Detail = Detail;
    const OUT_OF_RANGE: &'static str = "22003";

    async fn ask(&mut self, within: Duration) -> Result<Answer<Detail>, Failure> {
        let until = Instant::now() + within;
        let left = || until.saturating_duration_since(Instant::now());
        let sample = look::sample(&self.row(look::SAMPLE, &[], left()).await?)?;
        let (follows, known) = look::receiver(&self.row(look::RECEIVER, &[], left()).await?)?;
        let mut waited_for = Vec::new();
        if sample.writable {
            waited_for = look::waited_for(&self.rows(look::WAITED_FOR, &[], left()).await?)?;
        }
        Ok(Answer { sample, follows, detail: Detail { known, waited_for } })
    }

    async fn identify(&mut self, within: Duration) -> Result<String, Failure> {
        Ok(self.row(settle::NAME, &[], within).await?.try_get(0)?)
    }

    async fn sample(&mut self, within: Duration) -> Result<Sample, Failure> {
        if self.sample.is_none() {
            self.sample = Some(self.prepare(look::SAMPLE, &[], within).await?);
        }
        let Some(statement) = &self.sample else {
            return Err(Failure::closed());
        };
        let row = self.driven.carry(within, self.client.query_one(statement, &[])).await?;
        Ok(look::sample(&row)?)
    }

    async fn run(&mut self, sql: &str, within: Duration) -> Result<(), Failure> {
        self.driven.carry(within, self.client.batch_execute(sql)).await
    }

    async fn prepare_insert(&mut self, within: Duration) -> Result<(), Failure> {
        self.check().await?;
        if self.insert.is_none() {
            let sql = format!("insert into {LEDGER} (id) values ($1)");
            self.insert = Some(self.prepare(&sql, &[Type::INT8], within).await?);
        }
        Ok(())
    }

    /// Returns once the server is ready for the next statement.
    async fn insert(&mut self, id: i64, within: Duration, notices: &mut Vec<String>) -> Result<(), Failure> {
        let Some(statement) = &self.insert else {
            return Err(Failure::closed());
        };
        let done = self.driven.carry(within, self.client.execute(statement, &[&id])).await;
        notices.append(&mut self.driven.notices);
        done.map(drop)
    }

    async fn has_ledger(&mut self, within: Duration) -> Result<bool, Failure> {
        let row = self.row("select to_regclass($1) is not null", &[(&LEDGER, Type::TEXT)], within).await?;
        Ok(row.try_get(0)?)
    }

    async fn each_pair(
        &mut self,
        sql: &str,
        within: Duration,
        each: &mut (dyn FnMut(i64, i64) + Send),
    ) -> Result<(), Failure> {
        let client = &self.client;
        let all = async {
            let mut rows = pin!(client.query_typed_raw(sql, Vec::<(i32, Type)>::new()).await?);
            while let Some(row) = rows.try_next().await? {
                each(row.try_get(0)?, row.try_get(1)?);
            }
            Ok(())
        };
        self.driven.carry(within, all).await
    }
}

impl Driven {
    /// Waits for an answer, and drives the connection meanwhile. Whatever is not answered in time ends the connection.
    async fn carry<T>(
        &mut self,
        within: Duration,
        asked: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Failure> {
        if self.ended {
            return Err(Failure::closed());
        }
        let mut asked = pin!(asked);
        let both = poll_fn(|cx| {
            if let Poll::Ready(answer) = asked.as_mut().poll(cx) {
                return Poll::Ready(answer.map_err(Failure::from));
            }
            let line = self.poll(cx);
            // The last answer may have come right before the end.
            if let Poll::Ready(answer) = asked.as_mut().poll(cx) {
                self.ended |= line.is_ready();
                return Poll::Ready(answer.map_err(Failure::from));
            }
            line.map(|why| {
                self.ended = true;
                Err(why)
            })
        });
        match tokio::time::timeout(within, both).await {
            Ok(answer) => answer,
            Err(_) => {
                self.ended = true;
                Err(Failure::timeout(within))
            }
        }
    }

    /// Moves the connection on; ready once it has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        loop {
            match self.line.poll_message(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Failure::closed()),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Failure::from(error)),
                Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) => {
                    self.notices.push(format!("{} {}: {}", notice.severity(), notice.code().code(), notice.message()));
                }
                Poll::Ready(Some(Ok(_))) => {}
            }
        }
    }
}
