//! Where traces come from: files, or a receiver of our own for as long as spans come in.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    fs::File,
    io::BufWriter,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::{
    adapters::otlp::{FileLimits, Limits, Receiver, TraceFiles, write_json_lines},
    error::Error,
    model::{HumanDuration, trace},
    ports::{Collected, Traces, Wanted},
    report,
    sequence::conform::Observed,
};

/// How often the receiver is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long senders may take to finish what they have begun to send.
const LAST: Duration = Duration::from_secs(2);

/// Where traces come from.
#[derive(Debug, clap::Args)]
pub(super) struct TraceArgs {
    /// OTLP files: JSON, JSON lines or protobuf
    #[arg(long, value_name = "FILE", required_unless_present = "listen")]
    traces: Vec<PathBuf>,
    /// Receive OTLP over HTTP at this address, until nothing more comes; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "traces")]
    listen: Option<SocketAddr>,
    /// How long nothing of a trace may come before it is taken for whole
    #[arg(long, default_value = "2s", value_name = "TIME", allow_hyphen_values = true)]
    quiet: HumanDuration,
    /// How long to listen at most, where something comes all the time; traces that were not quiet then are INCONCLUSIVE
    #[arg(long, default_value = "60s", value_name = "TIME", allow_hyphen_values = true)]
    within: HumanDuration,
    /// Keep the spans there, as OTLP JSON lines
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

impl TraceArgs {
    /// Reads or receives spans.
    ///
    /// # Errors
    /// Where a file is not what it should be, or the address cannot be listened on.
    pub fn collect(&self) -> Result<Observed, Error> {
        let observed = match self.listen {
            None => read(&self.traces)?,
            Some(address) => receive(address, self.quiet.0, self.within.0)?,
        };
        if let Some(file) = &self.save {
            save(file, &observed.spans)?;
        }
        Ok(observed)
    }
}

fn read(files: &[PathBuf]) -> Result<Observed, Error> {
    let files = TraceFiles::read(files, FileLimits::default())?;
    for note in files.notes() {
        report::remark(note);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(no_runtime)?;
    let Collected { spans, lost, .. } = runtime.block_on(all(&files))?;
    Ok(Observed { spans, lost, ..Observed::default() })
}

fn receive(address: SocketAddr, quiet: Duration, within: Duration) -> Result<Observed, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(no_runtime)?.block_on(async {
        let hint = "name another address, or port 0 for a free one";
        let receiver = Receiver::start(address, Limits::default()).await.map_err(|e| Error::port(e, hint))?;
        report::remark(&format!("listening on http://{}/v1/traces", receiver.address()));
        let bar = ProgressBar::with_draw_target(None, target());
        // Whoever interrupts has seen enough: what came is judged; what came last is said not to be whole.
        let settled = tokio::select! {
            settled = settled(&receiver, quiet, within) => settled,
            _ = tokio::signal::ctrl_c() => false,
            never = tell(&receiver, &bar) => match never {},
        };
        bar.finish_and_clear();
        let over = Instant::now();
        receiver.end(LAST).await;
        let unsettled = if settled { BTreeSet::new() } else { receiver.fresh(quiet + over.elapsed()) };
        let Collected { spans, lost, .. } = all(&receiver).await?;
        Ok(Observed { spans, lost, unsettled })
    })
}

/// Waits for the first span, and then until nothing more comes; says whether that was in time.
async fn settled(receiver: &Receiver, quiet: Duration, within: Duration) -> bool {
    let whole = async {
        while receiver.counts().accepted == 0 {
            tokio::time::sleep(LOOK).await;
        }
        receiver.settled(quiet, within).await
    };
    tokio::time::timeout(within, whole).await.unwrap_or(false)
}

async fn tell(receiver: &Receiver, bar: &ProgressBar) -> Infallible {
    loop {
        let (spans, quiet) = (receiver.counts().accepted, receiver.quiet().as_secs_f64());
        bar.set_message(format!("{spans} spans, nothing for {quiet:.1}s"));
        tokio::time::sleep(LOOK).await;
    }
}

async fn all(source: &dyn Traces) -> Result<Collected, Error> {
    let wanted = Wanted { traces: Vec::new(), most: FileLimits::default().spans };
    source.collect(&wanted).await.map_err(|e| Error::port(e, "give fewer traces"))
}

fn no_runtime(e: std::io::Error) -> Error {
    Error::usage(format!("no threads to work with: {e}"), "see `ulimit -u`")
}

fn target() -> ProgressDrawTarget {
    if report::is_plain() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() }
}

fn save(file: &Path, spans: &[trace::Span]) -> Result<(), Error> {
    let cannot = |e: std::io::Error| {
        Error::usage(format!("cannot write `{}`: {e}", file.display()), "name a file that can be written")
    };
    let mut target = BufWriter::new(File::create(file).map_err(cannot)?);
    write_json_lines(spans, &mut target).and_then(|()| std::io::Write::flush(&mut target)).map_err(cannot)
}
