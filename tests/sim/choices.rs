//! What is left open in a schedule, as a list of numbers: 0 is always the course that nothing disturbs. A seed draws the
//! list, a list that was noted replays it, and a shorter one is a simpler schedule.

/// What becomes of a port call, or of who makes it. Times are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes as it should.
    Goes,
    /// Its process is stopped before it, and goes on after a time.
    Paused(u64),
    /// Its process is killed before it.
    Killed,
    /// It is done, and its process is killed before it hears of it.
    KilledAfter,
    /// This call alone takes so long.
    Slow(u64),
    /// The message is lost.
    LostBefore,
    /// The message has its effect, and the answer is lost.
    LostAfter,
    /// The sender has given up when the message arrives.
    Late(u64),
    /// The message arrives once more, after a time.
    Twice(u64),
    /// The thread is stopped in the middle of the work, and goes on after a time.
    StoppedInside(u64),
    /// The process is killed in the middle of the work.
    KilledInside,
    /// The power fails in the middle of the work.
    PowerCut,
    /// A call of the disk fails in the middle of the work.
    Broken,
}

/// The names of the kinds of fate, for the count of what struck what; none for the one that disturbs nothing.
pub const KINDS: [&str; 12] = [
    "paused",
    "killed",
    "killed after",
    "slow",
    "lost before",
    "lost after",
    "late",
    "twice",
    "stopped inside",
    "killed inside",
    "power cut",
    "broken",
];

impl Fate {
    /// Its place in [`KINDS`].
    pub const fn kind(self) -> Option<usize> {
        Some(match self {
            Self::Goes => return None,
            Self::Paused(_) => 0,
            Self::Killed => 1,
            Self::KilledAfter => 2,
            Self::Slow(_) => 3,
            Self::LostBefore => 4,
            Self::LostAfter => 5,
            Self::Late(_) => 6,
            Self::Twice(_) => 7,
            Self::StoppedInside(_) => 8,
            Self::KilledInside => 9,
            Self::PowerCut => 10,
            Self::Broken => 11,
        })
    }
}

/// What can become of a message to the platform; a client waits five seconds for an answer.
pub const MESSAGE: &[Fate] = &[
    Fate::Goes,
    Fate::Slow(30),
    Fate::Slow(4_000),
    Fate::Paused(3_000),
    Fate::Paused(13_000),
    Fate::Paused(60_000),
    Fate::Killed,
    Fate::KilledAfter,
    Fate::LostBefore,
    Fate::LostAfter,
    Fate::Late(1_000),
    Fate::Late(7_000),
    Fate::Late(40_000),
    Fate::Late(300_000),
    Fate::Twice(500),
    Fate::Twice(20_000),
];

/// What can become of a call of the store, which is some calls of the disk in a row.
pub const WORK: &[Fate] = &[
    Fate::Goes,
    Fate::Slow(30),
    Fate::Slow(14_000),
    Fate::Paused(3_000),
    Fate::Paused(13_000),
    Fate::Paused(60_000),
    Fate::Killed,
    Fate::KilledAfter,
    Fate::StoppedInside(500),
    Fate::StoppedInside(14_000),
    Fate::StoppedInside(60_000),
    Fate::KilledInside,
    Fate::PowerCut,
    Fate::Broken,
];

/// What can become of who waits.
pub const WAIT: &[Fate] = &[Fate::Goes, Fate::Paused(3_000), Fate::Paused(13_000), Fate::Paused(60_000), Fate::Killed];

/// The calls that each of these lists is for, as the count of what struck what names them.
pub const CALLS: [(&[&str], &[Fate]); 5] = [
    (&["read", "fence", "write", "command", "settle", "look", "request", "gate"], MESSAGE),
    // Those of a drill.
    (&["node", "state", "raise", "order", "end command"], MESSAGE),
    (&["connect", "statement", "end session", "told", "ledger", "rows"], MESSAGE),
    (&["open", "take over", "beat", "check", "release", "append", "load", "lock", "acknowledge", "end"], WORK),
    (&["sleep", "pause"], WAIT),
];

/// Where choices come from.
#[derive(Debug, Clone)]
enum Source {
    /// Chance: how many of 10,000 calls have a fate, of which kinds, and how many in all.
    Seed { state: u64, rate: u64, kinds: u64, left: u32 },
    /// A list; 0 behind its end.
    List(Vec<u32>),
}

/// The choices of one schedule.
#[derive(Debug, Clone)]
pub struct Choices {
    source: Source,
    /// What was chosen so far.
    pub taken: Vec<u32>,
    /// Of how many each was chosen.
    pub of: Vec<u32>,
    /// Which of them are fates.
    pub fates: Vec<usize>,
}

/// SplitMix64, so that a seed means the same whatever random generator is in fashion.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Choices {
    fn from(source: Source) -> Self {
        Self { source, taken: Vec::new(), of: Vec::new(), fates: Vec::new() }
    }

    /// The schedule of a seed. Each seed has its own mixture of faults, and many have few kinds of them: what strikes always
    /// hides what strikes seldom.
    pub fn of_seed(seed: u64) -> Self {
        let mut state = seed ^ 0x5eed_5eed_5eed_5eed;
        let rate = [80, 200, 400, 800][usize::try_from(draw(&mut state) % 4).unwrap()];
        let kinds = if draw(&mut state).is_multiple_of(3) { u64::MAX } else { draw(&mut state) | draw(&mut state) };
        let left = 1 + u32::try_from(draw(&mut state) % 6).unwrap();
        Self::from(Source::Seed { state, rate, kinds, left })
    }

    /// The schedule of a list.
    pub fn of_list(list: &[u32]) -> Self {
        Self::from(Source::List(list.to_vec()))
    }

    fn note(&mut self, chosen: u32, of: u32) -> u32 {
        self.taken.push(chosen);
        self.of.push(of);
        chosen
    }

    fn listed(&self, of: u32) -> Option<u32> {
        match &self.source {
            Source::List(list) => Some(list.get(self.taken.len()).map_or(0, |chosen| chosen % of)),
            Source::Seed { .. } => None,
        }
    }

    /// One of so many, all alike.
    pub fn any(&mut self, of: u32) -> u32 {
        let chosen = self.listed(of).unwrap_or_else(|| {
            let Source::Seed { state, .. } = &mut self.source else { unreachable!("a list says it") };
            u32::try_from(draw(state) % u64::from(of)).unwrap()
        });
        self.note(chosen, of)
    }

    /// Mostly 0, and one of the others once in so many times.
    pub fn seldom(&mut self, once_in: u32, of: u32) -> u32 {
        let chosen = self.listed(of).unwrap_or_else(|| {
            let Source::Seed { state, .. } = &mut self.source else { unreachable!("a list says it") };
            let strikes = draw(state).is_multiple_of(u64::from(once_in));
            let which = u32::try_from(draw(state) % u64::from(of - 1)).unwrap();
            if strikes { 1 + which } else { 0 }
        });
        self.note(chosen, of)
    }

    /// What becomes of a call, so many times as often as it would.
    pub fn fate(&mut self, fates: &[Fate], weight: u64) -> Fate {
        let of = u32::try_from(fates.len()).unwrap();
        let chosen = self.listed(of).unwrap_or_else(|| {
            let Source::Seed { state, rate, kinds, left } = &mut self.source else { unreachable!("a list says it") };
            let which = usize::try_from(draw(state) % u64::from(of)).unwrap();
            let is_of_kinds = fates[which].kind().is_some_and(|kind| *kinds >> kind & 1 == 1);
            if draw(state) % 10_000 >= *rate * weight || *left == 0 || !is_of_kinds {
                return 0;
            }
            *left -= 1;
            u32::try_from(which).unwrap()
        });
        self.fates.push(self.taken.len());
        self.note(chosen, of);
        fates[chosen as usize]
    }
}
