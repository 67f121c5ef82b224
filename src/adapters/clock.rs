//! The clocks of this machine.

use std::time::Duration;

use async_trait::async_trait;
use nix::time::{ClockId, clock_gettime};

use crate::{
    model::{Moment, Timestamp},
    ports::Clock,
};

/// The clock that counts suspended time and is the same in all processes.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BOOT: ClockId = ClockId::CLOCK_BOOTTIME;
/// Elsewhere the monotonic clock is the nearest; on macOS it counts suspended time as well.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOOT: ClockId = ClockId::CLOCK_MONOTONIC;

#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

fn boot() -> Duration {
    // The clock exists on every system that this is built for, so the call has no way to fail.
    clock_gettime(BOOT).map(Duration::from).unwrap_or_default()
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment { wall: Timestamp::now(), boot: boot() }
    }

    async fn sleep(&self, length: Duration) {
        // The runtime's timer stands still while the machine is suspended; short naps keep it near the boot clock.
        let nap = Duration::from_secs(1);
        let until = boot() + length;
        loop {
            let left = until.saturating_sub(boot());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(nap)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleep_is_by_the_boot_clock() {
        let before = SystemClock.now();
        SystemClock.sleep(Duration::from_millis(20)).await;
        assert!(SystemClock.now().since(&before) >= Duration::from_millis(20));
    }
}
