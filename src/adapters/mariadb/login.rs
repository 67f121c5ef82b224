//! Who we are at every node, and the connection to one of them.

use std::time::Duration;

use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};

use super::{failure::Failure, wire::Wire};
use crate::{
    adapters::{
        install_crypto,
        sql::{Connect, Server, Tls, usable},
    },
    ports::PortError,
};

/// What is needed to connect to any node.
#[derive(Clone)]
pub struct Login {
    connect: Connect,
    tls: Option<SslOpts>,
}

impl Login {
    /// Reads what TLS needs.
    ///
    /// # Errors
    /// Where the trusted authorities cannot be read.
    pub fn new(connect: Connect) -> Result<Self, PortError> {
        install_crypto();
        let tls = match &connect.tls {
            Tls::Disable => None,
            Tls::Require { ca_file } => {
                let trusted = usable(ca_file.as_deref())?;
                let roots = trusted.iter().map(|der| der.to_vec().into()).collect();
                Some(SslOpts::default().with_root_certs(roots).with_disable_built_in_roots(true))
            }
        };
        Ok(Self { connect, tls })
    }

    /// Who connects, and how.
    pub fn connect(&self) -> &Connect {
        &self.connect
    }

    /// Connects to a node; `within` holds for everything up to the first statement, also at a host that accepts
    /// connections and answers nothing.
    ///
    /// # Errors
    /// What the node said.
    pub async fn open(&self, server: &Server, within: Duration) -> Result<Wire, Failure> {
        let opts = OptsBuilder::default()
            .ip_or_hostname(&server.host)
            .tcp_port(server.port)
            .user(Some(&self.connect.user))
            .pass(self.connect.password.as_ref().map(|password| password.reveal()))
            .db_name(Some(&self.connect.database))
            .ssl_opts(self.tls.clone())
            .tcp_nodelay(true)
            // A unix socket of this machine may belong to another server; and both limits would be asked for first.
            .prefer_socket(false)
            .max_allowed_packet(Some(16 << 20))
            .wait_timeout(Some(28_800));
        match tokio::time::timeout(within, Conn::new(Opts::from(opts))).await {
            Ok(Ok(conn)) => Ok(Wire::new(conn)),
            Ok(Err(error)) => {
                let mut failure = Failure::from(error);
                failure.words = self.connect.clean(&failure.words);
                Err(failure)
            }
            Err(_) => Err(Failure::timeout(within)),
        }
    }
}
