//! What the lab's commands print: JSON or tables on standard output.

use std::path::Path;

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use crate::{
    error::Error,
    lab::{
        Lab, LabDatabase, LabFile, PartStatus, Standing, Status,
        alerts::Told,
        backing::{
            Backing,
            messages::{Letter, Sent},
        },
        database::HostStand,
        identity::Token,
        known::Process,
        load::Report,
        operate::Breakable,
        state::broken,
        store::Outage,
    },
    ports::{Flow, PortError},
    report::Format,
};

/// Prints how a lab stands. The token stays in its file.
pub(super) fn status(lab: &Lab, status: &Status, hosts: &[Stood], output: Format) -> Result<(), Error> {
    let file = &lab.file;
    match output {
        Format::Json => json(&json!({
            "folder": lab.folder.path(),
            "supervisor": file.supervisor,
            "gateway": format!("http://{}", file.gateway),
            "admin": format!("http://{}", file.admin),
            "control": format!("http://{}", file.control),
            "full": file.full,
            "prometheus": file.prometheus.map(|at| format!("http://{at}")),
            "database": file.database.as_ref().map(|database| described(database, hosts)),
            "status": status,
        })),
        Format::Table => print([surroundings(lab), table(status), nodes(lab, hosts)].join("\n\n").trim_end()),
    }
}

/// How a host stands, or why that is not known.
pub(super) type Stood = (String, Result<HostStand, PortError>);

fn surroundings(lab: &Lab) -> String {
    let folder = format!("folder      {}", lab.folder.path().display());
    if lab.file.database_only {
        return folder;
    }
    let none = || "none: counters are scraped from the admin address".into();
    let prometheus = lab.file.prometheus.map_or_else(none, |at| format!("http://{at}"));
    let LabFile { gateway, admin, .. } = &lab.file;
    format!("gateway     http://{gateway}\nadmin       http://{admin}\nprometheus  {prometheus}\n{folder}")
}

/// Where the database's nodes listen and how their hosts stand; the passwords stay in their file.
fn nodes(lab: &Lab, hosts: &[Stood]) -> String {
    let Some(database) = &lab.file.database else { return String::new() };
    let LabDatabase { kind, database, user, .. } = database;
    format!("database    {kind}: {database}, of {user}\n\n{}", host_table(hosts))
}

fn host_table(hosts: &[Stood]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["HOST", "STATE", "FLOW"]);
    for (name, stood) in hosts {
        match stood {
            Ok(HostStand { state, flow, .. }) => table.add_row([name, &*state.to_string(), flow_word(*flow)]),
            Err(e) => table.add_row([name, "unknown", &e.to_string()]),
        };
    }
    table.trim_fmt()
}

const fn flow_word(flow: Flow) -> &'static str {
    match flow {
        Flow::Flowing => "flowing",
        Flow::Frozen => "frozen",
    }
}

fn described(database: &LabDatabase, hosts: &[Stood]) -> Value {
    let LabDatabase { kind, nodes, others, database, user, admin_user, .. } = database;
    json!({
        "kind": kind, "nodes": nodes, "others": others, "database": database, "user": user, "adminUser": admin_user,
        "hosts": hosts.iter().map(|(name, stood)| host_value(name, stood)).collect::<Vec<_>>(),
    })
}

fn host_value(name: &str, stood: &Result<HostStand, PortError>) -> Value {
    match stood {
        Ok(HostStand { state, flow, free, epoch }) => {
            json!({ "name": name, "state": state, "flow": flow, "freeBytes": free, "epoch": epoch })
        }
        Err(e) => json!({ "name": name, "trouble": e.to_string() }),
    }
}

/// Prints how hosts stand, and how the order was carried out.
pub(super) fn hosts(hosts: &[Stood], how: Option<&str>, output: Format) -> Result<(), Error> {
    match output {
        Format::Json => {
            let hosts: Vec<_> = hosts.iter().map(|(name, stood)| host_value(name, stood)).collect();
            json(&json!({ "how": how, "hosts": hosts }))
        }
        Format::Table => print(&how.into_iter().chain([&*host_table(hosts)]).collect::<Vec<_>>().join("\n\n")),
    }
}

fn table(status: &Status) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["PART", "PID", "ADDRESS", "STANDING", "READY", "EXITS", "VERSION"]);
    for part in &status.parts {
        table.add_row([
            part.name.clone(),
            part.identity.as_ref().map_or_else(|| "-".into(), |identity| identity.pid.to_string()),
            part.address.to_string(),
            match part.standing {
                Standing::Up => "up",
                Standing::Waiting => "waiting",
                Standing::Ending => "ending",
            }
            .into(),
            if part.ready { "yes" } else { "no" }.into(),
            part.exits.to_string(),
            part.version.clone().unwrap_or_else(|| "-".into()),
        ]);
    }
    table.trim_fmt()
}

/// Prints where a process listens.
pub(super) fn address(part: &PartStatus, output: Format) -> Result<(), Error> {
    match output {
        Format::Json => json(&json!({ "name": part.name, "address": part.address })),
        Format::Table => print(&part.address.to_string()),
    }
}

/// Prints a token, for use in a header.
pub(super) fn token(token: &Token, output: Format) -> Result<(), Error> {
    match output {
        Format::Json => json(&json!(token)),
        Format::Table => print(&token.access_token),
    }
}

/// Prints whether a part of the lab is out of order.
pub(super) fn outage(what: Breakable, outage: Outage, output: Format) -> Result<(), Error> {
    let name = what.name();
    match output {
        Format::Json => json(&json!(outage)),
        Format::Table if outage.out => {
            print(&format!("the {name} is out of order; `interlock lab mend {name}` ends that"))
        }
        Format::Table => print(&format!("the {name} is in order")),
    }
}

/// Prints the dead letters of bus and queue.
pub(super) fn letters(letters: &[(Backing, Letter)], output: Format) -> Result<(), Error> {
    let name = |backing: &Backing, letter: &Letter| format!("{}/{}", backing.name(), letter.number);
    if output == Format::Json {
        let listed = letters.iter().map(|(backing, letter)| json!({ "name": name(backing, letter), "letter": letter }));
        return json(&listed.collect());
    }
    let mut table = Table::new();
    let header = ["LETTER", "SERVICE", "SUBSCRIPTION", "TOPIC", "ATTEMPTS", "CORRELATION ID", "WHY"];
    table.load_style(presets::NOTHING).set_header(header);
    for (backing, letter) in letters {
        let Letter { service, subscription, topic, correlation_id, attempts, why, .. } = letter;
        table.add_row([
            &name(backing, letter),
            service,
            subscription,
            topic,
            &attempts.to_string(),
            correlation_id,
            why,
        ]);
    }
    print(&if letters.is_empty() { "no dead letters".to_owned() } else { table.trim_fmt() })
}

/// Prints how many dead letters were sent again.
pub(super) fn sent_again(sent: Sent, output: Format) -> Result<(), Error> {
    match output {
        Format::Json => json(&json!(sent)),
        Format::Table => print(&format!("sent again: {}", sent.letters)),
    }
}

/// Prints the alerts that were raised.
pub(super) fn alerts(told: &Told, output: Format) -> Result<(), Error> {
    if output == Format::Json {
        return json(&json!(told));
    }
    let Told { logs, errors, raised, alerts, .. } = told;
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["ALERT", "SERVICE", "CORRELATION ID", "MESSAGE"]);
    for alert in alerts {
        table.add_row([&alert.number.to_string(), &alert.service, &alert.correlation_id, &alert.message]);
    }
    let counts = format!("logs {logs}, errors {errors}, alerts {raised}");
    print(&if alerts.is_empty() { counts } else { format!("{counts}\n\n{}", table.trim_fmt()) })
}

/// Prints what is left of a lab.
pub(super) fn down(folder: &Path, left: &[Process], output: Format) -> Result<(), Error> {
    match output {
        Format::Json => json(&json!({ "folder": folder, "left": left })),
        Format::Table if left.is_empty() => print("down; nothing is left but the logs"),
        Format::Table => {
            let names: Vec<_> = left.iter().map(|p| format!("{} (pid {})", p.name, p.identity.pid)).collect();
            print(&format!("still running: {}", names.join(", ")))
        }
    }
}

/// Prints what came of a load.
pub(super) fn report(report: &Report, output: Format) -> Result<(), Error> {
    let value = serde_json::to_value(report).map_err(|e| broken("the report", e))?;
    match output {
        Format::Json => json(&value),
        Format::Table => print(&text(report)),
    }
}

fn text(report: &Report) -> String {
    let Report { offered, offered_rate, ok, failed, achieved_rate, seconds, failures, latency, .. } = report;
    let mut text = format!(
        "offered   {offered} at {offered_rate}/s\nok        {ok} at {achieved_rate:.0}/s over {seconds:.1} s\n\
         failed    {failed} ({} status 5xx, {} transport, {} timeout, {} not sent)\n\
         latency   p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
        failures.status_5xx,
        failures.transport,
        failures.timeout,
        failures.not_sent,
        latency.p50_ms,
        latency.p90_ms,
        latency.p99_ms,
        latency.p999_ms,
        latency.max_ms,
    );
    if let Some(busy) = report.busy() {
        text.push_str(&format!("\n{busy}"));
    }
    for (at, second) in report.timeline.iter().enumerate().filter(|(_, second)| second.failed > 0).take(20) {
        text.push_str(&format!("\nsecond {at:>3}  {} failed, {} ok", second.failed, second.ok));
    }
    for example in &report.examples {
        text.push_str(&format!("\n  {example}"));
    }
    text
}

pub(super) fn json(value: &Value) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(|e| broken("standard output", e))?;
    print(&text)
}

/// A reader that has gone away is no reason to fail.
pub(super) fn print(text: &str) -> Result<(), Error> {
    use std::io::{ErrorKind, Write};
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(broken("standard output", e)),
        _ => Ok(()),
    }
}
