//! Tests of counting: resets, births, gaps, and queries that run apart.

use proptest::prelude::*;

use super::*;
use crate::ports::{Labels, MatchOp, Matcher, Point};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn series(labels: &[(&str, &str)], points: &[(i64, f64)]) -> Series {
    Series {
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        points: points.iter().map(|(s, value)| Point { at: at(*s), value: *value }).collect(),
    }
}

fn selector(metric: &str) -> Selector {
    Selector::counters(metric.to_owned(), vec![])
}

fn bad_of_total() -> Tally {
    let selectors = vec![(Side::Bad, selector("bad")), (Side::Total, selector("all"))];
    Tally::new(Counting { selectors, edge: None }, at(0))
}

fn good_of_total() -> Tally {
    let selectors = vec![(Side::Good, selector("good")), (Side::Total, selector("all"))];
    Tally::new(Counting { selectors, edge: None }, at(0))
}

#[test]
fn increments_add_up_per_series_and_survive_resets() {
    let mut tally = bad_of_total();
    let a = [("instance", "a")];
    let b = [("instance", "b")];
    tally.look(&[vec![], vec![series(&a, &[(-5, 100.0)]), series(&b, &[(-5, 7.0)])]]);
    assert_eq!(tally.take(), Counts::default());
    // `a` restarts and has counted 3 since; `b` goes on. Their sum shrinks, and that is no reset.
    tally.look(&[vec![], vec![series(&a, &[(1, 110.0), (2, 3.0)]), series(&b, &[(1, 9.0), (2, 9.0)])]]);
    assert_eq!(tally.take(), Counts { total: 15, bad: 0 });
    // `b` is gone; nothing is taken away.
    tally.look(&[vec![], vec![series(&a, &[(3, 5.0)])]]);
    assert_eq!(tally.take(), Counts { total: 2, bad: 0 });
    assert_eq!(tally.counts(), Counts { total: 17, bad: 0 });
}

#[test]
fn failures_after_a_restart_that_looks_like_a_step_back_wait_for_the_requests_beside_them() {
    let mut tally = bad_of_total();
    let scrape = |second, ok, bad| {
        let of = |code, value| series(&[("instance", "a"), ("code", code)], &[(second, value)]);
        picked(vec![of("200", ok), of("500", bad)])
    };
    tally.look(&scrape(0, 300.0, 1.0));
    // It began anew right after that, and had nearly as much since.
    tally.look(&scrape(15, 280.0, 9.0));
    assert_eq!(tally.take(), Counts::default());
    tally.look(&scrape(30, 580.0, 15.0));
    assert_eq!(tally.take(), Counts { total: 294, bad: 14 });
    // Failures alone are more than a step back once they exceed it.
    tally.look(&scrape(45, 570.0, 40.0));
    assert_eq!(tally.take(), Counts { total: 25, bad: 25 });
}

#[test]
fn noise_is_passed_over() {
    let mut tally = bad_of_total();
    let a = [("instance", "a")];
    tally.look(&[vec![], vec![series(&a, &[(-5, 10.0)])]]);
    let noisy = series(&a, &[(2, 14.0), (1, 12.0), (2, 14.0), (3, f64::NAN), (4, f64::INFINITY), (5, -1.0), (6, 15.0)]);
    tally.look(&[vec![], vec![noisy]]);
    assert_eq!(tally.take().total, 5);
    tally.look(&[vec![], vec![]]);
    assert_eq!(tally.take(), Counts::default());
    assert_eq!(tally.newest(), Some(at(6)));
}

#[test]
fn an_error_series_born_on_a_known_target_counts_from_zero() {
    let mut tally = bad_of_total();
    let ok = [("instance", "a"), ("code", "200")];
    let failed = [("instance", "a"), ("code", "500")];
    tally.look(&[vec![], vec![series(&ok, &[(-5, 10.0)])]]);
    let born = series(&failed, &[(2, 4.0)]);
    tally.look(&[vec![born.clone()], vec![series(&ok, &[(1, 10.0), (2, 16.0)]), born]]);
    assert_eq!(tally.take(), Counts { total: 10, bad: 4 });
}

#[test]
fn a_series_of_an_unknown_target_counts_from_its_first_value() {
    let mut tally = bad_of_total();
    let late = series(&[("instance", "z"), ("code", "500")], &[(2, 4000.0), (3, 4001.0)]);
    tally.look(&[vec![], vec![series(&[("instance", "a")], &[(-5, 10.0)])]]);
    tally.look(&[vec![late.clone()], vec![late]]);
    assert_eq!(tally.take(), Counts { total: 1, bad: 1 });
}

#[test]
fn what_stands_beside_makes_a_target_known_to_later_looks() {
    let blue = |second| vec![vec![series(&[("instance", "gateway"), ("slot", "blue")], &[(second, 900.0)])]];
    let green = |second| [vec![], vec![series(&[("instance", "gateway"), ("slot", "green")], &[(second, 40.0)])]];
    // Nobody saw the gateway without the series, so nobody knows whether it is new or has counted for months.
    let mut hasty = bad_of_total();
    hasty.look_beside(&green(2), &blue(2));
    assert_eq!(hasty.take().total, 0);
    // An earlier look did.
    let mut tally = bad_of_total();
    tally.look_beside(&[vec![], vec![]], &blue(1));
    tally.look_beside(&green(2), &blue(2));
    assert_eq!(tally.take().total, 40);
}

#[test]
fn queries_that_run_apart_do_not_look_like_failures() {
    let mut tally = good_of_total();
    let a = [("instance", "a")];
    tally.look(&[vec![series(&a, &[(0, 10.0)])], vec![series(&a, &[(0, 10.0)])]]);
    // A scrape lands between the two queries: the total has it, the good ones do not.
    let good = series(&a, &[(0, 10.0), (1, 60.0)]);
    let total = series(&a, &[(0, 10.0), (1, 60.0), (2, 160.0)]);
    tally.look(&[vec![good], vec![total]]);
    assert_eq!(tally.take(), Counts { total: 50, bad: 0 });
    // The same with nothing new on one side: it is still there, because the last sample is read again.
    assert!(tally.since() < at(1));
    tally.look(&[vec![series(&a, &[(1, 60.0)])], vec![series(&a, &[(1, 60.0), (2, 160.0)])]]);
    assert_eq!(tally.take(), Counts::default());
    tally.look(&[vec![series(&a, &[(1, 60.0), (2, 150.0)])], vec![series(&a, &[(1, 60.0), (2, 160.0)])]]);
    assert_eq!(tally.take(), Counts { total: 100, bad: 10 });
}

#[test]
fn a_side_that_has_gone_is_not_waited_for() {
    let mut tally = good_of_total();
    let a = [("instance", "a")];
    tally.look(&[vec![series(&a, &[(0, 10.0)])], vec![series(&a, &[(0, 10.0)])]]);
    let total = series(&a, &[(0, 10.0), (1, 11.0), (2, 12.0), (3, 13.0)]);
    tally.look(&[vec![series(&a, &[(0, 10.0)])], vec![total]]);
    assert_eq!(tally.take(), Counts { total: 3, bad: 3 });
}

#[test]
fn a_slot_without_any_good_event_is_all_bad() {
    let mut tally = good_of_total();
    let a = [("instance", "a")];
    tally.look(&[vec![], vec![series(&a, &[(0, 0.0)])]]);
    tally.look(&[vec![], vec![series(&a, &[(0, 0.0), (1, 25.0)])]]);
    assert_eq!(tally.take(), Counts { total: 25, bad: 25 });
}

#[test]
fn a_stored_tally_goes_on_where_it_was() {
    let mut tally = bad_of_total();
    let a = [("instance", "a"), ("path", "\"quoted\"")];
    tally.look(&[vec![], vec![series(&a, &[(0, 10.0), (1, 12.0)])]]);
    let stored = serde_json::to_string(&tally).unwrap();
    let mut again: Tally = serde_json::from_str(&stored).unwrap();
    assert_eq!(again, tally);
    again.look(&[vec![], vec![series(&a, &[(1, 12.0), (2, 20.0)])]]);
    assert_eq!(again.counts().total, 10);
}

#[test]
fn slots_are_picked_by_their_labels() {
    let mut all = bad_of_total().counting().clone();
    all.selectors[0].1.matchers.push(Matcher { label: "slot".into(), op: MatchOp::Equal, value: "green".into() });
    let labels = Labels::from([("slot".to_owned(), "green".to_owned())]);
    let picked = all.with(&labels.into());
    assert!(picked.selectors.iter().all(|(_, s)| s.matchers.len() == 1));
}

fn any_series() -> impl Strategy<Value = Series> {
    let value =
        prop_oneof![0.0..1e6_f64, Just(f64::NAN), Just(f64::INFINITY), Just(f64::MAX), Just(-3.0), any::<f64>(),];
    let points = prop::collection::vec((-50_i64..200, value), 0..12);
    ("[ab]", "(200|500)", points)
        .prop_map(|(instance, code, points)| series(&[("instance", &instance), ("code", &code)], &points))
}

proptest! {
    #[test]
    fn counts_never_shrink_and_bad_is_never_above_total(
        looks in prop::collection::vec((prop::collection::vec(any_series(), 0..4), prop::collection::vec(any_series(), 0..4)), 1..8),
        good in any::<bool>(),
    ) {
        let mut tally = if good { good_of_total() } else { bad_of_total() };
        let mut before = 0;
        for (one, two) in looks {
            tally.look(&[one, two]);
            for sum in &tally.sums {
                prop_assert!(sum.sum().is_finite() && sum.sum() >= 0.0);
            }
            let (counts, taken) = (tally.counts(), tally.take());
            prop_assert!(counts.total >= before && counts.bad <= counts.total && taken.bad <= taken.total);
            before = counts.total;
        }
    }

    /// The two queries of a look see scrapes up to different times, targets are scraped apart, and processes restart;
    /// good events are never taken for bad ones, and in the end everything is counted.
    #[test]
    fn races_between_queries_never_invent_failures(
        steps in prop::collection::vec((0_u32..50, 0_u32..3, 0_i64..2, 0_i64..2, prop::bool::weighted(0.1), any::<bool>()), 1..40),
        healthy in any::<bool>(),
    ) {
        let mut tally = good_of_total();
        let targets = [[("instance", "a")], [("instance", "b")]];
        // (time, good, total) of every scrape, per target; both begin with a history that does not count.
        let mut scrapes = [vec![(0, 500.0, 600.0)], vec![(0, 70.0, 70.0)]];
        let (mut all, mut failed) = (0, 0);
        let see = |scrapes: &[Vec<(i64, f64, f64)>; 2], until: i64, since: Timestamp, total: bool| -> Vec<Series> {
            scrapes.iter().zip(&targets).map(|(scrapes, labels)| {
                let seen: Vec<_> = scrapes.iter().filter(|(t, ..)| *t <= until && at(*t) > since).collect();
                series(labels, &seen.iter().map(|(t, g, all)| (*t, if total { *all } else { *g })).collect::<Vec<_>>())
            }).filter(|s| !s.points.is_empty()).collect()
        };
        let since = tally.since();
        tally.look(&[see(&scrapes, 0, since, false), see(&scrapes, 0, since, true)]);
        for (i, (good, bad, early, late, restart, which)) in steps.into_iter().enumerate() {
            let now = i as i64 + 1;
            let bad = if healthy { 0 } else { bad };
            let target = &mut scrapes[usize::from(which)];
            let (_, mut g, mut t) = target[target.len() - 1];
            if restart && good > 0 {
                (g, t) = (0.0, 0.0);
            }
            let grown = (g + f64::from(good), t + f64::from(good + bad));
            // A restart after which one scrape has more than half of all before is taken for a step back.
            let (_, g0, t0) = target[target.len() - 1];
            if restart && (grown.0 >= g0 / 2.0 || grown.1 >= t0 / 2.0) {
                continue;
            }
            target.push((now, grown.0, grown.1));
            all += u64::from(good + bad);
            failed += u64::from(bad);
            let since = tally.since();
            tally.look(&[see(&scrapes, now - early, since, false), see(&scrapes, now - late, since, true)]);
            let counts = tally.counts();
            prop_assert!(counts.bad <= failed && counts.total <= all, "{counts:?} of {all} and {failed}");
        }
        for _ in 0..2 {
            let since = tally.since();
            tally.look(&[see(&scrapes, 1000, since, false), see(&scrapes, 1000, since, true)]);
        }
        prop_assert_eq!(tally.counts(), Counts { total: all, bad: failed });
    }
}

/// A gateway that counts for both slots, scrape by scrape: what blue got, and what green got, good and bad.
type Gateway = Vec<(f64, f64, f64)>;

/// The page of a gateway up to a scrape: series are born with their first event.
fn gateway(scrapes: &Gateway, until: usize, since: Timestamp) -> [Vec<Series>; 2] {
    let mut sums = [0.0; 3];
    let mut points = [vec![], vec![], vec![]];
    for (i, (blue, good, bad)) in scrapes.iter().enumerate().take(until) {
        let now = i as i64;
        for ((sum, points), more) in sums.iter_mut().zip(&mut points).zip([blue, good, bad]) {
            *sum += more;
            if *sum > 0.0 && at(now) > since {
                points.push((now, *sum));
            }
        }
    }
    let of = |slot, code, points: &Vec<(i64, f64)>| {
        series(&[("instance", "gateway"), ("slot", slot), ("code", code)], points)
    };
    let shown = |all: Vec<Series>| all.into_iter().filter(|s| !s.points.is_empty()).collect();
    [
        shown(vec![of("blue", "200", &points[0])]),
        shown(vec![of("green", "200", &points[1]), of("green", "500", &points[2])]),
    ]
}

/// What the selectors for bad events and for all of them pick of the series of green.
fn picked(green: Vec<Series>) -> [Vec<Series>; 2] {
    let bad = green.iter().filter(|s| s.labels["code"] == "500").cloned().collect();
    [bad, green]
}

proptest! {
    /// All that a new slot's series counted is attributed to it, from the very first request on, if an earlier look saw
    /// the gateway without them, however many scrapes lie between two looks, and whichever series is born when.
    #[test]
    fn a_new_slots_series_count_from_their_first_event(
        before in 2_usize..6,
        after in prop::collection::vec((30_u32..40, 0_u32..=30), 1..20),
        every in 1_usize..5,
    ) {
        let mut scrapes: Gateway = vec![(35.0, 0.0, 0.0); before];
        scrapes.extend(after.iter().map(|(all, bad)| (0.0, f64::from(all - bad), f64::from(*bad))));
        let mut tally = bad_of_total();
        tally.start = at(0) - SignedDuration::from_secs(1);
        let looks = (before..scrapes.len()).step_by(every).chain([scrapes.len(), scrapes.len()]);
        for until in looks {
            let since = tally.since();
            let [blue, green] = gateway(&scrapes, until, since);
            tally.look_beside(&picked(green), &[blue]);
        }
        let sum = |of: fn(&(u32, u32)) -> u32| after.iter().map(|one| u64::from(of(one))).sum::<u64>();
        prop_assert_eq!(tally.counts(), Counts { total: sum(|one| one.0), bad: sum(|one| one.1) });
    }

    /// An exporter that hides an idle series and shows it again with the total of its life brings no more than what its
    /// target can have had meanwhile, and nothing at all where that total is beyond it.
    #[test]
    fn a_series_that_was_hidden_is_not_born(
        life in 0_u32..20_000,
        rate in 20_u32..200,
        hidden in 3_usize..20,
        every in 1_usize..4,
    ) {
        let mut tally = bad_of_total();
        let a = |code| [("instance", "pod"), ("code", code)];
        let (total, looks) = (30_usize, |i: usize| i.is_multiple_of(every));
        let mut last = None;
        for now in (0..total).filter(|now| looks(*now)) {
            let from = last.map_or(0, |last: usize| last + 1);
            let points = |first: usize, base: u32, by: u32| -> Vec<(i64, f64)> {
                (from.max(first)..=now).map(|t| (t as i64, f64::from(base) + f64::from(by) * t as f64)).collect()
            };
            let ok = series(&a("200"), &points(0, 100_000, rate));
            let mut all = vec![ok];
            if now >= hidden {
                // One more error a second since it is shown.
                all.push(series(&a("500"), &points(hidden, life, 1)));
            }
            tally.look(&picked(all));
            last = Some(now);
        }
        let truth = (total - hidden) as u64;
        // The first scrapes show how busy the target is; before, its growth alone tells what it can have had.
        let usual = f64::from(rate) * every as f64;
        let paced = hidden.div_ceil(every) > 1;
        let room = (if paced { 3.0 * usual.sqrt() } else { 0.5 * usual } + 10.0).ceil() as u64;
        let counts = tally.counts();
        prop_assert!(counts.bad <= truth + room, "{counts:?}: {truth} and {room}");
        if u64::from(life) > room {
            prop_assert!(counts.bad <= truth, "{counts:?}: {truth}");
        }
    }

    /// A new slot's series all appear at once, and one of them, hidden before, brings the total of its life: what that adds is no
    /// more than chance, whenever traffic came since the scrape before, and no failure counts without the requests beside it.
    #[test]
    fn a_hidden_series_among_those_of_a_new_slot_adds_chance_at_most(
        rate in 20_u32..200, life in 1_u32..20_000, apart in 1_i64..30, since in 0.0_f64..1.0, bad in 1_u32..10,
    ) {
        let gateway = |slot, code, points: &[(i64, f64)]| {
            series(&[("instance", "gateway"), ("slot", slot), ("code", code)], points)
        };
        let usual = f64::from(rate) * apart as f64;
        let mut tally = bad_of_total();
        let blue = |scrape: i64, more: f64| {
            let points = [(scrape - 1, scrape as f64), (scrape, scrape as f64 + more)];
            [vec![gateway("blue", "200", &points.map(|(n, sum)| (n * apart, usual * sum)))]]
        };
        for scrape in 0..3 {
            tally.look_beside(&picked(vec![]), &blue(scrape, 1.0));
        }
        let all = (usual * (1.0 - since)).ceil() + f64::from(bad);
        let ok = gateway("green", "200", &[(3 * apart, all - f64::from(bad))]);
        let failed = gateway("green", "500", &[(3 * apart, f64::from(life + bad))]);
        tally.look_beside(&picked(vec![ok, failed]), &blue(3, since));
        let counts = tally.take();
        let most = 3.0 * usual.sqrt() + 12.0 + f64::from(bad);
        prop_assert!((counts.bad as f64) <= most, "{counts:?}: {most}");
        prop_assert!(counts.bad < counts.total || counts.total == 0, "{counts:?}: {most}");
    }

    /// Two replicas of a source answer in turn; one is behind the other, and each step back is neither a reset nor a loss.
    #[test]
    fn replicas_that_answer_in_turn_count_nothing_twice(
        rate in 1_u32..300,
        failures in prop::collection::vec(0_u32..3, 40),
        behind in 1_usize..3,
        second in prop::collection::vec(any::<bool>(), 36),
    ) {
        let mut tally = bad_of_total();
        let bad = |t: usize| failures.iter().take(t).sum::<u32>();
        let value = |t: usize| (f64::from(rate) * (t + 60) as f64, f64::from(bad(t)));
        for (i, second) in second.iter().enumerate() {
            let now = i + 4;
            // The second replica's clock is ahead: it stamps what it saw a while ago with the present time.
            let lag = if *second { behind } else { 0 };
            let times = now.saturating_sub(3)..=now;
            let of = |code, pick: fn((f64, f64)) -> f64| {
                let points: Vec<_> = times.clone().map(|t| (t as i64, pick(value(t.saturating_sub(lag))))).collect();
                series(&[("instance", "pod"), ("code", code)], &points)
            };
            tally.look(&picked(vec![of("200", |v| v.0), of("500", |v| v.1)]));
        }
        let counts = tally.counts();
        let most = u64::from(rate) * 39 + u64::from(bad(40));
        prop_assert!(counts.total <= most && counts.bad <= u64::from(bad(40)), "{counts:?} of {most}");
        prop_assert!(counts.total >= u64::from(rate) * 30, "{counts:?} of {most}");
    }
}
