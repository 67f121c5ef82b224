//! What is taken out to see whether the search finds it: each stands for one of the mends that the laws rest on. They lie in
//! the doubles around the ports, and the code under test is the same.

/// One thing that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Nothing.
    None,
    /// A fence reads, and raises no epoch: what is under way lands after the run.
    FenceReads,
    /// Nobody ends what an earlier owner has intended.
    SettlesNothing,
    /// An owner goes on that has been told that its run is another's, and its acts ask nobody.
    IgnoresLoss,
    /// A disk that syncs nothing.
    SyncsNothing,
    /// A file that has to be new replaces the one that is there, so that two processes can claim one epoch.
    NothingIsExclusive,
    /// A write takes what it finds, whatever that is.
    Overwrites,
    /// Nobody is bound to the object that was captured: what somebody has made anew is taken for it.
    BindsNothing,
    /// A run begins with the epoch that its lock gives, whatever epochs the objects bear.
    BeginsBelow,
    /// Nobody ends an owner that has lost its run and does not say that it acts no more.
    EndsNobody,
    /// What the way back writes at another key reaches no journal.
    PreparesUncaptured,
    /// Under the lock the gates answer what they answered before.
    StaleGates,
}
