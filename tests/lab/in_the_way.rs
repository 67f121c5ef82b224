//! A run that stands in the way: named with how it stands and what is to be done, where another is to begin and where its platform is
//! to end.

use interlock::{lab::Lab, model::Slot};

use crate::{
    guardians::kill_all,
    metrics::{is_held, lose, spoiled_stage},
    servers::Spoil,
    stage::{Done, GREEN, Stage},
};

/// Asks for another run, which is refused by the lock alone.
fn refused(stage: &Stage) -> String {
    let plan = stage.ask(&["switchover", "plan", "tenant", "--to", "green", "-o", "json"]);
    assert_eq!(plan.code, Some(3), "{plan:?}");
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    let gates = plan["gates"].as_array().unwrap();
    let lock = gates.iter().find(|gate| gate["name"] == "lock").unwrap();
    let shut = &lock["answer"]["shut"];
    format!("{} -> {}", shut["why"].as_str().unwrap(), shut["mend"].as_str().unwrap())
}

fn down_is_refused(stage: &Stage, standing: &str) {
    let down: Done = stage.ask(&["lab", "down"]);
    assert_eq!(down.code, Some(3), "{down:?}");
    // Long lines are broken.
    let told = down.err.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ");
    assert!(told.contains(standing) && told.contains("`interlock lab down --yes`"), "{told}");
    assert!(Lab::open(&stage.lab_folder()).is_ok());
}

#[test]
fn a_run_is_named_with_how_it_stands_and_what_is_to_be_done() {
    let (stage, spoiler) = spoiled_stage();

    let (cli, run) = stage.bake();
    let told = refused(&stage);
    assert!(told.contains("is at work on it") && told.ends_with(&format!("`interlock runs abort {run}`")), "{told}");
    down_is_refused(&stage, "(running)");
    kill_all(&stage, cli);
    let told = refused(&stage);
    assert!(told.starts_with(&format!("run {run} is abandoned: ")), "{told}");
    assert!(told.contains(&format!("`interlock runs recover {run}` puts things back")), "{told}");
    down_is_refused(&stage, "(abandoned)");
    assert_eq!(stage.ask(&["runs", "recover", run.as_str()]).code, Some(7));
    stage.is_clean(&run);

    let (cli, run) = lose(&stage, Slot::Green, || spoiler.set(Spoil::Broken));
    is_held(&stage, cli, &run, Slot::Green, "in the way");
    assert_eq!(stage.weights(), GREEN);
    let told = refused(&stage);
    assert!(told.starts_with(&format!("run {run} is held and waits for a person: ")), "{told}");
    assert!(told.ends_with(&format!("`interlock runs resume {run} --keep`, `--undo` or `--watch`")), "{told}");
    down_is_refused(&stage, "(held)");
    assert_eq!(stage.ask(&["runs", "resume", run.as_str(), "--undo"]).code, Some(1));
    stage.is_clean(&run);
    stage.close();
}
