//! How one command is run: asked at once, or let act once what would end it is journalled.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, ChildStdin, Command},
    time::Instant,
};

use crate::{
    ports::{Means, Permit, PortError},
    process::{Group, Whereabouts},
};

/// How much of what a command says is kept.
const KEPT: usize = 400;
/// How long one command may take.
const WITHIN: Duration = Duration::from_secs(60);
/// Begins nothing until it is told to by a line: without one it ends, as when whoever started it has died. Then it becomes the
/// command, under the same pid.
const GATE: &str = "read -r go || exit 125; exec \"$@\" </dev/null";
/// What the gate ends with where there is no such program, or it cannot be run.
const NO_PROGRAM: [i32; 2] = [126, 127];
/// Programs that have something done beyond this machine, where it goes on when they end.
const BEYOND: &[&str] = &[
    "ssh",
    "slogin",
    "sshpass",
    "mosh-client",
    "pdsh",
    "ansible",
    "ansible-playboo",
    "salt",
    "kubectl",
    "oc",
    "docker",
    "podman",
    "nerdctl",
    "crictl",
    "virsh",
    "aws",
    "gcloud",
    "az",
    "curl",
    "wget",
];
/// Between two looks at a command that is awaited.
pub(super) const LOOK: Duration = Duration::from_millis(50);
/// How long the processes of a group that was killed may take to be gone.
pub(super) const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Runs a command to its end, and gives what it printed.
pub(super) async fn ask(host: &str, command: &[String]) -> Result<String, PortError> {
    let (program, arguments) = split(host, command)?;
    let child = Command::new(program)
        .args(arguments)
        .env("INTERLOCK_HOST", host)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    said(&named(host, program), tokio::time::timeout(WITHIN, child).await)
}

/// Lets a command act: it waits at its gate until the permit knows what to end, should we die.
pub(super) async fn act(
    host: &str,
    command: &[String],
    variables: &[(&str, String)],
    permit: &dyn Permit,
) -> Result<String, PortError> {
    let (program, arguments) = split(host, command)?;
    let mut gated = Command::new("sh");
    gated
        .args(["-c", GATE, "sh", program])
        .args(arguments)
        .env("INTERLOCK_HOST", host)
        .env("INTERLOCK_EPOCH", permit.epoch().to_string())
        .envs(variables.iter().map(|(key, value)| (*key, value)))
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let named = named(host, program);
    let mut acting = Acting::start(gated).map_err(|e| PortError::unreachable(&named, e))?;
    permit.intend(Means::Command { what: named.clone(), group: acting.group.clone() }).await?;
    said(&named, tokio::time::timeout(WITHIN, acting.go()).await)
}

/// Whether a command names a program that has something done beyond this machine, where nobody ends it.
pub(super) fn names_beyond(command: &[String]) -> bool {
    let words =
        command.iter().flat_map(|argument| argument.split([' ', '\t', '\n', ';', '|', '&', '(', ')', '\'', '"']));
    let mut programs = words.map(|word| word.rsplit('/').next().unwrap_or(word));
    // The kernel keeps 15 bytes of a name, and so does the list.
    programs.any(|program| BEYOND.contains(&program.get(..15).unwrap_or(program)))
}

fn split<'a>(host: &str, command: &'a [String]) -> Result<(&'a String, &'a [String]), PortError> {
    command.split_first().ok_or_else(|| PortError::NotFound { what: format!("program in a command for {host}") })
}

fn named(host: &str, program: &str) -> String {
    format!("the command `{program}` for {host}")
}

fn said(
    named: &str,
    ended: Result<std::io::Result<std::process::Output>, tokio::time::error::Elapsed>,
) -> Result<String, PortError> {
    let output = match ended {
        Err(_) => return Err(PortError::unreachable(named, format!("it took longer than {} s", WITHIN.as_secs()))),
        Ok(Err(e)) => return Err(PortError::unreachable(named, e)),
        Ok(Ok(output)) => output,
    };
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().chars().take(KEPT).collect::<String>();
    if output.status.success() {
        return Ok(said(&output.stdout));
    }
    if output.status.code().is_some_and(|code| NO_PROGRAM.contains(&code)) {
        return Err(PortError::unreachable(named, said(&output.stderr)));
    }
    Err(PortError::unexpected(named, format!("{}: {}", output.status, said(&output.stderr))))
}

/// A command at its gate, or past it. Dropped before its end, all of its group is ended; but one that has something done beyond
/// this machine is left to its end, which is then the end of that as well.
struct Acting {
    child: Option<Child>,
    gate: Option<ChildStdin>,
    group: Group,
}

impl Acting {
    fn start(mut command: Command) -> std::io::Result<Self> {
        let mut child = command.spawn()?;
        let pid =
            child.id().and_then(|pid| i32::try_from(pid).ok()).ok_or_else(|| std::io::Error::other("it has no pid"))?;
        let gate = child.stdin.take();
        Ok(Self { child: Some(child), gate, group: Group::led_by(pid)? })
    }

    /// Lets it begin, and waits for its end.
    async fn go(&mut self) -> std::io::Result<std::process::Output> {
        let (Some(gate), Some(child)) = (&mut self.gate, &mut self.child) else {
            return Err(std::io::Error::other("it was let go before"));
        };
        gate.write_all(b"go\n").await?;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let outputs = (child.stdout.take(), child.stderr.take());
        let (status, _, _) = futures::try_join!(child.wait(), read(outputs.0, &mut out), read(outputs.1, &mut err))?;
        self.child = None;
        Ok(std::process::Output { status, stdout: out, stderr: err })
    }
}

async fn read(from: Option<impl tokio::io::AsyncRead + Unpin>, into: &mut Vec<u8>) -> std::io::Result<usize> {
    match from {
        Some(mut from) => tokio::io::AsyncReadExt::read_to_end(&mut from, into).await,
        None => Ok(0),
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        if self.child.is_some() && !reaches_beyond(&self.group) {
            // Whoever goes back looks again.
            let _ = self.group.kill();
        }
    }
}

/// Whether something of it is done beyond this machine now.
pub(super) fn reaches_beyond(group: &Group) -> bool {
    group.programs().iter().any(|program| BEYOND.contains(&program.as_str()))
}

/// Ends a command of an earlier term; waits for one that has something done beyond this machine.
pub(super) async fn settle(what: &str, group: &Group, within: Duration) -> Result<(), PortError> {
    let may_act = |why: String| PortError::MayAct { what: what.to_owned(), why };
    match group.whereabouts() {
        Whereabouts::Gone => return Ok(()),
        Whereabouts::Elsewhere => {
            return Err(may_act(format!("it was started on {}, whose processes are not seen from here", group.host)));
        }
        Whereabouts::Here => {}
    }
    let until = Instant::now() + within;
    while group.is_alive() && reaches_beyond(group) {
        if Instant::now() >= until {
            return Err(may_act(format!("process {} still runs, and has something done elsewhere", group.leader.pid)));
        }
        tokio::time::sleep(LOOK).await;
    }
    group.kill().map_err(|e| may_act(format!("process {} cannot be ended: {e}", group.leader.pid)))?;
    let until = Instant::now() + GONE_WITHIN;
    while group.is_alive() {
        if Instant::now() >= until {
            return Err(may_act(format!("process {} does not end", group.leader.pid)));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
