//! What is left when processes of a lab with a database are killed: nothing that `lab down` does not end.

use std::fs;

use interlock::{
    lab::DatabaseKind,
    ports::{Flow, HostState},
    process::Signal,
};

use super::stage::Stage;
use crate::command::until;

#[test]
fn an_agent_that_was_killed_comes_back_and_revives_no_host_that_is_down() {
    let stage = Stage::up(DatabaseKind::Postgres, &[]);
    stage.sql("pg1", "create table t (id int)");
    stage.bring("pg2", HostState::Down);
    for name in ["pg1", "pg2"] {
        let agent = stage.part(name).identity.unwrap();
        agent.signal(Signal::SIGKILL).unwrap();
        until("another agent", || {
            let part = stage.part(name);
            part.ready && part.identity.is_some_and(|now| now != agent)
        });
    }
    assert_eq!(stage.state("pg2"), HostState::Down);
    // A host whose agent was gone was without power, and has it again.
    assert_eq!(stage.state("pg1"), HostState::Running);
    stage.sql("pg1", "insert into t values (1)");
    stage.bring("pg2", HostState::Running);
    stage.until("pg2", "select count(*) from t", "1");
    stage.close();
}

#[test]
fn nothing_is_left_when_all_of_the_lab_was_killed() {
    let stage = Stage::up(DatabaseKind::Postgres, &[]);
    stage.bring("pg2", HostState::Paused);
    stage.set_flow("pg1", Flow::Frozen);
    let agents = ["pg1", "pg2"].map(|name| stage.part(name).identity.unwrap());
    let supervisor = interlock::lab::Lab::open(&stage.folder).unwrap().file.supervisor;
    supervisor.signal(Signal::SIGKILL).unwrap();
    for agent in agents {
        agent.signal(Signal::SIGKILL).unwrap();
    }
    stage.close();
}

#[test]
fn no_secret_is_in_the_arguments_or_the_environment_of_a_process() {
    let stage = Stage::up(DatabaseKind::Patroni, &["synchronous=on"]);
    let secrets = stage.secrets();
    let mut looked_at = 0;
    for process in stage.processes() {
        for file in ["cmdline", "environ"] {
            let text = fs::read(format!("/proc/{}/{file}", process.pid)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            looked_at += usize::from(!text.is_empty());
            for secret in &secrets {
                assert!(!text.contains(secret), "{process:?}: a secret is in its {file}");
            }
        }
    }
    assert!(looked_at > 20, "{looked_at}");
    stage.close();
}
