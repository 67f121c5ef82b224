//! Journals that somebody has changed: every change is found.

use std::fs;

use crate::stage::Stage;

#[test]
fn every_change_of_a_journal_is_found() {
    let stage = Stage::up();
    let (cli, run) = stage.bake();
    cli.signal(interlock::process::Signal::SIGTERM);
    assert_eq!(cli.wait().code, Some(7));
    stage.is_clean(&run);

    let path = stage.runs_folder().join(run.as_str()).join("journal.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    let middle = lines.len() / 2;
    let verify = || stage.ask(&["runs", "verify", run.as_str()]);
    let without = |gone: usize| {
        let rest = lines.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, line)| *line);
        rest.collect::<String>()
    };
    let mut swapped = lines.clone();
    swapped.swap(middle, middle + 1);
    let changes = [
        ("changed", whole.replacen("\"green\":100", "\"green\":50", 1)),
        ("first dropped", without(0)),
        ("middle dropped", without(middle)),
        ("last dropped", without(lines.len() - 1)),
        ("reordered", swapped.concat()),
        ("doubled", format!("{whole}{}", lines[lines.len() - 1])),
        ("emptied", String::new()),
    ];
    for (what, text) in changes {
        assert_ne!(text, whole, "{what}");
        fs::write(&path, text).unwrap();
        let done = verify();
        assert_eq!(done.code, Some(1), "{what}: {done:?}");
        assert!(done.out.contains("TAMPERED"), "{what}: {done:?}");
        assert_eq!(stage.ask(&["runs", "verify"]).code, Some(1), "{what}: among all runs");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(verify().code, Some(0));
    // Rewritten as a whole it can be told only by a head that was noted elsewhere.
    let noted = stage.ask(&["runs", "verify", run.as_str(), "--head", "0123456789ab"]);
    assert_eq!(noted.code, Some(1), "{noted:?}");
    stage.close();
}
