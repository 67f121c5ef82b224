//! The guarded operation: a plan of steps, a pure `next` over the journal, and one loop that does what it says.

mod cut;
mod decide;
mod drive;
mod entry;
mod event;
mod gate;
mod guardian;
mod heartbeat;
mod next;
mod operation;
mod outcome;
mod permit;
mod plan;
mod preconditions;
mod recover;
mod rollback;
mod undo;

pub use decide::{resolve, resume};
pub use drive::{Context, StopSignal, drive};
pub use entry::{Entry, Resume, Role, Settled, entries, milestone};
pub use event::{Event, Events, Silent};
pub use gate::{Answer, Gate, Override, refusal};
pub use guardian::{EventsOf, Guard, Rebuild, keep_all, keep_guard};
pub use next::{Mode, Next, State, StepState, Why, fold, next};
pub use operation::{Observation, ObserveContext, Operation, Verdict};
pub use outcome::Outcome;
pub use plan::{Action, NoData, Plan, Step, Strength, value};
pub use preconditions::{Preconditions, ask_again, hold};
pub use recover::{Stored, abort, begin, give_up, load, recover};
