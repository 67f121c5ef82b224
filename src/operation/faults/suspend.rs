//! A host gets no time, and nobody reaches it: a virtual machine that is suspended, or moved to another machine.

use super::{Ends, Fault};
use crate::{model::Victim, ports::Act};

/// A host gets no time, and nobody reaches it.
pub(super) const SUSPEND: Fault = Fault {
    method: "suspend",
    victim: Victim::Host,
    about: "It gets no time, and nobody reaches it: its virtual machine is suspended.",
    verb: "suspend",
    said: "suspended",
    inject: &[Act::Partition, Act::Pause],
    ends: Ends::AfterTime,
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operation::{drill::Method, faults::said};

    #[test]
    fn a_drill_asks_for_it_by_name() {
        let method: Method = serde_json::from_value(json!("suspend")).unwrap();
        assert_eq!(method.fault(Victim::Host), Some(&SUSPEND));
        assert!(method.is_timed() && method.fault(Victim::Manager).is_none());
        assert_eq!(json!(SUSPEND.state()), "partitioned+paused");
        assert_eq!(said(SUSPEND.state()), "suspended");
    }
}
