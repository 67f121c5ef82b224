//! Clusters that cannot be reached, or do not know us: nothing is touched, and the word says what to do.

use std::{fs, path::PathBuf};

use crate::stage::{Done, Stage};

const PLAN: [&str; 7] = ["switchover", "plan", "tenant", "--to", "green", "-o", "json"];

/// A kubeconfig of the stage with something else in it.
fn changed(stage: &mut Stage, name: &str, change: impl FnOnce(String) -> String) -> PathBuf {
    let text = change(fs::read_to_string(stage.kubeconfig.clone()).unwrap());
    let path = stage.folder().join(name);
    fs::write(&path, text).unwrap();
    path
}

fn with(stage: &mut Stage, kubeconfig: PathBuf) -> Done {
    let own = std::mem::replace(&mut stage.kubeconfig, kubeconfig);
    let done = stage.ask(&PLAN);
    stage.kubeconfig = own;
    done
}

/// The value after a key, up to the end of its line.
fn value(text: &str, key: &str) -> String {
    let line = text.lines().find(|line| line.trim_start().starts_with(key)).unwrap();
    line.split_once(':').unwrap().1.trim().to_owned()
}

#[test]
fn what_cannot_be_reached_or_does_not_know_us_ends_in_4() {
    let Some(mut stage) = Stage::up("reach") else { return };
    let gone = with(&mut stage, PathBuf::from("/nowhere/kubeconfig"));
    let broken = changed(&mut stage, "broken", |_| "apiVersion: [".to_owned());
    let broken = with(&mut stage, broken);
    let unreachable = changed(&mut stage, "unreachable", |text| {
        let server = value(&text, "server:");
        text.replace(&server, "https://127.0.0.1:1")
    });
    let unreachable = with(&mut stage, unreachable);
    let token = changed(&mut stage, "token", |text| {
        let token = value(&text, "token:");
        text.replace(&token, "0123456789abcdef")
    });
    let token = with(&mut stage, token);
    for (what, done) in [("gone", &gone), ("broken", &broken), ("unreachable", &unreachable), ("token", &token)] {
        assert_eq!(done.code, Some(4), "{what}: {done:?}");
        assert!(done.err.contains("help: "), "{what}: {done:?}");
    }
    assert!(token.err.contains("does not know us"), "{token:?}");
    assert!(!token.err.contains("0123456789abcdef"));
    assert_eq!(stage.serving(), "blue");
}

#[test]
fn a_server_that_proves_to_be_another_ends_in_4() {
    let Some(mut stage) = Stage::up("authority") else { return };
    // A proper certificate, and not the one that has signed the server's.
    let other = stage.folder().join("other.crt");
    let key = stage.folder().join("other.key");
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=another", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&other)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let wrong = changed(&mut stage, "wrong-ca", |text| {
        let line = text.lines().find(|line| line.trim_start().starts_with("certificate-authority")).unwrap().to_owned();
        let indent = &line[..line.len() - line.trim_start().len()];
        text.replace(&line, &format!("{indent}certificate-authority: {}", other.display()))
    });
    let done = with(&mut stage, wrong);
    assert_eq!(done.code, Some(4), "{done:?}");
    assert!(done.err.contains("certificate"), "{done:?}");
}

#[test]
fn whoever_may_nothing_is_refused_with_what_is_missing() {
    let Some(mut stage) = Stage::up("forbidden") else { return };
    stage.kubectl(&["create", "serviceaccount", "nobody"]);
    let token = stage.token("nobody");
    let nobody = changed(&mut stage, "nobody", |text| {
        let own = value(&text, "token:");
        text.replace(&own, &token)
    });
    let done = with(&mut stage, nobody);
    assert_eq!(done.code, Some(3), "{done:?}");
    assert!(done.out.contains("patch services tenant"), "{done:?}");
    assert!(done.out.contains("manifests/rbac/switchover"), "{done:?}");
    assert!(!done.err.contains(&token));
}
