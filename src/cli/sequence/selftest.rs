//! `interlock sequence selftest`: traces that pass, changed one by one; how many changes does the check notice?

use std::collections::{BTreeMap, BTreeSet};

use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

use super::{collect::TraceArgs, target::Target};
use crate::{
    cli::Global,
    error::{Error, Exit},
    model::trace::Span,
    report::{self, Format},
    sequence::{
        conform::{Instance, Observed, Verdict, align::Budget, check},
        selftest::{Mutant, mutants, score},
    },
};

/// How many ways of playing a scenario are changed; others of the same kind would tell nothing new.
const INSTANCES: usize = 5;

/// Change traces that pass, one place at a time, and see whether the check notices
///
/// Calls are dropped, doubled, swapped, renamed, sent elsewhere and added. What the diagram allows is left out.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 at least 95 % of the changes are noticed; 1 the check is weak; 2 invalid input; \
                        6 the traces do not pass as they are, so that nothing can be told."
)]
pub struct Args {
    /// A scenario (*.yaml), or a document and the anchor above its diagram
    #[arg(value_name = "SCENARIO|DOCUMENT[#ANCHOR]")]
    what: String,
    #[command(flatten)]
    traces: TraceArgs,
    /// How many changes are tried at most
    #[arg(long, default_value_t = 1000, value_name = "COUNT")]
    most: usize,
    /// Which of them are chosen where there are more; printed, so that a run can be repeated
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

impl Args {
    /// Makes mutants, checks each, and says which survived.
    ///
    /// # Errors
    /// Where the scenario or the traces cannot be read or bound.
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        let target = Target::read(&self.what)?;
        let (diagram, binding) = target.messages()?;
        let observed = self.traces.collect()?;
        let judge = |spans: Vec<Span>| {
            let observed = Observed { spans, ..Observed::default() };
            check(diagram, binding, &observed, Budget::default())
        };
        let whole = judge(observed.spans.clone()).map_err(|problems| target.unbound(&problems))?;
        let passed: Vec<&Instance> = whole.instances.iter().filter(|one| one.verdict == Verdict::Pass).collect();
        if passed.is_empty() {
            report::remark(&format!("the traces are {} as they are: `sequence verify` says why", whole.verdict.word()));
            return Ok(Exit::Held);
        }
        let mut all: Vec<Mutant> = Vec::new();
        for instance in distinct(&passed) {
            let traces: BTreeSet<_> = instance.traces.iter().copied().collect();
            let own: Vec<Span> = observed.spans.iter().filter(|span| traces.contains(&span.trace)).cloned().collect();
            all.extend(mutants(diagram, binding, instance, &own));
        }
        let seed = self.seed.unwrap_or_else(rand::random);
        let made = all.len();
        if made > self.most {
            all.shuffle(&mut StdRng::seed_from_u64(seed));
            all.truncate(self.most);
            report::remark(&format!("{} of {made} changes are tried, --seed {seed}", self.most));
        }
        // A change after which the diagram cannot even be bound is noticed by that.
        let found = score(&all, |mutant| judge(mutant.spans.clone()).map_or(Verdict::Fail, |report| report.verdict));
        match global.output {
            Format::Json => report::print(&report::selftest_json(&target.drawn(diagram), &found)),
            Format::Table => report::say(report::selftest(&target.drawn(diagram), &found).trim_end()),
        }
        Ok(if found.is_weak() { Exit::RolledBack } else { Exit::Kept })
    }
}

/// One instance for each set of branches that was taken, up to a bound.
fn distinct<'a>(passed: &[&'a Instance]) -> Vec<&'a Instance> {
    let mut found = BTreeMap::new();
    for instance in passed {
        let branches: Vec<_> = instance.branches.iter().map(|(place, taken)| (place.start, *taken)).collect();
        found.entry(branches).or_insert(*instance);
    }
    found.into_values().take(INSTANCES).collect()
}
