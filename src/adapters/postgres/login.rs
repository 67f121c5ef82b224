//! Who we are at every node, and the connection to one of them.

use std::time::Duration;

use tokio_postgres::{Config, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{failure::Failure, wire::Wire};
use crate::{
    adapters::sql::{Connect, Server, Tls, client_config},
    ports::PortError,
};

/// What is needed to connect to any node.
#[derive(Clone)]
pub struct Login {
    connect: Connect,
    tls: MakeRustlsConnect,
}

impl Login {
    /// Reads what TLS needs.
    ///
    /// # Errors
    /// Where the trusted authorities cannot be read.
    pub fn new(connect: Connect) -> Result<Self, PortError> {
        let tls = MakeRustlsConnect::new(client_config(&connect.tls)?);
        Ok(Self { connect, tls })
    }

    /// The database that we connect to.
    pub fn database(&self) -> &str {
        &self.connect.database
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        &self.connect.user
    }

    /// Connects to a node; `within` holds for everything up to the first statement, also at a host that accepts
    /// connections and answers nothing.
    ///
    /// # Errors
    /// What the node said.
    pub async fn open(&self, server: &Server, within: Duration) -> Result<Wire, Failure> {
        let mut config = Config::new();
        config
            .host(&server.host)
            .port(server.port)
            .user(&self.connect.user)
            .dbname(&self.connect.database)
            .application_name("interlock")
            .connect_timeout(within)
            .ssl_mode(match self.connect.tls {
                Tls::Disable => SslMode::Disable,
                Tls::Require { .. } => SslMode::Require,
            });
        if let Some(password) = &self.connect.password {
            config.password(password.reveal());
        }
        match tokio::time::timeout(within, config.connect(self.tls.clone())).await {
            Ok(Ok((client, line))) => Ok(Wire::new(client, line)),
            Ok(Err(error)) => {
                let mut failure = Failure::from(&error);
                failure.words = self.connect.clean(&failure.words);
                Err(failure)
            }
            Err(_) => Err(Failure::timeout(within)),
        }
    }
}
