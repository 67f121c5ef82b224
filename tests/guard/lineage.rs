//! Objects remember epochs longer than locks: a run begins above all that it finds there.

use interlock::{
    error::{Error, Exit},
    guard::{Outcome, Start, begin, drive, least_epoch},
    journal::Grant,
    model::{Epoch, RunId, Target},
};

use crate::{
    shelf::run_id,
    world::{World, at_end, spec},
};

const KEYS: [&str; 2] = ["weights", "scale/blue"];

async fn begins(world: &World) -> Result<Grant, Error> {
    let store = world.store();
    let least = least_epoch((&*store, &world.switch()), KEYS.into_iter(), &world.plan()).await?;
    begin(&*store, &run_id(), &world.plan(), &Start { least, ..Start::default() }).await
}

/// The lock was lost, such as with its namespace; the objects bear what it gave out.
#[tokio::test]
async fn a_run_begins_above_what_the_objects_bear() {
    let world = World::new(spec());
    world.platform.supersede(Epoch(41));
    let grant = begins(&world).await.unwrap();
    assert_eq!(grant.epoch, Epoch(42));
    let outcome = drive(&world.context(world.store()), &grant).await.unwrap();
    assert_eq!((outcome, world.platform.stand()), (Outcome::Kept { warning: None }, at_end()));
    // From here on the lock knows.
    let next = RunId::parse("20261121-093000-ffff").unwrap();
    assert_eq!(begin(&*world.store(), &next, &world.plan(), &Start::default()).await.unwrap().epoch, Epoch(43));
}

/// What is ahead of its lock may be another run's: two operations never fence each other by accident.
#[tokio::test]
async fn an_object_ahead_of_its_lock_waits_for_other_runs() {
    let world = World::new(spec());
    let other = RunId::parse("20261121-093000-ffff").unwrap();
    let mut plan = world.plan();
    plan.target = Target::parse("tenant-eu").unwrap();
    let grant = begin(&*world.store(), &other, &plan, &Start::default()).await.unwrap();
    // That run works on the same objects under another name.
    world.platform.supersede(grant.epoch);
    let refused = begins(&world).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Refused, "{refused}");
    assert!(refused.to_string().contains(other.as_str()), "{refused}");
}
