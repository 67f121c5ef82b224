//! A disk in memory that loses what was not synced, can fill up, fails on demand, and can stop a caller inside a sync.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Duration,
};

use interlock::adapters::store::Disk;

/// What a name costs, in bytes.
const NAME: u64 = 64;

/// What is left of that which was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing: neither names nor what files hold.
    Nothing,
    /// The names; the files are as they were last synced, and empty where they never were.
    Names,
    /// The names, and the first half of what files hold.
    Half,
    /// All of it: only the process is gone.
    All,
}

/// All of them.
pub const LEFT: [Left; 4] = [Left::Nothing, Left::Names, Left::Half, Left::All];

#[derive(Debug, Clone, Default)]
struct File {
    content: Arc<Vec<u8>>,
    durable: Arc<Vec<u8>>,
}

#[derive(Debug, Clone, Default)]
struct Folder {
    names: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Default)]
struct State {
    files: BTreeMap<u64, File>,
    folders: BTreeMap<u64, Folder>,
    last: u64,
    /// Calls that change or sync something.
    calls: u64,
    /// Bytes of files that were read.
    read: u64,
    /// From this call on the power is gone.
    cut_at: Option<u64>,
    room: Option<u64>,
    /// A sync of a path that has this in it stops until this is taken away.
    stopping: Option<String>,
    stopped: u64,
    /// A sync of a path that has this in it fails as a broken disk does.
    broken: Option<String>,
}

/// A disk in memory.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<(Mutex<State>, Condvar)>);

/// Whether a path has this in it, or ends with it where it ends with `$`.
fn fits(path: &str, pattern: Option<&String>) -> bool {
    pattern.is_some_and(|pattern| match pattern.strip_suffix('$') {
        Some(end) => path.ends_with(end),
        None => path.contains(pattern),
    })
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl State {
    fn find(&self, path: &Path) -> io::Result<u64> {
        let mut at = 0;
        for name in path.to_str().unwrap_or_default().split('/') {
            if !name.is_empty() {
                at = *self.folders.get(&at).ok_or_else(missing)?.names.get(name).ok_or_else(missing)?;
            }
        }
        Ok(at)
    }

    fn folder(&mut self, path: &Path) -> io::Result<&mut Folder> {
        let at = if path == Path::new("/") { 0 } else { self.find(path)? };
        if at == 0 {
            self.folders.entry(0).or_default();
        }
        self.folders.get_mut(&at).ok_or_else(missing)
    }

    fn file(&mut self, path: &Path) -> io::Result<&mut File> {
        let at = self.find(path)?;
        self.files.get_mut(&at).ok_or_else(missing)
    }

    /// Gives a new name to a file or folder.
    fn name(&mut self, path: &Path, node: u64) -> io::Result<()> {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let names = &mut self.folder(path.parent().unwrap())?.names;
        if names.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        names.insert(name, node);
        Ok(())
    }

    fn unname(&mut self, path: &Path) -> io::Result<u64> {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        self.folder(path.parent().unwrap())?.names.remove(&name).ok_or_else(missing)
    }

    fn used(&self) -> u64 {
        let mut files: Vec<_> = self.folders.values().flat_map(|folder| folder.names.values()).collect();
        let names = files.len() as u64;
        files.sort_unstable();
        files.dedup();
        let held = files.into_iter().filter_map(|id| self.files.get(id)).map(|file| file.content.len() as u64);
        names * NAME + held.sum::<u64>()
    }

    fn take(&self, more: u64) -> io::Result<()> {
        let fits = self.room.is_none_or(|room| self.used() + more <= room);
        if fits { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }
}

impl MemoryDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    /// The state, for a call that changes something, unless the power is gone.
    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.calls += 1;
        if state.cut_at.is_some_and(|at| state.calls >= at) {
            return Err(io::Error::other("the power is gone"));
        }
        Ok(state)
    }

    /// How many calls have changed or synced something.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// How many bytes of files have been read.
    pub fn bytes_read(&self) -> u64 {
        self.state().read
    }

    /// Lets the power fail right before the call of this number.
    pub fn cut_at(&self, call: u64) {
        self.state().cut_at = Some(call);
    }

    /// The disk after a power cut.
    pub fn after_power_cut(&self, left: Left) -> Self {
        let mut state = self.state().clone();
        for folder in state.folders.values_mut() {
            if left == Left::Nothing {
                folder.names = folder.durable.clone();
            }
            folder.durable = folder.names.clone();
        }
        for file in state.files.values_mut() {
            match left {
                Left::Nothing | Left::Names => file.content = file.durable.clone(),
                Left::Half if file.content.starts_with(&file.durable[..]) => {
                    let more = file.content.len() - file.durable.len();
                    Arc::make_mut(&mut file.content).truncate(file.durable.len() + more / 2);
                }
                Left::Half | Left::All => {}
            }
            file.durable = file.content.clone();
        }
        (state.cut_at, state.calls, state.stopping) = (None, 0, None);
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }

    /// Leaves room for so many bytes more, names included; `None` for any number.
    pub fn leave_room(&self, bytes: Option<u64>) {
        let mut state = self.state();
        state.room = bytes.map(|bytes| state.used() + bytes);
    }

    /// Stops whoever syncs a path that has this in it, or ends with it where it ends with `$`, until it is let go.
    pub fn stop_in_sync(&self, path: &str) {
        self.state().stopping = Some(path.to_owned());
    }

    /// Waits until somebody was stopped inside a sync.
    pub async fn wait_until_stopped(&self) {
        for _ in 0..60_000 {
            if self.state().stopped > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("nobody came to a sync of {:?}", self.state().stopping);
    }

    /// Stops nobody any more, and leaves those who were stopped where they are.
    pub fn stop_nobody_else(&self) {
        self.state().stopping = Some("\0 nobody".to_owned());
    }

    /// Lets go on whoever was stopped.
    pub fn let_go(&self) {
        self.state().stopping = None;
        self.0.1.notify_all();
    }

    /// Syncs of paths that have this in them fail.
    pub fn break_syncs(&self, path: Option<&str>) {
        self.state().broken = path.map(ToOwned::to_owned);
    }

    /// Writes a file as somebody else does, behind the store's back.
    pub fn put(&self, path: &Path, content: &[u8]) {
        let mut state = self.state();
        let file = state.file(path).unwrap();
        file.content = Arc::new(content.to_vec());
        file.durable = file.content.clone();
    }

    /// All files below a folder.
    pub fn files(&self, folder: &Path) -> Vec<PathBuf> {
        let names = self.list(folder).unwrap_or_default();
        names
            .into_iter()
            .map(|name| folder.join(name))
            .flat_map(|path| if self.list(&path).is_ok() { self.files(&path) } else { vec![path] })
            .collect()
    }

    fn sync_point(&self, path: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        let path = path.to_string_lossy().into_owned();
        if fits(&path, state.broken.as_ref()) {
            return Err(io::Error::from_raw_os_error(5));
        }
        if fits(&path, state.stopping.as_ref()) {
            state.stopped += 1;
            self.0.1.notify_all();
            drop(self.0.1.wait_while(state, |state| state.stopping.is_some()).unwrap());
            self.state().stopped -= 1;
        }
        Ok(())
    }
}

impl Disk for MemoryDisk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read_from(path, 0, u64::MAX)
    }

    fn read_from(&self, path: &Path, from: u64, length: u64) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        let content = state.file(path)?.content.clone();
        let (from, size) = (usize::try_from(from).unwrap(), content.len());
        let until = usize::try_from(length).map_or(size, |length| from.saturating_add(length).min(size));
        let bytes = content.get(from..until).unwrap_or_default().to_vec();
        state.read += bytes.len() as u64;
        Ok(bytes)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.state().folder(folder).map(|folder| folder.names.keys().cloned().collect())
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        let state = self.state();
        let at = state.find(path)?;
        Ok(state.files.get(&at).map_or(0, |file| file.content.len() as u64))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        state.take(NAME)?;
        state.last += 1;
        let node = state.last;
        state.name(path, node)?;
        state.folders.insert(node, Folder::default());
        Ok(())
    }

    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut state = self.change()?;
        state.take(NAME + content.len() as u64)?;
        state.last += 1;
        let node = state.last;
        state.name(path, node)?;
        state.files.insert(node, File { content: Arc::new(content.to_vec()), durable: Arc::default() });
        Ok(())
    }

    fn write_at(&self, path: &Path, offset: u64, content: &[u8]) -> io::Result<()> {
        let mut state = self.change()?;
        let offset = usize::try_from(offset).unwrap();
        let length = state.file(path)?.content.len();
        let more = (offset + content.len()).saturating_sub(length) as u64;
        let fits = state.take(more);
        let file = state.file(path)?;
        // Half of what does not fit goes in all the same.
        let content = if fits.is_ok() { content } else { &content[..content.len() / 2] };
        let held = Arc::make_mut(&mut file.content);
        held.resize(length.max(offset + content.len()), 0);
        held[offset..offset + content.len()].copy_from_slice(content);
        fits
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let mut state = self.change()?;
        Arc::make_mut(&mut state.file(path)?.content).truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.sync_point(path)?;
        let mut state = self.state();
        let file = state.file(path)?;
        file.durable = file.content.clone();
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.sync_point(folder)?;
        let mut state = self.state();
        let folder = state.folder(folder)?;
        folder.durable = folder.names.clone();
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        let node = state.unname(from)?;
        let _ = state.unname(to);
        state.name(to, node)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        state.take(NAME)?;
        let node = state.find(from)?;
        state.name(to, node)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change()?.unname(path).map(drop)
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        self.change()?.unname(folder).map(drop)
    }
}
