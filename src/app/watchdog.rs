//! Guardians of runs that are driven from this machine: posted, heard out before anything is touched, and replaced where
//! one dies.

use std::{
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio_util::task::AbortOnDropHandle;

use super::Location;
use crate::{
    error::Error,
    guard::{Event, Events, Guard, Mode, load},
    model::RunId,
    ports::Store,
    process::{Identity, Launch, Output},
};

/// How long a guardian may take to say whether it can put the run back; it may have to find a cluster for that.
const ARRIVAL: Duration = Duration::from_secs(60);
/// How often it is looked whether it has said so.
const POLL: Duration = Duration::from_millis(5);
/// How often it is looked whether it still lives.
const LOOK: Duration = Duration::from_secs(1);
/// The longest pause between two guardians that are posted one after the other.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a guardian says once it has tried to build the run's operation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledgement {
    guardian: Identity,
    /// Why it could not put this run back, if it could not.
    cannot: Option<String>,
}

impl Acknowledgement {
    fn accepted(self) -> Result<Identity, Error> {
        match self.cannot {
            None => Ok(self.guardian),
            Some(why) => Err(Error::Refused {
                what: format!("guardian: it could not put this run back: {why}"),
                hint: "it has this command's environment and works in its folder; nothing was touched".to_owned(),
            }),
        }
    }
}

fn acknowledgement(sign: &Path) -> PathBuf {
    sign.join("guardian-ready.json")
}

/// What stands in the way of a guardian.
pub fn failed(place: &Path, why: &impl ToString) -> Error {
    Error::Store {
        place: place.display().to_string(),
        why: why.to_string(),
        hint: "without a guardian nobody would put things back; nothing was touched".to_owned(),
    }
}

/// Writes down that this guardian is there.
///
/// # Errors
/// Where nothing can be written there.
pub fn arrive(sign: &Path) -> Result<(), Error> {
    let path = sign.join("guardian.json");
    let identity = Identity::current().map_err(|e| failed(&path, &e))?;
    write(&path, &identity)
}

/// Builds the run's operation as it would have to in an emergency, and writes down whether it could.
///
/// # Errors
/// Where nothing can be written there.
pub async fn acknowledge(sign: &Path, guard: &Guard, run: &RunId) -> Result<(), Error> {
    let path = acknowledgement(sign);
    let built = match load(&*guard.store, run).await {
        Ok(stored) => guard.rebuild.operation(&stored.plan).await.map(drop),
        Err(e) => Err(e),
    };
    let cannot = built.err().map(|e| format!("{e}; {}", e.hint()));
    let guardian = Identity::current().map_err(|e| failed(&path, &e))?;
    write(&path, &Acknowledgement { guardian, cannot })
}

/// A reader never sees half of it.
fn write(path: &Path, what: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_vec(what).map_err(|e| failed(path, &e))?;
    let temporary = path.with_extension("tmp");
    let file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary);
    let written = file.and_then(|mut file| file.write_all(&text));
    written.and_then(|()| std::fs::rename(&temporary, path)).map_err(|e| failed(path, &e))
}

/// Where the guardians of one run are posted.
#[derive(Debug, Clone)]
pub struct Watchdog {
    place: Location,
    /// The folder of what belongs to this machine alone.
    home: PathBuf,
    run: RunId,
}

impl Watchdog {
    /// The guardians of a run; of one in a cluster they say that they are there, and keep their log, below `home`.
    pub const fn new(place: Location, home: PathBuf, run: RunId) -> Self {
        Self { place, home, run }
    }

    /// Posts the first guardian, which has to be able to put the run back, and watches over it from then on.
    ///
    /// # Errors
    /// Where it cannot be started, or says that it could not put this run back.
    pub async fn post(&self) -> Result<Identity, Error> {
        self.start().await?.accepted()
    }

    /// Watches over the run's guardian while the run is driven, and posts another where it has died; the last one that was
    /// posted where none is named.
    pub fn watch(
        self,
        guardian: Option<Identity>,
        store: Arc<dyn Store>,
        events: Arc<dyn Events>,
    ) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(tokio::spawn(async move {
            let mut guardian = guardian.or_else(|| self.posted());
            let mut pause = LOOK;
            let mut complaint = String::new();
            while let Watch::GoesOn = self.look(&*store, &*events, &mut guardian, &mut complaint).await {
                let lives = guardian.as_ref().is_some_and(Identity::is_alive);
                pause = if lives { LOOK } else { (pause * 2).min(LONGEST_PAUSE) };
                tokio::time::sleep(pause).await;
            }
        }))
    }

    async fn look(
        &self,
        store: &dyn Store,
        events: &dyn Events,
        guardian: &mut Option<Identity>,
        complaint: &mut String,
    ) -> Watch {
        if guardian.as_ref().is_some_and(Identity::is_alive) {
            return Watch::GoesOn;
        }
        // A guardian ends by itself when its run is over.
        if let Ok(stored) = load(store, &self.run).await
            && matches!(stored.mode(), Mode::Finished(_))
        {
            return Watch::Ends;
        }
        let remark = |text: &str| events.event(&Event::Remark(text));
        let who = guardian.as_ref().map(|gone| format!(" (pid {})", gone.pid)).unwrap_or_default();
        let mut complain = |text: String| {
            if *complaint != text {
                remark(&text);
                *complaint = text;
            }
        };
        match self.start().await {
            Ok(Acknowledgement { guardian: new, cannot }) => {
                remark(&format!("the guardian of this run{who} has died; another stands by (pid {})", new.pid));
                *guardian = Some(new);
                if let Some(why) = cannot {
                    complain(format!("it could not put this run back: {why}"));
                }
            }
            Err(e) => complain(format!("the guardian of this run{who} has died, and no other can be posted: {e}")),
        }
        Watch::GoesOn
    }

    /// The guardian that has last said that it is there.
    fn posted(&self) -> Option<Identity> {
        let sign = self.sign().ok()?;
        serde_json::from_slice(&std::fs::read(sign.join("guardian.json")).ok()?).ok()
    }

    /// The folder where its guardians say that they are there.
    fn sign(&self) -> Result<PathBuf, Error> {
        let sign = match &self.place {
            Location::Folder(runs) => runs.join(self.run.as_str()),
            Location::Cluster(_) => self.home.join("guardians").join(self.run.as_str()),
        };
        if let Location::Cluster(_) = &self.place {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&sign);
            made.map_err(|e| failed(&sign, &e))?;
        }
        sign.canonicalize().map_err(|e| failed(&sign, &e))
    }

    /// Starts a guardian that outlives this command and its terminal, and hears it out.
    async fn start(&self) -> Result<Acknowledgement, Error> {
        let program = std::env::current_exe().map_err(|e| failed(&self.home, &e))?;
        let sign = self.sign()?;
        let arguments = match &self.place {
            Location::Folder(runs) => {
                vec!["--runs".into(), runs.canonicalize().map_err(|e| failed(runs, &e))?.into_os_string()]
            }
            Location::Cluster(reach) => {
                let mut arguments = vec!["--cluster".into(), "--namespace".into(), (&reach.namespace).into()];
                if let Some(context) = &reach.context {
                    arguments.extend(["--context".into(), context.into()]);
                }
                arguments.extend(["--sign".into(), sign.clone().into_os_string()]);
                arguments
            }
        };
        let (path, log) = (acknowledgement(&sign), sign.join("guardian.log"));
        let guardian = Launch::new(&program, &program)
            .args(["guardian", "--run", self.run.as_str()])
            .args(arguments)
            // A cut is meant for the operator, not for who heals it.
            .env("INTERLOCK_CUT", std::env::var_os("INTERLOCK_GUARDIAN_CUT").unwrap_or_default())
            .output(Output::File(log.clone()))
            .start_detached()
            .map_err(|e| failed(&path, &e))?;
        let begun = Instant::now();
        while begun.elapsed() < ARRIVAL {
            let said = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Acknowledgement>(&text).ok());
            // Another guardian of this run may have said something here before.
            if let Some(said) = said.filter(|said| said.guardian == guardian) {
                return Ok(said);
            }
            if !guardian.is_alive() {
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        Err(failed(&log, &"the guardian did not arrive; this is its log"))
    }
}

enum Watch {
    GoesOn,
    Ends,
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::{
        app,
        error::Exit,
        guard::{NoData, Operation, Plan, Rebuild, Start, Strength, begin},
        model::{HumanDuration, Target},
        ports::Notify,
    };

    /// Builds nothing, and says why.
    struct Unable;

    #[async_trait]
    impl Rebuild for Unable {
        async fn operation(&self, _: &Plan) -> Result<Arc<dyn Operation>, Error> {
            Err(Error::usage("DB_PASSWORD is not set", "export it"))
        }

        fn notify(&self, _: &Plan) -> Vec<Arc<dyn Notify>> {
            Vec::new()
        }
    }

    #[tokio::test]
    async fn a_guardian_that_could_not_put_the_run_back_says_so_and_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (store, run) = (app::store(folder.path()), RunId::parse("20261121-093000-1f2e").unwrap());
        let plan = Plan {
            operation: "none".to_owned(),
            target: Target::parse("tenant").unwrap(),
            title: String::new(),
            platform: serde_json::json!({}),
            spec: serde_json::json!({}),
            steps: Vec::new(),
            no_data: NoData::Hold,
            guard: Strength::Local,
            ttl: HumanDuration::secs(10),
        };
        begin(&*store, &run, &plan, &Start::default()).await.unwrap();
        let guard = Guard { store, clock: app::clock(), rebuild: Arc::new(Unable), pace: LOOK };
        let sign = folder.path().join(run.as_str());
        acknowledge(&sign, &guard, &run).await.unwrap();
        let said: Acknowledgement = serde_json::from_slice(&std::fs::read(acknowledgement(&sign)).unwrap()).unwrap();
        assert_eq!(said.guardian, Identity::current().unwrap());
        let refused = said.accepted().unwrap_err();
        assert_eq!(refused.exit(), Exit::Refused);
        assert!(refused.to_string().contains("DB_PASSWORD is not set; export it"), "{refused}");
    }
}
