//! The whole system in one thread, in made-up time, with everything that can go wrong drawn from a seed.
//!
//! The functions are the real ones, their clients of AWS and GitHub included; only the connections lead to a world in
//! memory, and tokio's clock jumps to whatever happens next. So hours take milliseconds, and the same seed is the same
//! story each time.

mod crowd;
mod deeds;
mod deployments;
mod draw;
mod log;
mod plan;
mod run;
mod sandbox;
mod shrink;
mod truth;
mod watch;
mod wires;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

pub use crowd::Crowd;
pub use plan::{Incident, KINDS, Plan, What};
pub use shrink::{shrink, simulate_safely};

use log::Log;
use run::Runner;
use sandbox::Doom;
use watch::Watch;

/// What came of a plan.
#[derive(Debug)]
pub struct Verdict {
    /// Promises that were not kept.
    pub breaches: Vec<String>,
    /// What went wrong, and how often.
    pub struck: BTreeMap<String, u64>,
    /// Calls by service.
    pub calls: BTreeMap<&'static str, u64>,
    /// Statuses and changes of check runs.
    pub posted: u64,
    /// Made-up time.
    pub lasted: Duration,
    /// What happened, line by line, where that was asked for.
    pub story: Vec<String>,
    /// Two runs of the same plan have the same.
    pub digest: u64,
}

impl Verdict {
    /// Of a story that ended in a panic.
    pub fn of_a_panic() -> Self {
        Self {
            breaches: vec!["it panicked".to_owned()],
            struck: BTreeMap::new(),
            calls: BTreeMap::new(),
            posted: 0,
            lasted: Duration::ZERO,
            story: Vec::new(),
            digest: 0,
        }
    }
}

/// Carries a plan out. With `tells`, the verdict holds the story.
///
/// # Errors
/// Where no runtime can be made.
pub fn simulate(plan: &Plan, tells: bool) -> std::io::Result<Verdict> {
    carry_out(plan, |log| Watch::new(log, tells), tells, None).map(|(verdict, _)| verdict)
}

/// As [`simulate`], and a sandbox dies at this moment, counted from 1, of those at which the code of any of them waits for
/// something. `None` where the story has fewer.
///
/// # Errors
/// Where no runtime can be made.
pub fn simulate_a_death(plan: &Plan, moment: u64, tells: bool) -> std::io::Result<Option<Verdict>> {
    let doom = Doom::new(Cell::new(moment));
    let (verdict, _) = carry_out(plan, |log| Watch::new(log, tells), tells, Some(doom.clone()))?;
    Ok((doom.get() == 0).then_some(verdict))
}

/// Follows so many executions at the same time, with at most so many workers, and measures what that takes.
///
/// # Errors
/// Where no runtime can be made.
pub fn follow_crowd(executions: usize, workers: usize) -> std::io::Result<(Verdict, Crowd)> {
    let plan = Plan::crowd(executions, workers);
    let (verdict, crowd) = carry_out(&plan, Watch::of_crowd, false, None)?;
    Ok((verdict, crowd.unwrap_or_default()))
}

fn carry_out(
    plan: &Plan,
    watch: impl FnOnce(Log) -> Watch,
    tells: bool,
    doom: Option<Doom>,
) -> std::io::Result<(Verdict, Option<Crowd>)> {
    // The SDK draws its delays from this thread's generator.
    fastrand::seed(plan.seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let (log, _guard) = Log::of(plan.seed, tells);
    Ok(runtime.block_on(async { Runner::new(plan, watch(log), doom).await.finish().await }))
}
