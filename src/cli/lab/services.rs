//! `interlock lab token|alerts|letters|break|mend`: what is asked and ordered of the services of a lab.

use std::str::FromStr;

use clap::ValueEnum;

use super::{
    command::{At, Where},
    show,
};
use crate::{
    error::{Error, Exit},
    lab::{
        Lab,
        backing::Backing,
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
    /// The event bus of scripts: it takes nothing, and delivers nothing
    Bus,
    /// The job queue of scripts: it takes nothing, and delivers nothing
    Queue,
    /// The cache of scripts: it has no values, and takes none
    Cache,
    /// The service registry of scripts: it tells of no replicas, and no lease ends
    Registry,
    /// The vector search of scripts: it finds nothing, and takes nothing
    Vectors,
}

impl From<Breakable> for operate::Breakable {
    fn from(what: Breakable) -> Self {
        match what {
            Breakable::Store => Self::Store,
            Breakable::Bus => Self::Backing(Backing::Bus),
            Breakable::Queue => Self::Backing(Backing::Queue),
            Breakable::Cache => Self::Backing(Backing::Cache),
            Breakable::Registry => Self::Backing(Backing::Registry),
            Breakable::Vectors => Self::Backing(Backing::Vectors),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct LettersArgs {
    #[command(flatten)]
    pub at: Where,
    /// Have one delivered again, as if it were the first time, by its name in the list, such as bus/17; or all
    #[arg(long, value_name = "LETTER|all")]
    pub send: Option<Chosen>,
}

/// Which dead letters are to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chosen {
    All,
    One(Backing, i64),
}

impl FromStr for Chosen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        let sender = |name| Backing::behind(name).filter(|backing| backing.is_messaging());
        let named = text.split_once('/').and_then(|(name, number)| Some((sender(name)?, number.parse().ok()?)));
        let (backing, number) =
            named.ok_or_else(|| format!("`{text}` is no name of a letter such as bus/17, and not `all`"))?;
        Ok(Self::One(backing, number))
    }
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
    let what = what.into();
    show::outage(what, operate::set_outage(&Lab::open(&at.folder)?, what, out).await?, at.output)?;
    Ok(Exit::Kept)
}

/// Lists the dead letters, or has them sent again.
pub(super) async fn letters(at: At, send: Option<Chosen>) -> Result<Exit, Error> {
    let lab = Lab::open(&at.folder)?;
    let one = match send {
        None => {
            show::letters(&operate::letters(&lab).await?, at.output)?;
            return Ok(Exit::Kept);
        }
        Some(Chosen::All) => None,
        Some(Chosen::One(backing, number)) => Some((backing, number)),
    };
    let sent = operate::send_again(&lab, one).await?;
    if let (Some((backing, number)), 0) = (one, sent.letters) {
        let what = format!("there is no dead letter {}/{number} that somebody subscribes to", backing.name());
        return Err(Error::usage(what, "`interlock lab letters` lists them"));
    }
    show::sent_again(sent, at.output)?;
    Ok(Exit::Kept)
}
