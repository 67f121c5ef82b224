//! What the system allows this process.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The most descriptors that are of use to us.
const FILES: u64 = 65_536;

/// Allows this process as many descriptors as the system lets it have without asking anyone; gives how many.
///
/// # Errors
/// Where the system refuses.
pub fn raise_file_limit() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = hard.min(FILES).max(soft);
    if wanted > soft {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
    }
    Ok(wanted)
}
