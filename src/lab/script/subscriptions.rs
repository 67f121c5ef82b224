//! The declarations of what a service takes from bus and queue: events, jobs, and runs of a schedule that replicas share.

use rhai::{Engine, FnPtr, Map, NativeCallContext, Position};
use serde_json::Value;

use super::{
    arguments::{duration, kebab},
    declarations::{Declaring, Outcome, apart, room},
    declared::{Declared, Redelivery, Subscription},
    value,
};
use crate::lab::backing::{Backing, messages::Pattern};

/// The most deliveries of a message.
const ATTEMPTS: i64 = 100;

/// Makes them known to an engine.
pub fn register(engine: &mut Engine, declaring: &Declaring) {
    for (word, declare) in [("on", on as Declare), ("job", job)] {
        let this = declaring.clone();
        engine.register_fn(word, move |context: NativeCallContext<'_>, what: &str, handler: FnPtr| {
            declared(&this, &context, declare, (what, &Map::new(), handler))
        });
        let this = declaring.clone();
        engine.register_fn(word, move |context: NativeCallContext<'_>, what: &str, how: Map, handler: FnPtr| {
            declared(&this, &context, declare, (what, &how, handler))
        });
    }
    let this = declaring.clone();
    engine.register_fn("cron", move |context: NativeCallContext<'_>, name: &str, every: &str, handler: FnPtr| {
        let at = context.call_position();
        this.with(&context, |declared| {
            let every = Some(duration(every)?);
            let name = format!("cron {}", kebab(name).map(|()| name)?);
            let pattern = Pattern::parse(&name.replace(' ', "."))?;
            let (rule, redelivery) = (serde_json::Map::new(), Redelivery::default());
            let handler = apart(handler);
            add(declared, Subscription { from: Backing::Queue, name, pattern, rule, every, redelivery, handler, at })
        })
    });
}

type Declare = fn(&str, &Map, FnPtr, Position) -> Result<Subscription, String>;

fn declared(
    declaring: &Declaring,
    context: &NativeCallContext<'_>,
    declare: Declare,
    (what, how, handler): (&str, &Map, FnPtr),
) -> Outcome {
    let at = context.call_position();
    declaring.with(context, |declared| add(declared, declare(what, how, apart(handler), at)?))
}

fn on(pattern: &str, how: &Map, handler: FnPtr, at: Position) -> Result<Subscription, String> {
    let (redelivery, rule) = how_of(how, true)?;
    let parsed = Pattern::parse(pattern)?;
    // Two rules for one pattern are two subscriptions.
    let name = if rule.is_empty() { pattern.to_owned() } else { format!("{pattern} {}", Value::from(rule.clone())) };
    Ok(Subscription { from: Backing::Bus, name, pattern: parsed, rule, every: None, redelivery, handler, at })
}

fn job(name: &str, how: &Map, handler: FnPtr, at: Position) -> Result<Subscription, String> {
    kebab(name)?;
    let (redelivery, rule) = how_of(how, false)?;
    let (pattern, name) = (Pattern::parse(name)?, name.to_owned());
    Ok(Subscription { from: Backing::Queue, name, pattern, rule, every: None, redelivery, handler, at })
}

fn how_of(how: &Map, has_rule: bool) -> Result<(Redelivery, serde_json::Map<String, Value>), String> {
    let (mut redelivery, mut rule) = (Redelivery::default(), serde_json::Map::new());
    for (key, given) in how {
        match key.as_str() {
            "attempts" => {
                let count = given.as_int().ok().filter(|count| (1..=ATTEMPTS).contains(count));
                redelivery.attempts = count
                    .and_then(|count| u32::try_from(count).ok())
                    .ok_or_else(|| format!("`attempts` is a number from 1 to {ATTEMPTS}"))?;
            }
            "back_off" => {
                let text = given.clone().into_string().map_err(|_| "`back_off` is a time such as \"200ms\"")?;
                redelivery.back_off = duration(&text)?;
            }
            "only" if has_rule => match value::json(given)? {
                Value::Object(fields) => rule = fields,
                _ => return Err("`only` names fields and what they have to be: #{ site: \"north\" }".to_owned()),
            },
            other => {
                let known = if has_rule { "attempts, back_off and only" } else { "attempts and back_off" };
                return Err(format!("`{other}` is nothing that can be said here -> there are {known}"));
            }
        }
    }
    Ok((redelivery, rule))
}

fn add(declared: &mut Declared, subscription: Subscription) -> Result<(), String> {
    let is_it = |one: &Subscription| one.from == subscription.from && one.name == subscription.name;
    if let Some(before) = declared.subscriptions.iter().find(|one| is_it(one)) {
        let line = before.at.line().unwrap_or(1);
        return Err(format!("`{}` is declared twice -> it is at line {line} already", subscription.name));
    }
    room(declared.subscriptions.len(), "subscriptions and jobs")?;
    declared.subscriptions.push(subscription);
    Ok(())
}
