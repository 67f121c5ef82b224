//! Hosts by the commands that a platform file names for them, such as `ssh pg1 sudo systemctl kill ...`.
//!
//! A command is a program with its arguments; no shell is involved. It gets the variables `INTERLOCK_HOST`, `INTERLOCK_EPOCH`
//! and, where a node is to follow another, `INTERLOCK_PRIMARY`.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use async_trait::async_trait;
use tokio::process::Command;

use crate::{
    model::Epoch,
    ports::{Flow, HostState, Hosts, PortError},
};

/// How long one command may take.
const WITHIN: Duration = Duration::from_secs(60);
/// How much of what a command says is kept.
const KEPT: usize = 400;

/// The commands for one host; what has none cannot be done to it.
#[derive(Debug, Clone, Default)]
pub struct HostCommands {
    /// Prints the host's state as one word.
    pub state: Vec<String>,
    /// Bring it into a state.
    pub set: BTreeMap<HostState, Vec<String>>,
    /// Prints whether its replication is `flowing` or `frozen`.
    pub flow: Vec<String>,
    /// Stops its replication, and lets it flow again.
    pub set_flow: BTreeMap<Flow, Vec<String>>,
    /// Prints how many bytes are free where its database keeps its data, as the last word.
    pub free: Vec<String>,
    /// Ends its database as an administrator would.
    pub stop: Vec<String>,
    /// Starts its database as a follower of another node.
    pub follow: Vec<String>,
}

/// Hosts by commands.
#[derive(Debug, Clone)]
pub struct CommandHosts(BTreeMap<String, HostCommands>);

impl CommandHosts {
    /// Takes the commands, by the host's name.
    #[must_use]
    pub const fn new(hosts: BTreeMap<String, HostCommands>) -> Self {
        Self(hosts)
    }

    fn of(&self, host: &str) -> Result<&HostCommands, PortError> {
        self.0.get(host).ok_or_else(|| PortError::NotFound { what: format!("commands for the host `{host}`") })
    }
}

/// Runs a command to its end, and gives what it printed.
async fn run(host: &str, what: &str, command: &[String], variables: &[(&str, String)]) -> Result<String, PortError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(PortError::NotFound { what: format!("command that can {what} {host}") });
    };
    let named = || format!("the command `{program}` for {host}");
    let child = Command::new(program)
        .args(arguments)
        .env("INTERLOCK_HOST", host)
        .envs(variables.iter().map(|(key, value)| (*key, value)))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(WITHIN, child).await {
        Err(_) => return Err(PortError::unreachable(named(), format!("it took longer than {} s", WITHIN.as_secs()))),
        Ok(Err(e)) => return Err(PortError::unreachable(named(), e)),
        Ok(Ok(output)) => output,
    };
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().chars().take(KEPT).collect::<String>();
    if output.status.success() {
        return Ok(said(&output.stdout));
    }
    Err(PortError::odd(named(), format!("{}: {}", output.status, said(&output.stderr))))
}

fn word<T: serde::de::DeserializeOwned>(host: &str, said: &str) -> Result<T, PortError> {
    serde_json::from_value(serde_json::Value::String(said.to_owned()))
        .map_err(|e| PortError::odd(format!("the command for the state of {host}"), e))
}

#[async_trait]
impl Hosts for CommandHosts {
    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn can(&self, host: &str, state: HostState) -> bool {
        self.0.get(host).is_some_and(|host| !host.state.is_empty() && host.set.contains_key(&state))
    }

    fn can_freeze(&self, host: &str) -> bool {
        self.0.get(host).is_some_and(|host| {
            !host.flow.is_empty() && [Flow::Frozen, Flow::Flowing].iter().all(|flow| host.set_flow.contains_key(flow))
        })
    }

    async fn state(&self, host: &str) -> Result<HostState, PortError> {
        let said = run(host, "tell the state of", &self.of(host)?.state, &[]).await?;
        word(host, &said)
    }

    async fn fence(&self, host: &str, _: Epoch) -> Result<(), PortError> {
        // A host knows no epochs; what this process has started there has ended with the call that started it.
        self.of(host).map(drop)
    }

    async fn set_state(&self, host: &str, to: HostState, epoch: Epoch) -> Result<(), PortError> {
        if self.state(host).await? == to {
            return Ok(());
        }
        let command = self.of(host)?.set.get(&to).map_or(&[][..], Vec::as_slice);
        run(host, to.word(), command, &[("INTERLOCK_EPOCH", epoch.to_string())]).await.map(drop)
    }

    async fn flow(&self, host: &str) -> Result<Flow, PortError> {
        let command = &self.of(host)?.flow;
        // Where it cannot be stopped it has not been.
        if command.is_empty() {
            return Ok(Flow::Flowing);
        }
        let said = run(host, "tell the replication of", command, &[]).await?;
        word(host, &said)
    }

    async fn set_flow(&self, host: &str, to: Flow, epoch: Epoch) -> Result<(), PortError> {
        let command = self.of(host)?.set_flow.get(&to).map_or(&[][..], Vec::as_slice);
        run(host, "stop the replication of", command, &[("INTERLOCK_EPOCH", epoch.to_string())]).await.map(drop)
    }

    async fn free(&self, host: &str) -> Result<Option<u64>, PortError> {
        // A host that nothing is done to needs no commands at all.
        let command = self.0.get(host).map_or(&[][..], |host| &host.free);
        if command.is_empty() {
            return Ok(None);
        }
        let said = run(host, "tell the free bytes of", command, &[]).await?;
        let bytes = said.split_whitespace().next_back().unwrap_or_default().parse();
        bytes.map(Some).map_err(|e| PortError::odd(format!("the command for the free bytes of {host}"), e))
    }

    async fn stop_cleanly(&self, host: &str) -> Result<(), PortError> {
        run(host, "end the database of", &self.of(host)?.stop, &[]).await.map(drop)
    }

    async fn start_following(&self, host: &str, primary: &str) -> Result<String, PortError> {
        let variables = [("INTERLOCK_PRIMARY", primary.to_owned())];
        run(host, "let another be followed by", &self.of(host)?.follow, &variables).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    fn one(folder: &std::path::Path) -> CommandHosts {
        let file = folder.join("state").display().to_string();
        let set = [HostState::Running, HostState::Down].map(|state| {
            let script = format!("echo $INTERLOCK_HOST $INTERLOCK_EPOCH >&2; printf {} > {file}", state.word());
            (state, shell(&script))
        });
        let commands = HostCommands {
            state: shell(&format!("cat {file} || echo running")),
            set: set.into(),
            free: shell("echo Avail; echo 1048576"),
            stop: shell("echo no such unit >&2; exit 3"),
            follow: shell("echo followed $INTERLOCK_PRIMARY"),
            ..HostCommands::default()
        };
        CommandHosts::new([("pg1".to_owned(), commands)].into())
    }

    #[tokio::test]
    async fn what_the_commands_say_is_taken_and_what_has_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let hosts = one(folder.path());
        assert!(hosts.can("pg1", HostState::Down) && !hosts.can("pg1", HostState::Paused) && !hosts.can_freeze("pg1"));
        assert_eq!(hosts.state("pg1").await.unwrap(), HostState::Running);
        hosts.set_state("pg1", HostState::Down, Epoch(3)).await.unwrap();
        assert_eq!(hosts.state("pg1").await.unwrap(), HostState::Down);
        assert_eq!(hosts.flow("pg1").await.unwrap(), Flow::Flowing);
        assert_eq!(hosts.start_following("pg1", "pg2").await.unwrap(), "followed pg2");
        assert_eq!(hosts.free("pg1").await.unwrap(), Some(1 << 20));
        assert_eq!(hosts.free("pg9").await.unwrap(), None);
        let failed = hosts.stop_cleanly("pg1").await.unwrap_err().to_string();
        assert!(failed.contains("no such unit"), "{failed}");
        assert!(hosts.set_state("pg1", HostState::Paused, Epoch(3)).await.is_err());
        assert!(hosts.state("pg9").await.is_err());
    }
}
