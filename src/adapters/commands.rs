//! Hosts by the commands that a platform file names for them, such as `ssh pg1 sudo systemctl kill ...`.
//!
//! A command is a program with its arguments; no shell is involved. It gets the variables `INTERLOCK_HOST`, `INTERLOCK_EPOCH`
//! and, where a node is to follow another, `INTERLOCK_PRIMARY`.

mod act;

use std::{collections::BTreeMap, time::Duration};

use act::{act, ask, settle};
use async_trait::async_trait;

use crate::{
    model::Epoch,
    ports::{Act, Flow, HostState, Hosts, Means, Permit, PortError},
};

/// The commands for one host; what has none cannot be done to it.
#[derive(Debug, Clone, Default)]
pub struct HostCommands {
    /// Prints the host's state, as [`HostState`] is written.
    pub state: Vec<String>,
    /// Releases, heals and starts it.
    pub run: Vec<String>,
    /// What can be done to it.
    pub acts: BTreeMap<Act, Vec<String>>,
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

fn word<T: serde::de::DeserializeOwned>(host: &str, said: &str) -> Result<T, PortError> {
    serde_json::from_value(serde_json::Value::String(said.to_owned()))
        .map_err(|e| PortError::unexpected(format!("the command for the state of {host}"), e))
}

#[async_trait]
impl Hosts for CommandHosts {
    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn can(&self, host: &str, state: HostState) -> bool {
        let able = |host: &HostCommands| match state {
            HostState::Running => !host.run.is_empty(),
            state => state.acts().all(|act| host.acts.contains_key(&act)),
        };
        self.0.get(host).is_some_and(|host| !host.state.is_empty() && able(host))
    }

    fn can_freeze(&self, host: &str) -> bool {
        self.0.get(host).is_some_and(|host| {
            !host.flow.is_empty() && [Flow::Frozen, Flow::Flowing].iter().all(|flow| host.set_flow.contains_key(flow))
        })
    }

    async fn state(&self, host: &str) -> Result<HostState, PortError> {
        let said = ask(host, "tell the state of", &self.of(host)?.state).await?;
        word(host, &said)
    }

    async fn fence(&self, host: &str, _: Epoch) -> Result<(), PortError> {
        // A host knows no epochs: each act is intended, and settled by whoever comes next.
        self.of(host).map(drop)
    }

    async fn set_state(&self, host: &str, to: HostState, permit: &dyn Permit) -> Result<(), PortError> {
        let found = self.state(host).await?;
        let commands = self.of(host)?;
        if found == to {
            return Ok(());
        }
        if to == HostState::Running {
            return act(host, "run", &commands.run, &[], permit).await.map(drop);
        }
        for missing in to.acts().filter(|act| !found.has(*act)) {
            let command = commands.acts.get(&missing).map_or(&[][..], Vec::as_slice);
            act(host, &format!("bring about `{}` at", missing.word()), command, &[], permit).await?;
        }
        Ok(())
    }

    async fn flow(&self, host: &str) -> Result<Flow, PortError> {
        let command = &self.of(host)?.flow;
        // Where it cannot be stopped it has not been.
        if command.is_empty() {
            return Ok(Flow::Flowing);
        }
        let said = ask(host, "tell the replication of", command).await?;
        word(host, &said)
    }

    async fn set_flow(&self, host: &str, to: Flow, permit: &dyn Permit) -> Result<(), PortError> {
        let command = self.of(host)?.set_flow.get(&to).map_or(&[][..], Vec::as_slice);
        act(host, "stop or release the replication of", command, &[], permit).await.map(drop)
    }

    async fn free(&self, host: &str) -> Result<Option<u64>, PortError> {
        // A host that nothing is done to needs no commands at all.
        let command = self.0.get(host).map_or(&[][..], |host| &host.free);
        if command.is_empty() {
            return Ok(None);
        }
        let said = ask(host, "tell the free bytes of", command).await?;
        let bytes = said.split_whitespace().next_back().unwrap_or_default().parse();
        bytes.map(Some).map_err(|e| PortError::unexpected(format!("the command for the free bytes of {host}"), e))
    }

    async fn stop_cleanly(&self, host: &str, permit: &dyn Permit) -> Result<(), PortError> {
        act(host, "end the database of", &self.of(host)?.stop, &[], permit).await.map(drop)
    }

    async fn start_following(&self, host: &str, primary: &str, permit: &dyn Permit) -> Result<String, PortError> {
        let variables = [("INTERLOCK_PRIMARY", primary.to_owned())];
        act(host, "let another be followed by", &self.of(host)?.follow, &variables, permit).await
    }

    async fn settle(&self, means: &Means, within: Duration) -> Result<(), PortError> {
        match means {
            Means::Command { what, group } => settle(what, group, within).await,
            other => Err(other.never_used()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::{
        act::{GONE_WITHIN, LOOK, reaches_beyond},
        *,
    };
    use crate::ports::ByHand;

    /// Keeps what was intended, and lets nothing begin.
    #[derive(Default)]
    struct Superseded(Mutex<Vec<Means>>);

    #[async_trait]
    impl Permit for Superseded {
        fn epoch(&self) -> Epoch {
            Epoch(3)
        }

        async fn check(&self) -> Result<(), PortError> {
            Err(PortError::Superseded { ours: 3, theirs: 4 })
        }

        async fn intend(&self, means: Means) -> Result<(), PortError> {
            self.0.lock().unwrap().push(means);
            self.check().await
        }

        async fn over(&self, _: Means) -> Result<(), PortError> {
            Ok(())
        }
    }

    /// Keeps what was intended, and lets it begin.
    #[derive(Default)]
    struct Noting(Mutex<Option<Means>>);

    #[async_trait]
    impl Permit for Noting {
        fn epoch(&self) -> Epoch {
            Epoch(3)
        }

        async fn check(&self) -> Result<(), PortError> {
            Ok(())
        }

        async fn intend(&self, means: Means) -> Result<(), PortError> {
            *self.0.lock().unwrap() = Some(means);
            Ok(())
        }

        async fn over(&self, _: Means) -> Result<(), PortError> {
            Ok(())
        }
    }

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    fn one(folder: &std::path::Path) -> CommandHosts {
        let file = folder.join("state").display().to_string();
        let becomes =
            |state: &str| shell(&format!("echo $INTERLOCK_HOST $INTERLOCK_EPOCH >&2; printf {state} > {file}"));
        let commands = HostCommands {
            state: shell(&format!("cat {file} || echo running")),
            run: becomes("running"),
            acts: [
                (Act::PowerOff, becomes("down")),
                (Act::Partition, becomes("partitioned")),
                (Act::StallDisk, shell(&format!("printf %s+stalled $(cat {file}) > {file}.new; mv {file}.new {file}"))),
            ]
            .into(),
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
        hosts.set_state("pg1", HostState::Down, &ByHand(Epoch(3))).await.unwrap();
        assert_eq!(hosts.state("pg1").await.unwrap(), HostState::Down);
        assert_eq!(hosts.flow("pg1").await.unwrap(), Flow::Flowing);
        assert_eq!(hosts.start_following("pg1", "pg2", &ByHand(Epoch(3))).await.unwrap(), "followed pg2");
        assert_eq!(hosts.free("pg1").await.unwrap(), Some(1 << 20));
        assert_eq!(hosts.free("pg9").await.unwrap(), None);
        let failed = hosts.stop_cleanly("pg1", &ByHand(Epoch(3))).await.unwrap_err().to_string();
        assert!(failed.contains("no such unit"), "{failed}");
        assert!(hosts.set_state("pg1", HostState::Paused, &ByHand(Epoch(3))).await.is_err());
        hosts.set_state("pg1", HostState::Running, &ByHand(Epoch(3))).await.unwrap();
        let both = HostState::of(&[Act::StallDisk, Act::Partition]);
        assert!(hosts.can("pg1", both) && !hosts.can("pg1", HostState::of(&[Act::StallDisk, Act::Pause])));
        hosts.set_state("pg1", both, &ByHand(Epoch(3))).await.unwrap();
        assert_eq!(hosts.state("pg1").await.unwrap(), both, "each act by its own command, one after the other");
        assert!(hosts.state("pg9").await.is_err());
    }

    #[tokio::test]
    async fn nothing_begins_before_its_intent_is_kept_and_nothing_goes_on_once_its_owner_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (begun, late) = (folder.path().join("begun"), folder.path().join("late"));
        let script = format!("touch {}; sleep 62 & sleep 62; touch {}", begun.display(), late.display());
        let commands = HostCommands { stop: shell(&script), ..HostCommands::default() };
        let hosts = CommandHosts::new([("pg1".to_owned(), commands)].into());

        let superseded = Superseded::default();
        assert!(matches!(hosts.stop_cleanly("pg1", &superseded).await, Err(PortError::Superseded { .. })));
        let intended = superseded.0.lock().unwrap().pop().unwrap();
        hosts.settle(&intended, Duration::ZERO).await.unwrap();
        assert!(!begun.exists(), "nobody has told it to go");

        // Its owner leaves it, as at its own death, and somebody else comes.
        let noting = Noting::default();
        let stop = hosts.stop_cleanly("pg1", &noting);
        let until_begun = async {
            while !begun.exists() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            biased;
            ended = stop => panic!("{ended:?}"),
            () = until_begun => {}
        }
        let intended = noting.0.lock().unwrap().take().unwrap();
        hosts.settle(&intended, Duration::ZERO).await.unwrap();
        let Means::Command { group, .. } = intended else { panic!("{intended:?}") };
        assert!(!group.is_alive() && !late.exists());
    }

    #[tokio::test]
    async fn what_is_done_beyond_this_machine_is_awaited_and_never_taken_for_over() {
        let folder = tempfile::tempdir().unwrap();
        let ssh = folder.path().join("ssh");
        std::fs::copy("/bin/sleep", &ssh).unwrap();
        let commands =
            HostCommands { stop: vec![ssh.display().to_string(), "62".to_owned()], ..HostCommands::default() };
        let hosts = CommandHosts::new([("pg1".to_owned(), commands)].into());
        let noting = Noting::default();
        let begun = async {
            while noting.0.lock().unwrap().as_ref().is_none_or(|means| match means {
                Means::Command { group, .. } => !reaches_beyond(group),
                _ => true,
            }) {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            biased;
            ended = hosts.stop_cleanly("pg1", &noting) => panic!("{ended:?}"),
            () = begun => {}
        }
        let intended = noting.0.lock().unwrap().take().unwrap();
        let told = hosts.settle(&intended, LOOK).await.unwrap_err();
        assert!(matches!(told, PortError::MayAct { .. }) && told.to_string().contains("may still act"), "{told}");
        let Means::Command { group, .. } = &intended else { panic!("{intended:?}") };
        group.kill().unwrap();
        hosts.settle(&intended, GONE_WITHIN).await.unwrap();
    }
}
