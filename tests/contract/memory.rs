//! The contract over the platform in memory, and what only that one can do.

use std::time::Duration;

use interlock::{
    model::{Epoch, Slot, Weights},
    ports::{Clock, Fence, InFlight, PortError, Requests, Route, Traffic, Workload},
};

use crate::{
    contract,
    platform::{MemoryClock, MemoryPlatform},
};

#[tokio::test]
async fn memory_keeps_the_contract() {
    let platform = MemoryPlatform::new();
    contract::weights_are_idempotent(&platform, Weights::giving(Slot::Green, 50)).await;
    assert_eq!(platform.writes(), 2, "repeats are no writes");
    contract::a_stale_epoch_is_refused(&platform).await;
    contract::a_wrong_from_is_refused(&platform).await;
    contract::parts_are_refused(&platform).await;
    contract::live_requests_follow_the_weights(&platform).await;
    contract::live_requests_are_shared(&platform).await;
    contract::previews_reach_their_slot(&platform).await;
    contract::scale_is_followed(&platform).await;
    contract::a_fence_keeps_the_value_and_refuses_earlier_epochs(&platform).await;
    contract::nothing_is_in_flight(&platform).await;
}

#[tokio::test]
async fn memory_breaks_on_demand() {
    let platform = MemoryPlatform::new();
    let (blue, green) = (Weights::all(Slot::Blue), Weights::all(Slot::Green));
    let fence = Fence { epoch: Epoch(1), from: blue };

    platform.fail_next(2, PortError::unreachable("the platform", "cut"));
    assert!(platform.weights().await.is_err() && platform.set_weights(&green, &fence).await.is_err());
    assert_eq!((platform.weights().await.unwrap(), platform.writes()), (blue, 0));

    platform.lose_answers(1);
    assert!(platform.set_weights(&green, &fence).await.is_err());
    assert_eq!((platform.weights().await.unwrap(), platform.writes()), (green, 1));

    platform.meddle(Weights::giving(Slot::Green, 30));
    assert!(matches!(
        platform.set_weights(&blue, &Fence { epoch: Epoch(1), from: green }).await,
        Err(PortError::Conflict { .. })
    ));

    platform.crash(Slot::Green, 0);
    let replica = &platform.replicas(Slot::Green).await.unwrap()[0];
    assert_eq!((replica.ready, replica.exits), (false, 1));
    platform.crash(Slot::Green, 1);
    assert_eq!(platform.get(Route::Preview(Slot::Green), "/", Duration::from_secs(1)).await.unwrap().status, 503);

    platform.set_in_flight(
        Slot::Green,
        InFlight { count: 1, oldest: Duration::from_secs(9), older: 1, ..InFlight::default() },
    );
    assert_eq!(platform.in_flight(Slot::Green, Duration::from_secs(8)).await.unwrap().older, 1);
    assert_eq!(platform.in_flight(Slot::Green, Duration::from_secs(10)).await.unwrap().older, 0);
}

#[tokio::test]
async fn sleep_moves_the_clock_and_a_jump_only_the_wall() {
    let clock = MemoryClock::new("2026-11-21T09:30:00Z".parse().unwrap());
    let before = clock.now();
    clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(clock.now().since(&before), Duration::from_secs(60));
    clock.jump("2020-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(clock.now().since(&before), Duration::from_secs(60));
}
