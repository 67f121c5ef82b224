//! The contract of the ports, as checks that any platform has to pass.

use std::time::{Duration, Instant};

use interlock::{
    model::{Epoch, Slot, Weights},
    ports::{Fence, PortError, Requests, Route, Traffic, Workload},
};

/// A path of the service that answers well.
pub const PATH: &str = "/tenants/7";
const WITHIN: Duration = Duration::from_secs(30);

fn fence(epoch: u64, from: Weights) -> Fence<Weights> {
    Fence { epoch: Epoch(epoch), from }
}

/// Weights can be set and read, and setting them again changes nothing.
pub async fn weights_are_idempotent(platform: &impl Traffic, other: Weights) {
    let (blue, half) = (Weights::all(Slot::Blue), other);
    assert_eq!(platform.weights().await.unwrap(), blue);
    for _ in 0..2 {
        platform.set_weights(&half, &fence(10, blue)).await.unwrap();
        assert_eq!(platform.weights().await.unwrap(), half);
    }
    platform.set_weights(&blue, &fence(10, half)).await.unwrap();
}

/// A paused owner that was superseded meanwhile is refused, and told by whom.
pub async fn a_stale_epoch_is_refused(platform: &impl Traffic) {
    let (blue, green) = (Weights::all(Slot::Blue), Weights::all(Slot::Green));
    platform.set_weights(&blue, &fence(20, blue)).await.unwrap();
    let refused = platform.set_weights(&green, &fence(19, blue)).await;
    assert!(matches!(refused, Err(PortError::Superseded { ours: 19, theirs: 20 })), "{refused:?}");
    assert_eq!(platform.weights().await.unwrap(), blue);
}

/// A write that takes other weights to stand is refused, and told what stands.
pub async fn a_wrong_from_is_refused(platform: &impl Traffic) {
    let (blue, green) = (Weights::all(Slot::Blue), Weights::all(Slot::Green));
    let refused = platform.set_weights(&green, &fence(30, Weights::giving(Slot::Green, 7))).await;
    let Err(PortError::Conflict { found, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(serde_json::from_value::<Weights>(found).unwrap(), blue);
    // A refused write raises no epoch.
    platform.set_weights(&blue, &fence(20, blue)).await.unwrap();
}

/// Weights that do not add up to 100 are refused.
pub async fn parts_are_refused(platform: &impl Traffic) {
    let blue = Weights::all(Slot::Blue);
    let refused = platform.set_weights(&Weights { blue: 50, green: 60 }, &fence(30, blue)).await;
    assert!(matches!(refused, Err(PortError::UnexpectedResponse { .. })), "{refused:?}");
}

/// Every request that begins after a write follows it.
pub async fn live_requests_follow_the_weights(platform: &(impl Traffic + Requests)) {
    let (blue, green) = (Weights::all(Slot::Blue), Weights::all(Slot::Green));
    for (from, to, slot) in [(blue, green, Slot::Green), (green, blue, Slot::Blue)] {
        platform.set_weights(&to, &fence(40, from)).await.unwrap();
        for _ in 0..20 {
            let reply = platform.get(Route::Live, PATH, WITHIN).await.unwrap();
            assert_eq!((reply.status, reply.slot()), (200, Some(slot)));
        }
    }
}

/// Requests are shared as the weights say, where the platform can share them.
pub async fn live_requests_are_shared(platform: &(impl Traffic + Requests)) {
    let (blue, tenth) = (Weights::all(Slot::Blue), Weights::giving(Slot::Green, 10));
    platform.set_weights(&tenth, &fence(40, blue)).await.unwrap();
    let mut to_green = 0;
    for _ in 0..100 {
        to_green += usize::from(platform.get(Route::Live, PATH, WITHIN).await.unwrap().slot() == Some(Slot::Green));
    }
    assert_eq!(to_green, 10);
    platform.set_weights(&blue, &fence(40, tenth)).await.unwrap();
}

/// A preview reaches its slot whatever the weights.
pub async fn previews_reach_their_slot(platform: &impl Requests) {
    for slot in Slot::ALL {
        for _ in 0..5 {
            let reply = platform.get(Route::Preview(slot), PATH, WITHIN).await.unwrap();
            assert_eq!((reply.status, reply.slot()), (200, Some(slot)));
        }
    }
}

/// A slot takes the number of replicas it is given; stale owners are refused.
pub async fn scale_is_followed(platform: &impl Workload) {
    assert_eq!(platform.scale(Slot::Green).await.unwrap(), 2);
    for (from, to) in [(2, 3), (2, 3), (3, 1), (1, 2)] {
        platform.set_scale(Slot::Green, to, &Fence { epoch: Epoch(50), from }).await.unwrap();
        let wanted = to;
        assert_eq!(platform.scale(Slot::Green).await.unwrap(), wanted);
        until("as many are ready as are wanted", async || {
            let replicas = platform.replicas(Slot::Green).await.unwrap();
            replicas.len() == wanted as usize && replicas.iter().all(|replica| replica.ready && replica.exits == 0)
        })
        .await;
    }
    let refused = platform.set_scale(Slot::Green, 0, &Fence { epoch: Epoch(49), from: 2 }).await;
    assert!(matches!(refused, Err(PortError::Superseded { ours: 49, theirs: 50 })), "{refused:?}");
    // What a person has changed meanwhile is not overwritten.
    let refused = platform.set_scale(Slot::Green, 0, &Fence { epoch: Epoch(50), from: 7 }).await;
    assert!(matches!(refused, Err(PortError::Conflict { .. })), "{refused:?}");
    assert_eq!(platform.scale(Slot::Green).await.unwrap(), 2);
}

/// A fence keeps what stands there, tells it, and shuts the object, and no other, to earlier epochs.
pub async fn a_fence_keeps_the_value_and_refuses_earlier_epochs(platform: &(impl Traffic + Workload)) {
    let (blue, green) = (Weights::all(Slot::Blue), Weights::all(Slot::Green));
    for _ in 0..2 {
        assert_eq!(platform.fence_weights(Epoch(70)).await.unwrap(), blue);
        assert_eq!(platform.fence_scale(Slot::Green, Epoch(80)).await.unwrap(), 2);
    }
    let refused = platform.set_weights(&green, &fence(69, blue)).await;
    assert!(matches!(refused, Err(PortError::Superseded { ours: 69, theirs: 70 })), "{refused:?}");
    let refused = platform.fence_weights(Epoch(69)).await;
    assert!(matches!(refused, Err(PortError::Superseded { ours: 69, theirs: 70 })), "{refused:?}");
    for early in [70, 79] {
        let refused = platform.set_scale(Slot::Green, 1, &Fence { epoch: Epoch(early), from: 2 }).await;
        assert!(matches!(refused, Err(PortError::Superseded { theirs: 80, .. })), "{refused:?}");
        let refused = platform.fence_scale(Slot::Green, Epoch(early)).await;
        assert!(matches!(refused, Err(PortError::Superseded { theirs: 80, .. })), "{refused:?}");
    }
    assert_eq!((platform.weights().await.unwrap(), platform.scale(Slot::Green).await.unwrap()), (blue, 2));
    // The other slot's scale was not fenced.
    assert_eq!(platform.fence_scale(Slot::Blue, Epoch(51)).await.unwrap(), 2);
}

/// Nothing that stands still is in flight.
pub async fn nothing_is_in_flight(platform: &impl Traffic) {
    for slot in Slot::ALL {
        let in_flight = platform.in_flight(slot, Duration::ZERO).await.unwrap();
        assert_eq!((in_flight.count, in_flight.older), (0, 0));
    }
}

/// Waits for something to become true, a minute at most.
pub async fn until(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !check().await {
        assert!(Instant::now() < deadline, "not within 60 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
