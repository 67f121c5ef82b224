//! A script that changes while its service runs.

use interlock::process::Identity;
use serde_json::json;

use super::stage::Model;
use crate::stage::until;

const ONE: &str = "get(\"/version-of-script\", |request| 1);\n";

fn process(model: &Model) -> Option<Identity> {
    model.part("changing-0").identity
}

fn reload_failed(model: &Model, value: u32) -> bool {
    let series = format!("script_reload_failed{{service=\"changing\",replica=\"changing-0\"}} {value}\n");
    model.metrics("changing-0").contains(&series)
}

#[test]
fn a_changed_file_is_taken_over_without_a_restart_and_a_broken_one_is_not() {
    let model = Model::up(&[("changing", ONE)]);
    let before = process(&model);
    let answers = |n: u32| model.get("changing-0", "/version-of-script") == (200, json!(n));
    assert!(answers(1));
    model.write("changing", &ONE.replace('1', "2"));
    until("the new script answers", || answers(2));

    model.write("changing", "get(\"/version-of-script\", |request| {\n    let x = ;\n");
    until("the failure is counted", || reload_failed(&model, 1));
    assert!(answers(2), "the old script goes on");
    let told = model.logged("changing-0", "not reloaded").pop().unwrap();
    assert_eq!((told["line"].as_u64(), told["level"].as_str()), (Some(2), Some("ERROR")), "{told}");

    // A migration that fails is no better.
    model.write("changing", &format!("migration(\"m\", \"create nonsense\");\n{}", ONE.replace('1', "3")));
    until("that is told as well", || !model.logged("changing-0", "the migration `m`").is_empty());
    assert!(answers(2));

    model.write("changing", &ONE.replace('1', "4"));
    until("the next good script answers", || answers(4));
    until("nothing is counted as failed", || reload_failed(&model, 0));
    assert_eq!(process(&model), before, "nothing was restarted");
    model.close();
}

#[test]
fn schedules_follow_the_script() {
    let counting = |by: u32| {
        format!(
            "counter(\"ticks_total\", \"Runs.\");\nevery(\"tick\", \"20ms\", || metric::add(\"ticks_total\", {by}));\n\
             every(\"fails\", \"20ms\", || 1 / 0);\nget(\"/a\", |request| 1);\n"
        )
    };
    let model = Model::up(&[("changing", &counting(1))]);
    let ticks = || {
        let page = model.metrics("changing-0");
        let line = page.lines().find(|line| line.starts_with("ticks_total{")).map(str::to_owned);
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or_default()
    };
    until("it runs again and again", || ticks() > 5.0);
    model.write("changing", &counting(1000));
    until("the new one runs", || ticks() > 5000.0);
    model.write("changing", "get(\"/a\", |request| 2);\n");
    until("the script without one answers", || model.get("changing-0", "/a").1 == json!(2));
    assert!(!model.metrics("changing-0").contains("ticks_total"), "its metric is declared no more");
    assert!(!model.logged("changing-0", "division").is_empty() || !model.logged("changing-0", "zero").is_empty());
    model.close();
}
