//! One host as a machine: what runs on it, looked at; and the ways from any state to any other.

use std::{
    fs, io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use nix::sys::statvfs::statvfs;

use super::{
    disk::Disk,
    engine::{Engine, Power},
    facts::Facts,
    gate::Gate,
    holder::Holder,
    site::{Site, absent_is_fine},
    sweep,
    tool::Noted,
};
use crate::{
    ports::{Act, Flow, HostState},
    process::{Below, Running, Signal, below},
};

/// How long everything may take to be stopped.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);
/// How long what was started may take to run; a Patroni recovers and rewinds before.
const RUNS_WITHIN: Duration = Duration::from_secs(60);
/// How long a database may take to take connections, before it is taken to be recovering.
const SERVES_WITHIN: Duration = Duration::from_secs(15);
/// How long a clean end may take.
const CLEAN_WITHIN: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

pub struct Machine {
    site: Arc<Site>,
    engine: Box<dyn Engine>,
    network: Gate,
    flow: Gate,
    senders: Option<Holder>,
    receivers: Option<Holder>,
    main: Mutex<Option<(Running, Noted)>>,
}

impl Machine {
    /// A host, of which nothing is known yet.
    #[must_use]
    pub fn new(site: Arc<Site>, engine: Box<dyn Engine>, network: Gate, flow: Gate) -> Self {
        let holder = |sort| Holder::start(site.data(), sort);
        let (senders, receivers) = (engine.senders().map(holder), engine.receivers().map(holder));
        Self { site, engine, network, flow, senders, receivers, main: Mutex::default() }
    }

    /// How it stands.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn state(&self) -> io::Result<HostState> {
        Ok(self.facts()?.state())
    }

    fn facts(&self) -> io::Result<Facts> {
        let all = below(&self.site.root())?;
        let manager: Vec<_> = all.iter().filter(|one| one.place.starts_with("manager")).collect();
        let manager = (!manager.is_empty()).then(|| manager.iter().all(|one| one.stopped));
        let database = self.first(&all).map(|one| one.stopped);
        let stalled = self.site.disk.as_ref().is_some_and(Disk::is_stalled);
        Ok(Facts { managed: self.engine.is_managed(), manager, database, cut_off: self.network.is_held(), stalled })
    }

    /// The database's first process.
    fn first<'a>(&self, all: &'a [Below]) -> Option<&'a Below> {
        let mut of_database = all.iter().filter(|one| is_database(&one.place));
        match self.engine.pid_file() {
            None => of_database.next(),
            Some(file) => {
                let pid: i32 = fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()?;
                of_database.find(|one| one.identity.pid == pid)
            }
        }
    }

    /// Whether it sends its changes on.
    #[must_use]
    pub fn flow(&self) -> Flow {
        let held = self.flow.is_held() || self.senders.as_ref().is_some_and(Holder::is_on);
        if held { Flow::Frozen } else { Flow::Flowing }
    }

    /// How many bytes are free on its disk.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn free(&self) -> io::Result<u64> {
        let disk = statvfs(&self.site.root())?;
        Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
    }

    /// Stops or releases what sends its changes on.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn set_flow(&self, to: Flow) -> io::Result<()> {
        let frozen = to == Flow::Frozen;
        match &self.senders {
            Some(senders) if frozen => senders.hold()?,
            // Of a machine that is paused nothing runs on.
            Some(senders) if !self.state()?.has(Act::Pause) => senders.release()?,
            Some(senders) => senders.forget(),
            None => self.flow.set(frozen),
        }
        Ok(())
    }

    /// Brings it into a state.
    ///
    /// # Errors
    /// Where the system refuses, or that takes too long.
    pub async fn set_state(&self, to: HostState) -> io::Result<()> {
        if to == HostState::Down {
            self.end().await?;
            return self.connect();
        }
        if to != HostState::Running && self.state()? == to {
            return Ok(());
        }
        // One that is to be cut off is so from the start.
        self.run(to.has(Act::Partition)).await?;
        for act in to.acts() {
            match act {
                // Both are seen to above.
                Act::PowerOff | Act::Partition => {}
                Act::Pause => self.pause().await?,
                Act::KillDatabase => sweep::end_at(&self.site.root(), is_database)?,
                Act::KillManager => sweep::end_at(&self.site.root(), |place| place.starts_with("manager"))?,
                Act::StallDisk => self.disk()?.stall().await?,
            }
        }
        Ok(())
    }

    fn disk(&self) -> io::Result<&Disk> {
        self.site.disk.as_ref().ok_or_else(|| io::Error::other("it has no disk of its own"))
    }

    async fn release_disk(&self) -> io::Result<()> {
        match &self.site.disk {
            Some(disk) => disk.release().await,
            None => Ok(()),
        }
    }

    /// Releases whatever needs it, in or out of the network.
    async fn release(&self, apart: bool) -> io::Result<()> {
        self.release_disk().await?;
        match apart {
            true => self.disconnect()?,
            false => self.connect()?,
        }
        self.resume()
    }

    /// Releases and starts whatever needs it, in or out of the network.
    async fn run(&self, apart: bool) -> io::Result<()> {
        self.release(apart).await?;
        let facts = self.facts()?;
        let main = if facts.managed { facts.manager } else { facts.database };
        if main.is_none() {
            self.launch()?;
        }
        let meant = if apart { HostState::Partitioned } else { HostState::Running };
        self.until(meant).await
    }

    async fn until(&self, meant: HostState) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            let state = self.state()?;
            // A manager sees to its database itself; a database that does not serve for long recovers, which takes its time.
            let enough = self.engine.is_managed() || begun.elapsed() >= SERVES_WITHIN || self.engine.serves().await;
            if state == meant && enough {
                return Ok(());
            }
            if self.main_ended() || begun.elapsed() >= RUNS_WITHIN {
                return Err(self.not_up(state, begun.elapsed()));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn not_up(&self, state: HostState, after: Duration) -> io::Error {
        let log = self.site.lab.path().join("logs");
        io::Error::other(format!(
            "{} is {state} after {:.1} s; its log in {} says why",
            self.site.plan.name,
            after.as_secs_f64(),
            log.display()
        ))
    }

    fn main(&self) -> MutexGuard<'_, Option<(Running, Noted)>> {
        self.main.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn main_ended(&self) -> bool {
        self.main().as_mut().is_some_and(|(running, _)| !matches!(running.ended(), Ok(None)))
    }

    fn launch(&self) -> io::Result<()> {
        let place = if self.engine.is_managed() { "manager" } else { "data" };
        // What a killed process has left of itself would be in the way.
        sweep::end_at(&self.site.root(), |at| at.starts_with(place))?;
        self.forget_the_dead()?;
        // Waits for the one before, which has ended.
        self.main().take();
        let running = self.engine.main()?.start()?;
        let noted = self.site.waited.note(running.identity().pid);
        tracing::info!(identity = %running.identity(), "started");
        *self.main() = Some((running, noted));
        Ok(())
    }

    /// Removes the locks of a database that was killed: its pid may be another's, or nobody may have waited for it yet.
    fn forget_the_dead(&self) -> io::Result<()> {
        let locks = if self.runs() { Vec::new() } else { self.engine.locks() };
        locks.into_iter().try_for_each(|file| absent_is_fine(fs::remove_file(file)))
    }

    fn connect(&self) -> io::Result<()> {
        self.network.set(false);
        self.receivers.as_ref().map_or(Ok(()), Holder::release)
    }

    fn disconnect(&self) -> io::Result<()> {
        self.network.set(true);
        self.receivers.as_ref().map_or(Ok(()), Holder::hold)
    }

    async fn pause(&self) -> io::Result<()> {
        let deadline = Instant::now() + STOPPED_WITHIN;
        // Twice in a row, for a process that was just being made is in no listing yet.
        let mut quiet = 0;
        while quiet < 2 {
            let going: Vec<_> = below(&self.site.root())?.into_iter().filter(|one| !one.stopped).collect();
            quiet = if going.is_empty() { quiet + 1 } else { 0 };
            for one in &going {
                one.identity.signal(Signal::SIGSTOP)?;
            }
            if Instant::now() >= deadline {
                return Err(io::Error::other("something does not stop"));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    fn resume(&self) -> io::Result<()> {
        let held = |one: &Below| self.senders.as_ref().is_some_and(|senders| senders.holds(one.identity.pid));
        for one in below(&self.site.root())?.iter().filter(|one| one.stopped && !held(one)) {
            one.identity.signal(Signal::SIGCONT)?;
        }
        Ok(())
    }

    /// Ends its database as an administrator would.
    ///
    /// # Errors
    /// Where its manager would only start it again, or it does not end in time.
    pub async fn stop_cleanly(&self) -> io::Result<()> {
        let Some(signal) = self.engine.clean_end() else {
            return Err(io::Error::other("its manager would start it again: ask that for a switchover"));
        };
        let deadline = Instant::now() + CLEAN_WITHIN;
        let all = below(&self.site.root())?;
        if let Some(first) = self.first(&all) {
            first.identity.signal(signal)?;
        }
        while below(&self.site.root())?.iter().any(|one| is_database(&one.place)) {
            if Instant::now() >= deadline {
                let within = CLEAN_WITHIN.as_secs();
                return Err(io::Error::other(format!("it has not ended within {within} s, and is still ending")));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Makes its data, from nothing.
    ///
    /// # Errors
    /// Where that fails.
    pub async fn make(&self) -> io::Result<()> {
        self.site.clear()?;
        self.engine.make(self).await
    }

    /// Starts its database as a follower of `primary`; says how. What did not help a moment ago is not tried `again`.
    ///
    /// # Errors
    /// Where that fails.
    pub async fn follow(&self, primary: &str, again: bool) -> io::Result<String> {
        self.release(false).await?;
        self.engine.follow(primary, again, self).await
    }
}

#[async_trait]
impl Power for Machine {
    async fn start(&self, within: Duration) -> io::Result<()> {
        let begun = Instant::now();
        self.launch()?;
        while !self.engine.serves().await {
            if self.main_ended() || begun.elapsed() >= within {
                return Err(self.not_up(self.state()?, begun.elapsed()));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn ensure(&self) -> io::Result<()> {
        self.run(false).await
    }

    async fn end(&self) -> io::Result<()> {
        // The manager first, or it would start again what is being killed.
        sweep::end_at(&self.site.root(), |place| place.starts_with("manager"))?;
        sweep::end_below(&self.site.root())?;
        self.release_disk().await?;
        self.main().take();
        Ok(())
    }

    fn runs(&self) -> bool {
        below(&self.site.root()).is_ok_and(|all| self.first(&all).is_some())
    }
}

fn is_database(place: &Path) -> bool {
    place.starts_with("data")
}
