//! Turns the guard's events into lines that read like a log of the run.

use crate::guard::{Answer, Entry, Event, Outcome, Plan, Resume, Role, Verdict, joined};

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Something has happened; it stays.
    Line(String),
    /// How the present step stands; the next one replaces it.
    Progress(String),
}

/// Remembers the plan, so that steps have names.
#[derive(Debug, Default)]
pub struct Narrator {
    steps: Vec<String>,
    width: usize,
    /// Why steps could not be put back, as it was told.
    stuck: Vec<String>,
    /// What going back needs, as it was told.
    needs: Vec<String>,
}

impl Narrator {
    pub fn tell(&mut self, event: &Event<'_>) -> Option<Told> {
        match event {
            Event::Driving { run, plan } => {
                self.learn(plan);
                Some(Told::Line(format!("run {run}: {}; guard: {}", plan.title, plan.guard)))
            }
            Event::Begins { step } => Some(Told::Progress(self.named(' ', *step, "..."))),
            Event::Returns { step, to } => Some(Told::Progress(self.named('<', *step, &format!("back to {to} ...")))),
            Event::Recorded(Entry::Stuck { step, why }) => {
                let why = self.stuck(why);
                Some(Told::Line(self.named('x', *step, &format!("stuck: {why}"))))
            }
            Event::Recorded(Entry::Prepared { step, key, prior, to }) => {
                // Each try captures it anew.
                let needs = self.named('<', *step, &format!("needs {key} = {to}, where {prior} stands"));
                if self.needs.contains(&needs) {
                    return None;
                }
                self.needs.push(needs.clone());
                Some(Told::Line(needs))
            }
            Event::Recorded(entry) | Event::Looked(entry) => self.entry(entry),
            Event::Remark(text) => Some(Told::Line(format!("! {text}"))),
        }
    }

    fn learn(&mut self, plan: &Plan) {
        self.steps = plan.steps.iter().map(|step| step.name.clone()).collect();
        self.width = self.steps.iter().map(String::len).max().unwrap_or_default();
    }

    /// What was not told of before.
    fn stuck(&mut self, why: &str) -> String {
        let before = joined(self.stuck.iter().map(String::as_str));
        self.stuck.push(why.to_owned());
        let now = joined(self.stuck.iter().map(String::as_str));
        match now.strip_prefix(&before).map(|rest| rest.trim_start_matches("; ")) {
            Some("") | None => "for the same reason".to_owned(),
            Some(rest) => rest.to_owned(),
        }
    }

    fn named(&self, mark: char, step: usize, text: &str) -> String {
        let name = self.steps.get(step).map_or("", String::as_str);
        format!("{mark} {name:width$}  {text}", width = self.width)
    }

    fn entry(&self, entry: &Entry) -> Option<Told> {
        let line = |mark, step: &usize, text: &str| Some(Told::Line(self.named(mark, *step, text)));
        match entry {
            Entry::Planned { .. }
            | Entry::Captured { .. }
            | Entry::Intended { .. }
            | Entry::Prepared { .. }
            | Entry::Stuck { .. } => None,
            Entry::Gated { gate, overridden } => match (&gate.answer, overridden) {
                (Answer::Shut { why, .. } | Answer::Unreachable { why, .. }, Some(by)) => {
                    Some(Told::Line(format!("! gate {} passed by force ({}): {why}", gate.name, by.reason)))
                }
                _ => None,
            },
            // Its own narration needs no word on who it is, nor on the epoch that it begins before it goes back.
            Entry::Owned { role: Role::Operator, .. } => None,
            Entry::Owned { owner, role } => {
                Some(Told::Line(format!("  owner: {owner} as {}", format!("{role:?}").to_lowercase())))
            }
            Entry::Applied { step } => line('>', step, "done"),
            Entry::Failed { step, why } => line('x', step, why),
            Entry::Skipped { step, why } => line('-', step, &format!("left out: {why}")),
            Entry::Observed { step, verdict, line: text, .. } => match verdict {
                Verdict::Wait => Some(Told::Progress(self.named(' ', *step, text))),
                Verdict::Pass { warning: None } => line('+', step, text),
                Verdict::Pass { warning: Some(warning) } => line('!', step, warning),
                Verdict::Breach { why } | Verdict::Unfit { why } => line('x', step, why),
                Verdict::NoData { why } => line('?', step, why),
            },
            Entry::Over { step, means } => line('<', step, &format!("ended: {}", means.what())),
            Entry::Undone { step } => line('<', step, "as it was before"),
            Entry::Held { why } => Some(Told::Line(format!("? held: {why}"))),
            Entry::Resumed { how } => Some(Told::Line(format!("  a person says: {}", said(*how)))),
            Entry::Interrupted { why } => Some(Told::Line(format!("x {why}: putting things back"))),
            Entry::Resolved { settled, reason } => {
                Some(Told::Line(format!("  settled by hand as {}: {reason}", format!("{settled:?}").to_lowercase())))
            }
            Entry::Notified { receiver, failed: None } => Some(Told::Line(format!("  told {receiver}"))),
            Entry::Notified { receiver, failed: Some(why) } => {
                Some(Told::Line(format!("! could not tell {receiver}: {why}")))
            }
            // Its reasons stand right above, and in the outcome that ends the command.
            Entry::Finished { outcome: outcome @ Outcome::Stuck { .. } } => {
                Some(Told::Line(format!("= {}", outcome.word())))
            }
            Entry::Finished { outcome } => Some(Told::Line(format!("= {outcome}"))),
            Entry::Pruned { title, ended, outcome, .. } => {
                Some(Told::Line(format!("{title}: ended {ended:.0} as {outcome}; its records are pruned")))
            }
        }
    }
}

const fn said(how: Resume) -> &'static str {
    match how {
        Resume::Continue => "go on",
        Resume::Keep => "keep it",
        Resume::Undo => "undo it",
        Resume::Watch => "watch again",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_several_steps_share_is_told_with_the_first() {
        let mut narrator = Narrator::default();
        let mut tell = |entry: &Entry| match narrator.tell(&Event::Recorded(entry)) {
            Some(Told::Line(line)) => line.trim().to_owned(),
            other => format!("{other:?}"),
        };
        let prepared =
            |step| Entry::Prepared { step, key: "host/pg1".to_owned(), prior: json!("down"), to: json!("running") };
        let stuck = |step, why: &str| Entry::Stuck { step, why: why.to_owned() };
        let told: Vec<_> = [
            prepared(3),
            prepared(3),
            stuck(3, "primary stays at elsewhere: no command `stop` for pg1"),
            stuck(2, "host/pg1: no command `stop` for pg1"),
            stuck(1, "ledger: gone"),
            Entry::Finished { outcome: Outcome::Stuck { why: "all of it".to_owned() } },
        ]
        .iter()
        .map(&mut tell)
        .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        <   needs host/pg1 = "running", where "down" stands
        None
        x   stuck: primary stays at elsewhere: no command `stop` for pg1
        x   stuck: host/pg1 for the same reason
        x   stuck: ledger: gone
        = stuck
        "#);
    }
}
