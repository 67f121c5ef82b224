//! Hosts by the commands that a platform file names for them, such as `ssh pg1 sudo systemctl kill ...`.
//!
//! A command is a program with its arguments; no shell is involved. It gets the variables `INTERLOCK_HOST`, `INTERLOCK_EPOCH`
//! and, where a node is to follow another, `INTERLOCK_PRIMARY`.

mod act;

use std::{collections::BTreeMap, time::Duration};

use act::{act, ask, names_beyond, settle};
use async_trait::async_trait;

use crate::{
    model::Epoch,
    ports::{Fencing, Flow, HostState, Hosts, Means, Order, Permit, PortError},
};

/// The commands for one host, by what they do; what has none cannot be done to it.
pub type HostCommands = BTreeMap<Order, Vec<String>>;

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

    /// The command for an order, if there is one.
    fn find(&self, host: &str, order: Order) -> Option<&[String]> {
        self.0.get(host)?.get(&order).map(Vec::as_slice).filter(|command| !command.is_empty())
    }

    async fn act(&self, host: &str, order: Order, permit: &dyn Permit) -> Result<String, PortError> {
        act(host, self.command(host, order)?, &[], permit).await
    }

    fn command(&self, host: &str, order: Order) -> Result<&[String], PortError> {
        self.find(host, order)
            .ok_or_else(|| PortError::NotFound { what: format!("command `{order}` for the host `{host}`") })
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

    fn can(&self, host: &str, order: Order) -> bool {
        self.find(host, order).is_some()
    }

    fn fencing(&self, host: &str) -> Fencing {
        let only_asks = |order: &Order| matches!(order, Order::State | Order::Flow | Order::Free);
        let mut acts = self.0.get(host).into_iter().flatten().filter(|(order, _)| !only_asks(order));
        if acts.any(|(_, command)| names_beyond(command)) { Fencing::None } else { Fencing::Child }
    }

    async fn state(&self, host: &str) -> Result<HostState, PortError> {
        // Nothing was ever done to one that has no command to tell it: the gate asks for that command before any act.
        match self.find(host, Order::State) {
            None => Ok(HostState::Running),
            Some(command) => word(host, &ask(host, command).await?),
        }
    }

    async fn fence(&self, host: &str, _: Epoch) -> Result<(), PortError> {
        // A host knows no epochs: each act is intended, and settled by whoever comes next.
        self.of(host).map(drop)
    }

    async fn set_state(&self, host: &str, to: HostState, permit: &dyn Permit) -> Result<(), PortError> {
        let found = self.state(host).await?;
        if found == to {
            return Ok(());
        }
        if to == HostState::Running {
            return self.act(host, Order::Run, permit).await.map(drop);
        }
        for missing in to.acts().filter(|act| !found.has(*act)) {
            self.act(host, Order::Do(missing), permit).await?;
        }
        Ok(())
    }

    async fn flow(&self, host: &str) -> Result<Flow, PortError> {
        // Where it cannot be stopped it has not been.
        match self.find(host, Order::Flow) {
            None => Ok(Flow::Flowing),
            Some(command) => word(host, &ask(host, command).await?),
        }
    }

    async fn set_flow(&self, host: &str, to: Flow, permit: &dyn Permit) -> Result<(), PortError> {
        self.act(host, Order::SetFlow(to), permit).await.map(drop)
    }

    async fn free(&self, host: &str) -> Result<Option<u64>, PortError> {
        // A host that nothing is done to needs no commands at all.
        let Some(command) = self.find(host, Order::Free) else { return Ok(None) };
        let said = ask(host, command).await?;
        let bytes = said.split_whitespace().next_back().unwrap_or_default().parse();
        bytes.map(Some).map_err(|e| PortError::unexpected(format!("the command for the free bytes of {host}"), e))
    }

    async fn stop_cleanly(&self, host: &str, permit: &dyn Permit) -> Result<(), PortError> {
        self.act(host, Order::Stop, permit).await.map(drop)
    }

    async fn start_following(&self, host: &str, primary: &str, permit: &dyn Permit) -> Result<String, PortError> {
        let variables = [("INTERLOCK_PRIMARY", primary.to_owned())];
        act(host, self.command(host, Order::Follow)?, &variables, permit).await
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
    use crate::ports::{Act, ByHand};

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

        async fn capture(&self, _: &str, _: &serde_json::Value, _: &serde_json::Value) -> Result<(), PortError> {
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

        async fn capture(&self, _: &str, _: &serde_json::Value, _: &serde_json::Value) -> Result<(), PortError> {
            self.check().await
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
        let commands = [
            (Order::State, shell(&format!("cat {file} || echo running"))),
            (Order::Run, becomes("running")),
            (Order::Do(Act::PowerOff), becomes("down")),
            (Order::Do(Act::Partition), becomes("partitioned")),
            (
                Order::Do(Act::StallDisk),
                shell(&format!("printf %s+stalled $(cat {file}) > {file}.new; mv {file}.new {file}")),
            ),
            (Order::Free, shell("echo Avail; echo 1048576")),
            (Order::Stop, shell("echo no such unit >&2; exit 3")),
            (Order::Follow, shell("echo followed $INTERLOCK_PRIMARY")),
            (Order::SetFlow(Flow::Frozen), Vec::new()),
        ]
        .into();
        CommandHosts::new([("pg1".to_owned(), commands)].into())
    }

    #[tokio::test]
    async fn what_the_commands_say_is_taken_and_what_has_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let hosts = one(folder.path());
        assert!(hosts.can("pg1", Order::Do(Act::PowerOff)) && !hosts.can("pg1", Order::Do(Act::Pause)));
        assert!(!hosts.can("pg1", Order::SetFlow(Flow::Frozen)), "a command without a word is none");
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
        hosts.set_state("pg1", both, &ByHand(Epoch(3))).await.unwrap();
        assert_eq!(hosts.state("pg1").await.unwrap(), both, "each act by its own command, one after the other");
        assert_eq!(hosts.state("pg9").await.unwrap(), HostState::Running, "nothing was ever done to it");
        let missing = hosts.stop_cleanly("pg9", &ByHand(Epoch(3))).await.unwrap_err().to_string();
        assert_eq!(missing, "no command `stop` for the host `pg9`");
    }

    #[tokio::test]
    async fn nothing_begins_before_its_intent_is_kept_and_nothing_goes_on_once_its_owner_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (begun, late) = (folder.path().join("begun"), folder.path().join("late"));
        let script = format!("touch {}; sleep 62 & sleep 62; touch {}", begun.display(), late.display());
        let commands = [(Order::Stop, shell(&script))].into();
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
        let commands = [(Order::Stop, vec![ssh.display().to_string(), "62".to_owned()])].into();
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
