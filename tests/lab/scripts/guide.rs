//! The platform of docs/lab.md, modelled as its reader does: each script written, each command run.

use std::fs;

use super::stage::Model;
use crate::stage::until;

/// The section of the document that this is about.
const SECTION: &str = "## Your own platform";

/// A script with the name of its file, or a command with what it prints.
#[derive(Debug)]
enum Step {
    Write { service: String, text: String },
    Run { command: String, prints: String },
}

fn steps() -> Vec<Step> {
    let document = include_str!("../../../docs/lab.md");
    let section = document.split(SECTION).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut steps = Vec::new();
    for block in section.split("```").skip(1).step_by(2) {
        let (kind, text) = block.split_once('\n').unwrap();
        match kind {
            "rhai" => {
                let file = text.lines().next().unwrap().strip_prefix("// services/").unwrap();
                let service = file.strip_suffix(".rhai").unwrap().to_owned();
                steps.push(Step::Write { service, text: text.to_owned() });
            }
            "text" => steps.extend(commands(text)),
            _ => {}
        }
    }
    steps
}

fn commands(text: &str) -> impl Iterator<Item = Step> {
    text.split("$ ").skip(1).map(|one| {
        let (command, prints) = one.split_once('\n').unwrap();
        Step::Run { command: command.to_owned(), prints: prints.to_owned() }
    })
}

/// What a command prints, without what differs from machine to machine: where the lab stands and what listens where.
fn told(text: &str) -> Option<String> {
    (!text.contains(" PART ")).then(|| text.trim_end().to_owned())
}

#[test]
fn a_platform_of_three_services_is_modelled_from_nothing() {
    let model = Model::written(&[]);
    let steps = steps();
    assert!(steps.iter().filter(|step| matches!(step, Step::Write { .. })).count() >= 3, "{steps:?}");
    let mut ran = 0;
    for step in &steps {
        match step {
            Step::Write { service, text } => model.write(service, text),
            Step::Run { command, prints } => {
                let mut done = model.shell(command);
                // Some of it takes a moment: services that find each other, a script that is taken over.
                until(command, || {
                    let is_it = told(prints) == told(&done.out);
                    if !is_it && command.starts_with("curl") {
                        done = model.shell(command);
                    }
                    is_it || !command.starts_with("curl")
                });
                assert_eq!(told(&done.out), told(prints), "$ {command}\n{done:?}");
                let finds = prints.contains("finding");
                assert_eq!(done.code, Some(if finds { 2 } else { 0 }), "$ {command}\n{done:?}");
                ran += 1;
            }
        }
    }
    assert!(ran >= 10, "{ran} commands");
    assert!(fs::read_dir(model.folder.join("services")).unwrap().count() >= 3);
    let left = crate::traces::survivors(&model.folder);
    assert!(left.is_empty(), "the guide ends its lab: {left:#?}");
}
