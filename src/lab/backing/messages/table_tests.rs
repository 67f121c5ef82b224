//! The laws of messages: fan-out, leases, redelivery, dead letters and runs, at times that the tests choose.

use serde_json::{Value, json};

use super::{
    protocol::{About, Failure, Message, Subscription, Take},
    table::Table,
};

const LEASE: i64 = 1_000;

fn table() -> (Table, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Table::open(&folder.path().join("bus.sqlite")).unwrap(), folder)
}

fn subscription(pattern: &str) -> Subscription {
    Subscription {
        name: pattern.to_owned(),
        pattern: pattern.to_owned(),
        rule: serde_json::Map::new(),
        every: None,
        attempts: 2,
        back_off: 100,
        lease: LEASE,
    }
}

fn message(id: &str, topic: &str) -> Message {
    let about = About { correlation_id: "order-4711".to_owned(), ..About::default() };
    Message { id: id.to_owned(), topic: topic.to_owned(), value: Value::Null, key: None, at: 0, after: 0, about }
}

fn take(table: &mut Table, service: &str, now: i64) -> Vec<super::Delivery> {
    table.take(&Take { service: service.to_owned(), most: 10, wait: 0 }, now).unwrap()
}

fn ids(table: &mut Table, service: &str, now: i64) -> Vec<String> {
    take(table, service, now).into_iter().map(|one| one.message.id).collect()
}

#[test]
fn a_message_goes_to_every_subscription_that_wants_it_and_is_taken_in_once() {
    let (mut table, _folder) = table();
    let north = json!({ "site": ["north", "west"] }).as_object().unwrap().clone();
    let picky = Subscription { name: "picky".to_owned(), rule: north, ..subscription("order.*") };
    table.register("billing", &[subscription("order.*")], 0).unwrap();
    table.register("stock", &[picky, subscription("order.created")], 0).unwrap();
    let of = |site: &str| Message { value: json!({ "site": site }), ..message(site, "order.created") };
    assert_eq!(table.accept(&of("north")).unwrap(), 3);
    assert_eq!(table.accept(&of("south")).unwrap(), 2);
    assert_eq!(table.accept(&of("south")).unwrap(), 2, "it was sent twice");
    assert_eq!(table.accept(&message("a", "payment.made")).unwrap(), 0);
    assert_eq!(ids(&mut table, "billing", 0), ["north", "south"]);
    let mut of_stock: Vec<_> =
        take(&mut table, "stock", 0).into_iter().map(|one| (one.subscription, one.message.id)).collect();
    of_stock.sort();
    let expected = [("order.created", "north"), ("order.created", "south"), ("picky", "north")];
    assert_eq!(of_stock, expected.map(|(subscription, id)| (subscription.to_owned(), id.to_owned())));
}

#[test]
fn what_was_accepted_is_there_after_a_restart_and_until_it_is_acknowledged() {
    let (mut table, folder) = table();
    table.register("billing", &[subscription("order.*")], 0).unwrap();
    table.accept(&message("a", "order.created")).unwrap();
    drop(table);
    let mut table = Table::open(&folder.path().join("bus.sqlite")).unwrap();
    let first = take(&mut table, "billing", 5).remove(0);
    assert_eq!((first.attempt, &*first.message.about.correlation_id), (1, "order-4711"));
    assert!(take(&mut table, "billing", 5).is_empty(), "it is held");
    assert_eq!(table.next_due("billing").unwrap(), Some(5 + LEASE));
    drop(table);
    let mut table = Table::open(&folder.path().join("bus.sqlite")).unwrap();
    assert!(take(&mut table, "billing", 4 + LEASE).is_empty(), "still held");
    let second = take(&mut table, "billing", 5 + LEASE).remove(0);
    assert_eq!(second.attempt, 2);
    assert!(!table.acknowledge(first.held).unwrap(), "the first lease has ended");
    assert!(table.acknowledge(second.held).unwrap());
    assert!(!table.acknowledge(second.held).unwrap());
    assert_eq!(table.next_due("billing").unwrap(), None);
}

#[test]
fn what_fails_is_delivered_again_and_is_a_dead_letter_in_the_end() {
    let (mut table, _folder) = table();
    table.register("billing", &[subscription("order.*")], 0).unwrap();
    table.accept(&message("a", "order.created")).unwrap();
    let fail = |table: &mut Table, now| {
        let held = take(table, "billing", now).remove(0).held;
        let failure = Failure { held, why: "no paper".to_owned() };
        assert!(table.fail(&failure, now).unwrap());
        assert!(!table.fail(&Failure { held: super::Held { lease: held.lease - 1, ..held }, ..failure }, now).unwrap());
    };
    fail(&mut table, 0);
    let again = table.next_due("billing").unwrap().unwrap();
    assert!((50..=100).contains(&again), "{again}");
    fail(&mut table, again);
    assert_eq!(table.next_due("billing").unwrap(), None);
    let letter = table.letters().unwrap().remove(0);
    let told = (&*letter.service, &*letter.topic, letter.attempts, &*letter.why, &*letter.correlation_id);
    assert_eq!(told, ("billing", "order.created", 2, "no paper", "order-4711"));
    assert_eq!(table.send_again(Some(letter.number + 1), 500).unwrap(), 0);
    assert_eq!(table.send_again(Some(letter.number), 500).unwrap(), 1);
    let sent = take(&mut table, "billing", 500).remove(0);
    assert_eq!((sent.attempt, table.letters().unwrap().len()), (1, 0));
    assert!(table.acknowledge(sent.held).unwrap());
}

#[test]
fn a_message_whose_holders_never_end_is_a_dead_letter_and_still_theirs_to_acknowledge() {
    let (mut table, _folder) = table();
    table.register("billing", &[subscription("order.*")], 0).unwrap();
    table.accept(&message("a", "order.created")).unwrap();
    assert_eq!(ids(&mut table, "billing", 0), ["a"]);
    let last = take(&mut table, "billing", LEASE).remove(0);
    assert!(take(&mut table, "billing", 2 * LEASE).is_empty());
    assert_eq!(table.letters().unwrap().len(), 1);
    assert!(table.acknowledge(last.held).unwrap(), "it was late, and has handled it");
    assert!(table.letters().unwrap().is_empty());
}

#[test]
fn a_subscription_that_is_gone_leaves_its_messages_as_dead_letters() {
    let (mut table, _folder) = table();
    table.register("billing", &[subscription("order.*")], 0).unwrap();
    table.accept(&message("a", "order.created")).unwrap();
    table.register("billing", &[subscription("payment.*")], 0).unwrap();
    assert!(take(&mut table, "billing", 0).is_empty());
    assert_eq!(table.letters().unwrap()[0].why, "its service subscribes to it no more");
    assert_eq!(table.send_again(None, 0).unwrap(), 0, "nobody would take it");
    table.register("billing", &[subscription("order.*")], 0).unwrap();
    assert_eq!(table.send_again(None, 0).unwrap(), 1);
    assert_eq!(ids(&mut table, "billing", 0), ["a"]);
}

#[test]
fn a_job_waits_until_it_is_due_and_one_with_its_key_is_not_taken_in_meanwhile() {
    let (mut table, _folder) = table();
    table.register("mail", &[subscription("send-mail")], 0).unwrap();
    let job = |id: &str| Message { key: Some("ada".to_owned()), after: 300, ..message(id, "send-mail") };
    table.accept(&job("a")).unwrap();
    table.accept(&job("b")).unwrap();
    assert!(take(&mut table, "mail", 299).is_empty());
    let held = take(&mut table, "mail", 300).remove(0).held;
    table.accept(&job("c")).unwrap();
    assert!(take(&mut table, "mail", 900).is_empty(), "the first one goes on");
    assert!(table.acknowledge(held).unwrap());
    table.accept(&job("d")).unwrap();
    assert_eq!(ids(&mut table, "mail", 900), ["d"]);
}

#[test]
fn runs_are_made_one_at_a_time_and_none_is_made_up_for() {
    let (mut table, _folder) = table();
    let run = Subscription { every: Some(100), ..subscription("cron.tally") };
    table.register("mail", std::slice::from_ref(&run), 0).unwrap();
    let first = take(&mut table, "mail", 0).remove(0);
    assert!(take(&mut table, "mail", 50).is_empty());
    assert!(take(&mut table, "mail", 100).is_empty(), "the first one goes on");
    // What registers again, as a replica does that starts, makes no run.
    table.register("mail", &[run], 150).unwrap();
    assert!(table.acknowledge(first.held).unwrap());
    assert!(take(&mut table, "mail", 199).is_empty());
    let late = take(&mut table, "mail", 1_000);
    assert_eq!(late.len(), 1, "{late:?}");
    let failure = Failure { held: late[0].held, why: "no paper".to_owned() };
    assert!(table.fail(&failure, 1_010).unwrap());
    assert!(table.letters().unwrap().is_empty(), "the next run is its next attempt");
    assert!(take(&mut table, "mail", 1_099).is_empty());
    assert_eq!(take(&mut table, "mail", 1_100).len(), 1);
    assert_eq!(table.accept(&message("a", "cron.tally")).unwrap(), 0, "nobody else makes one");
}
