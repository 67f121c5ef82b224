//! `interlock doctor` where there is nothing to look at, or something wrong.

use std::fs;

use crate::{Said, folder, interlock_with, platform};

/// With two programs on the path, and not the third.
fn doctor(folder: &std::path::Path, args: &[&str]) -> Said {
    let programs = folder.join("programs");
    fs::create_dir_all(&programs).unwrap();
    for program in ["kubectl", "promtool"] {
        let file = programs.join(program);
        fs::write(&file, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    interlock_with(folder, &[&["doctor"], args].concat(), &[("PATH", programs.to_str().unwrap())])
}

/// As one text, with a line for each part: how its cells are broken goes by the length of the folder's name.
fn told(said: &Said, folder: &std::path::Path) -> String {
    let mut told: Vec<String> = Vec::new();
    for line in said.told(folder).replace(env!("CARGO_PKG_VERSION"), "[version]").lines() {
        let cells: Vec<_> = line.trim_matches('│').split('┆').map(str::trim).collect();
        match (&cells[..], told.last_mut()) {
            (["", "", more], Some(last)) => *last = format!("{last} {more}"),
            ([one], _) if one.starts_with(['╭', '╞', '╰']) => {}
            _ => told.push(cells.join(" | ")),
        }
    }
    told.join("\n")
}

#[test]
fn without_a_platform_file_it_tells_of_this_machine() {
    let (_guard, folder) = folder();
    insta::assert_snapshot!(told(&doctor(&folder, &[]), &folder), @r"
    exit 2
    -- out
    part | state | found
    platform file | missing | there is no interlock.yaml in [folder] or above it -> write one, or name it with `--platform FILE` or INTERLOCK_PLATFORM
    kubectl | fine | [folder]/programs/kubectl
    prometheus | optional | not on the PATH -> install it where you want it: it gives the lab a memory
    promtool | fine | [folder]/programs/promtool
    release | fine | interlock [version]
    -- err
    ");
}

#[cfg(feature = "lab")]
#[test]
fn a_lab_that_is_down_is_told_with_the_rest() {
    let (_guard, folder) = platform();
    insta::assert_snapshot!(told(&doctor(&folder, &[]), &folder), @r"
    exit 4
    -- out
    part | state | found
    platform file | fine | [folder]/interlock.yaml: 1 service in a lab
    lab | missing | no lab in [folder]/.interlock/lab -> start one with `interlock lab up`, or say where it is: --folder of `interlock lab`, or target.lab.folder in the platform file
    SLOs | fine | tenant-availability, tenant-latency in slo.yaml
    notices | optional | nobody is told of runs that are held, stuck or rolled back -> name a webhook or an Alertmanager under `notify` of the platform file
    kubectl | fine | [folder]/programs/kubectl
    prometheus | optional | not on the PATH -> install it where you want it: it gives the lab a memory
    promtool | fine | [folder]/programs/promtool
    release | fine | interlock [version]
    -- err
    ");
    let json = doctor(&folder, &["--output", "json"]).json();
    assert_eq!((&json["exit"], &json["findings"][1]["state"]), (&4.into(), &"missing".into()));
    assert!(!folder.join(".interlock").exists(), "something was touched");
}

#[test]
fn a_broken_platform_file_is_shown_at_its_place() {
    let (_guard, folder) = platform();
    let file = folder.join("interlock.yaml");
    let text = fs::read_to_string(&file).unwrap().replace("maxBake", "maxBakr");
    fs::write(&file, text).unwrap();
    let said = doctor(&folder, &[]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("interlock.yaml:25:3") && said.err.contains("did you mean `maxBake`?"), "{}", said.err);
}

#[test]
fn secrets_are_named_and_never_shown() {
    let (_guard, folder) = platform();
    let file = folder.join("interlock.yaml");
    let more = "\nnotify: {webhook: {urlEnv: HOOK}}\ncredentials: [{env: TOKEN, expiresEnv: TOKEN_EXPIRES}]\n";
    fs::write(&file, fs::read_to_string(&file).unwrap() + more).unwrap();
    let lacking = interlock_with(&folder, &["doctor"], &[]);
    assert!(lacking.out.contains("HOOK is not set") && lacking.out.contains("export TOKEN"), "{}", lacking.out);
    assert_eq!(lacking.code, 2);
    let set =
        [("HOOK", "https://hooks.example.org/s3cr3t"), ("TOKEN", "t0k3n"), ("TOKEN_EXPIRES", "2099-01-01T00:00:00Z")];
    let said = interlock_with(&folder, &["doctor"], &set);
    assert!(said.out.contains("hooks.example.org") && said.out.contains("until 2099-01-01"), "{}", said.out);
    assert!(!said.out.contains("s3cr3t") && !said.out.contains("t0k3n"), "{}", said.out);
    assert_eq!(said.code, 4, "the lab is down");
}
