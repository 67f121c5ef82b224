//! Threads that measure go before what they measure, where both share a machine.

use thread_priority::{
    RealtimeThreadSchedulePolicy::RoundRobin, ThreadPriority, ThreadSchedulePolicy::Realtime,
    set_thread_priority_and_policy, thread_native_id,
};

/// Lets this thread run as soon as it has something to do, before all that is not urgent. It takes the capability `CAP_SYS_NICE`
/// (sched(7)); without it, slots are missed on a busy machine, which is counted and said.
pub fn be_urgent() {
    if let Err(e) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, Realtime(RoundRobin)) {
        tracing::debug!("writers wait for their turn like everyone else: {e:?}");
    }
}
