//! The contract of the ports over a real cluster.

use interlock::model::{Slot, Weights};

use crate::{contract, stage::Stage};

#[test]
fn a_cluster_keeps_the_contract() {
    let Some(stage) = Stage::up("contract") else { return };
    let platform = stage.platform();
    stage.runtime.block_on(async {
        contract::weights_are_idempotent(&platform, Weights::all(Slot::Green)).await;
        contract::a_stale_epoch_is_refused(&platform).await;
        contract::a_wrong_from_is_refused(&platform).await;
        contract::parts_are_refused(&platform).await;
        contract::live_requests_follow_the_weights(&platform).await;
        contract::previews_reach_their_slot(&platform).await;
        contract::scale_is_followed(&platform).await;
        contract::nothing_is_in_flight(&platform).await;
    });
}
