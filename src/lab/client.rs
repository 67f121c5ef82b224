//! The way from outside to a lab: start it, ask it, give it orders, end it.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use hyper::StatusCode;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{
    database,
    features::Features,
    http::{Ask, Client},
    known::{LabFile, PROTOCOL, Process},
    state::{self, Folder, broken},
    status::{Release, Status},
    supervisor::Options,
};
use crate::{
    error::Error,
    model::{HumanDuration, Slot},
    ports::PortError,
    process::{Identity, Launch, Output},
};

/// How long one question may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long the supervisor may take to end everything.
const DOWN_WITHIN: Duration = Duration::from_secs(15);
/// How long it may take where a database's data have to be removed, which a slow disk takes its time for.
const DATA_GONE_WITHIN: Duration = Duration::from_secs(90);
/// How much of the supervisor's log is shown when it does not come up.
const TAIL: usize = 5;

pub struct Lab {
    pub folder: Folder,
    /// Who supervises it, and where it listens.
    pub file: LabFile,
    /// The gateway's admin interface.
    pub(super) admin: Client,
    /// The supervisor's control interface.
    pub(super) control: Client,
    /// Where users' requests go.
    pub(super) live: Client,
    /// What our own requests to a full lab show, and when it was issued.
    pub(super) pass: Mutex<Option<(String, Instant)>>,
}

impl Lab {
    /// Finds the lab that is up in `folder`.
    ///
    /// # Errors
    /// Where none is.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let folder = Folder::new(folder);
        let file = folder.read_lab()?;
        if !file.supervisor.is_alive() {
            let what = format!("the supervisor of the lab in {}", folder.path().display());
            let source = PortError::unreachable(what, format!("process {} is gone", file.supervisor.pid));
            return Err(Error::port(
                source,
                "`interlock lab down` clears its folder, `interlock lab up` starts it anew",
            ));
        }
        if file.protocol != PROTOCOL {
            let source = PortError::unreachable(
                format!("the lab in {}", folder.path().display()),
                format!(
                    "another release of interlock has started it, which speaks {} and not {PROTOCOL}",
                    file.protocol
                ),
            );
            return Err(Error::port(
                source,
                "bring what runs there to its end with that release; then `interlock lab down`, and `interlock lab up`",
            ));
        }
        let token = || Some(file.token.clone());
        Ok(Self {
            admin: Client::new(file.admin, token()),
            control: Client::new(file.control, token()),
            live: Client::new(file.gateway, None),
            pass: Mutex::default(),
            folder,
            file,
        })
    }

    /// Asks how everything stands.
    ///
    /// # Errors
    /// Where the supervisor does not answer.
    pub async fn status(&self) -> Result<Status, PortError> {
        let what = "the lab's supervisor";
        let answer = self.control.ask(Ask::get("/status"), ANSWER_WITHIN).await;
        let answer = answer.map_err(|e| PortError::unreachable(what, e))?;
        if answer.status != StatusCode::OK {
            return Err(PortError::unexpected(what, answer.status));
        }
        answer.json().map_err(|e| PortError::unexpected(what, e))
    }

    /// Waits until everything that is meant to run does and is ready, and the gateway knows.
    ///
    /// # Errors
    /// Where that takes longer than `within`; says what is missing.
    pub async fn settled(&self, within: Duration) -> Result<Status, Error> {
        let deadline = Instant::now() + within;
        loop {
            let status = self.status().await;
            if let Ok(status) = &status
                && status.settled()
                && self.reaches_all_slots(status).await
            {
                return Ok(status.clone());
            }
            if Instant::now() >= deadline {
                return Err(self.not_settled(status, within));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether the gateway has found the replicas of each slot that has some.
    async fn reaches_all_slots(&self, status: &Status) -> bool {
        // Where there is only a database, no slot has any.
        for slot in status.slots.iter().filter(|slot| slot.replicas > 0) {
            let ask = Ask { headers: &[("x-lab-slot", slot.slot.name())], ..Ask::get("/version") };
            let answer = self.live.ask(ask, ANSWER_WITHIN).await;
            if !answer.is_ok_and(|answer| answer.status == StatusCode::OK) {
                return false;
            }
        }
        true
    }

    fn not_settled(&self, status: Result<Status, PortError>, within: Duration) -> Error {
        let status = match status {
            Err(e) => return slow(&self.folder, "supervisor", e.to_string(), within),
            Ok(status) => status,
        };
        let missing: Vec<_> = status.parts.iter().filter(|part| !part.ready).map(|part| &*part.name).collect();
        match missing.first() {
            Some(first) => slow(&self.folder, first, format!("not ready: {}", missing.join(", ")), within),
            None => slow(&self.folder, "gateway", "the gateway reaches no replica".to_owned(), within),
        }
    }

    /// Makes a slot run a release; its replicas are replaced one after another, see [`Lab::settled`].
    ///
    /// # Errors
    /// Where the supervisor does not answer or refuses.
    pub async fn set_release(&self, slot: Slot, release: &Release) -> Result<(), PortError> {
        let body = serde_json::to_value(release).map_err(|e| PortError::unexpected("the release", e))?;
        self.order(&format!("/slots/{slot}/release"), body).await
    }

    /// Makes a scripted service run a release; as [`Lab::set_release`].
    ///
    /// # Errors
    /// Where the supervisor does not answer or refuses.
    pub async fn set_service_release(&self, service: &str, release: &Release) -> Result<(), PortError> {
        let body = serde_json::to_value(release).map_err(|e| PortError::unexpected("the release", e))?;
        self.order(&format!("/services/{service}/release"), body).await
    }

    async fn order(&self, path: &str, body: serde_json::Value) -> Result<(), PortError> {
        let what = "the lab's supervisor";
        let answer = self.control.ask(Ask::put(path, body), ANSWER_WITHIN).await;
        let answer = answer.map_err(|e| PortError::unreachable(what, e))?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(()),
            status => Err(PortError::unexpected(
                what,
                answer.json().map_or_else(|_| status.to_string(), |Refusal { why }| why),
            )),
        }
    }
}

/// What the supervisor says of an order that it does not take.
#[derive(Deserialize)]
struct Refusal {
    why: String,
}

/// What took too long, which log tells of it, and how to give it more time.
fn slow(folder: &Folder, part: &str, why: String, within: Duration) -> Error {
    let why = format!("{why}; waited for {}", HumanDuration(within));
    let hint = format!("see {}; `--timeout {}` gives it longer", folder.log(part).display(), HumanDuration(within * 2));
    Error::port(PortError::unreachable("the lab", why), hint)
}

/// Ends what was begun unless all of it came to be: where it fails, and where nobody waits for it any more.
struct Begun<'a> {
    folder: &'a Folder,
    supervisor: Option<Identity>,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let Some(supervisor) = self.supervisor.take() else { return };
        let is_up = || self.folder.read_lab().is_ok_and(|file| file.supervisor == supervisor);
        // Nobody is left to tell; `lab down` ends what may be left of it.
        if !is_up() {
            // It has not come so far, or another lab is up there. It may come that far before the signal does.
            let _ = supervisor.end(DOWN_WITHIN);
        }
        if is_up() {
            let _ = end(self.folder.path());
        }
    }
}

/// Starts a lab that outlives this process, and waits until all of it is ready. What was begun is ended again where that fails,
/// or where nobody waits for it any more.
///
/// # Errors
/// Where one is up in that folder already, or does not come up within `within`.
pub async fn raise(options: &Options, within: Duration) -> Result<(Lab, Status), Error> {
    let lab = start(options, within).await?;
    let folder = lab.folder.clone();
    let mut begun = Begun { folder: &folder, supervisor: Some(lab.file.supervisor.clone()) };
    let status = lab.settled(within).await?;
    begun.supervisor = None;
    Ok((lab, status))
}

/// Starts a lab that outlives this process, and waits until it takes orders. See [`Lab::settled`] for the rest.
///
/// # Errors
/// Where one is up in that folder already, or does not come up within `within`; then it was ended again.
pub async fn start(options: &Options, within: Duration) -> Result<Lab, Error> {
    let folder = Folder::create(&options.folder)?;
    if is_up(&folder)? {
        let what = format!("a lab is up in {} already", folder.path().display());
        return Err(Error::usage(what, "`interlock lab status` shows it, `interlock lab down` ends it"));
    }
    let log = folder.log("supervisor");
    let supervisor = launch(options, &folder)?
        .output(Output::File(log.clone()))
        .start_detached()
        .map_err(|e| broken("the lab's supervisor", e))?;
    let mut begun = Begun { folder: &folder, supervisor: Some(supervisor.clone()) };
    let deadline = Instant::now() + within;
    loop {
        if let Ok(lab) = Lab::open(folder.path())
            && lab.file.supervisor == supervisor
            && lab.status().await.is_ok()
        {
            begun.supervisor = None;
            return Ok(lab);
        }
        if !supervisor.is_alive() {
            let why = format!("it has ended: {}", tail(&log));
            let source = PortError::unreachable("the lab's supervisor", why);
            return Err(Error::port(source, format!("see {}", log.display())));
        }
        if Instant::now() >= deadline {
            return Err(slow(&folder, "supervisor", format!("its supervisor does not answer: {}", tail(&log)), within));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a lab is up there, of whatever release.
fn is_up(folder: &Folder) -> Result<bool, Error> {
    Ok(folder.find_lab()?.is_some_and(|file| file.supervisor.is_alive()))
}

fn launch(options: &Options, folder: &Folder) -> Result<Launch, Error> {
    let interlock = options.interlock.canonicalize().map_err(|e| state::fault(&options.interlock, &e))?;
    let mut launch = Launch::new(&interlock, &interlock)
        .args(["lab", "serve", "supervisor", "--folder"])
        .arg(folder.path())
        .env("INTERLOCK_LAB", folder.path())
        .folder(folder.path())
        .arg(format!("--replicas={}", options.replicas))
        .arg(format!("--upstream-timeout={}ms", options.upstream_timeout.as_millis()));
    for (slot, release) in [(Slot::Blue, &options.blue), (Slot::Green, &options.green)] {
        launch = launch.arg(format!("--version-{slot}={}", release.version));
        launch = launch.args(release.faults.iter().map(|fault| format!("--fault-{slot}={fault}")));
    }
    let Features { full, otlp, untraced, gateway_defects } = &options.features;
    if *full {
        launch = launch.arg("--full");
    }
    launch = launch
        .args(otlp.iter().map(|endpoint| format!("--otlp={endpoint}")))
        .args(untraced.iter().map(|service| format!("--untraced={service}")))
        .args(gateway_defects.iter().map(|defect| format!("--defect-gateway={defect}")));
    launch = match &options.database {
        None => launch.arg("--database=none"),
        Some(database) => {
            let set = database.set.iter().map(|one| format!("--database-set={one}"));
            launch.arg(format!("--database={}", database.kind)).args(set)
        }
    };
    if options.database.as_ref().is_some_and(|database| database.only) {
        launch = launch.arg("--database-only");
    }
    if let Some(services) = &options.services {
        launch = launch.arg("--services").arg(services);
    }
    if !options.prometheus {
        launch = launch.arg("--no-prometheus");
    }
    Ok(launch)
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(TAIL).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

/// Ends the lab in `folder` and clears all but its logs; gives what is left running, which should be nothing. Blocks.
///
/// # Errors
/// Where no lab was there, or the system refuses.
pub fn end(folder: &Path) -> Result<Vec<Process>, Error> {
    let folder = Folder::new(folder);
    let file = folder.read_lab()?;
    let noted = || state::read::<Vec<Process>>(&folder.processes()).map(Option::unwrap_or_default);
    let mut processes = noted()?;
    processes.push(Process { name: "supervisor".into(), identity: file.supervisor.clone() });
    let refused = |e| broken("a process of the lab", e);
    let within = if file.database.is_some() { DATA_GONE_WITHIN } else { DOWN_WITHIN };
    file.supervisor.end(within).map_err(refused)?;
    // It may have started more while it was asked to end.
    let is_new = |process: &Process| processes.iter().all(|known| known.identity != process.identity);
    processes.extend(noted()?.into_iter().filter(is_new).collect::<Vec<_>>());
    for process in &processes {
        // The kernel kills them with the supervisor; it may take a moment.
        if !process.identity.wait_gone(Duration::from_secs(1)) {
            process.identity.end(Duration::from_secs(2)).map_err(refused)?;
        }
    }
    if let Some(database) = &file.database {
        database::sweep(&database.folder).map_err(|e| state::fault(&database.folder, &e))?;
    }
    folder.clear()?;
    Ok(processes.into_iter().filter(|process| process.identity.is_alive()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Such as one that an earlier release has started, and that is up.
    fn of_another_release(folder: &Folder) {
        let address = "127.0.0.1:1".parse().unwrap();
        let file = LabFile {
            protocol: PROTOCOL - 1,
            supervisor: Identity::current().unwrap(),
            gateway: address,
            admin: address,
            control: address,
            prometheus: None,
            service: None,
            token: state::new_token(),
            full: None,
            identity: None,
            database: None,
            database_only: false,
        };
        state::write(&folder.lab(), &file).unwrap();
    }

    #[test]
    fn a_lab_of_another_release_is_told_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::create(&dir.path().join("lab")).unwrap();
        of_another_release(&folder);
        let refused = Lab::open(folder.path()).map(drop).unwrap_err();
        assert!(refused.to_string().contains("another release of interlock has started it"), "{refused}");
        assert_eq!(refused.exit(), crate::error::Exit::Unreachable);
        assert!(is_up(&folder).unwrap());
    }
}
