//! Roles without a manager: promotion, the planned handover with nothing lost, and the way back for a node that was primary
//! before, or was away.

use tokio::time::Instant;

use super::{
    cluster::Cluster,
    engine::{AnswerOf, Engine},
    limits::{FOLLOW, PAUSE, PROMOTE},
    primary_for, standing, streams, with_standing,
};
use crate::{
    model::HumanDuration,
    ports::{Database, HostState, Hosts, Permit, PortError},
};

/// How often a node is started that has diverged: as it was, once more, and made anew.
const STARTS: u32 = 3;

/// What became of a node that is to follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Settled {
    Streams,
    /// It runs, and does not follow the primary.
    Runs,
    /// It runs, and does not answer.
    Silent,
    /// Nobody listens there.
    Ended,
    /// It runs, and its history is not the primary's.
    Diverged,
}

/// How a node that is to follow stands behind the primary.
enum Behind {
    Streams,
    NotYet(String),
    /// It never will as it is.
    Diverged(String),
}

impl<E: Engine> Cluster<E> {
    /// Makes a standby the primary; nothing is done where it is one.
    pub async fn make_primary(&self, candidate: &str, permit: &dyn Permit) -> Result<(), PortError> {
        self.server(candidate)?;
        let answer = self.answer(candidate).await.map_err(self.failed(candidate, "promote"))?;
        if answer.sample.writable && answer.follows.is_none() {
            return Ok(());
        }
        E::promote(self, candidate, &answer, permit).await?;
        let wanted = |answer: &AnswerOf<E>| {
            if answer.sample.writable { Ok(()) } else { Err("it takes no writes".to_owned()) }
        };
        self.wait(candidate, PROMOTE, wanted).await
    }

    /// Hands the primary's role over; goes on where an earlier call was cut off after the promotion.
    pub async fn hand_over(
        &self,
        from: &str,
        to: &str,
        hosts: &dyn Hosts,
        permit: &dyn Permit,
    ) -> Result<(), PortError> {
        for node in [from, to] {
            self.server(node)?;
        }
        let topology = self.topology().await;
        let leads = |node: &str| topology.primary().is_ok_and(|primary| primary.name == node);
        if leads(to) {
            return self.gather(from, to, hosts, permit).await;
        }
        let refused = |why: String| PortError::unexpected(format!("a handover from {from} to {to}"), why);
        topology.is_whole(E::MOST_BEHIND).map_err(&refused)?;
        if !leads(from) {
            return Err(refused(format!("{from} is not the primary")));
        }
        // Whoever may not do it there is told before anything is touched.
        E::may_promote(self, to).await?;
        if let Err(why) = self.step_down(from, to, hosts, permit).await {
            let left = E::step_up(self, from, permit).await;
            let step = format!("let {to} catch up with {from}, which {left}");
            return Err(with_standing(&step, &why, &self.topology().await));
        }
        if let Err(why) = self.make_primary(to, permit).await {
            let step = format!("promote {to} ({from} is {})", E::STEPPED_DOWN);
            return Err(with_standing(&step, &why, &self.topology().await));
        }
        self.gather(from, to, hosts, permit).await
    }

    /// Has the old primary take no more writes, and waits until the new one has everything.
    async fn step_down(&self, from: &str, to: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError> {
        let end = E::step_down(self, from, permit).await?;
        if !E::CHANGES_ROLE_RUNNING {
            hosts.stop_cleanly(from, permit).await?;
        }
        E::catch_up(self, to, &end).await
    }

    /// Lets whoever gave its role away take writes again, where nobody was promoted.
    pub async fn step_up_again(&self, except: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError> {
        let topology = self.topology().await;
        if topology.writable().next().is_some() {
            return Ok(());
        }
        for node in topology.nodes.iter().filter(|node| node.name != except) {
            let follows_nobody = node.trouble.is_none() && node.follows.is_none();
            if E::CHANGES_ROLE_RUNNING && follows_nobody {
                E::step_up(self, &node.name, permit).await;
                return Ok(());
            }
            if !E::CHANGES_ROLE_RUNNING && hosts.state(&node.name).await? == HostState::Down {
                hosts.set_state(&node.name, HostState::Running, permit).await?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Brings all others behind the new primary, the old one first.
    async fn gather(&self, from: &str, to: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError> {
        let others = self.names().filter(|name| *name != from && *name != to);
        for node in std::iter::once(from).chain(others) {
            self.bring_back(node, hosts, permit).await?;
        }
        Ok(())
    }

    /// Makes a node that its host has started follow the primary again; returns once it streams.
    pub async fn bring_back(&self, node: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError> {
        self.server(node)?;
        let state = hosts.state(node).await?;
        // What is down or crashed may have been ended cleanly before.
        if !matches!(state, HostState::Running | HostState::Down | HostState::Crashed) {
            return Err(PortError::unexpected(self.place(node), format!("its host is {state}; bring it back first")));
        }
        let Some(primary) = self.primary_for(node).await? else {
            return Ok(());
        };
        let settled = self.settles(node, &primary, state == HostState::Running).await;
        if settled == Settled::Streams {
            return Ok(());
        }
        match self.follow(node, &primary, settled, hosts, permit).await {
            Ok(()) => Ok(()),
            Err(why) => {
                let step = format!("bring {node} back behind {primary}");
                Err(with_standing(&step, &why, &self.topology().await))
            }
        }
    }

    /// Has a node follow the primary, started by its host as often as needed, and waits until it streams.
    async fn follow(
        &self,
        node: &str,
        primary: &str,
        mut settled: Settled,
        hosts: &dyn Hosts,
        permit: &dyn Permit,
    ) -> Result<(), PortError> {
        let mut told = Vec::new();
        for _ in 0..=STARTS {
            let as_it_runs = E::CHANGES_ROLE_RUNNING && settled == Settled::Runs;
            if !as_it_runs {
                if settled != Settled::Ended {
                    hosts.stop_cleanly(node, permit).await?;
                }
                told.push(hosts.start_following(node, primary, permit).await?);
            }
            E::follow(self, node, primary, permit).await?;
            let Some(why) = self.follows(node, primary, &told).await? else {
                tracing::info!(node, primary, "{}", told.join("; "));
                return Ok(());
            };
            told.push(why);
            settled = Settled::Diverged;
        }
        Err(PortError::unexpected(self.place(node), format!("it diverges again and again: {}", told.join("; "))))
    }

    /// Waits until a node streams on the primary's history; gives why where it never will.
    async fn follows(&self, node: &str, primary: &str, told: &[String]) -> Result<Option<String>, PortError> {
        let until = Instant::now() + FOLLOW;
        loop {
            let missing = match self.answer(node).await {
                Err(failure) => failure.words,
                Ok(answer) => match self.behind(primary, node, answer).await {
                    Behind::Streams => return Ok(None),
                    Behind::Diverged(why) => return Ok(Some(why)),
                    Behind::NotYet(missing) => missing,
                },
            };
            if Instant::now() >= until {
                let how = if told.is_empty() { String::new() } else { format!(" (it was {})", told.join("; ")) };
                let why = format!("{missing}, also after {}{how}", HumanDuration(FOLLOW));
                return Err(PortError::unreachable(self.place(node), why));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether a node streams on the primary's history, which may still change: one that was promoted a moment ago has a new one.
    async fn behind(&self, primary: &str, node: &str, answer: AnswerOf<E>) -> Behind {
        let primary = self.answer(primary).await.ok();
        if let Some(why) = E::diverged(&answer, primary.as_ref()) {
            return Behind::Diverged(why);
        }
        if answer.sample.writable {
            return Behind::NotYet("it takes writes".to_owned());
        }
        let timeline = primary.and_then(|primary| primary.sample.timeline);
        match streams(&answer.seen(node), timeline.as_deref()) {
            Ok(()) => Behind::Streams,
            Err(missing) => Behind::NotYet(missing),
        }
    }

    /// Gives a node that was started the time to stream by itself, and says what has become of it.
    async fn settles(&self, node: &str, primary: &str, host_runs: bool) -> Settled {
        let begun = Instant::now();
        loop {
            let waited = begun.elapsed();
            match self.answer(node).await {
                Ok(answer) => {
                    let writable = answer.sample.writable;
                    if matches!(self.behind(primary, node, answer).await, Behind::Streams) {
                        return Settled::Streams;
                    }
                    if writable || waited >= E::STREAMS {
                        return Settled::Runs;
                    }
                }
                Err(_) if !host_runs => return Settled::Ended,
                Err(failure) if failure.is_refused() && waited > E::LISTENS => return Settled::Ended,
                // It may still recover, for which it needs time and nothing else.
                Err(_) if waited > FOLLOW => return Settled::Silent,
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Who is the primary for a node that is to follow; `None` where the node is the only one that takes writes itself.
    async fn primary_for(&self, node: &str) -> Result<Option<String>, PortError> {
        let until = Instant::now() + FOLLOW;
        loop {
            let topology = self.topology().await;
            match primary_for(&topology, node) {
                Ok(primary) => return Ok(primary),
                Err(why) if Instant::now() >= until => {
                    let why = format!("{why}; as things stand: {}", standing(&topology));
                    return Err(PortError::unexpected(self.place(node), why));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}
