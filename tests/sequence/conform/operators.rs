//! Every operator of fragments.

use super::platform::{Do, Platform, bound, call, told};

/// A diagram of one caller, `A`, with these lines behind its call, and what `A` does.
fn run(lines: &str, does: &[&'static str]) -> String {
    let text = format!("sequenceDiagram\n  actor U\n  U->>A: go\n{lines}\n  A-->>U: done\n");
    let mut platform = Platform::new();
    platform.asked("a", "GET /go", does.iter().map(|to| call(to, "do", Vec::new())).collect());
    for service in ["b", "c", "d"] {
        platform.asked(service, "GET /healthz", Vec::new());
    }
    told(&text, &bound(&[]), &platform.observed())
}

fn first(lines: &str, does: &[&'static str]) -> String {
    run(lines, does).lines().skip(1).collect::<Vec<_>>().join("\n")
}

#[test]
fn alternatives() {
    let either = "  alt x\n    A->>B: b\n  else y\n    A->>C: c\n  end\n  A->>D: d";
    insta::assert_snapshot!(first(either, &["b", "d"]), @r"
    PASS [xx.xx] cost 0 of 3+3
      4: branch 1
    ");
    insta::assert_snapshot!(first(either, &["c", "d"]), @r"
    PASS [x.xxx] cost 0 of 3+3
      4: branch 2
    ");
    insta::assert_snapshot!(first(either, &["d"]), @r"
    FAIL [x-.xx] cost 1 of 2+3
      5: Missing: `A` did not call `B`: b (0 spans)
      4: branch 1
    ");
    insta::assert_snapshot!(first(either, &["b", "c", "d"]), @r"
    FAIL [xx.xx] cost 1 of 4+3
      5: Unexpected: `A` called `C`, which is not drawn here: do (2 spans)
      4: branch 1
    ");
    let maybe = "  alt x\n    A->>B: b\n    A->>C: c\n  end\n  A->>D: d";
    insta::assert_snapshot!(first(maybe, &["d"]), @r"
    PASS [x..xx] cost 0 of 2+2
      4: branch none
    ");
    insta::assert_snapshot!(first(maybe, &["b", "d"]), @r"
    FAIL [x..xx] cost 1 of 3+2
      3: Unexpected: `A` called `B`, which is not drawn here: do (2 spans)
      4: branch none
    ");
}

#[test]
fn options() {
    let lines = "  opt x\n    A->>B: b\n  end";
    insta::assert_snapshot!(first(lines, &[]), @r"
    PASS [x.x] cost 0 of 1+1
      4: branch none
    ");
    insta::assert_snapshot!(first(lines, &["b"]), @r"
    PASS [xxx] cost 0 of 2+1
      4: branch 1
    ");
    insta::assert_snapshot!(first(lines, &["b", "b"]), @r"
    FAIL [xxx] cost 1 of 3+1
      5: Unexpected: `A` called `B`, which is not drawn here: do (2 spans)
      4: branch 1
    ");
}

#[test]
fn loops() {
    let lines = "  loop 2 times\n    A->>B: b\n    A->>C: c\n  end";
    insta::assert_snapshot!(first(lines, &["b", "c", "b", "c"]), @r"
    PASS [x22x] cost 0 of 5+5
    ");
    insta::assert_snapshot!(first(lines, &["b", "c"]), @r"
    FAIL [x--x] cost 2 of 3+5
      5: Missing: `A` did not call `B`: b (0 spans)
      6: Missing: `A` did not call `C`: c (0 spans)
    ");
    let lines = "  loop until ready\n    A->>B: b\n  end";
    for does in [&[][..], &["b"], &["b", "b", "b"]] {
        assert!(first(lines, does).starts_with("PASS"), "{does:?}");
    }
    insta::assert_snapshot!(first("  loop max 2\n    A->>B: b\n  end", &["b", "b", "b"]), @r"
    FAIL [x2x] cost 1 of 4+1
      5: Unexpected: `A` called `B`, which is not drawn here: do (2 spans)
    ");
}

#[test]
fn parallels() {
    let lines = "  par\n    A->>B: b\n    A->>C: c\n  and\n    A->>D: d\n  end";
    for does in [["b", "c", "d"], ["b", "d", "c"], ["d", "b", "c"]] {
        assert!(first(lines, &does).starts_with("PASS"), "{does:?}");
    }
    insta::assert_snapshot!(first(lines, &["c", "b", "d"]), @r"
    FAIL [x!xxx] cost 2 of 4+4
      5: Reordered: `A` called `B` out of order: b (2 spans)
    ");
    insta::assert_snapshot!(first(lines, &["b", "c"]), @r"
    FAIL [xxx-x] cost 1 of 3+4
      8: Missing: `A` did not call `D`: d (0 spans)
    ");
}

#[test]
fn breaks() {
    let lines = "  A->>B: b\n  break it fails\n    A->>C: c\n  end\n  A->>D: d";
    insta::assert_snapshot!(first(lines, &["b", "c"]), @r"
    PASS [xxx.x] cost 0 of 3+3
      5: branch 1
    ");
    insta::assert_snapshot!(first(lines, &["b", "d"]), @r"
    PASS [xx.xx] cost 0 of 3+3
      5: branch none
    ");
    insta::assert_snapshot!(first(lines, &["b", "c", "d"]), @r"
    FAIL [xxx.x] cost 1 of 4+3
      6: Unexpected: `A` called `D`, which is not drawn here: do (2 spans)
      5: branch 1
    ");
    let lines = "  loop 3 times\n    A->>B: b\n    break ready\n      A->>C: c\n    end\n  end\n  A->>D: d";
    for does in [&["b", "c", "d"][..], &["b", "b", "c", "d"], &["b", "b", "b", "d"]] {
        assert!(first(lines, does).starts_with("PASS"), "{does:?}: {}", first(lines, does));
    }
    insta::assert_snapshot!(first(lines, &["b", "d"]), @r"
    FAIL [xx-xx] cost 1 of 3+4
      7: Missing: `A` did not call `C`: c (0 spans)
      6: branch 1
    ");
}

#[test]
fn critical_regions() {
    let lines = "  critical book\n    A->>B: b\n  option timeout\n    A->>C: c\n  option refused\n    A->>D: d\n  end";
    insta::assert_snapshot!(first(lines, &["b"]), @r"
    PASS [xx..x] cost 0 of 2+2
      4: branch none
    ");
    insta::assert_snapshot!(first(lines, &["b", "d"]), @r"
    PASS [xx.xx] cost 0 of 3+2
      4: branch 3
    ");
    insta::assert_snapshot!(first(lines, &["b", "c", "d"]), @r"
    FAIL [xxx.x] cost 1 of 4+2
      7: Unexpected: `A` called `D`, which is not drawn here: do (2 spans)
      4: branch 2
    ");
}

#[test]
fn rectangles_mean_nothing() {
    insta::assert_snapshot!(first("  rect rgb(0, 0, 0)\n    A->>B: b\n  end\n  A->>C: c", &["b", "c"]), @r"
    PASS [xxxx] cost 0 of 3+3
    ");
}

#[test]
fn lost_messages_reach_nobody() {
    let text = "sequenceDiagram\n  actor U\n  U->>A: go\n  A-xB: b\n  A-->>U: done\n";
    let run = |b: Do| {
        let mut platform = Platform::new();
        platform.asked("a", "GET /go", vec![b]);
        platform.asked("b", "GET /healthz", Vec::new());
        told(text, &bound(&[]), &platform.observed())
    };
    let b = || call("b", "do", Vec::new());
    insta::assert_snapshot!(run(b().failed().dark()), @r"
    PASS
    PASS [xxx] cost 0 of 2+2
    ");
    insta::assert_snapshot!(run(b()), @r"
    FAIL
    FAIL [x!x] cost 1 of 2+2
      4: WrongOutcome: the call ended without an error; it is drawn as lost (1 spans)
    ");
}

#[test]
fn branches_are_told_apart_by_their_ends() {
    let text = "sequenceDiagram
  actor U
  U->>A: go
  A->>B: look up
  alt found
    B-->>A: 200 OK
    A->>C: use it
  else not found
    B-->>A: 404
  end
  A-->>U: done
";
    let run = |status: u16, with_c: bool| {
        let mut platform = Platform::new();
        let mut does = vec![call("b", "look up", Vec::new()).status(status)];
        does.extend(with_c.then(|| call("c", "use", Vec::new())));
        platform.asked("a", "GET /go", does);
        platform.asked("c", "GET /healthz", Vec::new());
        told(text, &bound(&[]), &platform.observed())
    };
    insta::assert_snapshot!(run(200, true), @r"
    PASS
    PASS [xxxx.x] cost 0 of 4+3
      5: branch 1
    ");
    insta::assert_snapshot!(run(404, false), @r"
    PASS
    PASS [xx..xx] cost 0 of 3+3
      5: branch 2
    ");
    insta::assert_snapshot!(run(404, true), @r"
    FAIL
    FAIL [xx..xx] cost 1 of 4+3
      9: Unexpected: `A` called `C`, which is not drawn here: use (2 spans)
      5: branch 2
    ");
}

#[test]
fn all_who_take_part_take_the_same_branch() {
    let text = "sequenceDiagram
  actor U
  U->>A: go
  A->>B: book
  alt in stock
    B->>C: take
    B-->>A: 200 OK
    A->>D: ship
  else sold out
    B-->>A: 409
  end
";
    let run = |status: u16, take: bool, ship: bool| {
        let mut platform = Platform::new();
        let inner = if take { vec![call("c", "take", Vec::new())] } else { Vec::new() };
        let mut does = vec![call("b", "book", inner).status(status)];
        does.extend(ship.then(|| call("d", "ship", Vec::new())));
        platform.asked("a", "GET /go", does);
        for service in ["c", "d"] {
            platform.asked(service, "GET /healthz", Vec::new());
        }
        told(text, &bound(&[]), &platform.observed())
    };
    insta::assert_snapshot!(run(200, true, true), @r"
    PASS
    PASS [xxxxx.] cost 0 of 5+3
      5: branch 1
    ");
    insta::assert_snapshot!(run(409, false, false), @r"
    PASS
    PASS [xx...x] cost 0 of 3+3
      5: branch 2
    ");
    insta::assert_snapshot!(run(409, true, false), @r"
    FAIL
    FAIL [xxx..x] cost 1 of 4+3
      5: MixedBranch: `B` took branch 1, `A` took branch 2 (2 spans)
      5: branch 1
      5: branch 2
    ");
    insta::assert_snapshot!(run(200, false, true), @r"
    FAIL
    FAIL [xx.xx.] cost 1 of 4+3
      5: MixedBranch: `B` took branch 2, `A` took branch 1 (2 spans)
      5: branch 1
      5: branch 2
    ");
}

#[test]
fn operands_that_look_alike_in_one_frame_are_no_mixed_branch() {
    let text = "sequenceDiagram
  actor U
  U->>A: go
  A->>B: book
  alt x
    B->>C: take
    B-->>A: ok
    A->>D: ship
  else y
    B->>C: take
    B-->>A: ok
  end
";
    let mut platform = Platform::new();
    platform.asked("a", "GET /go", vec![call("b", "book", vec![call("c", "take", Vec::new())])]);
    platform.asked("d", "GET /healthz", Vec::new());
    insta::assert_snapshot!(told(text, &bound(&[]), &platform.observed()), @r"
    PASS
    PASS [xxx...x] cost 0 of 4+4
      5: branch 2
    ");
}

#[test]
fn an_answer_within_an_option_leaves_out_the_rest() {
    let text = "sequenceDiagram
  actor U
  U->>A: go
  A->>B: get
  opt cached
    B-->>A: from the cache
  end
  B->>C: query
  C-->>B: rows
  B-->>A: result
  A->>D: log
";
    let run = |query: bool| {
        let mut platform = Platform::new();
        let inner = if query { vec![call("c", "query", Vec::new())] } else { Vec::new() };
        platform.asked("a", "GET /go", vec![call("b", "get", inner), call("d", "log", Vec::new())]);
        platform.asked("c", "GET /healthz", Vec::new());
        told(text, &bound(&[]), &platform.observed())
    };
    insta::assert_snapshot!(run(true), @r"
    PASS
    PASS [xxxxx.x] cost 0 of 6+4
      5: branch none
    ");
    insta::assert_snapshot!(run(false), @r"
    PASS
    PASS [xxx...x] cost 0 of 4+4
      5: branch 1
    ");
}
