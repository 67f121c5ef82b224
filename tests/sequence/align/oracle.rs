//! Costs against those that pm4py found; `tests/sequence/oracle/alignments.py` says how.

use interlock::sequence::conform::align::{Aligner, Budget, Event, Label, Steps, Tree};
use serde_json::Value;

use super::check::sound;

/// Letters of the oracle, as labels.
#[derive(Default)]
struct Letters(Vec<String>);

impl Letters {
    fn label(&mut self, letter: &str) -> Label {
        let known = self.0.iter().position(|known| known == letter);
        known.unwrap_or_else(|| {
            self.0.push(letter.to_owned());
            self.0.len() - 1
        }) as Label
    }
}

fn tree(value: &Value, steps: &mut Steps, letters: &mut Letters, choices: &mut usize) -> Tree {
    if let Some(letter) = value.as_str() {
        if letter.is_empty() {
            return Tree::Silent;
        }
        steps.labels.push(letters.label(letter));
        steps.missing.push(1);
        return Tree::Step(steps.labels.len() - 1);
    }
    let (operator, operands) = value.as_array().unwrap().split_first().unwrap();
    let mut read = |value: &Value| tree(value, steps, letters, choices);
    match operator.as_str().unwrap() {
        "seq" => Tree::Seq(operands.iter().map(read).collect()),
        "par" => Tree::Par(operands.iter().map(read).collect()),
        "loop" => {
            // The first operand, then any number of times the second and the first again.
            let first = read(&operands[0]);
            let again = Tree::Seq(vec![read(&operands[1]), first.clone()]);
            Tree::Seq(vec![first, Tree::Loop { body: Box::new(again), least: 0, most: None }])
        }
        "alt" => {
            let branches = operands.iter().map(read).collect();
            *choices += 1;
            Tree::Alt { choice: *choices, branches }
        }
        other => panic!("{other} is no operator"),
    }
}

#[test]
fn costs_are_those_of_pm4py() {
    let oracle: Value = serde_json::from_str(include_str!("../oracle/alignments.json")).unwrap();
    assert!(!oracle["pm4py"].as_str().unwrap().is_empty());
    let (mut traces, mut deviating) = (0, 0);
    for case in oracle["cases"].as_array().unwrap() {
        let (mut steps, mut letters, mut choices) = (Steps::default(), Letters::default(), 0);
        let model = tree(&case["tree"], &mut steps, &mut letters, &mut choices);
        let aligner = Aligner::new(&model, &steps);
        for trace in case["traces"].as_array().unwrap() {
            let words = trace["events"].as_str().unwrap().split_whitespace();
            let events: Vec<Event> = words.map(|word| Event { label: letters.label(word), extra: 1 }).collect();
            let found = aligner.align(&events, &|_, _| Some(0), Budget::default()).unwrap();
            sound(&found, &events, &steps, &|_, _| Some(0));
            assert_eq!(Some(found.cost), trace["cost"].as_u64(), "{} {trace}", case["tree"]);
            traces += 1;
            deviating += usize::from(found.cost > 0);
        }
    }
    assert!(traces >= 500 && deviating >= 150, "{traces} traces, {deviating} with a deviation");
}
