//! The service registry: the names that a replica goes by, and the replicas that go by a name.

use std::time::{Duration, Instant};

use http::StatusCode;
use rhai::{Array, Dynamic, FuncRegistration, Map, Module, NativeCallContext};
use serde_json::{Value, json};

use super::{Given, placed, refused};
use crate::lab::{
    backing::{
        Backing,
        registry::{Instance, Lookup},
    },
    script::{
        arguments::kebab,
        backings::{Unsent, call},
        declared::Policy,
        listing::{WITHIN, renew},
        reply::Reply,
        turn::{self, Turn},
        value,
    },
};

const POLICY: Policy =
    Policy { timeout: WITHIN, retries: 0, back_off: Duration::ZERO, failures: 3, cool_down: Duration::from_secs(1) };

/// The functions of the door.
pub fn module() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("register").set_into_module(&mut module, |context: NativeCallContext<'_>, name: &str| {
        placed(&context, register(name, Map::new()))
    });
    FuncRegistration::new("register")
        .set_into_module(&mut module, |context: NativeCallContext<'_>, name: &str, about: Map| {
            placed(&context, register(name, about))
        });
    FuncRegistration::new("lookup")
        .set_into_module(&mut module, |context: NativeCallContext<'_>, name: &str| placed(&context, lookup(name)));
    module
}

/// Has this replica go by a name; says whether the registry knows already.
fn register(name: &str, about: Map) -> Given<bool> {
    let turn = turn::current().map_err(refused)?;
    kebab(name).map_err(refused)?;
    let Value::Object(about) = value::json(&about.into()).map_err(refused)? else { return Ok(false) };
    turn.host.listing.register(name, about).map_err(refused)?;
    Ok(turn.host.runtime.block_on(renew(&turn.host)).is_ok())
}

/// The replicas that go by a name; while the registry is away, those that were found last.
fn lookup(name: &str) -> Given<Array> {
    let turn = turn::current().map_err(refused)?;
    let observed = |outcome| turn.host.observed.asked(Backing::Registry, outcome);
    let listing = &turn.host.listing;
    match ask(&turn, name) {
        Ok(found) => {
            observed("found");
            listing.remember(name, &found);
            Ok(shown(found))
        }
        Err(Unsent::Refused(why)) => Err(refused(why)),
        Err(Unsent::Away(why)) => match listing.remembered(name) {
            Some(found) => {
                observed("remembered");
                Ok(shown(found))
            }
            None => {
                observed("away");
                tracing::warn!("the registry does not answer: {why}");
                Err(Reply::later(StatusCode::SERVICE_UNAVAILABLE, 1, "the registry does not answer").into())
            }
        },
    }
}

fn ask(turn: &Turn, name: &str) -> Result<Vec<Instance>, Unsent> {
    let (host, door) = (&turn.host, Backing::Registry.name());
    let open = |_| Unsent::Away("it is left alone for a while".to_owned());
    host.circuits.admit(door, &POLICY, Instant::now()).map_err(open)?;
    let (body, within) = (json!(Lookup { name: name.to_owned() }), WITHIN.min(turn.left()));
    let asked = host.runtime.block_on(call(host, &turn.work(), Backing::Registry, ("/lookups", body), within));
    host.circuits.note(door, !matches!(asked, Err(Unsent::Away(_))), &POLICY, Instant::now());
    asked
}

fn shown(found: Vec<Instance>) -> Array {
    let one = |Instance { name, id, address, about }: Instance| {
        let fields: [(&str, Dynamic); 4] = [
            ("name", name.into()),
            ("id", id.into()),
            ("address", address.to_string().into()),
            ("about", value::dynamic(about.into())),
        ];
        fields.into_iter().map(|(name, value)| (name.into(), value)).collect::<Map>().into()
    };
    found.into_iter().map(one).collect()
}
