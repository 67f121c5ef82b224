//! A simulated machine: its clock, its processes, its disk, and the store on it.

use std::{io, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use interlock::{
    adapters::store::{Disk, FolderStore, Machine, Sight, Work},
    error::Error,
    guard::milestone,
    journal::{Digest, Draft, Grant, Lock, Owner, Record},
    model::{Epoch, Moment, RunId, Target, Timestamp},
    ports::{Clock, Opening, Store},
    process::Identity,
};

use crate::{
    choices::{Fate, WORK},
    memory_disk::MemoryDisk,
    mutants::Mutant,
    node::Node,
    worker::{self, Meets},
    world::{Event, boot_id},
};

/// Where the runs are kept.
pub const ROOT: &str = "/runs";

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap()
}

#[async_trait]
impl Clock for Node {
    fn now(&self) -> Moment {
        let state = self.state();
        let millis = 1_795_000_000_000 + i64::try_from(state.now).unwrap() + state.wall_offset;
        let wall = Timestamp::from_millisecond(millis).unwrap();
        Moment { wall, boot: Duration::from_millis(100_000 + state.now.saturating_sub(state.booted_at)) }
    }

    async fn sleep(&self, length: Duration) {
        Node::sleep(self, "sleep", millis(length)).await;
    }

    async fn pause(&self, length: Duration) {
        Node::sleep(self, "pause", millis(length)).await;
    }
}

impl Node {
    fn identity(&self) -> Identity {
        let boot = self.state().processes[self.process].boot;
        Identity {
            pid: 100 + i32::try_from(self.process).unwrap(),
            start_ticks: 7 + self.process as u64,
            boot_id: boot_id(boot),
        }
    }

    /// The store as this process has it.
    pub fn store(&self) -> Arc<dyn Store> {
        let (machine, clock, disk) = (Arc::new(self.clone()), Arc::new(self.clone()), Arc::new(NodeDisk(self.clone())));
        let inner = FolderStore::of(machine, disk, ROOT, clock, milestone);
        Arc::new(NodeStore { node: self.clone(), inner })
    }
}

impl Machine for Node {
    fn owner(&self) -> Result<Owner, Error> {
        let pid_namespace = Some("pid:[1]".to_owned());
        Ok(Owner { host: "sim".to_owned(), process: self.identity(), user: "sre".to_owned(), pid_namespace })
    }

    fn look_for(&self, owner: &Owner) -> Sight {
        let state = self.state();
        let same_host = owner.host == "sim";
        let same_boot = same_host && owner.process.boot_id == boot_id(state.boot);
        drop(state);
        let here = same_boot && (!self.world.scenario.apart || owner.process == self.identity());
        let alive = self.state().is_alive(&owner.process);
        Sight { same_host, same_boot, here, alive }
    }

    fn end(&self, owner: &Owner) -> io::Result<bool> {
        let mut state = self.state();
        let is_here = owner.process.boot_id == boot_id(state.boot);
        let process = usize::try_from(owner.process.pid - 100).unwrap();
        let ends = is_here && state.processes[process].alive;
        if ends {
            state.kill(process);
        }
        Ok(ends)
    }

    fn spawn(&self, work: Work) -> io::Result<()> {
        let mut state = self.state();
        let (process, name) = (self.process, state.processes[self.process].calls);
        state.activity += 1;
        let fate = state.fate(process, name, WORK);
        let mut length = 2;
        match fate {
            Fate::Killed => state.kill(process),
            Fate::Paused(pause) => state.pause(process, pause),
            Fate::Slow(more) => length += more,
            _ => {}
        }
        let at = match fate {
            Fate::StoppedInside(_) | Fate::KilledInside | Fate::PowerCut | Fate::Broken => 1 + state.choices.any(16),
            _ => 0,
        };
        state.after(length, Event::Works { process, work, fate, at });
        Ok(())
    }
}

/// The disk as a process has it.
struct NodeDisk(Node);

impl NodeDisk {
    fn call<T>(&self, call: impl FnOnce(&MemoryDisk) -> io::Result<T>) -> io::Result<T> {
        let meets = worker::passes();
        let mut state = self.0.state();
        match meets {
            Meets::Goes => {}
            Meets::Dies => return Err(worker::dead()),
            Meets::Killed => {
                state.kill(self.0.process);
                return Err(worker::dead());
            }
            Meets::Power => {
                let left = state.left();
                state.cut_power(left);
                return Err(worker::dead());
            }
            Meets::Broken => return Err(io::Error::from_raw_os_error(5)),
        }
        // A thread that was stopped, and whose process was killed meanwhile.
        if !state.processes[self.0.process].alive {
            return Err(worker::dead());
        }
        let disk = state.disk.clone();
        drop(state);
        call(&disk)
    }
}

impl Disk for NodeDisk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.call(|disk| disk.read(path))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.call(|disk| disk.list(folder))
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        self.call(|disk| disk.size(path))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.call(|disk| disk.create_folder(path))
    }

    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        if self.0.world.mutant == Mutant::NothingIsExclusive {
            return self.call(|disk| {
                let _ = disk.remove(path);
                disk.create(path, content)
            });
        }
        self.call(|disk| disk.create(path, content))
    }

    fn write_at(&self, path: &Path, offset: u64, content: &[u8]) -> io::Result<()> {
        self.call(|disk| disk.write_at(path, offset, content))
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        self.call(|disk| disk.truncate(path, length))
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        if self.0.world.mutant == Mutant::SyncsNothing {
            return self.call(|_| Ok(()));
        }
        self.call(|disk| disk.sync(path))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if self.0.world.mutant == Mutant::SyncsNothing {
            return self.call(|_| Ok(()));
        }
        self.call(|disk| disk.sync_folder(folder))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(|disk| disk.rename(from, to))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.0.world.mutant == Mutant::NothingIsExclusive {
            return self.call(|disk| {
                let _ = disk.remove(to);
                disk.link(from, to)
            });
        }
        self.call(|disk| disk.link(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(|disk| disk.remove(path))
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        self.call(|disk| disk.remove_folder(folder))
    }
}

/// The store as a process has it: the real one, with its calls told by name.
struct NodeStore {
    node: Node,
    inner: FolderStore,
}

impl NodeStore {
    fn calls(&self, name: &'static str) {
        self.node.state().processes[self.node.process].calls = name;
    }

    /// An owner that ignores that it has lost its run.
    fn ignores<T>(&self, result: Result<(), Error>, fine: T) -> Result<T, Error> {
        match result {
            Err(Error::Superseded { .. }) if self.node.world.mutant == Mutant::IgnoresLoss => Ok(fine),
            other => other.map(|()| fine),
        }
    }
}

#[async_trait]
impl Store for NodeStore {
    fn owner(&self) -> Result<Owner, Error> {
        self.inner.owner()
    }

    async fn open(&self, opening: &Opening) -> Result<Grant, Error> {
        self.calls("open");
        self.inner.open(opening).await
    }

    async fn take_over(&self, seen: &Lock, owner: &Owner) -> Result<Grant, Error> {
        self.calls("take over");
        let grant = self.inner.take_over(seen, owner).await?;
        let name = self.node.state().processes[self.node.process].name.clone();
        self.node.state().note(&name, || format!("has epoch {}", grant.epoch));
        Ok(grant)
    }

    async fn beat(&self, grant: &Grant) -> Result<(), Error> {
        self.calls("beat");
        let beat = self.inner.beat(grant).await;
        self.ignores(beat, ())
    }

    async fn check(&self, grant: &Grant) -> Result<(), Error> {
        self.calls("check");
        let checked = self.inner.check(grant).await;
        self.ignores(checked, ())
    }

    async fn acknowledge(&self, lost: &Grant) -> Result<(), Error> {
        self.calls("acknowledge");
        self.inner.acknowledge(lost).await
    }

    async fn end(&self, run: &RunId, owner: &Owner, term: Epoch) -> Result<bool, Error> {
        if self.node.world.mutant == Mutant::EndsNobody {
            return Ok(false);
        }
        self.calls("end");
        self.inner.end(run, owner, term).await
    }

    async fn release(&self, grant: &Grant) -> Result<(), Error> {
        self.calls("release");
        self.inner.release(grant).await
    }

    async fn free(&self, seen: &Lock, owner: &Owner, why: &str) -> Result<(), Error> {
        self.calls("free");
        self.inner.free(seen, owner, why).await
    }

    async fn append(&self, grant: &Grant, draft: Draft) -> Result<Record, Error> {
        self.calls("append");
        let mut draft = draft;
        if self.node.world.mutant == Mutant::PreparesUncaptured && draft.entry.get("prepared").is_some() {
            draft.entry = serde_json::json!({ "notified": { "receiver": "nobody", "failed": null } });
        }
        let text = self.node.state().told.is_some().then(|| crate::diagram::entry(&draft.entry));
        let appended = self.inner.append(grant, draft).await;
        if let Some(text) = text {
            let mut state = self.node.state();
            let name = state.processes[self.node.process].name.clone();
            let failed = appended.as_ref().err().map(ToString::to_string);
            state.tell(
                &name,
                Some("journal"),
                || failed.clone().map_or_else(|| text.clone(), |e| format!("{text}: {e}")),
                failed.is_some(),
            );
        }
        appended
    }

    async fn save_snapshot(&self, grant: &Grant, turn: u8, text: &str) -> Result<(), Error> {
        self.calls("save a snapshot");
        self.inner.save_snapshot(grant, turn, text).await
    }

    async fn snapshot(&self, run: &RunId, term: Epoch, turn: u8) -> Result<Option<String>, Error> {
        self.inner.snapshot(run, term, turn).await
    }

    async fn prune(&self, run: &RunId, checkpoint: Draft) -> Result<Record, Error> {
        self.inner.prune(run, checkpoint).await
    }

    async fn half_pruned(&self) -> Result<Vec<RunId>, Error> {
        self.inner.half_pruned().await
    }

    async fn load(&self, run: &RunId) -> Result<Vec<Record>, Error> {
        self.calls("load");
        self.inner.load(run).await
    }

    async fn head(&self, run: &RunId) -> Result<Digest, Error> {
        self.calls("load");
        self.inner.head(run).await
    }

    async fn runs(&self) -> Result<Vec<RunId>, Error> {
        self.calls("load");
        self.inner.runs().await
    }

    async fn lock(&self, target: &Target) -> Result<Option<Lock>, Error> {
        self.calls("lock");
        self.inner.lock(target).await
    }

    fn is_exhausted(&self, run: &RunId) -> bool {
        self.inner.is_exhausted(run)
    }
}
