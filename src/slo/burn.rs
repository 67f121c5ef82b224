//! Burn rates over several windows, and what is left of an error budget.
//!
//! The windows and factors are those of the Site Reliability Workbook, chapter 5, for a budget of 30 days. For another
//! budget the windows are scaled and the factors stay, so that an alert stands for the same share of the budget.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::HumanDuration;

/// How soon somebody has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Now.
    Page,
    /// In working hours.
    Ticket,
}

impl Severity {
    /// The severity as a label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
        }
    }
}

/// A pair of windows that both have to burn faster than a factor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BurnWindow {
    /// How soon somebody has to look.
    pub severity: Severity,
    /// The short window: it still burns.
    pub short: HumanDuration,
    /// The long window: it is more than a moment.
    pub long: HumanDuration,
    /// The burn rate above which both fire.
    pub factor: f64,
}

/// The four pairs of windows for a budget over `window`.
#[must_use]
pub fn burn_windows(window: Duration) -> [BurnWindow; 4] {
    let scaled = |minutes: u64| {
        let seconds = window.as_secs().saturating_mul(minutes * 60) / (30 * 86_400);
        HumanDuration::secs(seconds.max(30))
    };
    let pair =
        |severity, short, long, factor| BurnWindow { severity, short: scaled(short), long: scaled(long), factor };
    [
        pair(Severity::Page, 5, 60, 14.4),
        pair(Severity::Page, 30, 360, 6.0),
        pair(Severity::Ticket, 120, 1440, 3.0),
        pair(Severity::Ticket, 360, 4320, 1.0),
    ]
}

/// How many times faster than allowed the budget burns at a share of bad events.
#[must_use]
pub fn burn(bad_share: f64, target: f64) -> f64 {
    bad_share / (1.0 - target)
}

/// The share of the budget that is left, given the share of bad events over its window; below 0 if it is overdrawn.
#[must_use]
pub fn budget_left(bad_share: f64, target: f64) -> f64 {
    1.0 - burn(bad_share, target)
}

/// What a pair of windows shows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Burning {
    /// The windows.
    pub windows: BurnWindow,
    /// The burn rate over the short one; none without data.
    pub short: Option<f64>,
    /// The burn rate over the long one; none without data.
    pub long: Option<f64>,
    /// Whether both are above the factor. Without data nothing fires.
    pub fires: bool,
}

/// Judges a pair of windows by the shares of bad events in them.
#[must_use]
pub fn burning(windows: BurnWindow, target: f64, short: Option<f64>, long: Option<f64>) -> Burning {
    let rate = |share: Option<f64>| share.filter(|s| s.is_finite()).map(|s| burn(s, target));
    let (short, long) = (rate(short), rate(long));
    let above = |burn: Option<f64>| burn.is_some_and(|b| b > windows.factor);
    Burning { windows, short, long, fires: above(short) && above(long) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_those_of_the_workbook_and_scale() {
        let month = burn_windows(Duration::from_secs(30 * 86_400));
        let shown: Vec<String> =
            month.iter().map(|w| format!("{} {}/{} at {}", w.severity.name(), w.short, w.long, w.factor)).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
page 5m/1h at 14.4
page 30m/6h at 6
ticket 2h/1day at 3
ticket 6h/3days at 1
");
        let week = burn_windows(Duration::from_secs(7 * 86_400));
        assert_eq!(week[0].long, HumanDuration::secs(840));
        assert_eq!(week[0].factor, 14.4);
    }

    #[test]
    fn both_windows_have_to_burn() {
        let window = burn_windows(Duration::from_secs(30 * 86_400))[0];
        assert!(burning(window, 0.999, Some(0.02), Some(0.02)).fires);
        assert!(!burning(window, 0.999, Some(0.02), Some(0.001)).fires);
        assert!(!burning(window, 0.999, None, Some(0.02)).fires);
        assert!(!burning(window, 0.999, Some(f64::NAN), Some(0.02)).fires);
        assert!((budget_left(0.0005, 0.999) - 0.5).abs() < 1e-9);
    }
}
