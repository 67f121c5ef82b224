//! `interlock sequence`: diagrams in documents, what is wrong with them, and whether traces bear them out.

mod baseline;
#[cfg(feature = "otlp")]
mod collect;
mod command;
#[cfg(feature = "otlp")]
mod export;
mod lint;
#[cfg(feature = "otlp")]
mod selftest;
mod sources;
#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "without traces, scenarios are only looked at"))]
mod target;
#[cfg(feature = "otlp")]
mod verify;

pub use command::Command;

fn write(file: &std::path::Path, text: &str) -> Result<(), crate::error::Error> {
    std::fs::write(file, text).map_err(|e| {
        let what = format!("cannot write `{}`: {e}", file.display());
        crate::error::Error::usage(what, "name a file that can be written")
    })
}
