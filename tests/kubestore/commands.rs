//! The real binary over runs in a cluster: from any folder of any machine the same ones.

use std::{fs, path::Path, process::Command};

use interlock::{
    guard::{Entry, Outcome, Start, begin},
    ports::Store,
};

use crate::{
    server::Server,
    shelf::{plan, run_id},
};

const PLATFORM: &str = "apiVersion: interlock/v1alpha1
kind: Platform
metadata: {name: shop}
target:
  kubernetes: {namespace: commands}
metrics:
  prometheus: {url: http://127.0.0.1:9}
";

/// Runs the binary in a folder with a platform file; its exit code, and all that it said.
fn interlock(server: &Server, folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    fs::write(folder.join("interlock.yaml"), PLATFORM).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("KUBECONFIG", server.kubeconfig())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    println!("$ interlock {}\n{said}", args.join(" "));
    (output.status.code(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_in_a_cluster_are_the_same_from_every_folder() {
    let Some(server) = Server::shared() else { return };
    server.namespace("commands");
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (code, said) = interlock(&server, one.path(), &["runs", "list"]);
    assert!(code == Some(0) && said.contains("no runs in namespace commands"), "{said}");

    let store = server.store("commands").await;
    let grant = begin(&store, &run_id(), &plan(), &Start::default()).await.unwrap();
    let finished = Entry::Finished { outcome: Outcome::Kept { warning: None } };
    store.append(&grant, finished.draft().unwrap()).await.unwrap();
    store.release(&grant).await.unwrap();
    for args in [&["runs", "list"][..], &["runs", "show", run_id().as_str()], &["runs", "verify"]] {
        let (first, second) = (interlock(&server, one.path(), args), interlock(&server, other.path(), args));
        assert_eq!(first.0, Some(0), "{}", first.1);
        assert!(first.1.contains(run_id().as_str()), "{}", first.1);
        assert_eq!(first, second);
    }
    assert!(!one.path().join(".interlock").exists(), "nothing of a run is kept here");

    let (code, said) = interlock(&server, one.path(), &["runs", "show", "20261121-093000-ffff"]);
    assert!(code == Some(2) && said.contains("in namespace commands"), "{said}");
    let (code, said) = interlock(&server, one.path(), &["runs", "list", "--store", "runs"]);
    assert!(code == Some(2) && said.contains("a cluster keeps its runs itself"), "{said}");
}
