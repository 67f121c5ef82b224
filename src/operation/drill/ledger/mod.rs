//! The ledger of a drill: what writers and pollers saw becomes figures with stated bounds, and a verdict. Pure.

mod dual;
mod gap;
mod judge;
mod lines;
mod measure;
mod micros;
mod outage;
mod records;
mod risk;
mod rows;

pub use dual::Dual;
pub use gap::{Gap, Window};
pub use judge::{Judgement, MISSED, Objectives, ROWS_AT_RISK, Reason, Verdict, judge};
pub use lines::{Ledger, Line, UNANSWERED, read};
pub use measure::{Counts, Flaw, Gaps, Measurement, Slots, measure};
pub use micros::Micros;
pub use outage::{Outage, Resolution};
pub use records::{Attempt, Finals, Head, LATE, Mark, Marks, Miss, Missed, Outcome, Poll, Records, Stream, Word};
pub use risk::{Basis, Risk};
pub use rows::{Counted, Fate, differences};
