//! What a script calls and asks for, found in its syntax tree before anything runs.

use std::collections::BTreeSet;

use http::Method;
use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::doors;
use crate::lab::backing::Backing;

/// What a script calls and asks for, wherever that is written down and not computed.
#[derive(Debug, Default)]
pub struct Uses {
    pub calls: Vec<Called>,
    /// The same over gRPC.
    pub rpcs: Vec<CalledMethod>,
    /// The defects that are asked for.
    pub defects: Vec<(String, Position)>,
    /// The settings that are asked for.
    pub settings: Vec<(String, Position)>,
    pub webhooks: Webhooks,
    /// The services that a policy for calls is declared for.
    pub policies: Vec<(String, Position)>,
    /// The events that are published, and the jobs that are added.
    pub sends: Vec<Sends>,
    /// What it takes messages from.
    pub sources: BTreeSet<Backing>,
    /// What is asked of cache, registry and vector search.
    pub asks: Vec<Asks>,
    /// Whether something is done once.
    pub once: bool,
    /// Whether rows are read or written.
    pub sql: bool,
    /// Functions of doors that there are not, as they are written.
    pub unknown: Vec<(String, Position)>,
}

/// A message that is sent.
#[derive(Debug)]
pub struct Sends {
    pub to: Backing,
    /// Topic or job, where it is written down.
    pub topic: Option<(String, Position)>,
}

/// Something that is asked of what stands behind a door and delivers no messages.
#[derive(Debug)]
pub struct Asks {
    pub of: Backing,
    pub function: String,
    /// Key, name or collection, where it is written down.
    pub name: Option<(String, Position)>,
}

/// What a script does with webhooks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Webhooks {
    pub sends: bool,
    pub receives: bool,
}

/// A call to another service.
#[derive(Debug)]
pub struct Called {
    pub method: Method,
    pub service: String,
    pub service_at: Position,
    /// The path, where it is written down.
    pub path: Option<(String, Position)>,
}

/// A call of another service's method.
#[derive(Debug)]
pub struct CalledMethod {
    pub service: String,
    pub service_at: Position,
    /// The method, where it is written down.
    pub method: Option<(String, Position)>,
}

/// Finds everything in a script.
#[must_use]
pub fn uses(ast: &AST) -> Uses {
    let mut uses = Uses::default();
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(
            ASTNode::Expr(Expr::FnCall(call, at) | Expr::MethodCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at)),
        ) = path.last()
        {
            uses.add(call, *at);
        }
        true
    });
    uses
}

impl Uses {
    /// Whether messages are taken or sent, or something is done once.
    #[must_use]
    pub fn has_messages(&self) -> bool {
        self.once || self.is_messaging()
    }

    /// Whether messages are taken or sent.
    #[must_use]
    pub fn is_messaging(&self) -> bool {
        !self.sends.is_empty() || !self.sources.is_empty()
    }

    /// Whether values are cached.
    #[must_use]
    pub fn caches(&self) -> bool {
        self.asks.iter().any(|asks| asks.of == Backing::Cache)
    }

    /// The processes behind its doors.
    #[must_use]
    pub fn backings(&self) -> BTreeSet<Backing> {
        let messaging = self.sends.iter().map(|sends| sends.to).chain(self.sources.iter().copied());
        messaging.chain(self.asks.iter().map(|asks| asks.of)).collect()
    }

    fn add(&mut self, call: &FnCallExpr, at: Position) {
        if call.namespace.is_empty() {
            match (call.name.as_str(), &call.args[..]) {
                ("defect", [name]) => self.defects.extend(text(name)),
                ("calls", [service, _]) => self.policies.extend(text(service)),
                _ => {}
            }
            return;
        }
        let door = call.namespace.root();
        self.sql |= door == "sql";
        if doors::offers(door, &call.name) != Some(true) {
            self.unknown.push((format!("{door}::{}", call.name), at));
        } else if door == "http" {
            self.calls.extend(called(call));
        } else if door == "grpc" {
            self.rpcs.extend(called_method(call));
        } else if let Some(to) = Backing::behind(door) {
            match to.is_messaging() {
                true => self.sends.push(Sends { to, topic: call.args.first().and_then(text) }),
                false => self.asks.extend(asks(to, call)),
            }
        } else if door == "sql" && call.name == "once" {
            self.once = true;
        } else if door == "webhook" && call.name == "send" {
            self.webhooks.sends = true;
            self.calls.extend(to(Method::POST, call));
        } else if door == "webhook" {
            self.webhooks.receives = true;
        } else if door == "config" {
            self.settings.extend(call.args.first().and_then(text));
        }
    }
}

/// What is only computed asks nobody.
fn asks(of: Backing, call: &FnCallExpr) -> Option<Asks> {
    let name = call.args.first().and_then(text);
    (call.name != doors::EMBED).then(|| Asks { of, function: call.name.to_string(), name })
}

fn called(call: &FnCallExpr) -> Option<Called> {
    to(Method::from_bytes(call.name.to_uppercase().as_bytes()).ok()?, call)
}

fn called_method(call: &FnCallExpr) -> Option<CalledMethod> {
    let (service, service_at) = text(call.args.first()?)?;
    Some(CalledMethod { service, service_at, method: call.args.get(1).and_then(text) })
}

fn to(method: Method, call: &FnCallExpr) -> Option<Called> {
    let (service, service_at) = text(call.args.first()?)?;
    Some(Called { method, service, service_at, path: call.args.get(1).and_then(text) })
}

fn text(expression: &Expr) -> Option<(String, Position)> {
    match expression {
        Expr::StringConstant(text, at) => Some((text.to_string(), *at)),
        _ => None,
    }
}
