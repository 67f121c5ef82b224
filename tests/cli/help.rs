//! The help of every command, the version, and what is typed wrong.

use std::{path::Path, process::Command};

#[cfg(feature = "lab")]
use clap::CommandFactory as _;

use crate::{folder, interlock, platform};

/// Every command that people can see, as the words that call it.
#[cfg(feature = "lab")]
fn commands() -> Vec<Vec<String>> {
    fn visit(command: &clap::Command, at: &[String], all: &mut Vec<Vec<String>>) {
        all.push(at.to_vec());
        for child in command.get_subcommands().filter(|child| !child.is_hide_set()) {
            visit(child, &[at, &[child.get_name().to_owned()]].concat(), all);
        }
    }
    let mut all = Vec::new();
    visit(&interlock::cli::Cli::command(), &[], &mut all);
    all
}

#[cfg(not(feature = "lab"))]
#[test]
fn without_the_lab_the_binary_that_is_tested_has_none() {
    let (_guard, folder) = folder();
    let said = interlock(&folder, &["lab", "status"]);
    assert_eq!(said.code, 2, "{}", said.out);
    assert!(said.err.contains("unrecognized subcommand 'lab'"), "{}", said.err);
}

// The snapshots are those of the whole binary.
#[cfg(feature = "lab")]
#[test]
fn every_command_explains_itself() {
    let (_guard, folder) = folder();
    for command in commands() {
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        args.push("--help");
        let said = interlock(&folder, &args);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{args:?}");
        let text = said.out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        let name = if command.is_empty() { "interlock".to_owned() } else { command.join("-") };
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn it_says_its_version() {
    let (_guard, folder) = folder();
    let said = interlock(&folder, &["--version"]);
    assert_eq!((said.code, said.out), (0, format!("interlock {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn usage_errors_end_in_2_and_say_nothing_on_stdout() {
    let (_guard, folder) = platform();
    let wrong: &[&[&str]] = &[
        &[],
        &["frobnicate"],
        &["switchover", "plan", "tenant"],
        &["switchover", "plan", "tenant", "--to", "red"],
        &["switchover", "plan", "tenant", "--to", "green", "--bake", "5x"],
        &["switchover", "plan", "tenant", "--to", "green", "--weights", "50,20,100"],
        &["switchover", "plan", "tenant", "--to", "green", "--weights", "5,50"],
        &["switchover", "plan", "tenant", "--to", "green", "--weights", "101"],
        &["switchover", "plan", "tenant", "--to", "green", "--bake", "5m", "--max-bake", "1m"],
        &["switchover", "plan", "nobody", "--to", "green"],
        &["switchover", "plan", "tenant", "--to", "green", "--output", "yaml"],
        &["switchover", "abort", "tenant"],
        &["lab", "up", "--database", "oracle"],
        &["lab", "up", "--database", "none", "--database-only"],
        &["lab", "up", "--database", "none", "--database-set", "ttl=3"],
        &["lab", "up", "--database-set", "ttl"],
        &["lab", "host", "pg1", "follow"],
        &["lab", "host", "pg1", "explode"],
        &["runs", "show", "../../etc"],
        &["runs", "show", "20261121-093000-1f2e"],
        &["runs", "resume", "20261121-093000-1f2e", "--keep", "--undo"],
        &["runs", "resolve", "20261121-093000-1f2e", "--as", "kept"],
        &["runs", "resolve", "20261121-093000-1f2e", "--as", "kept", "--reason", ""],
        &["slo", "rules", "nobodys-slo"],
        &["slo", "check", "--max-burn", "-1"],
        &["lab", "load", "--rate", "many"],
        &["sequence", "lint"],
        &["sequence", "lint", "gone.md"],
        &["sequence", "lint", "interlock.yaml", "--deny", "everything"],
        &["completions", "csh"],
        &["schema", "weather"],
    ];
    for args in wrong {
        let said = interlock(&folder, args);
        assert_eq!(said.code, 2, "{args:?}\n{}{}", said.out, said.err);
        assert_eq!(said.out, "", "{args:?}");
        assert!(said.err.lines().count() >= 2, "{args:?} does not say what to do: {}", said.err);
        assert!(!folder.join(".interlock").exists(), "{args:?} left something behind");
    }
}

/// What a terminal gets to see; `script` is part of every Debian.
fn on_a_terminal(folder: &Path, args: &str, env: &[(&str, &str)]) -> String {
    let command = format!("{} {args}", env!("CARGO_BIN_EXE_interlock"));
    let output = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .current_dir(folder)
        .env_remove("NO_COLOR")
        .env_remove("CI")
        .env("TERM", "xterm")
        .envs(env.iter().copied())
        .output()
        .unwrap_or_else(|e| panic!("a terminal is made by `script` of the package bsdutils: {e}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn no_color_is_heeded_on_a_terminal() {
    let (_guard, folder) = platform();
    for args in ["--help", "frobnicate", "switchover plan nobody --to green", "--set defaults.bak=1m slo rules"] {
        assert!(on_a_terminal(&folder, args, &[]).contains('\u{1b}'), "{args} shows no colour on a terminal");
        let plain = on_a_terminal(&folder, args, &[("NO_COLOR", "1")]);
        assert!(!plain.contains('\u{1b}') && !plain.is_empty(), "{args}: {plain:?}");
    }
}
