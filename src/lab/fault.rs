//! Faults that a release of a service can be given, so that there is something to find.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::HumanDuration;

/// How much a leak takes at most, unless it says so itself.
const LEAK_MAX: u64 = 512 << 20;

/// A fault; it acts on business requests only, never on health, version or metrics.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// `error-rate=5%[:burst=10][:after=100]`: this share of requests fails with a 500, in runs of `burst`.
    ErrorRate {
        /// The share that fails, from 0 to 1.
        share: f64,
        /// How many fail in a row.
        burst: u32,
        /// How many are answered well first.
        after: u64,
    },
    /// `latency=200ms[:share=10%]`: this share of requests takes so much longer.
    Latency {
        /// How much longer.
        delay: Duration,
        /// The share that does, from 0 to 1.
        share: f64,
    },
    /// `hang[=after:100][,share:10%]`: requests are never answered.
    Hang {
        /// How many are answered first.
        after: u64,
        /// The share of the rest that hangs, from 0 to 1.
        share: f64,
    },
    /// `crash-after=500`: the process ends at this request.
    CrashAfter(u64),
    /// The steps of a request are others than they should be.
    Deviates(Deviation),
    /// `leak=1MiB[:max=512MiB]`: each request keeps so much memory, up to a bound.
    Leak {
        bytes: u64,
        /// Bytes in all.
        max: u64,
    },
}

/// How a release deviates from the steps of a request, though its users are answered as ever; in a full lab only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviation {
    /// `skip-store`: answers from nothing.
    SkipStore,
    /// `skip-log`: tells the sink nothing of an error.
    SkipLog,
    /// `double-query`: asks the store twice.
    DoubleQuery,
    /// `extra-log`: tells the sink of requests that went well.
    ExtraLog,
    /// `late-authorization`: asks the store before it has looked whether that is allowed.
    LateAuthorization,
    /// `wrong-service`: asks the identity provider what only the store knows.
    WrongService,
}

impl Deviation {
    const ALL: [Self; 6] = [
        Self::SkipStore,
        Self::SkipLog,
        Self::DoubleQuery,
        Self::ExtraLog,
        Self::LateAuthorization,
        Self::WrongService,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SkipStore => "skip-store",
            Self::SkipLog => "skip-log",
            Self::DoubleQuery => "double-query",
            Self::ExtraLog => "extra-log",
            Self::LateAuthorization => "late-authorization",
            Self::WrongService => "wrong-service",
        }
    }
}

impl Fault {
    /// Whether it acts in a full lab only.
    #[must_use]
    pub const fn wants_full(&self) -> bool {
        matches!(self, Self::Deviates(_))
    }
}

const FORMS: &str = "error-rate=5%[:burst=10][:after=100], latency=200ms[:share=10%], hang[=after:100][,share:10%], \
                     crash-after=500, leak=1MiB[:max=512MiB], and in a full lab skip-store, skip-log, double-query, \
                     extra-log, late-authorization, wrong-service";

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(deviation) = Deviation::ALL.into_iter().find(|deviation| deviation.name() == text) {
            return Ok(Self::Deviates(deviation));
        }
        let (name, rest) = text.split_once('=').unwrap_or((text, ""));
        let why = |e: String| format!("`{text}`: {e}");
        match name {
            "error-rate" => {
                let (value, mut options) = split(rest).map_err(why)?;
                let burst = options.take("burst", 1, |v| number(v, "burst")).map_err(why)?;
                let after = options.take("after", 0, |v| number(v, "after")).map_err(why)?;
                options.end().map_err(why)?;
                if burst == 0 || burst > 100_000 {
                    return Err(why("burst is from 1 to 100000".into()));
                }
                Ok(Self::ErrorRate { share: share(value).map_err(why)?, burst, after })
            }
            "latency" => {
                let (value, mut options) = split(rest).map_err(why)?;
                let part = options.take("share", 1.0, share).map_err(why)?;
                options.end().map_err(why)?;
                let delay = value.parse::<HumanDuration>().map_err(why)?.0;
                if delay > Duration::from_secs(600) {
                    return Err(why("the longest latency is 10m; use `hang` for what never answers".into()));
                }
                Ok(Self::Latency { delay, share: part })
            }
            "hang" => {
                let mut options = Options::read(rest, [',', ':']).map_err(why)?;
                let after = options.take("after", 0, |v| number(v, "after")).map_err(why)?;
                let part = options.take("share", 1.0, share).map_err(why)?;
                options.end().map_err(why)?;
                Ok(Self::Hang { after, share: part })
            }
            "crash-after" => Ok(Self::CrashAfter(number(rest, "crash-after").map_err(why)?)),
            "leak" => {
                let (value, mut options) = split(rest).map_err(why)?;
                let max = options.take("max", LEAK_MAX, size).map_err(why)?;
                options.end().map_err(why)?;
                Ok(Self::Leak { bytes: size(value).map_err(why)?, max })
            }
            _ => Err(format!("`{name}` is no fault; there are {FORMS}")),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ErrorRate { share, burst, after } => {
                write!(f, "error-rate={}%:burst={burst}:after={after}", share * 100.0)
            }
            Self::Latency { delay, share } => write!(f, "latency={}:share={}%", HumanDuration(*delay), share * 100.0),
            Self::Hang { after, share } => write!(f, "hang=after:{after},share:{}%", share * 100.0),
            Self::CrashAfter(n) => write!(f, "crash-after={n}"),
            Self::Deviates(deviation) => f.write_str(deviation.name()),
            Self::Leak { bytes, max } => write!(f, "leak={bytes}B:max={max}B"),
        }
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(de::Error::custom)
    }
}

/// The names that a fault begins with.
const NAMES: [&str; 5] = ["error-rate", "latency", "hang", "crash-after", "leak"];

/// Faults with commas between them, such as `latency=200ms,hang=after:100,share:10%`; none where nothing is written.
///
/// A part that begins with no fault's name belongs to the fault before it, since `hang` has commas of its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Faults(pub Vec<Fault>);

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts: Vec<String> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let name = part.split('=').next().unwrap_or_default();
            let begins = NAMES.contains(&name) || Deviation::ALL.iter().any(|deviation| deviation.name() == name);
            match parts.last_mut() {
                Some(fault) if !begins => {
                    fault.push(',');
                    fault.push_str(part);
                }
                _ => parts.push(part.to_owned()),
            }
        }
        parts.iter().map(|part| part.parse()).collect::<Result<_, _>>().map(Self)
    }
}

/// The options that follow a fault's value, each `key=value` or `key:value`.
struct Options<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Options<'a> {
    fn read(text: &'a str, [between, within]: [char; 2]) -> Result<Self, String> {
        let pairs = text.split(between).filter(|part| !part.is_empty());
        pairs
            .map(|part| part.split_once([within, '=']).ok_or_else(|| format!("`{part}` has no value")))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn take<T>(&mut self, key: &str, absent: T, read: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
        match self.0.iter().position(|(k, _)| *k == key) {
            Some(at) => read(self.0.remove(at).1),
            None => Ok(absent),
        }
    }

    fn end(self) -> Result<(), String> {
        match self.0.first() {
            Some((key, _)) => Err(format!("`{key}` is no option of this fault, or stands twice")),
            None => Ok(()),
        }
    }
}

fn split(rest: &str) -> Result<(&str, Options<'_>), String> {
    let (value, options) = rest.split_once(':').unwrap_or((rest, ""));
    Ok((value, Options::read(options, [':', '='])?))
}

fn share(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').ok_or_else(|| format!("`{text}` is no share such as 5%"))?;
    match percent.parse::<f64>() {
        Ok(p) if (0.0..=100.0).contains(&p) => Ok(p / 100.0),
        _ => Err(format!("`{text}` is no share from 0% to 100%")),
    }
}

fn number<T: FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number for {what}"))
}

fn size(text: &str) -> Result<u64, String> {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];
    let odd = || format!("`{text}` is no size such as 1MiB");
    let (digits, shift) =
        units.iter().find_map(|(unit, shift)| text.strip_suffix(unit).map(|d| (d, *shift))).ok_or_else(odd)?;
    let bytes = digits.trim().parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift)).ok_or_else(odd)?;
    if (1..=8 << 30).contains(&bytes) { Ok(bytes) } else { Err(format!("`{text}` is not from 1B to 8GiB")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_as_they_are_written() {
        for text in [
            "error-rate=5%",
            "error-rate=0.5%:burst=10",
            "error-rate=5%:burst=10:after=500",
            "latency=200ms",
            "latency=200ms:share=10%",
            "hang",
            "hang=after:100",
            "hang=share:10%",
            "hang=after:100,share:50%",
            "crash-after=500",
            "leak=1MiB",
            "leak=1MiB:max=16MiB",
            "skip-store",
            "late-authorization",
        ] {
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string().parse::<Fault>().unwrap(), fault, "{text}");
        }
    }

    #[test]
    fn a_list_keeps_the_commas_that_belong_to_a_fault() {
        let list: Faults = "latency=200ms, hang=after:100,share:50%,skip-log,crash-after=5".parse().unwrap();
        let one_by_one = ["latency=200ms", "hang=after:100,share:50%", "skip-log", "crash-after=5"];
        assert_eq!(list.0, one_by_one.map(|text| text.parse().unwrap()));
        assert_eq!("".parse(), Ok(Faults::default()));
        assert!("slow,hang".parse::<Faults>().is_err() && "hang,slow".parse::<Faults>().is_err());
    }

    #[test]
    fn every_fault_is_known_to_lists() {
        let deviations = Deviation::ALL.map(Deviation::name);
        for form in FORMS.split(", ").map(|form| form.trim_start_matches("and in a full lab ")) {
            assert!(NAMES.iter().chain(&deviations).any(|name| form.starts_with(name)), "{form}");
        }
        assert_eq!(FORMS.split(", ").count(), NAMES.len() + deviations.len());
    }

    #[test]
    fn odd_faults_are_told_apart() {
        let told: Vec<_> =
            ["slow", "error-rate=5", "error-rate=500%", "latency=fast", "hang=soon:1", "leak=1MB", "error-rate=1%:x=2"]
                .map(|text| text.parse::<Fault>().unwrap_err())
                .into();
        insta::assert_snapshot!(told.join("\n"), @r#"
`slow` is no fault; there are error-rate=5%[:burst=10][:after=100], latency=200ms[:share=10%], hang[=after:100][,share:10%], crash-after=500, leak=1MiB[:max=512MiB], and in a full lab skip-store, skip-log, double-query, extra-log, late-authorization, wrong-service
`error-rate=5`: `5` is no share such as 5%
`error-rate=500%`: `500%` is no share from 0% to 100%
`latency=fast`: `fast` is no duration such as 90s or 5m: expected number at 0
`hang=soon:1`: `soon` is no option of this fault, or stands twice
`leak=1MB`: `1MB` is no size such as 1MiB
`error-rate=1%:x=2`: `x` is no option of this fault, or stands twice
"#);
    }
}
