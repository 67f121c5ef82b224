//! Real servers for one test: on a free port, in a folder of their own, and gone when the test ends.

use std::{
    ffi::OsStr,
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    net::TcpListener,
    path::Path,
    time::Duration,
};

use interlock::process::{Launch, Output, Running};
use tempfile::TempDir;

/// An address that nobody listens at. Its port is none of those that the system gives to connections, of which one could take it before
/// the server does.
pub fn free_address() -> String {
    loop {
        let port = 26_000 + RandomState::new().build_hasher().finish() % 6_000;
        let address = format!("127.0.0.1:{port}");
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

/// A server's process with its folder.
pub struct Server {
    process: Running,
    /// Where it listens.
    pub url: String,
    folder: TempDir,
}

impl Server {
    /// Starts `program` with a configuration and arguments made from it.
    pub fn start<A: AsRef<OsStr>>(program: &str, config: &str, arguments: impl Fn(&Path, &str) -> Vec<A>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yml");
        fs::write(&file, config).unwrap();
        let address = free_address();
        let arguments = arguments(&file, &address);
        let process = Launch::new(env!("CARGO_BIN_EXE_interlock"), program)
            .args(arguments.iter().map(AsRef::as_ref))
            .folder(folder.path())
            .output(Output::File(folder.path().join("log")))
            .start()
            .unwrap();
        Self { process, url: format!("http://{address}"), folder }
    }

    /// Says what is wrong where the server has ended, such as that it is not installed.
    pub fn check(&mut self) {
        if let Some(status) = self.process.ended().unwrap() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            panic!("the server has ended ({status}); `make install` brings its package: {log}");
        }
    }

    /// Waits until `path` answers with success.
    pub async fn ready(&mut self, path: &str) {
        let client = interlock::adapters::client(&self.url.parse().unwrap(), Duration::from_secs(2), None).unwrap();
        for _ in 0..600 {
            self.check();
            if client.get(format!("{}{path}", self.url)).send().await.is_ok_and(|reply| reply.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{}{path} is not ready", self.url);
    }
}
