//! Traces drawn as diagrams: what is drawn, that it is read back without a finding, and that order does not matter.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use interlock::{
    model::trace::{Attributes, Kind, Link, Resource, Span, SpanId, Status, TraceId, Value},
    sequence::{
        export::{MOST_SPANS, Unfit, export},
        lint::{Entry, Library, Source, lint},
        mermaid::{
            Diagram, Mode, parse,
            sequence::{Role, Sequence},
        },
    },
};
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::SliceRandom};

/// Spans under construction; times are in milliseconds.
#[derive(Default)]
struct Trace {
    spans: Vec<Span>,
}

impl Trace {
    fn add(&mut self, service: &str, kind: Kind, name: &str, parent: Option<usize>, (start, end): (u64, u64)) -> usize {
        let number = self.spans.len() as u64 + 1;
        let trace = parent.map_or(TraceId(u128::from(number).to_be_bytes()), |parent| self.spans[parent].trace);
        self.spans.push(Span {
            trace,
            id: SpanId(number.to_be_bytes()),
            parent: parent.map(|parent| self.spans[parent].id),
            name: name.to_owned(),
            kind,
            start: start * 1_000_000,
            end: end * 1_000_000,
            status: Status::Unset,
            attributes: Attributes::default(),
            events: Vec::new(),
            links: Vec::new(),
            resource: Arc::new(Resource { service: service.to_owned(), attributes: Attributes::default() }),
        });
        self.spans.len() - 1
    }

    fn with(&mut self, at: usize, name: &str, value: Value) -> usize {
        self.spans[at].attributes.0.push((name.to_owned(), value));
        at
    }

    fn status(&mut self, at: usize, status: i64) -> usize {
        self.with(at, "http.response.status_code", Value::Int(status))
    }

    fn peer(&mut self, at: usize, attribute: &str, name: &str) -> usize {
        self.with(at, attribute, Value::Text(name.to_owned()))
    }

    /// A call between services: the span that makes it, and the span that serves it.
    fn call(&mut self, from: (&str, usize), to: &str, name: &str, (start, end): (u64, u64)) -> usize {
        let made = self.add(from.0, Kind::Client, name, Some(from.1), (start, end));
        self.add(to, Kind::Server, name, Some(made), (start, end))
    }

    fn link(&mut self, from: usize, to: usize) {
        let (trace, span) = (self.spans[to].trace, self.spans[to].id);
        self.spans[from].links.push(Link { trace, span, attributes: Attributes::default() });
    }
}

struct Nothing;

impl Library for Nothing {
    fn entry(&self, _: &Path) -> Entry {
        Entry::Missing
    }

    fn any(&self, _: &Path, _: &str) -> bool {
        false
    }

    fn text(&self, _: &Path) -> Option<String> {
        None
    }

    fn folders(&self, _: &Path) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// The diagram, which both modes and every rule have to be content with.
fn read_back(text: &str) -> Sequence {
    for mode in [Mode::Strict, Mode::Lenient] {
        let parsed = parse(text, mode);
        assert!(parsed.found.is_empty(), "{mode:?}: {:?}\n{text}", parsed.found);
        let source = Source { path: PathBuf::from("traces.mmd"), text: text.to_owned() };
        let report = lint(&[source], &Nothing, mode);
        assert!(report.findings.is_empty(), "{:?}\n{text}", report.findings);
    }
    let Diagram::Sequence(sequence) = parse(text, Mode::Strict).diagram else { panic!("{text}") };
    sequence
}

fn drawn(trace: &Trace) -> String {
    let text = export(&trace.spans).unwrap();
    read_back(&text);
    text
}

/// A text as mermaid draws it: entities are characters.
fn shown(text: &str) -> String {
    let mut found = String::new();
    let mut rest = text;
    while let Some((before, entity)) = rest.split_once('#') {
        let (number, after) = entity.split_once(';').unwrap();
        found += before;
        found.push(char::from_u32(number.parse().unwrap()).unwrap());
        rest = after;
    }
    found + rest
}

/// An order that is placed: checked, stored and charged at the same time, three items packed, and a mail sent.
fn order() -> Trace {
    let mut trace = Trace::default();
    let root = trace.add("shop-front", Kind::Server, "POST /orders", None, (0, 100));
    trace.status(root, 201);
    let front = ("shop-front", root);
    trace.add("shop-front", Kind::Internal, "check cart", Some(root), (1, 3));
    let price = trace.call(front, "prices", "GET /prices/{id}", (4, 8));
    trace.status(price, 200);
    let select = trace.add("prices", Kind::Client, "SELECT prices", Some(price), (5, 7));
    trace.peer(select, "db.system.name", "postgresql");
    let store = trace.add("shop-front", Kind::Client, "INSERT orders", Some(root), (10, 30));
    trace.peer(store, "db.system.name", "postgresql");
    let charge = trace.call(front, "tills", "POST /charges", (12, 40));
    trace.status(charge, 402);
    for item in 0..3 {
        let pack = trace.call(front, "packing", "POST /packs", (50 + 10 * item, 55 + 10 * item));
        trace.status(pack, 202);
    }
    let fraud = trace.add("shop-front", Kind::Client, "POST /score", Some(root), (85, 90));
    trace.peer(fraud, "server.address", "scores.example");
    trace.spans[fraud].status = Status::Error("connection refused".to_owned());
    let sent = trace.add("shop-front", Kind::Producer, "publish order", Some(root), (92, 93));
    trace.peer(sent, "messaging.destination.name", "orders");
    let taken = trace.add("mailer", Kind::Consumer, "process order", None, (120, 140));
    trace.link(taken, sent);
    let mail = trace.add("mailer", Kind::Client, "SEND mail", Some(taken), (121, 130));
    trace.peer(mail, "peer.service", "smtp");
    trace
}

#[test]
fn an_order_is_drawn() {
    insta::assert_snapshot!(drawn(&order()), @r"
sequenceDiagram
    actor Client
    participant shop_front as shop-front
    participant prices
    participant postgresql
    participant tills
    participant packing
    participant scores_example as scores.example
    participant orders
    participant mailer
    participant smtp
    par
        Client->>shop_front: POST /orders
        shop_front->>shop_front: check cart
        shop_front->>prices: GET /prices/{id}
        prices->>postgresql: SELECT prices
        postgresql-->>prices: ok
        prices-->>shop_front: 200
        par
            shop_front->>postgresql: INSERT orders
            postgresql-->>shop_front: ok
        and
            shop_front->>tills: POST /charges
            tills-->>shop_front: 402
        end
        loop 3 times
            shop_front->>packing: POST /packs
            packing-->>shop_front: 202
        end
        shop_front-xscores_example: POST /score
        shop_front-)orders: publish order
        shop_front-->>Client: 201
    and
        orders-)mailer: process order
        mailer->>smtp: SEND mail
        smtp-->>mailer: ok
    end
");
}

#[test]
fn the_order_of_the_spans_does_not_matter() {
    let trace = order();
    let text = export(&trace.spans).unwrap();
    let mut rng = SmallRng::seed_from_u64(1);
    for _ in 0..50 {
        let mut spans = trace.spans.clone();
        spans.shuffle(&mut rng);
        assert_eq!(export(&spans).unwrap(), text);
    }
    let twice: Vec<Span> = trace.spans.iter().chain(&trace.spans).cloned().collect();
    assert_eq!(export(&twice).unwrap(), text, "a span that came twice is drawn once");
}

#[test]
fn nothing_is_drawn_as_nothing() {
    assert_eq!(export(&[]).unwrap(), "sequenceDiagram\n");
    assert!(parse("sequenceDiagram\n", Mode::Strict).accepted());
}

#[test]
fn every_text_is_read_back_as_it_was() {
    let texts = [
        "a; b",
        "a # b",
        "#35;",
        "end",
        "x end y",
        "GET /a/<id>",
        "50%% off",
        "%%{init}%%",
        "wrap: a",
        ":nowrap:b",
        "a: b",
        "C4Container",
        "->>",
        "A->>B: c",
        "&amp;",
        "“quoted”",
        "{\"a\": 1}",
        "loop",
        "note over A",
        "()",
        "+",
        "ünï",
        "`x`",
        "title x",
        "a %% b",
    ];
    for text in texts {
        let mut trace = Trace::default();
        let root = trace.add(text, Kind::Server, text, None, (0, 9));
        trace.spans[root].status = Status::Error(text.to_owned());
        let inner = trace.add(text, Kind::Client, text, Some(root), (1, 2));
        trace.peer(inner, "peer.service", &format!("{text} store"));
        let sequence = read_back(&export(&trace.spans).unwrap());
        let said: Vec<String> = sequence.messages().iter().map(|message| shown(&message.text.text)).collect();
        assert_eq!(said, [text, text, "ok", &format!("error: {text}")]);
        let labels: Vec<String> = sequence.participants.iter().map(|who| shown(&who.label)).collect();
        assert_eq!(labels, ["Client", text, &format!("{text} store")]);
    }
}

#[test]
fn texts_are_kept_to_one_line_and_to_a_length() {
    let mut trace = Trace::default();
    trace.add("a\r\nb", Kind::Server, "  one\n two\u{2028}\tthree\u{7} ", None, (0, 1));
    trace.add(" ", Kind::Internal, &"ä".repeat(1_000), None, (5, 6));
    let sequence = read_back(&export(&trace.spans).unwrap());
    let said: Vec<&str> = sequence.messages().iter().map(|message| message.text.text.as_str()).collect();
    assert_eq!(said, ["one two three", "ok", &format!("{}…", "ä".repeat(160))]);
    assert_eq!(sequence.participants[1].label, "a b");
    assert_eq!(sequence.participants[2].label, "unnamed");
}

#[test]
fn no_name_is_a_keyword_or_stands_for_two() {
    let names = [
        "actor",
        "Note",
        "END",
        "par_over",
        "option",
        "sequenceDiagram",
        "title",
        "left",
        "as",
        "off",
        "7up",
        "a-b",
        "a_b",
        "a b",
        "A-B",
        "Client",
        "-",
        "C4Context",
        "x",
        "o",
        "über",
        "autonumber",
        "links",
        "deactivate",
        "accTitle",
    ];
    let mut trace = Trace::default();
    let root = trace.add("start", Kind::Server, "go", None, (0, 1_000));
    for (at, name) in names.iter().enumerate() {
        let at = 10 * at as u64 + 1;
        trace.call(("start", root), name, "go", (at, at + 5));
    }
    let sequence = read_back(&export(&trace.spans).unwrap());
    assert_eq!(sequence.participants.len(), names.len() + 2);
    let ids: std::collections::BTreeSet<String> =
        sequence.participants.iter().map(|who| who.id.to_lowercase()).collect();
    assert_eq!(ids.len(), sequence.participants.len());
}

#[test]
fn what_overlaps_is_parallel_and_what_repeats_is_a_loop() {
    let mut trace = Trace::default();
    let root = trace.add("a", Kind::Server, "go", None, (0, 100));
    for round in 0..4 {
        let at = 20 * round;
        trace.call(("a", root), "b", "one", (at, at + 5));
        trace.call(("a", root), "c", "two", (at + 6, at + 12));
        trace.call(("a", root), "d", "three", (at + 7, at + 11));
    }
    trace.call(("a", root), "b", "one", (90, 91));
    insta::assert_snapshot!(drawn(&trace), @r"
sequenceDiagram
    actor Client
    participant a
    participant b
    participant c
    participant d
    Client->>a: go
    loop 4 times
        a->>b: one
        b-->>a: ok
        par
            a->>c: two
            c-->>a: ok
        and
            a->>d: three
            d-->>a: ok
        end
    end
    a->>b: one
    b-->>a: ok
    a-->>Client: ok
");
}

#[test]
fn exchanges_that_nothing_orders_stand_beside_each_other() {
    let mut trace = Trace::default();
    for (at, name) in [(0, "GET /a"), (10, "GET /b"), (20, "GET /a"), (25, "GET /a")] {
        trace.add("api", Kind::Server, name, None, (at, at + 8));
    }
    let text = drawn(&trace);
    insta::assert_snapshot!(text, @r"
sequenceDiagram
    actor Client
    participant api
    actor Client_2 as Client 2
    actor Client_3 as Client 3
    par
        loop 2 times
            Client->>api: GET /a
            api-->>Client: ok
        end
    and
        Client_2->>api: GET /b
        api-->>Client_2: ok
    and
        Client_3->>api: GET /a
        api-->>Client_3: ok
    end
");
    let actors = read_back(&text).participants.iter().filter(|who| who.role == Role::Actor).count();
    assert_eq!(actors, 3, "one for each branch");
}

#[test]
fn a_span_whose_parent_was_not_collected_begins_an_exchange() {
    let mut trace = order();
    let made = trace.spans.iter().position(|span| span.name == "POST /charges" && span.kind == Kind::Client).unwrap();
    trace.spans.remove(made);
    let sequence = read_back(&export(&trace.spans).unwrap());
    let begun = sequence.messages().iter().filter(|message| sequence.id(message.from).starts_with("Client")).count();
    assert_eq!(begun, 2);
}

#[test]
fn too_many_and_too_deep_is_refused() {
    let mut many = Trace::default();
    for at in 0..=MOST_SPANS as u64 {
        many.add("a", Kind::Internal, "x", None, (at, at + 1));
    }
    assert_eq!(export(&many.spans), Err(Unfit::TooMany { spans: MOST_SPANS + 1 }));
    many.spans.pop();
    assert!(export(&many.spans).unwrap().contains(&format!("loop {MOST_SPANS} times")));
    let mut deep = Trace::default();
    let mut parent = None;
    for _ in 0..1_000 {
        parent = Some(deep.add("a", Kind::Internal, "x", parent, (0, 1)));
    }
    assert!(matches!(export(&deep.spans), Err(Unfit::TooDeep { .. })));
    assert!(export(&deep.spans[..100]).is_ok());
}

#[test]
fn spans_that_are_their_own_ancestors_are_left_out() {
    let mut trace = order();
    let text = export(&trace.spans).unwrap();
    let a = trace.add("a", Kind::Internal, "x", None, (0, 1));
    let b = trace.add("a", Kind::Internal, "x", Some(a), (0, 1));
    trace.spans[a].parent = Some(trace.spans[b].id);
    assert_eq!(export(&trace.spans).unwrap(), text);
}

/// What a random span does, below one of a service; services that are waiting for an answer are not called back.
fn grow(trace: &mut Trace, rng: &mut SmallRng, at: usize, path: &mut Vec<usize>, depth: usize) {
    const SERVICES: &[&str] = &["gate", "cart", "stock", "tax & duty", "mail#1", "pay;roll"];
    let (begin, end) = (trace.spans[at].start / 1_000_000, trace.spans[at].end / 1_000_000);
    for _ in 0..rng.random_range(0..4) {
        let start = rng.random_range(begin..=end);
        let times = (start, rng.random_range(start..=end));
        let who = SERVICES[path[path.len() - 1]];
        let name = ["GET /a", "end", "x; y", "<b>"][rng.random_range(0..4)];
        match rng.random_range(0..6) {
            0 => {
                let own = trace.add(who, Kind::Internal, name, Some(at), times);
                if depth > 0 {
                    grow(trace, rng, own, path, depth - 1);
                }
            }
            1 => {
                let call = trace.add(who, Kind::Client, name, Some(at), times);
                trace.peer(call, "db.system.name", ["redis", "mysql"][rng.random_range(0..2)]);
                if rng.random_bool(0.3) {
                    trace.spans[call].status = Status::Error("timeout".to_owned());
                }
            }
            2 => {
                let sent = trace.add(who, Kind::Producer, name, Some(at), times);
                trace.peer(sent, "messaging.destination.name", "events");
                let to = rng.random_range(0..SERVICES.len());
                let parent = rng.random_bool(0.5).then_some(sent);
                let taken = trace.add(SERVICES[to], Kind::Consumer, name, parent, (times.1, times.1 + 20));
                trace.link(taken, sent);
                if depth > 0 {
                    grow(trace, rng, taken, &mut vec![to], depth - 1);
                }
            }
            _ => {
                let to = rng.random_range(0..SERVICES.len());
                if path.contains(&to) {
                    continue;
                }
                let served = trace.call((who, at), SERVICES[to], name, times);
                trace.status(served, [200, 404, 500][rng.random_range(0..3)]);
                if depth > 0 {
                    path.push(to);
                    grow(trace, rng, served, path, depth - 1);
                    path.pop();
                }
            }
        }
    }
}

#[test]
fn random_traces_are_read_back_without_a_finding() {
    let mut rng = SmallRng::seed_from_u64(11);
    let mut words = std::collections::BTreeMap::new();
    for _ in 0..400 {
        let mut trace = Trace::default();
        for _ in 0..rng.random_range(1..3) {
            let start = rng.random_range(0..50);
            let root = trace.add("gate", Kind::Server, "GET /", None, (start, start + 200));
            grow(&mut trace, &mut rng, root, &mut vec![0], 4);
        }
        let text = export(&trace.spans).unwrap();
        let sequence = read_back(&text);
        // A loop is drawn once; apart from that, each span but those that make a call that is served is a message.
        let looped = text.contains("loop");
        let messages = sequence.messages().len();
        let spans = trace
            .spans
            .iter()
            .filter(|span| span.kind != Kind::Client || !trace.spans.iter().any(|other| other.parent == Some(span.id)));
        assert!(looped || messages >= spans.count(), "{text}");
        trace.spans.shuffle(&mut rng);
        assert_eq!(export(&trace.spans).unwrap(), text);
        for word in ["par\n", "loop ", "-x", "-)"] {
            *words.entry(word).or_insert(0) += usize::from(text.contains(word));
        }
    }
    assert!(words.values().all(|count| *count > 10), "{words:?}");
}
