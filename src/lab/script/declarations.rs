//! The functions by which a script declares what it is; they work while the file is read, and in no handler.

use std::{
    collections::btree_map::Entry,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::Method;
use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString as Text, Map, NativeCallContext, Position};

use super::{
    admission::Requirement,
    arguments::{duration, kebab, metric_name, policy, requirement, setting_name, transition},
    config::Setting,
    declared::{Declared, Defect, Limit, Metric, Migration, Route, Rpc, Schedule},
    place,
    route::Template,
    rpc, subscriptions,
};
use crate::{lab::page::Kind, model::HumanDuration};

/// The paths that every service answers by itself.
const OWN: [&str; 6] = ["/startupz", "/readyz", "/healthz", "/metrics", "/version", "/config"];
/// How many of one kind a script may declare.
const MOST: usize = 200;
/// The longest deadline of handlers. It bounds how deep one can nest a value, too, since it takes longer with each step.
const LONGEST: Duration = Duration::from_secs(30);
/// The shortest time between two runs of a schedule.
const OFTEN: Duration = Duration::from_millis(10);

pub(super) type Outcome = Result<(), Box<EvalAltResult>>;

/// Collects what a script declares, until it is taken out.
#[derive(Clone, Default)]
pub struct Declaring(Arc<Mutex<Option<Declared>>>);

impl Declaring {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Declared::default()))))
    }

    /// Everything that was declared; nothing can be declared from here on.
    #[must_use]
    pub fn take(&self) -> Declared {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    pub(super) fn with(
        &self,
        context: &NativeCallContext<'_>,
        add: impl FnOnce(&mut Declared) -> Result<(), String>,
    ) -> Outcome {
        let mut declared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let added = match declared.as_mut() {
            Some(declared) => add(declared),
            None => Err(format!(
                "`{}` declares something, and cannot stand in a handler -> move it to the top of the file",
                context.fn_name()
            )),
        };
        added.map_err(|why| EvalAltResult::ErrorRuntime(why.into(), context.call_position()).into())
    }
}

/// Makes all declarations known to an engine.
pub fn register(engine: &mut Engine, declaring: &Declaring) {
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let (this, name, plain) = (declaring.clone(), method.as_str().to_lowercase(), method.clone());
        engine.register_fn(&name, move |context: NativeCallContext<'_>, path: &str, handler: FnPtr| {
            let at = context.call_position();
            this.with(&context, |declared| add_route(declared, &plain, path, (None, handler), at))
        });
        let this = declaring.clone();
        engine.register_fn(
            &name,
            move |context: NativeCallContext<'_>, path: &str, required: Requirement, handler: FnPtr| {
                let at = context.call_position();
                this.with(&context, |declared| add_route(declared, &method, path, (Some(required), handler), at))
            },
        );
    }
    let this = declaring.clone();
    engine.register_fn("rpc", move |context: NativeCallContext<'_>, method: &str, handler: FnPtr| {
        let at = context.call_position();
        this.with(&context, |declared| add_rpc(declared, method, Rpc { requires: None, handler: apart(handler), at }))
    });
    let this = declaring.clone();
    engine.register_fn(
        "rpc",
        move |context: NativeCallContext<'_>, method: &str, required: Requirement, handler: FnPtr| {
            let (at, requires) = (context.call_position(), Some(required));
            this.with(&context, |declared| add_rpc(declared, method, Rpc { requires, handler: apart(handler), at }))
        },
    );
    engine.register_type_with_name::<Requirement>("requirement");
    engine.register_fn("requires", |context: NativeCallContext<'_>, what: Map| {
        let required = requirement(&what);
        required.map_err(|why| Box::new(EvalAltResult::ErrorRuntime(why.into(), context.call_position())))
    });
    behaviour(engine, declaring);
    data(engine, declaring);
    metrics(engine, declaring);
    subscriptions::register(engine, declaring);
}

fn behaviour(engine: &mut Engine, declaring: &Declaring) {
    let this = declaring.clone();
    engine.register_fn("every", move |context: NativeCallContext<'_>, name: &str, every: &str, handler: FnPtr| {
        let at = context.call_position();
        this.with(&context, |declared| add_schedule(declared, name, every, handler, at))
    });
    let this = declaring.clone();
    engine.register_fn("defect", move |context: NativeCallContext<'_>, name: &str, what: &str| {
        let defect = Defect { what: what.to_owned(), at: context.call_position() };
        this.with(&context, |declared| {
            kebab(name)?;
            add(declared.defects.entry(name.to_owned()), defect, "defect")
        })
    });
    let this = declaring.clone();
    engine.register_fn("setting", move |context: NativeCallContext<'_>, name: &str, default: Dynamic| {
        let at = context.call_position();
        this.with(&context, |declared| {
            setting_name(name)?;
            room(declared.settings.len(), "settings")?;
            add(declared.settings.entry(name.to_owned()), Setting::new(&default, at)?, "setting")
        })
    });
    let this = declaring.clone();
    engine.register_fn("replicas", move |context: NativeCallContext<'_>, count: i64| {
        this.with(&context, |declared| {
            let fits = u32::try_from(count).ok().filter(|count| (1..=16).contains(count));
            declared.replicas = Some(fits.ok_or("a service has 1 to 16 replicas")?);
            Ok(())
        })
    });
    let this = declaring.clone();
    engine.register_fn("slots", move |context: NativeCallContext<'_>| {
        let at = context.call_position();
        this.with(&context, |declared| {
            declared.slots = Some(at);
            Ok(())
        })
    });
    #[cfg(feature = "sql")]
    {
        let this = declaring.clone();
        engine.register_fn("postgres", move |context: NativeCallContext<'_>| {
            let at = context.call_position();
            this.with(&context, |declared| {
                declared.postgres = Some(at);
                Ok(())
            })
        });
    }
    let this = declaring.clone();
    engine.register_fn("deadline", move |context: NativeCallContext<'_>, time: &str| {
        this.with(&context, |declared| {
            declared.deadline = duration(time)?;
            if declared.deadline <= LONGEST { Ok(()) } else { Err("the longest deadline is 30s".to_owned()) }
        })
    });
    let this = declaring.clone();
    engine.register_fn("calls", move |context: NativeCallContext<'_>, service: &str, how: Map| {
        this.with(&context, |declared| {
            add(declared.policies.entry(service.to_owned()), policy(&how)?, "policy for calls")
        })
    });
    let this = declaring.clone();
    engine.register_fn("limit", move |context: NativeCallContext<'_>, name: &str, count: i64, per: &str| {
        this.with(&context, |declared| {
            let burst = u32::try_from(count).ok().filter(|count| *count > 0).ok_or("a limit is at least 1")?;
            add(declared.limits.entry(name.to_owned()), Limit { burst, per: duration(per)? }, "limit")
        })
    });
}

fn data(engine: &mut Engine, declaring: &Declaring) {
    let this = declaring.clone();
    engine.register_fn("migration", move |context: NativeCallContext<'_>, name: &str, sql: &str| {
        let at = context.call_position();
        this.with(&context, |declared| add_migration(declared, name, &Array::new(), sql, at))
    });
    let this = declaring.clone();
    engine.register_fn("migration", move |context: NativeCallContext<'_>, name: &str, after: Array, sql: &str| {
        let at = context.call_position();
        this.with(&context, |declared| add_migration(declared, name, &after, sql, at))
    });
    let this = declaring.clone();
    engine.register_fn("states", move |context: NativeCallContext<'_>, name: &str, transitions: Array| {
        this.with(&context, |declared| {
            for line in &transitions {
                let line = line.clone().try_cast::<Text>().ok_or("a transition is a text such as \"draft -> paid\"")?;
                declared.machines.entry(name.to_owned()).or_default().transitions.extend(transition(&line)?);
            }
            Ok(())
        })
    });
    let this = declaring.clone();
    engine.register_fn("guard", move |context: NativeCallContext<'_>, name: &str, line: &str, holds: FnPtr| {
        this.with(&context, |declared| add_guard(declared, name, line, holds))
    });
    let this = declaring.clone();
    engine.register_fn("redact", move |context: NativeCallContext<'_>, fields: Array| {
        this.with(&context, |declared| {
            for field in fields {
                let field = field.try_cast::<Text>().ok_or("a field is named by a text")?;
                declared.redacted.add(&field);
            }
            Ok(())
        })
    });
}

fn metrics(engine: &mut Engine, declaring: &Declaring) {
    for (word, kind) in [("counter", Kind::Counter), ("gauge", Kind::Gauge), ("histogram", Kind::Histogram)] {
        let this = declaring.clone();
        engine.register_fn(word, move |context: NativeCallContext<'_>, name: &str, help: &str| {
            this.with(&context, |declared| {
                metric_name(name)?;
                add(declared.metrics.entry(name.to_owned()), Metric { kind, help: help.to_owned() }, "metric")
            })
        });
    }
}

fn add_route(
    declared: &mut Declared,
    method: &Method,
    path: &str,
    (requires, handler): (Option<Requirement>, FnPtr),
    at: Position,
) -> Result<(), String> {
    let template = Template::parse(path)?;
    if OWN.contains(&path) {
        return Err(format!("every service answers {path} by itself -> choose another path"));
    }
    let is_it = |route: &&Route| route.method == *method && route.template.is_same(&template);
    if let Some(before) = declared.routes.iter().find(is_it) {
        return Err(format!(
            "{method} {path} is declared twice -> it is at line {} already",
            before.at.line().unwrap_or(1)
        ));
    }
    room(declared.routes.len(), "routes")?;
    declared.routes.push(Route { method: method.clone(), template, requires, handler: apart(handler), at });
    Ok(())
}

fn add_rpc(declared: &mut Declared, method: &str, rpc: Rpc) -> Result<(), String> {
    rpc::check_name(method)?;
    room(declared.rpcs.len(), "methods")?;
    add(declared.rpcs.entry(method.to_owned()), rpc, "method")
}

fn add_schedule(declared: &mut Declared, name: &str, every: &str, handler: FnPtr, at: Position) -> Result<(), String> {
    let every = duration(every)?;
    if every < OFTEN {
        return Err(format!("a schedule waits at least {} between two runs", HumanDuration(OFTEN)));
    }
    if declared.schedules.iter().any(|schedule| schedule.name == name) {
        return Err(format!("the schedule `{name}` is declared twice"));
    }
    room(declared.schedules.len(), "schedules")?;
    declared.schedules.push(Schedule { name: name.to_owned(), every, handler: apart(handler), at });
    Ok(())
}

fn add_migration(declared: &mut Declared, name: &str, after: &Array, sql: &str, at: Position) -> Result<(), String> {
    if declared.migrations.iter().any(|migration| migration.name == name) {
        return Err(format!("the migration `{name}` is declared twice"));
    }
    let text = |one: &Dynamic| one.clone().try_cast::<Text>().map(String::from);
    let after = after.iter().map(text).collect::<Option<_>>().ok_or("migrations are named by texts")?;
    room(declared.migrations.len(), "migrations")?;
    declared.migrations.push(Migration { name: name.to_owned(), after, sql: sql.to_owned(), at });
    Ok(())
}

fn add_guard(declared: &mut Declared, name: &str, line: &str, holds: FnPtr) -> Result<(), String> {
    let machine = declared.machines.get_mut(name).ok_or_else(|| {
        format!("there are no states of `{name}` -> declare them above: states(\"{name}\", [\"draft -> paid\"])")
    })?;
    let holds = apart(holds);
    for step in transition(line)? {
        if !machine.transitions.contains(&step) {
            return Err(format!("`{name}` does not go from {} to {}", step.0, step.1));
        }
        machine.guards.insert(step, holds.clone());
    }
    Ok(())
}

/// A handler whose captured values are its own: handlers share nothing but what stands behind doors.
pub(super) fn apart(mut handler: FnPtr) -> FnPtr {
    handler.iter_curry_mut().for_each(|value| *value = value.flatten_clone());
    handler
}

fn add<T>(entry: Entry<'_, String, T>, value: T, what: &str) -> Result<(), String> {
    match entry {
        Entry::Vacant(free) => drop(free.insert(value)),
        Entry::Occupied(taken) => return Err(format!("the {what} `{}` is declared twice", taken.key())),
    }
    Ok(())
}

pub(super) fn room(count: usize, what: &str) -> Result<(), String> {
    if count < MOST { Ok(()) } else { Err(format!("a service has {MOST} {what} at most")) }
}

/// The fault of a script whose declarations do not fit together.
#[must_use]
pub fn misfit(source: &place::Source, (at, message): (Position, String)) -> crate::error::Fault {
    let (what, hint) = place::split(&message);
    source.fault(at, what, hint)
}
