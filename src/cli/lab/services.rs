//! `interlock lab token|alerts|break|hint`: what is asked and ordered of the services of a full lab.

use clap::ValueEnum;

use super::{
    command::{At, Where},
    show,
};
use crate::{
    error::{Error, Exit},
    lab::{
        Lab,
        identity::{Order, SERVICES, TENANTS},
        operate,
    },
    model::HumanDuration,
};

#[derive(Debug, clap::Args)]
pub(super) struct TokenArgs {
    #[command(flatten)]
    pub at: Where,
    #[command(flatten)]
    pub wanted: Wanted,
}

#[derive(Debug, clap::Args)]
pub(super) struct Wanted {
    /// Who shows it
    #[arg(long, default_value = "user", value_name = "NAME")]
    subject: String,
    /// What its owner is; for tenants `viewer` may read, `admin` may write as well
    #[arg(long, default_value = "admin")]
    role: String,
    /// What its owner has agreed to; as often as needed, tenants:read and tenants:write unless given
    #[arg(long)]
    scope: Vec<String>,
    /// The site that its owner belongs to
    #[arg(long)]
    site: Option<String>,
    /// Whom it is meant for: `tenants` in a full lab, and `services`, which are the scripts, in others
    #[arg(long)]
    audience: Option<String>,
    /// How long it holds
    #[arg(long, default_value = "1h", value_name = "TIME", allow_hyphen_values = true)]
    lifetime: HumanDuration,
}

#[derive(Debug, clap::Args)]
pub(super) struct AlertsArgs {
    #[command(flatten)]
    pub at: Where,
}

#[derive(Debug, clap::Args)]
pub(super) struct BreakArgs {
    #[command(flatten)]
    pub at: Where,
    /// What to break or fix
    pub what: Breakable,
}

/// What can be broken and mended while the lab is up.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Breakable {
    /// The store: it answers every request for tenants with status 503
    Store,
}

impl Wanted {
    fn order(self, lab: &Lab) -> Order {
        let scope = match self.scope.is_empty() {
            true => "tenants:read tenants:write".to_owned(),
            false => self.scope.join(" "),
        };
        let usual = if lab.file.full.is_some() { TENANTS } else { SERVICES };
        let Self { subject, role, site, audience, lifetime, .. } = self;
        let audience = audience.unwrap_or_else(|| usual.to_owned());
        Order { subject, audience, role, scope, site, lifetime: lifetime.0.as_secs() }
    }
}

/// Prints a token.
pub(super) async fn token(at: At, wanted: Wanted) -> Result<Exit, Error> {
    let lab = Lab::open(&at.folder)?;
    let token = operate::token(&lab, &wanted.order(&lab)).await?;
    show::token(&token, at.output)?;
    Ok(Exit::Kept)
}

/// Lists the alerts that were raised.
pub(super) async fn alerts(at: At) -> Result<Exit, Error> {
    let told = operate::alerts(&Lab::open(&at.folder)?).await?;
    show::alerts(&told, at.output)?;
    Ok(Exit::Kept)
}

/// Breaks or mends a part of the lab.
pub(super) async fn set(at: At, what: Breakable, out: bool) -> Result<Exit, Error> {
    match what {
        Breakable::Store => show::outage(operate::set_outage(&Lab::open(&at.folder)?, out).await?, at.output)?,
    }
    Ok(Exit::Kept)
}
