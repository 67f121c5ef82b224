//! Replies: what belongs to which frame, whatever the arrows' style.

use interlock::sequence::conform::{Expectation, Repeat};

use super::platform::{Platform, bound, call, expecting, peer, told};

#[test]
fn solid_replies_are_replies() {
    let text = "sequenceDiagram
  participant User
  participant Edge
  participant Tenants
  participant Store
  User->>Edge: GET /tenants/{id} (token)
  Edge->>Edge: check token
  Edge->>Tenants: forward
  Tenants->>Store: query
  Store->>Tenants: rows
  Tenants->>Edge: Return 200 OK
  Edge->>User: Return response
";
    let run = |inner: bool, status: u16| {
        let mut platform = Platform::new();
        let query = call("store", "query", Vec::new());
        let does = if inner { vec![query] } else { Vec::new() };
        platform.asked("edge", "GET /tenants/{id}", vec![call("tenants", "GET /tenants/{id}", does).status(status)]);
        platform.asked("edge", "GET /metrics", Vec::new());
        platform.asked("store", "ping", Vec::new());
        told(text, &bound(&[]), &platform.observed())
    };
    insta::assert_snapshot!(run(true, 200), @r"
    PASS
    PASS [x~xxxxx] cost 0 of 5+5
    ");
    insta::assert_snapshot!(run(false, 200), @r"
    FAIL
    FAIL [x~x--xx] cost 2 of 3+5
      9: Missing: `Tenants` did not call `Store`: query (0 spans)
    ");
    insta::assert_snapshot!(run(true, 500), @r"
    FAIL
    FAIL [x~xxx!x] cost 1 of 5+5
      11: WrongOutcome: the call ended with status 500; 200 is drawn (1 spans)
    ");
}

const RETRY: &str = "sequenceDiagram
  participant User
  participant Edge
  participant Tenants
  participant Store
  participant Log
  User->>Edge: POST /tenants
  Edge->>Tenants: forward
  Tenants->>Store: put
  Store-->>Tenants: Error (500 - unavailable)
  Tenants->>Tenants: wait
  Store-->>Tenants: error once more
  Tenants->>Log: write the error
  Tenants->>Edge: Return 503
  Edge->>User: Return 503 and when to come again
  Log->>Log: alert
";

fn retried(puts: usize, status: u16, binding: &[Expectation]) -> String {
    let mut platform = Platform::new();
    let put = || call("", "put", Vec::new()).dark().failed().says("db.system.name", "store");
    let mut does: Vec<_> = (0..puts).map(|_| put()).collect();
    does.push(call("log", "write", Vec::new()));
    let forward = call("tenants", "POST /tenants", does).status(status);
    platform.asked_with("edge", "POST /tenants", Some(503), vec![forward]);
    let mut bound = bound(&[("Store", peer("db.system.name", "store"))]);
    bound.messages = binding.to_vec();
    told(RETRY, &bound, &platform.observed())
}

#[test]
fn a_second_reply_is_that_of_a_second_call() {
    insta::assert_snapshot!(retried(2, 503, &[]), @r"
    PASS
    PASS [xxxx~2xxx~] cost 0 of 8+8
    ");
    insta::assert_snapshot!(retried(1, 503, &[]), @r"
    FAIL
    FAIL [xx--~2xxx~] cost 2 of 6+8
      9: Missing: `Tenants` did not call `Store`: put (0 spans)
    ");
    insta::assert_snapshot!(retried(3, 503, &[]), @r"
    FAIL
    FAIL [xxxx~2xxx~] cost 2 of 10+8
      12: Unexpected: `Tenants` called `Store`, which is not drawn here: put (1 spans)
    ");
    insta::assert_snapshot!(retried(2, 500, &[]), @r"
    FAIL
    FAIL [xxxx~2x!x~] cost 1 of 8+8
      14: WrongOutcome: the call ended with status 500; 503 is drawn (1 spans)
    ");
}

#[test]
fn what_is_drawn_once_may_be_expected_several_times() {
    let repeat = Repeat { through: 3, least: 1, most: Some(2) };
    let several = [Expectation { message: 2, repeat: Some(repeat), ..Expectation::default() }];
    for (puts, verdict) in [(1, "FAIL"), (2, "PASS"), (3, "PASS"), (4, "FAIL")] {
        assert!(retried(puts, 503, &several).starts_with(verdict), "{puts}: {}", retried(puts, 503, &several));
    }
}

#[test]
fn what_is_repeated_ends_in_the_fragment_that_it_begins_in() {
    let text = "sequenceDiagram\n  A->>B: x\n  opt y\n    A->>C: z\n  end\n";
    let repeat = Some(Repeat { through: 1, least: 0, most: None });
    let binding = expecting(vec![
        Expectation { message: 0, repeat, ..Expectation::default() },
        Expectation { message: 7, ..Expectation::default() },
    ]);
    insta::assert_snapshot!(told(text, &binding, &Platform::new().observed()), @r"
    1: message 7 is expected, and the diagram has 2; count messages from 0
    2: what is repeated has to begin and end in the same fragment, and at most as often as at least; let it end at a later message of the same fragment
    ");
}

#[test]
fn a_participant_goes_on_after_its_reply() {
    let text = "sequenceDiagram
  actor U
  U->>A: go
  A->>B: start
  B-->>A: accepted
  B->>C: work
  A-->>U: done
";
    let run = |works: bool| {
        let mut platform = Platform::new();
        let does = if works { vec![call("c", "work", Vec::new())] } else { Vec::new() };
        platform.asked("a", "GET /go", vec![call("b", "start", does)]);
        platform.asked("c", "GET /healthz", Vec::new());
        told(text, &bound(&[]), &platform.observed())
    };
    insta::assert_snapshot!(run(true), @r"
    PASS
    PASS [xxxxx] cost 0 of 4+4
    ");
    insta::assert_snapshot!(run(false), @r"
    FAIL
    FAIL [xxx-x] cost 1 of 3+4
      6: Missing: `B` did not call `C`: work (0 spans)
    ");
}

#[test]
fn a_reply_without_a_call_asks_for_nothing() {
    let text = "sequenceDiagram\n  actor U\n  U->>A: go\n  B-->>A: by the way\n  A-->>U: done\n";
    let mut platform = Platform::new();
    platform.asked("a", "GET /go", Vec::new());
    insta::assert_snapshot!(told(text, &bound(&[]), &platform.observed()), @r"
    PASS
    PASS [x~x] cost 0 of 1+1
    ");
}
