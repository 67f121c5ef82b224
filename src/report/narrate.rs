//! Turns the guard's events into lines that read like a log of the run.

use crate::guard::{Answer, Entry, Event, Plan, Resume, Role, Verdict};

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
}

impl Narrator {
    /// Tells one event, if there is something to tell.
    pub fn tell(&mut self, event: &Event<'_>) -> Option<Told> {
        match event {
            Event::Driving { run, plan } => {
                self.learn(plan);
                Some(Told::Line(format!("run {run}: {}; guard: {}", plan.title, plan.guard)))
            }
            Event::Begins { step } => Some(Told::Progress(self.named(' ', *step, "..."))),
            Event::Returns { step, to } => Some(Told::Progress(self.named('<', *step, &format!("back to {to} ...")))),
            Event::Recorded(entry) => self.entry(entry),
            Event::Remark(text) => Some(Told::Line(format!("! {text}"))),
        }
    }

    fn learn(&mut self, plan: &Plan) {
        self.steps = plan.steps.iter().map(|step| step.name.clone()).collect();
        self.width = self.steps.iter().map(String::len).max().unwrap_or_default();
    }

    fn named(&self, mark: char, step: usize, text: &str) -> String {
        let name = self.steps.get(step).map_or("", String::as_str);
        format!("{mark} {name:width$}  {text}", width = self.width)
    }

    fn entry(&self, entry: &Entry) -> Option<Told> {
        let line = |mark, step: &usize, text: &str| Some(Told::Line(self.named(mark, *step, text)));
        match entry {
            Entry::Planned { .. } | Entry::Captured { .. } | Entry::Intended { .. } => None,
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
            Entry::Stuck { step, why } => line('x', step, &format!("stuck: {why}")),
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
            Entry::Finished { outcome } => Some(Told::Line(format!("= {outcome}"))),
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
