//! What a script calls and asks for, found in its syntax tree before anything runs.

use http::Method;
use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::doors;

/// What a script calls and asks for, wherever that is written down and not computed.
#[derive(Debug, Default)]
pub struct Uses {
    pub calls: Vec<Called>,
    /// The defects that are asked for.
    pub defects: Vec<(String, Position)>,
    /// The settings that are asked for.
    pub settings: Vec<(String, Position)>,
    pub webhooks: Webhooks,
    /// The services that a policy for calls is declared for.
    pub policies: Vec<(String, Position)>,
    /// Functions of doors that there are not, as they are written.
    pub unknown: Vec<(String, Position)>,
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
        if doors::offers(door, &call.name) != Some(true) {
            self.unknown.push((format!("{door}::{}", call.name), at));
        } else if door == "http" {
            self.calls.extend(called(call));
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

fn called(call: &FnCallExpr) -> Option<Called> {
    to(Method::from_bytes(call.name.to_uppercase().as_bytes()).ok()?, call)
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
