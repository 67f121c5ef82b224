//! A platform in memory: services that call each other leave spans as instrumented services do.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use interlock::{
    model::trace::{Attributes, Kind, Link, Resource, Span, SpanId, Status, TraceId, Value},
    sequence::{
        Lines,
        conform::{Binding, Expectation, Observed, Party, Problem, Report, StepState, align::Budget, check},
        mermaid::{Diagram, Mode, parse, sequence::Sequence},
    },
};

/// What a service does while it is called.
#[derive(Clone)]
pub enum Do {
    /// Calls another service.
    Call(Call),
    /// Sends a message that others take later, each in a trace of its own.
    Send { topic: &'static str, takers: Vec<(&'static str, Vec<Do>)> },
    /// Something by itself, and what it does within.
    Own(&'static str, Vec<Do>),
}

/// A call.
#[derive(Clone)]
pub struct Call {
    pub to: &'static str,
    pub name: &'static str,
    pub does: Vec<Do>,
    pub status: Option<u16>,
    pub failed: bool,
    /// Whether the called one leaves a span.
    pub told: bool,
    /// Whether the caller leaves a span.
    pub client: bool,
    pub attributes: Vec<(&'static str, &'static str)>,
    /// Whether the caller goes on before it ends.
    pub overlaps: bool,
}

pub fn call(to: &'static str, name: &'static str, does: Vec<Do>) -> Do {
    Do::Call(Call {
        to,
        name,
        does,
        status: None,
        failed: false,
        told: true,
        client: true,
        attributes: Vec::new(),
        overlaps: false,
    })
}

pub fn own(name: &'static str) -> Do {
    Do::Own(name, Vec::new())
}

impl Do {
    fn with(self, change: impl FnOnce(&mut Call)) -> Self {
        match self {
            Self::Call(mut call) => {
                change(&mut call);
                Self::Call(call)
            }
            other => other,
        }
    }

    pub fn status(self, status: u16) -> Self {
        self.with(|call| call.status = Some(status))
    }

    pub fn failed(self) -> Self {
        self.with(|call| call.failed = true)
    }

    pub fn dark(self) -> Self {
        self.with(|call| call.told = false)
    }

    pub fn unsent(self) -> Self {
        self.with(|call| call.client = false)
    }

    pub fn overlaps(self) -> Self {
        self.with(|call| call.overlaps = true)
    }

    pub fn says(self, name: &'static str, value: &'static str) -> Self {
        self.with(|call| call.attributes.push((name, value)))
    }
}

/// All spans, and the clocks of the services.
#[derive(Default)]
pub struct Platform {
    pub spans: Vec<Span>,
    now: u64,
    next: u64,
    traces: u64,
    skew: BTreeMap<&'static str, u64>,
    resources: BTreeMap<&'static str, Arc<Resource>>,
    pub run: Option<&'static str>,
    /// No time passes.
    pub frozen: bool,
}

impl Platform {
    pub fn new() -> Self {
        Self { now: 1_000_000, ..Self::default() }
    }

    /// The clock of a service is so far ahead of the others.
    pub fn ahead(mut self, service: &'static str, by: u64) -> Self {
        self.skew.insert(service, by);
        self
    }

    /// A trace: a service is asked from outside.
    pub fn asked(&mut self, service: &'static str, name: &'static str, does: Vec<Do>) -> TraceId {
        self.asked_with(service, name, None, does)
    }

    pub fn asked_with(
        &mut self,
        service: &'static str,
        name: &'static str,
        status: Option<u16>,
        does: Vec<Do>,
    ) -> TraceId {
        let trace = self.trace();
        self.serve(trace, None, Kind::Server, service, name, status, Vec::new(), &does);
        trace
    }

    /// A trace: a service acts by itself.
    pub fn acts(&mut self, service: &'static str, name: &'static str, does: Vec<Do>) -> TraceId {
        let trace = self.trace();
        self.serve(trace, None, Kind::Internal, service, name, None, Vec::new(), &does);
        trace
    }

    fn trace(&mut self) -> TraceId {
        self.traces += 1;
        let mut id = [0; 16];
        id[8..].copy_from_slice(&self.traces.to_be_bytes());
        TraceId(id)
    }

    fn tick(&mut self) -> u64 {
        self.now += if self.frozen { 0 } else { 10 };
        self.now
    }

    fn begin(
        &mut self,
        trace: TraceId,
        parent: Option<SpanId>,
        kind: Kind,
        service: &'static str,
        name: &str,
    ) -> usize {
        self.next += 1;
        let resource =
            Arc::clone(self.resources.entry(service).or_insert_with(|| {
                Arc::new(Resource { service: service.to_owned(), attributes: Attributes::default() })
            }));
        let start = self.tick() + self.skew.get(service).copied().unwrap_or_default();
        let mut attributes = Attributes::default();
        if let (None, Some(run)) = (parent, self.run) {
            attributes.0.push(("interlock.run".to_owned(), Value::Text(run.to_owned())));
        }
        self.spans.push(Span {
            trace,
            id: SpanId(self.next.to_be_bytes()),
            parent,
            name: name.to_owned(),
            kind,
            start,
            end: start,
            status: Status::Unset,
            attributes,
            events: Vec::new(),
            links: Vec::new(),
            resource,
        });
        self.spans.len() - 1
    }

    fn end(&mut self, at: usize, service: &'static str) {
        let end = self.tick() + self.skew.get(service).copied().unwrap_or_default();
        self.spans[at].end = end;
    }

    #[expect(clippy::too_many_arguments, reason = "a span has that many sides")]
    fn serve(
        &mut self,
        trace: TraceId,
        parent: Option<SpanId>,
        kind: Kind,
        service: &'static str,
        name: &str,
        status: Option<u16>,
        links: Vec<Link>,
        does: &[Do],
    ) {
        let at = self.begin(trace, parent, kind, service, name);
        let id = self.spans[at].id;
        self.spans[at].links = links;
        if let Some(status) = status {
            self.spans[at].attributes.0.push(("http.response.status_code".to_owned(), Value::Int(status.into())));
        }
        self.all(trace, id, service, does);
        self.end(at, service);
    }

    fn all(&mut self, trace: TraceId, id: SpanId, service: &'static str, does: &[Do]) {
        let mut open = Vec::new();
        for one in does {
            match one {
                Do::Call(call) => open.extend(self.call(trace, id, service, call)),
                Do::Own(name, does) => {
                    self.serve(trace, Some(id), Kind::Internal, service, name, None, Vec::new(), does)
                }
                Do::Send { topic, takers } => self.send(trace, id, service, topic, takers),
            }
        }
        for at in open {
            self.end(at, service);
        }
    }

    fn call(&mut self, trace: TraceId, id: SpanId, service: &'static str, call: &Call) -> Option<usize> {
        if !call.client {
            self.serve(trace, Some(id), Kind::Server, call.to, call.name, call.status, Vec::new(), &call.does);
            return None;
        }
        let at = self.begin(trace, Some(id), Kind::Client, service, call.name);
        let client = self.spans[at].id;
        for (name, value) in &call.attributes {
            self.spans[at].attributes.0.push(((*name).to_owned(), Value::Text((*value).to_owned())));
        }
        if let Some(status) = call.status {
            self.spans[at].attributes.0.push(("http.response.status_code".to_owned(), Value::Int(status.into())));
        }
        if call.failed {
            self.spans[at].status = Status::Error(String::new());
        }
        if call.told {
            self.serve(trace, Some(client), Kind::Server, call.to, call.name, call.status, Vec::new(), &call.does);
        } else {
            // A called one without spans hands the context on all the same.
            self.all_dark(trace, client, &call.does);
        }
        if call.overlaps {
            return Some(at);
        }
        self.end(at, service);
        None
    }

    fn all_dark(&mut self, trace: TraceId, parent: SpanId, does: &[Do]) {
        for one in does {
            if let Do::Call(call) = one {
                self.serve(trace, Some(parent), Kind::Server, call.to, call.name, call.status, Vec::new(), &call.does);
            }
        }
    }

    fn send(
        &mut self,
        trace: TraceId,
        id: SpanId,
        service: &'static str,
        topic: &'static str,
        takers: &[(&'static str, Vec<Do>)],
    ) {
        let at = self.begin(trace, Some(id), Kind::Producer, service, &format!("{topic} publish"));
        let span = self.spans[at].id;
        self.spans[at].attributes.0.push(("messaging.destination.name".to_owned(), Value::Text(topic.to_owned())));
        self.end(at, service);
        for (taker, does) in takers {
            let other = self.trace();
            let link = Link { trace, span, attributes: Attributes::default() };
            self.serve(other, None, Kind::Consumer, taker, &format!("{topic} process"), None, vec![link], does);
        }
    }

    pub fn observed(&self) -> Observed {
        Observed { spans: self.spans.clone(), ..Observed::default() }
    }

    /// Takes a span away: the first of that kind, service and name.
    pub fn drop(&mut self, kind: Kind, service: &str, name: &str) {
        let at = self.find(kind, service, name);
        self.spans.remove(at);
    }

    pub fn find(&self, kind: Kind, service: &str, name: &str) -> usize {
        let is = |s: &Span| s.kind == kind && s.resource.service == service && s.name == name;
        self.spans.iter().position(is).unwrap()
    }
}

pub fn diagram(text: &str) -> Sequence {
    let parsed = parse(text, Mode::Lenient);
    let Diagram::Sequence(sequence) = parsed.diagram else { panic!("no sequence diagram") };
    sequence
}

pub fn bound(parties: &[(&str, Party)]) -> Binding {
    Binding {
        participants: parties.iter().map(|(id, party)| ((*id).to_owned(), party.clone())).collect(),
        messages: Vec::new(),
    }
}

pub fn expecting(messages: Vec<Expectation>) -> Binding {
    Binding { participants: BTreeMap::new(), messages }
}

pub fn peer(name: &str, value: &str) -> Party {
    Party::Peer(BTreeMap::from([(name.to_owned(), value.to_owned())]))
}

/// Checks, and tells all that a reader would want to know, with line numbers.
pub fn told(text: &str, binding: &Binding, observed: &Observed) -> String {
    match checked(text, binding, observed) {
        Ok(report) => tell(text, &report),
        Err(problems) => problems.iter().fold(String::new(), |mut all, problem| {
            let line = Lines::new(text).place(problem.place.start).0;
            writeln!(all, "{line}: {}; {}", problem.what, problem.fix).unwrap();
            all
        }),
    }
}

pub fn checked(text: &str, binding: &Binding, observed: &Observed) -> Result<Report, Vec<Problem>> {
    check(&diagram(text), binding, observed, Budget::default())
}

fn tell(text: &str, report: &Report) -> String {
    let lines = Lines::new(text);
    let mut all = format!("{}\n", report.verdict.word());
    for doubt in &report.doubts {
        writeln!(all, "? {doubt}").unwrap();
    }
    for instance in &report.instances {
        let steps: Vec<String> = instance.steps.iter().map(mark).collect();
        let (cost, observed, shortest) = (instance.cost, instance.observed, instance.shortest);
        writeln!(all, "{} [{}] cost {cost} of {observed}+{shortest}", instance.verdict.word(), steps.join("")).unwrap();
        for doubt in &instance.doubts {
            writeln!(all, "  ? {doubt}").unwrap();
        }
        for deviation in &instance.deviations {
            let line = lines.place(deviation.place.start).0;
            let kind = format!("{:?}", deviation.kind);
            writeln!(all, "  {line}: {kind}: {} ({} spans)", deviation.what, deviation.spans.len()).unwrap();
        }
        for (place, branch) in &instance.branches {
            let line = lines.place(place.start).0;
            writeln!(all, "  {line}: branch {}", branch.map_or("none".to_owned(), |at| (at + 1).to_string())).unwrap();
        }
    }
    all
}

/// One letter for each state; a digit where a message was seen several times.
fn mark(state: &StepState) -> String {
    match state {
        StepState::Seen(spans) if spans.len() > 1 => spans.len().to_string(),
        StepState::Seen(_) => "x".to_owned(),
        StepState::Missing => "-".to_owned(),
        StepState::Wrong(_) => "!".to_owned(),
        StepState::Unobservable(_) => "?".to_owned(),
        StepState::NotTaken => ".".to_owned(),
        StepState::Advisory => "~".to_owned(),
    }
}
