//! What became of the rows, and what else records tell that is not about time.

use interlock::{
    operation::drill::ledger::{
        Flaw, Judgement, Line, Mark, Measurement, Micros, Miss, Objectives, Records, Verdict, Word, judge, measure,
    },
    ports::Written,
};

use crate::{
    classic::{FAULT, asked, kill, reasons},
    story::{Node, PERIOD, Story, figures, ms, unknown},
};

#[test]
fn unknown_outcomes_are_resolved_by_the_table() {
    let mut story = Story::new();
    story.run(0, FAULT, 0, |_| [Node::Primary, Node::Standby]);
    story.mark(Mark::Fault, FAULT);
    let done = story.write(0, 0, Some(FAULT), FAULT, FAULT + 900, unknown("eof"));
    story.write(0, 0, Some(FAULT + 100), FAULT + 100, FAULT + 900, unknown("eof"));
    story.write(0, 0, Some(FAULT + 200), FAULT + 200, FAULT + 900, unknown("timeout"));
    story.run(FAULT + ms(5), FAULT + ms(400), 0, |_| [Node::Primary, Node::Standby]);
    let mut records = story.finish("a", &[]);
    records.finals.rows.values_mut().for_each(|rows| assert_eq!(rows.insert(done, 1), None));
    let measured = figures(&records);
    let fate = measured.fate.as_ref().unwrap();
    assert_eq!((fate.unknown_present, fate.unknown_absent, fate.lost.count), (1, 2, 0));
    assert_eq!((measured.counts.unknown["eof"], measured.counts.unknown["timeout"]), (2, 1));
    // A committed row whose answer was lost is neither a phantom nor a loss.
    assert_eq!(judge(&measured, &Objectives::default()).verdict, Verdict::Pass);
}

type Change<'a> = &'a dyn Fn(&mut Records);

#[test]
fn rows_that_should_not_be_there_fail_whatever_was_asked() {
    let mut records = kill(ms(300), 0, 0);
    let refused = records.attempts.iter().find(|attempt| !attempt.is_acknowledged()).unwrap().id;
    let acked = records.attempts[0].id;
    let tables: [(&str, Change, &str); 4] = [
        ("duplicate", &|r| set(r, acked, 2), "1 rows are there more than once"),
        ("phantom", &|r| set(r, 9_999_999, 1), "1 rows are there that nobody wrote"),
        ("refused", &|r| set(r, refused, 1), "1 rows are there whose writes were refused"),
        (
            "divergent",
            &|r| assert_eq!(r.finals.rows.get_mut("a").unwrap().remove(&acked), Some(1)),
            "a has 1 rows otherwise than b",
        ),
    ];
    for (name, change, why) in tables {
        let mut changed = records.clone();
        change(&mut changed);
        let judgement = judge(&figures(&changed), &Objectives::default());
        assert_eq!(judgement.verdict, Verdict::Fail, "{name}");
        assert!(judgement.reasons.iter().any(|reason| reason.why == why), "{name}: {}", reasons(&judgement));
    }
    records.finals.rows.remove("a");
    let fate = figures(&records).fate.unwrap();
    assert_eq!((fate.unread, fate.divergent.len()), (vec!["a".to_owned()], 0));
}

fn set(records: &mut Records, id: u64, times: u32) {
    records.finals.rows.values_mut().for_each(|rows| {
        rows.insert(id, times);
    });
}

#[test]
fn what_could_not_be_read_is_not_called_lossless() {
    let mut records = kill(ms(300), 0, 0);
    records.finals.rows.remove("b");
    let measured = figures(&records);
    assert_eq!((&measured.fate, measured.gaps.durable), (&None, None));
    assert_eq!(judge(&measured, &asked("1s", 0)).verdict, Verdict::NotProven);
}

#[test]
fn acknowledged_with_a_warning_is_counted() {
    let mut records = kill(ms(300), 0, 0);
    records.words.push("canceling wait for synchronous replication".to_owned());
    let word = Word(u16::try_from(records.words.len() - 1).unwrap());
    records.attempts[0].notice = Some(word);
    let counts = figures(&records).counts;
    assert_eq!((counts.warned, counts.notices["canceling wait for synchronous replication"]), (1, 1));
}

#[test]
fn missed_slots_count_where_the_drill_does_not_explain_them() {
    let course = |stream: u16, from: u64, why: Miss| {
        let mut story = Story::new();
        story.run(0, FAULT, 0, |_| [Node::Primary, Node::Standby]);
        story.mark(Mark::Fault, FAULT);
        story.run(FAULT, FAULT + ms(300), 0, |_| [Node::Gone, Node::Standby]);
        story.run(FAULT + ms(300), FAULT + ms(2_900), 0, |_| [Node::Gone, Node::Primary]);
        for slot in 0..20 {
            story.ledger.add(Line::Missed { stream, due: Micros(from + slot * PERIOD), why });
        }
        let measured = figures(&story.finish("b", &[]));
        (measured.slots[usize::from(stream)].unexplained, judge(&measured, &asked("1s", 0)).verdict)
    };
    assert_eq!(course(0, FAULT + ms(100), Miss::Busy), (0, Verdict::Pass));
    assert_eq!(course(0, FAULT + ms(100), Miss::Late), (20, Verdict::NotProven));
    assert_eq!(course(0, ms(100), Miss::Busy), (20, Verdict::NotProven));
    assert_eq!(course(0, FAULT + ms(2_500), Miss::Busy), (0, Verdict::Pass));
    assert_eq!(course(1, FAULT + ms(700), Miss::Busy), (0, Verdict::Pass));
    assert_eq!(course(1, ms(100), Miss::Busy), (20, Verdict::NotProven));
}

#[test]
fn records_that_contradict_themselves_give_no_figures() {
    let good = kill(ms(300), 0, 0);
    let flaw = |change: &dyn Fn(&mut Records)| {
        let mut records = good.clone();
        change(&mut records);
        measure(&records).unwrap_err()
    };
    assert_eq!(flaw(&|r| r.marks.fault = None), Flaw::NoFault);
    assert_eq!(flaw(&|r| r.head.streams.iter_mut().for_each(|s| s.node = Some(0))), Flaw::NoRouted);
    assert_eq!(flaw(&|r| r.marks.fault = Some(Micros(10))), Flaw::NoBaseline { writes: 0 });
    assert_eq!(flaw(&|r| r.attempts.clear()), Flaw::NoBaseline { writes: 0 });
    assert_eq!(flaw(&|r| r.attempts[1].id = r.attempts[0].id), Flaw::Twice { id: good.attempts[0].id });
    assert_eq!(flaw(&|r| r.attempts[5].answered = Micros(0)), Flaw::Backwards { id: good.attempts[5].id });
    assert_eq!(flaw(&|r| r.attempts[0].node = 7), Flaw::Stray { id: good.attempts[0].id });
    let empty = Story::new().finish("a", &[]);
    assert_eq!(measure(&empty), Err(Flaw::NoFault));
}

#[test]
fn written_outcomes_survive_serde() {
    let measured = figures(&kill(ms(300), 2, 0));
    let text = serde_json::to_string(&measured).unwrap();
    assert_eq!(serde_json::from_str::<Measurement>(&text).unwrap(), measured);
    let judgement = judge(&measured, &asked("1s", 0));
    assert_eq!(serde_json::from_str::<Judgement>(&serde_json::to_string(&judgement).unwrap()).unwrap(), judgement);
    assert_eq!(serde_json::from_str::<Written>("\"acknowledged\"").unwrap(), Written::Acknowledged);
    let records = kill(ms(300), 2, 0);
    assert_eq!(serde_json::from_str::<Records>(&serde_json::to_string(&records).unwrap()).unwrap(), records);
}
