//! Journals that somebody has changed: every change is found, in every part.

use std::fs;

use crate::stage::Stage;

/// What somebody may do to a part; only to the newest one can a line be added, for what stands behind the end of another is
/// void.
fn changes(whole: &str, newest: bool) -> Vec<(&'static str, String)> {
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    let middle = lines.len() / 2;
    let without = |gone: usize| {
        let rest = lines.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, line)| *line);
        rest.collect::<String>()
    };
    let mut swapped = lines.clone();
    swapped.swap(middle - 1, middle);
    let mut changes = vec![
        ("changed", whole.replacen("\"epoch\":", "\"epoch\":1", 1)),
        ("first dropped", without(0)),
        ("middle dropped", without(middle)),
        ("last dropped", without(lines.len() - 1)),
        ("reordered", swapped.concat()),
        ("emptied", String::new()),
    ];
    if newest {
        changes.push(("doubled", format!("{whole}{}", lines[lines.len() - 1])));
    }
    changes
}

#[test]
fn every_change_of_a_journal_is_found() {
    let stage = Stage::up();
    let (cli, run) = stage.bake();
    cli.signal(interlock::process::Signal::SIGTERM);
    assert_eq!(cli.wait().code, Some(7));
    stage.is_clean(&run);

    let folder = stage.runs_folder().join(run.as_str());
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut parts: Vec<_> = names.filter(|name| name.starts_with("journal") && name.ends_with(".jsonl")).collect();
    parts.sort_by_key(|name| name.trim_start_matches("journal").trim_start_matches('-').to_owned());
    assert_eq!(parts, ["journal.jsonl", "journal-0000000002.jsonl"], "it went back in an epoch of its own");
    let verify = || stage.ask(&["runs", "verify", run.as_str()]);
    for (at, part) in parts.iter().enumerate() {
        let path = folder.join(part);
        let whole = fs::read_to_string(&path).unwrap();
        let newest = at + 1 == parts.len();
        for (what, text) in changes(&whole, newest) {
            assert_ne!(text, whole, "{part}: {what}");
            fs::write(&path, text).unwrap();
            let done = verify();
            assert_eq!(done.code, Some(1), "{part}: {what}: {done:?}");
            assert!(done.out.contains("TAMPERED"), "{part}: {what}: {done:?}");
            assert_eq!(stage.ask(&["runs", "verify"]).code, Some(1), "{part}: {what}: among all runs");
        }
        if !newest {
            // What an owner of old may still write counts for nothing, and is nobody's deceit.
            fs::write(&path, format!("{whole}late")).unwrap();
            assert_eq!(verify().code, Some(0), "{part}: what comes late is void");
        }
        fs::write(&path, &whole).unwrap();
        assert_eq!(verify().code, Some(0));
    }
    // Rewritten as a whole it can be told only by a head that was noted elsewhere.
    let noted = stage.ask(&["runs", "verify", run.as_str(), "--head", "0123456789ab"]);
    assert_eq!(noted.code, Some(1), "{noted:?}");
    stage.close();
}
