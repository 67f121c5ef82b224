//! The table that the suite prints: each drill with its figures.

use serde_json::Value;

/// Prints what one drill has measured, and its report.
pub fn show(drill: &str, report: &Value, sheet: &str) {
    println!("\n== {drill} ==\n{sheet}");
    assert!(report["repetitions"].as_array().is_some_and(|all| !all.is_empty()), "{report}");
}

/// The figures of one repetition.
pub struct Figures<'r>(&'r Value);

impl<'r> Figures<'r> {
    /// Those of the last repetition.
    pub fn of(report: &'r Value) -> Self {
        Self(&report["repetitions"].as_array().unwrap().last().unwrap()["measurement"])
    }

    /// Lower and upper bound of the outage in seconds; zero and the resolution where none was seen.
    pub fn outage(&self) -> (f64, f64) {
        let secs = |value: &Value| value.as_f64().unwrap() / 1e6;
        let outage = &self.0["outage"];
        match outage.get("seen") {
            Some(seen) => (secs(&seen["lower"]), secs(&seen["upper"])),
            None => (0.0, secs(&outage["belowResolution"]["largest"])),
        }
    }

    /// A gap in seconds: `any` or `durable`.
    pub fn gap(&self, which: &str) -> f64 {
        let gap = &self.0["gaps"][which];
        (gap["until"].as_f64().unwrap() - gap["from"].as_f64().unwrap()) / 1e6
    }

    pub fn lost(&self) -> u64 {
        self.0["fate"]["lost"]["count"].as_u64().unwrap()
    }

    pub fn dual(&self) -> Option<&'r Value> {
        self.0.get("dual").filter(|dual| !dual.is_null())
    }

    pub fn duplicates(&self) -> u64 {
        self.0["fate"]["duplicates"]["count"].as_u64().unwrap()
    }

    pub fn new_primary(&self) -> &'r str {
        self.0["new"].as_str().unwrap()
    }

    pub fn old_primary(&self) -> &'r str {
        self.0["old"].as_str().unwrap()
    }
}
