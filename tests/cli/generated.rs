//! What packagers and shells want: completion scripts and manual pages.

use std::{fs, process::Command};

use crate::{folder, interlock};

#[test]
fn completions_are_scripts_that_their_shell_reads() {
    let (_guard, folder) = folder();
    for shell in ["bash", "zsh", "fish"] {
        let said = interlock(&folder, &["completions", shell]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{shell}");
        assert!(said.out.contains("switchover") && said.out.lines().count() > 50, "{shell}");
        fs::write(folder.join(shell), said.out).unwrap();
    }
    let read = Command::new("bash").arg("-n").arg(folder.join("bash")).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
}

#[test]
fn manual_pages_are_written_for_every_command_that_is_shown() {
    let (_guard, folder) = folder();
    let pages = folder.join("a/man");
    let said = interlock(&folder, &["man", "a/man"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let mut names: Vec<_> =
        fs::read_dir(&pages).unwrap().map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in ["interlock.1", "interlock-switchover.1", "interlock-switchover-run.1", "interlock-runs-verify.1"] {
        assert!(names.iter().any(|n| n == name), "{name} is not among {names:?}");
    }
    assert!(!names.iter().any(|n| n.contains("child") || n.contains("serve")), "hidden commands have pages: {names:?}");
    assert!(fs::read_to_string(pages.join("interlock.1")).unwrap().contains("Exit codes"));

    fs::write(folder.join("file"), "").unwrap();
    let said = interlock(&folder, &["man", "file"]);
    assert!(said.code != 0 && said.err.contains("help:"), "{}", said.err);
}
