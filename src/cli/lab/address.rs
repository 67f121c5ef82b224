//! `interlock lab address`: where a process of the lab listens, for other programs.

use super::{
    command::{At, Where},
    show,
};
use crate::{
    error::{Error, Exit},
    lab::{Lab, Service},
};

#[derive(Debug, clap::Args)]
pub(super) struct AddressArgs {
    #[command(flatten)]
    pub at: Where,
    /// A scripted service, or any process by the name that `lab status` shows
    pub name: String,
}

/// Prints the address of a process, or of a ready replica of a service. The service behind the gateway is reached there.
pub(super) async fn run(at: At, name: &str) -> Result<Exit, Error> {
    let lab = Lab::open(&at.folder)?;
    let name = if name == lab.file.service() { Service::Gateway.name() } else { name };
    let status = lab.status().await;
    let status = status.map_err(|e| Error::port(e, "the logs in the lab's folder say more"))?;
    let mut fitting: Vec<_> =
        status.parts.iter().filter(|part| part.name == name || part.service.as_deref() == Some(name)).collect();
    fitting.sort_by_key(|part| !part.ready);
    let first = fitting.first().ok_or_else(|| {
        Error::usage(format!("the lab has nothing by the name `{name}`"), "`interlock lab status` shows what there is")
    })?;
    show::address(first, at.output)?;
    Ok(Exit::Kept)
}
