//! The classic courses of a failover, as records whose figures are known.

use interlock::{
    model::HumanDuration,
    operation::drill::ledger::{
        Basis, Judgement, Line, Mark, Measurement, Micros, Objectives, Outage, Records, Verdict, judge,
    },
    ports::Sample,
};

use crate::story::{LATENCY, Node, PERIOD, Story, figures, ms, refused};

/// The fault of every story.
pub const FAULT: u64 = 500_000;

pub fn asked(rto: &str, rows: u64) -> Objectives {
    let rto: HumanDuration = rto.parse().unwrap();
    Objectives { rto: Some(rto), rpo_rows: Some(rows), rpo_time: None, rows_at_risk: 10 }
}

pub fn reasons(judgement: &Judgement) -> String {
    let told = judgement.reasons.iter().map(|reason| format!("{}: {}\n", reason.verdict.word(), reason.why));
    format!("{}\n{}", judgement.verdict.word(), told.collect::<String>())
}

fn seen(measured: &Measurement) -> (u64, u64) {
    match measured.outage {
        Outage::Seen { lower, upper, .. } => (lower.0, upper.0),
        other => panic!("{other:?}"),
    }
}

/// `a` is the primary until the fault, nobody for `outage` microseconds, then `b`; what `b` had not got is lost.
pub fn kill(outage: u64, last_lost: usize, lag: u64) -> Records {
    let mut story = Story::new();
    story.run(0, FAULT, lag, |_| [Node::Primary, Node::Standby]);
    story.mark(Mark::Fault, FAULT);
    story.run(FAULT, FAULT + outage, 0, |_| [Node::Gone, Node::Standby]);
    story.run(FAULT + outage, FAULT + outage + ms(500), 0, |_| [Node::Gone, Node::Primary]);
    let lost: Vec<u64> = story.acked[0].iter().rev().take(last_lost).copied().collect();
    let mut records = story.finish("b", &lost);
    records.finals.switched_at = Some(100 * 400 - 100 * last_lost as u64);
    records
}

#[test]
fn a_kill_that_loses_three_rows() {
    let records = kill(ms(1_400), 3, 300);
    let measured = figures(&records);
    let (lower, upper) = seen(&measured);
    assert!(lower <= ms(1_400) && ms(1_400) <= upper, "{lower} {upper}");
    assert!(upper - lower <= 5 * PERIOD, "{lower} {upper}");
    let fate = measured.fate.as_ref().unwrap();
    assert_eq!((fate.lost.count, fate.durable, fate.lost_by["a"]), (3, 400 + 400 - 3, 3));
    // Both streams write at `a`: the last three rows are of two slots.
    assert_eq!(fate.lost_within, Micros(PERIOD + LATENCY));
    // The last poll saw fewer rows than there were before those that were lost.
    assert_eq!((measured.overhang, measured.old.as_str(), measured.new.as_deref()), (Some(0), "a", Some("b")));
    assert_eq!(measured.risk.basis, Basis::Positions);
    // By the poll before the last one, `b` had all that `a` had had 20 ms earlier.
    assert!((17..=48).contains(&measured.risk.rows), "{:?}", measured.risk);
    assert_eq!(measured.gaps.durable.map(|gap| gap.ended), Some(true));
    assert_eq!(measured.gaps.nodes["a"].map(|gap| gap.ended), Some(false));
    assert!(measured.gaps.nodes["b"].is_some_and(|gap| gap.from == Micros(FAULT) && gap.ended));
    assert_eq!(measured.dual, None);
    insta::assert_snapshot!(reasons(&judge(&measured, &asked("1s", 0))), @r"
    failed
    failed: the outage lasted from 1.398 s to 1.403 s; 1.000 s are allowed
    failed: 3 acknowledged rows are lost; 0 are allowed
    ");
    insta::assert_snapshot!(reasons(&judge(&measured, &asked("2s", 5))), @r"
    passed
    passed: the outage lasted from 1.398 s to 1.403 s; 2.000 s are allowed
    passed: 3 acknowledged rows are lost; 5 are allowed
    ");
    assert_eq!(judge(&measured, &Objectives::default()).verdict, Verdict::Pass);
}

#[test]
fn an_objective_within_the_interval_is_not_proven() {
    let measured = figures(&kill(ms(1_400), 0, 300));
    let (lower, upper) = seen(&measured);
    let with = |rto: u64| {
        judge(&measured, &Objectives { rto: Some(HumanDuration(Micros(rto).into())), ..Objectives::default() })
    };
    assert_eq!(with(upper).verdict, Verdict::Pass);
    assert_eq!(with(upper - 1).verdict, Verdict::NotProven);
    assert_eq!(with(lower).verdict, Verdict::NotProven);
    assert_eq!(with(lower - 1).verdict, Verdict::Fail);
}

#[test]
fn nothing_lost_with_too_little_at_risk_proves_nothing() {
    let measured = figures(&kill(ms(300), 0, 0));
    let few = Objectives { rows_at_risk: 1_000, ..asked("1s", 0) };
    insta::assert_snapshot!(reasons(&judge(&measured, &few)), @r"
    not proven
    passed: the outage lasted from 298.0 ms to 302.9 ms; 1.000 s are allowed
    not proven: no row is lost, but only 16 were at risk, and 1000 are asked for
    ");
    assert_eq!(judge(&measured, &Objectives { rpo_rows: None, ..few }).verdict, Verdict::Pass);
    let bound = 3.0 / measured.risk.rows as f64;
    assert!((measured.risk.bound() - bound).abs() < 1e-12);
}

#[test]
fn a_standby_that_lags_puts_more_rows_at_risk() {
    let near = figures(&kill(ms(300), 0, 0)).risk.rows;
    // 200 rows behind at every poll.
    let far = figures(&kill(ms(300), 0, 20_000)).risk.rows;
    assert!((near + 190..=near + 220).contains(&far), "{near} {far}");
    // Without positions it is the last second, which is the whole of the record, by both streams at `a`.
    let mut no_data = kill(ms(300), 0, 0);
    no_data.polls.iter_mut().for_each(|poll| poll.position = None);
    let risk = figures(&no_data).risk;
    assert_eq!((risk.rows, risk.basis), (400, Basis::Time));
}

#[test]
fn what_the_old_primary_was_polled_at_beyond_the_new_history() {
    let mut records = kill(ms(300), 30, 300);
    records.finals.switched_at = Some(35_000);
    assert_eq!(figures(&records).overhang, Some(38_600 - 35_000));
    // No history begins where the primary stays.
    records.finals.primary = Some("a".to_owned());
    assert_eq!(figures(&records).overhang, None);
}

#[test]
fn a_clean_switchover_passes() {
    let mut story = Story::new();
    story.run(0, FAULT, 0, |_| [Node::Primary, Node::Standby]);
    story.mark(Mark::BaselineEnded, FAULT - ms(50));
    story.mark(Mark::Fault, FAULT);
    story.run(FAULT, FAULT + ms(200), 0, |_| [Node::Primary, Node::Standby]);
    story.run(FAULT + ms(200), FAULT + ms(280), 0, |_| [Node::Standby, Node::Standby]);
    story.run(FAULT + ms(280), FAULT + ms(900), 0, |_| [Node::Standby, Node::Primary]);
    let measured = figures(&story.finish("b", &[]));
    let (lower, upper) = seen(&measured);
    assert!(lower <= ms(80) && ms(80) <= upper && upper - lower <= 5 * PERIOD, "{lower} {upper}");
    assert_eq!((measured.interruptions, measured.dual.as_ref()), (1, None));
    assert_eq!(measured.counts.acknowledged + measured.counts.refused.values().sum::<u64>(), measured.counts.attempts);
    insta::assert_snapshot!(reasons(&judge(&measured, &asked("1s", 0))), @r"
    passed
    passed: the outage lasted from 77.7 ms to 82.9 ms; 1.000 s are allowed
    passed: no row is lost of 176 at risk: at most 1.70 % of such rows are, with 95 % confidence
    ");
}

#[test]
fn no_outage_claims_nothing_finer_than_the_resolution() {
    let mut story = Story::new();
    story.run(0, FAULT, 0, |_| [Node::Primary, Node::Standby]);
    story.mark(Mark::Fault, FAULT);
    story.run(FAULT, FAULT + ms(500), 0, |_| [Node::Primary, Node::Standby]);
    let measured = figures(&story.finish("a", &[]));
    assert_eq!(measured.outage, Outage::BelowResolution { largest: Micros(PERIOD + LATENCY) });
    assert_eq!(measured.resolution.limit(), Micros(2 * PERIOD));
    insta::assert_snapshot!(reasons(&judge(&measured, &asked("1s", 0))), @r"
    passed
    passed: no outage longer than the resolution of 5.0 ms was seen; 1.000 s are allowed
    passed: no row is lost of 400 at risk: at most 0.75 % of such rows are, with 95 % confidence
    ");
    assert_eq!(judge(&measured, &asked("4ms", 0)).verdict, Verdict::NotProven);
}

#[test]
fn a_restless_baseline_hides_short_outages() {
    let course = |outage: u64| {
        let mut story = Story::new();
        story.run(0, ms(200), 0, |_| [Node::Primary, Node::Standby]);
        story.run(ms(230), FAULT, 0, |_| [Node::Primary, Node::Standby]);
        story.mark(Mark::Fault, FAULT);
        story.run(FAULT + outage, FAULT + ms(500), 0, |_| [Node::Primary, Node::Standby]);
        figures(&story.finish("a", &[]))
    };
    assert_eq!(course(ms(30)).resolution.limit(), Micros(ms(30) + PERIOD + LATENCY));
    assert!(matches!(course(ms(30)).outage, Outage::BelowResolution { .. }));
    // Nobody refused: it may have been this machine, so nothing is known of the lower bound.
    assert_eq!(seen(&course(ms(40))), (0, ms(40) + PERIOD + LATENCY));
}

#[test]
fn an_outage_that_never_ends_fails() {
    let mut story = Story::new();
    story.run(0, FAULT, 0, |_| [Node::Primary, Node::Standby]);
    story.mark(Mark::Fault, FAULT);
    story.run(FAULT, FAULT + ms(800), 0, |_| [Node::Gone, Node::Standby]);
    let mut records = story.finish("b", &[]);
    records.finals.primary = None;
    let measured = figures(&records);
    let Outage::Unended { lower, silent, .. } = measured.outage else { panic!("{:?}", measured.outage) };
    assert!(lower.0 <= ms(800) && ms(800) <= silent.0, "{lower} {silent}");
    assert_eq!((&measured.fate, measured.overhang), (&None, None));
    insta::assert_snapshot!(reasons(&judge(&measured, &asked("1s", 0))), @r"
    failed
    failed: nothing was acknowledged any more in the last 802.5 ms of the record
    not proven: what was lost is not known: the primary's table could not be read
    ");
}

#[test]
fn a_second_silence_at_the_end_is_not_taken_for_health() {
    let mut story = Story::new();
    story.run(0, FAULT, 0, |_| [Node::Primary, Node::Standby]);
    story.mark(Mark::Fault, FAULT);
    story.run(FAULT, FAULT + ms(300), 0, |_| [Node::Gone, Node::Standby]);
    story.run(FAULT + ms(300), FAULT + ms(600), 0, |_| [Node::Gone, Node::Primary]);
    story.run(FAULT + ms(600), FAULT + ms(700), 0, |_| [Node::Gone, Node::Standby]);
    let measured = figures(&story.finish("b", &[]));
    assert_eq!(seen(&measured).1, ms(300) + PERIOD + LATENCY);
    let judgement = judge(&measured, &asked("1s", 0));
    assert_eq!(judgement.verdict, Verdict::NotProven, "{}", reasons(&judgement));
}

#[test]
fn a_refusal_of_the_old_primary_says_nothing_about_the_new_one() {
    let mut story = Story::new();
    story.run(0, FAULT, 0, |_| [Node::Primary, Node::Standby]);
    story.mark(Mark::Fault, FAULT);
    story.run(FAULT, FAULT + ms(100), 0, |_| [Node::Gone, Node::Standby]);
    // `b` takes writes now, and for another 200 ms the routed writer asks `a` only; nobody is pinned to `b`.
    for at in (FAULT + ms(100)..FAULT + ms(300)).step_by(2_500) {
        story.write(0, 0, None, at, at + 100, refused("connect"));
    }
    story.run(FAULT + ms(300), FAULT + ms(500), 0, |_| [Node::Gone, Node::Primary]);
    let (lower, upper) = seen(&figures(&story.finish("b", &[])));
    assert!(lower <= ms(100) && upper >= ms(300), "{lower} {upper}");
}

#[test]
fn a_node_that_nobody_asked_leaves_no_lower_bound() {
    let mut records = kill(ms(300), 0, 0);
    records.head.nodes.push("c".to_owned());
    assert_eq!(seen(&figures(&records)).0, 0);
}

#[test]
fn split_brain_shows_in_durable_rows_and_in_who_took_writes() {
    let mut story = Story::new();
    story.run(0, FAULT, 0, |_| [Node::Primary, Node::Standby]);
    story.mark(Mark::Fault, FAULT);
    // `a` goes on alone; `b` is promoted a second later; `a` is fenced three seconds after that.
    story.run(FAULT, FAULT + ms(1_000), 0, |_| [Node::Primary, Node::Standby]);
    let before = story.acked[0].len();
    story.run(FAULT + ms(1_000), FAULT + ms(4_000), 0, |_| [Node::Primary, Node::Primary]);
    story.run(FAULT + ms(4_000), FAULT + ms(5_000), 0, |_| [Node::Gone, Node::Primary]);
    let since_fault = 400;
    let lost: Vec<u64> = story.acked[0][since_fault..].to_vec();
    let both = story.acked[0].len() - before;
    let measured = figures(&story.finish("b", &lost));
    assert!(matches!(measured.outage, Outage::BelowResolution { .. }), "{:?}", measured.outage);
    assert!(measured.gaps.any.length() < Micros::millis(5));
    assert!(
        measured.gaps.durable.is_some_and(|gap| (Micros::millis(1_000)..Micros::millis(1_010)).contains(&gap.length()))
    );
    let dual = measured.dual.as_ref().unwrap();
    assert_eq!((dual.winner.as_str(), dual.loser.as_str()), ("b", "a"));
    assert!((Micros::millis(2_990)..=Micros::millis(3_000)).contains(&dual.length), "{dual:?}");
    assert!((both as u64 - 2..=both as u64).contains(&dual.acknowledged), "{dual:?} of {both}");
    assert_eq!(dual.lost, Some(dual.acknowledged));
    assert_eq!(measured.risk.rows as usize, lost.len() + 16);
    let judgement = judge(&measured, &Objectives::default());
    assert_eq!(judgement.verdict, Verdict::Fail, "{}", reasons(&judgement));
}

#[test]
fn a_probe_that_was_blocked_counts_at_its_completion() {
    let course = |late: Option<u64>| {
        let mut story = Story::new();
        story.run(0, FAULT, 0, |_| [Node::Primary, Node::Standby]);
        story.mark(Mark::Fault, FAULT);
        story.run(FAULT, FAULT + ms(300), 0, |_| [Node::Gone, Node::Standby]);
        story.run(FAULT + ms(300), FAULT + ms(900), 0, |_| [Node::Gone, Node::Primary]);
        if let Some(answered) = late {
            let seen = Some(Sample { writable: true, timeline: None, position: None });
            let (asked, answered) = (Micros(FAULT + ms(1)), Micros(answered));
            story.ledger.add(Line::Polled { node: 0, asked, answered, seen });
        }
        figures(&story.finish("b", &[])).dual
    };
    assert_eq!(course(None), None);
    // While it was stopped it took no writes, whenever it was asked.
    assert_eq!(course(Some(FAULT + ms(250))), None);
    let dual = course(Some(FAULT + ms(700))).unwrap();
    assert_eq!((dual.from, dual.length, dual.loser.as_str()), (Micros(FAULT + ms(700)), Micros(0), "a"));
}

#[test]
fn a_role_that_moves_within_a_poll_is_no_split() {
    let mut story = Story::new();
    story.run(0, FAULT, 0, |_| [Node::Primary, Node::Standby]);
    story.mark(Mark::Fault, FAULT);
    story.run(FAULT, FAULT + ms(300), 0, |_| [Node::Standby, Node::Primary]);
    // The last answer of `a` was under way for long, and came after `b` had taken writes.
    let seen = Some(Sample { writable: true, timeline: None, position: None });
    let (asked, answered) = (Micros(FAULT - 200), Micros(FAULT + ms(8)));
    story.ledger.add(Line::Polled { node: 0, asked, answered, seen });
    assert_eq!(figures(&story.finish("b", &[])).dual, None);
}
