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

use futures::TryStreamExt;
use tokio_postgres::{
    AsyncMessage, Client, Connection, Error, Row, Socket, Statement,
    tls::MakeTlsConnect,
    types::{ToSql, Type},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::Failure;

type Line = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// A statement's parameter with its type.
pub type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// One connection.
pub struct Wire {
    client: Client,
    driven: Driven,
}

struct Driven {
    line: Line,
    notices: Vec<String>,
    ended: bool,
}

impl Wire {
    /// A connection that has just been made.
    pub fn new(client: Client, line: Line) -> Self {
        Self { client, driven: Driven { line, notices: Vec::new(), ended: false } }
    }

    /// Looks whether the connection has ended while nobody waited for it.
    ///
    /// # Errors
    /// What the server said when it ended it.
    pub async fn check(&mut self) -> Result<(), Failure> {
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

    /// What the server remarked since this was asked last.
    pub fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.driven.notices)
    }

    /// Asks for rows, in one round trip.
    ///
    /// # Errors
    /// What the server said, or that it did not answer in time.
    pub async fn rows(&mut self, sql: &str, params: &[Param<'_>], within: Duration) -> Result<Vec<Row>, Failure> {
        self.driven.carry(within, self.client.query_typed(sql, params)).await
    }

    /// Asks for exactly one row.
    ///
    /// # Errors
    /// What the server said, or that it did not answer in time.
    pub async fn row(&mut self, sql: &str, params: &[Param<'_>], within: Duration) -> Result<Row, Failure> {
        self.driven.carry(within, self.client.query_typed_one(sql, params)).await
    }

    /// Asks for rows and hands over one after the other, so that not all have to be held.
    ///
    /// # Errors
    /// What the server said, that it did not answer in time, or what `each` made of a row.
    pub async fn each_row(
        &mut self,
        sql: &str,
        within: Duration,
        mut each: impl FnMut(&Row) -> Result<(), Error> + Send,
    ) -> Result<(), Failure> {
        let client = &self.client;
        let all = async {
            let mut rows = pin!(client.query_typed_raw(sql, Vec::<(i32, Type)>::new()).await?);
            while let Some(row) = rows.try_next().await? {
                each(&row)?;
            }
            Ok(())
        };
        self.driven.carry(within, all).await
    }

    /// Runs statements that return nothing.
    ///
    /// # Errors
    /// What the server said, or that it did not answer in time.
    pub async fn run(&mut self, sql: &str, within: Duration) -> Result<(), Failure> {
        self.driven.carry(within, self.client.batch_execute(sql)).await
    }

    /// Has the server parse a statement that is used often.
    ///
    /// # Errors
    /// What the server said, or that it did not answer in time.
    pub async fn prepare(&mut self, sql: &str, types: &[Type], within: Duration) -> Result<Statement, Failure> {
        self.driven.carry(within, self.client.prepare_typed(sql, types)).await
    }

    /// Runs a prepared statement; returns once the server is ready for the next one.
    ///
    /// # Errors
    /// What the server said, or that it did not answer in time.
    pub async fn execute(
        &mut self,
        statement: &Statement,
        params: &[&(dyn ToSql + Sync)],
        within: Duration,
    ) -> Result<u64, Failure> {
        self.driven.carry(within, self.client.execute(statement, params)).await
    }

    /// Asks a prepared statement for one row.
    ///
    /// # Errors
    /// What the server said, or that it did not answer in time.
    pub async fn row_of(&mut self, statement: &Statement, within: Duration) -> Result<Row, Failure> {
        self.driven.carry(within, self.client.query_one(statement, &[])).await
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
                return Poll::Ready(answer.map_err(|error| Failure::from(&error)));
            }
            let line = self.poll(cx);
            // The last answer may have come right before the end.
            if let Poll::Ready(answer) = asked.as_mut().poll(cx) {
                self.ended |= line.is_ready();
                return Poll::Ready(answer.map_err(|error| Failure::from(&error)));
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
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Failure::from(&error)),
                Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) => {
                    self.notices.push(format!("{} {}: {}", notice.severity(), notice.code().code(), notice.message()));
                }
                Poll::Ready(Some(Ok(_))) => {}
            }
        }
    }
}
