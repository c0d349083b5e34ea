//! `pipehook simulate`: stories drawn from seeds, in made-up time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Error;
use crate::simulation::{
    Crowd, KINDS, Plan, Verdict, follow_crowd, shrink, simulate, simulate_a_death, simulate_safely,
};

/// With so many seeds, each kind of trouble has struck.
const ENOUGH_TO_SEE_ALL: u64 = 10_000;

/// After so many failing seeds, more would not tell more.
const ENOUGH_FAILURES: usize = 5;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pipehook simulate --seeds 1000             a thousand stories that nobody has seen before
  pipehook simulate --from 1 --seeds 200     two hundred that are always the same
  pipehook simulate --seed 4711              one story, told call by call
  pipehook simulate --seed 4711 --only 0,3   the same with only these of its incidents
  pipehook simulate --seed 4711 --deaths     the same again and again, each time with a sandbox that dies at another moment
  pipehook simulate --crowd 10000            ten thousand executions at the same time, and what following them takes

Exits with 1 where a promise was not kept, and then says how to see it again.")]
pub(super) struct Arguments {
    /// How many stories
    #[arg(long, default_value_t = 100, value_name = "N")]
    seeds: u64,
    /// The first seed; without it, one that depends on the time of day
    #[arg(long, value_name = "SEED")]
    from: Option<u64>,
    /// Tells one story, call by call
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// With --seed: only these of its incidents, by their numbers
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', requires = "seed")]
    only: Option<Vec<usize>>,
    /// With --seed: a sandbox dies at this moment, of those at which the code of any of them waits for something
    #[arg(long, value_name = "MOMENT", requires = "seed")]
    death: Option<NonZero<u64>>,
    /// With --seed: the story once for each such moment, untold
    #[arg(long, requires = "seed", conflicts_with = "death")]
    deaths: bool,
    /// Follows so many executions at the same time, in which nothing goes wrong, and measures that
    #[arg(long, value_name = "N", conflicts_with_all = ["seeds", "from", "seed"])]
    crowd: Option<NonZero<usize>>,
    /// With --crowd: how many workers there are at most at the same time
    #[arg(long, value_name = "N", requires = "crowd", default_value = "5")]
    workers: NonZero<usize>,
    /// How many at the same time; without it, as many as there are processors
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<usize>>,
    /// Prints the summary as JSON
    #[arg(long)]
    json: bool,
}

/// What came of many stories.
#[derive(Debug, Default)]
struct Total {
    seeds: u64,
    lasted: Duration,
    calls: BTreeMap<&'static str, u64>,
    posted: u64,
    struck: BTreeMap<String, u64>,
    failures: Vec<(u64, Vec<String>)>,
}

impl Total {
    fn add(&mut self, seed: u64, verdict: Verdict) {
        self.seeds += 1;
        self.lasted += verdict.lasted;
        self.posted += verdict.posted;
        for (service, count) in verdict.calls {
            *self.calls.entry(service).or_default() += count;
        }
        for (kind, count) in verdict.struck {
            *self.struck.entry(kind).or_default() += count;
        }
        if !verdict.breaches.is_empty() {
            self.failures.push((seed, verdict.breaches));
        }
    }

    /// What never happened, though with so many stories it should have.
    fn missing(&self) -> Vec<&'static str> {
        if self.seeds < ENOUGH_TO_SEE_ALL {
            return Vec::new();
        }
        KINDS.into_iter().filter(|kind| !self.struck.contains_key(*kind)).collect()
    }
}

impl Arguments {
    pub(super) fn run(self) -> Result<(), Error> {
        match (self.crowd, self.seed) {
            (Some(executions), _) => self.follow(executions.get()),
            (_, Some(seed)) if self.deaths => self.die(seed),
            (_, Some(seed)) => self.tell(seed),
            _ => self.run_many(),
        }
    }

    fn jobs(&self) -> usize {
        self.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZero::get)
    }

    fn plan(&self, seed: u64) -> Result<Plan, Error> {
        let plan = Plan::draw(seed);
        let Some(only) = &self.only else { return Ok(plan) };
        let only: BTreeSet<usize> = only.iter().copied().collect();
        match only.iter().find(|number| plan.incidents.iter().all(|incident| incident.number != **number)) {
            Some(number) => Err(Error::SetUp(format!("seed {seed} has no incident {number}"))),
            None => Ok(plan.only(&only)),
        }
    }

    fn tell(&self, seed: u64) -> Result<(), Error> {
        let plan = self.plan(seed)?;
        let verdict = match self.death {
            None => simulate(&plan, true).map(Some),
            Some(moment) => simulate_a_death(&plan, moment.get(), true),
        };
        let verdict = verdict.map_err(|error| Error::SetUp(error.to_string()))?;
        let verdict = verdict.ok_or_else(|| Error::SetUp(format!("seed {seed} has no such moment")))?;
        show_story(&mut io::stdout().lock(), &plan, &verdict).map_err(Error::Output)?;
        if verdict.breaches.is_empty() { Ok(()) } else { Err(Error::Breached(verdict.breaches)) }
    }

    fn die(&self, seed: u64) -> Result<(), Error> {
        let plan = self.plan(seed)?;
        let (next, last) = (AtomicU64::new(1), AtomicU64::new(u64::MAX));
        let told: Mutex<Vec<Result<String, Error>>> = Mutex::default();
        let work = || {
            loop {
                let moment = next.fetch_add(1, Ordering::Relaxed);
                if moment >= last.load(Ordering::Relaxed) {
                    return;
                }
                let wrong = match simulate_a_death(&plan, moment, false) {
                    Ok(Some(verdict)) => verdict.breaches.into_iter().map(|breach| Ok((moment, breach))).collect(),
                    Ok(None) => {
                        last.fetch_min(moment, Ordering::Relaxed);
                        return;
                    }
                    Err(error) => vec![Err(Error::SetUp(error.to_string()))],
                };
                let wrong = wrong.into_iter().map(|one| one.map(|(at, what)| format!("--death {at}: {what}")));
                told.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(wrong);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.jobs() {
                scope.spawn(work);
            }
        });
        let told = told.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let wrong = told.into_iter().collect::<Result<Vec<String>, Error>>()?;
        let moments = last.into_inner() - 1;
        writeln!(io::stdout(), "seed {seed}: a sandbox died at each of {moments} moments").map_err(Error::Output)?;
        if wrong.is_empty() { Ok(()) } else { Err(Error::Breached(wrong)) }
    }

    fn follow(&self, executions: usize) -> Result<(), Error> {
        let began = Instant::now();
        let followed = follow_crowd(executions, self.workers.get());
        let (verdict, crowd) = followed.map_err(|error| Error::SetUp(error.to_string()))?;
        self.show_crowd(executions, began.elapsed(), &verdict, &crowd).map_err(Error::Output)?;
        if verdict.breaches.is_empty() { Ok(()) } else { Err(Error::Breached(verdict.breaches)) }
    }

    fn show_crowd(&self, executions: usize, took: Duration, verdict: &Verdict, crowd: &Crowd) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let lags = [500, 990, 1000].map(|share| crowd.lag(share).as_secs_f64());
        if self.json {
            let told = json!({
                "executions": executions, "workers": self.workers, "seconds": took.as_secs_f64(),
                "simulated_minutes": verdict.lasted.as_secs() / 60, "changes": crowd.lags.len(), "unseen": crowd.unseen,
                "lag": {"half": lags[0], "of_a_hundred_99": lags[1], "longest": lags[2]},
                "calls_in_the_busiest_minute": crowd.busiest, "messages": crowd.messages, "resident": crowd.resident,
                "posted": verdict.posted, "breaches": verdict.breaches,
            });
            return writeln!(out, "{told}");
        }
        writeln!(
            out,
            "{executions} executions at the same time, {} workers, {} minutes, told in {} statuses; simulated in {:.0} s",
            self.workers,
            verdict.lasted.as_secs() / 60,
            verdict.posted,
            took.as_secs_f64()
        )?;
        let [half, most, longest] = lags;
        let (changes, unseen) = (crowd.lags.len(), crowd.unseen);
        writeln!(
            out,
            "from a change to its status: {half:.1} s for half of {changes}, {most:.1} s for 99 of 100, {longest:.1} s at \
             most; {unseen} were over before they were seen"
        )?;
        let busiest: Vec<_> = crowd.busiest.iter().map(|(service, calls)| format!("{service} {calls}")).collect();
        writeln!(out, "calls in the busiest minute: {}", busiest.join(", "))?;
        writeln!(out, "messages on the queue at the same time, at most: {}", crowd.messages)?;
        let megabytes: Vec<_> = crowd.resident.iter().map(|bytes| format!("{}", bytes / 1_000_000)).collect();
        writeln!(out, "memory of the process after each minute, in MB: {}", megabytes.join(" "))
    }

    fn run_many(&self) -> Result<(), Error> {
        let first = self.from.unwrap_or_else(|| {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            // Far from the seeds that anybody would choose.
            since_epoch.as_millis() as u64 * 1000
        });
        let bar = ProgressBar::new(self.seeds);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos} of {len} seeds, {eta} left") {
            bar.set_style(style);
        }
        let began = Instant::now();
        let (next, has_enough) = (AtomicU64::new(0), AtomicBool::new(false));
        let total = Mutex::new(Total::default());
        let broken = Mutex::new(None);
        let work = || {
            while !has_enough.load(Ordering::Relaxed) {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= self.seeds {
                    return;
                }
                let seed = first.wrapping_add(n);
                let verdict = match simulate_safely(&Plan::draw(seed)) {
                    Ok(verdict) => verdict,
                    Err(error) => {
                        has_enough.store(true, Ordering::Relaxed);
                        *broken.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
                        return;
                    }
                };
                bar.inc(1);
                let mut total = total.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                total.add(seed, verdict);
                if total.failures.len() >= ENOUGH_FAILURES {
                    has_enough.store(true, Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.jobs() {
                scope.spawn(work);
            }
        });
        bar.finish_and_clear();
        if let Some(error) = broken.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            return Err(Error::SetUp(error.to_string()));
        }
        let total = total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.show(first, began.elapsed(), &total).map_err(Error::Output)?;
        let mut wrong: Vec<String> = Vec::new();
        for (seed, breaches) in &total.failures {
            wrong.extend(breaches.iter().map(|breach| format!("seed {seed}: {breach}")));
        }
        if let Some((seed, _)) = total.failures.first() {
            wrong.push(format!("to see it again: {}", again(*seed).map_err(|error| Error::SetUp(error.to_string()))?));
        }
        wrong.extend(total.missing().into_iter().map(|kind| format!("\"{kind}\" never happened")));
        if wrong.is_empty() { Ok(()) } else { Err(Error::Breached(wrong)) }
    }

    fn show(&self, first: u64, took: Duration, total: &Total) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let hours = total.lasted.as_secs_f64() / 3600.0;
        let rate = hours / took.as_secs_f64().max(0.001);
        let calls: u64 = total.calls.values().sum();
        if self.json {
            let failures: Vec<_> =
                total.failures.iter().map(|(seed, breaches)| json!({"seed": seed, "breaches": breaches})).collect();
            let told = json!({
                "from": first, "seeds": total.seeds, "seconds": took.as_secs_f64(), "simulated_hours": hours,
                "calls": total.calls, "posted": total.posted, "struck": total.struck, "failures": failures,
                "never": total.missing(),
            });
            return writeln!(out, "{told}");
        }
        writeln!(
            out,
            "{} seeds from {first} in {:.1} s: {hours:.0} hours, {rate:.2} hours a second; {calls} calls, {} things told to \
             GitHub",
            total.seeds,
            took.as_secs_f64(),
            total.posted
        )?;
        for (kind, count) in &total.struck {
            writeln!(out, "{count:>9}  {kind}")?;
        }
        writeln!(out, "{} seeds failed", total.failures.len())
    }
}

fn show_story(out: &mut impl Write, plan: &Plan, verdict: &Verdict) -> io::Result<()> {
    write!(out, "{plan}")?;
    for line in &verdict.story {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

/// Tells the story on standard error, with as few incidents as it takes, and gives the command that does so again.
fn again(seed: u64) -> io::Result<String> {
    let plan = Plan::draw(seed);
    let kept = shrink(&plan)?;
    let shrunken = plan.only(&kept);
    // One that ends in a panic tells nothing but that.
    if let Ok(told) = std::panic::catch_unwind(|| simulate(&shrunken, true)) {
        // Whoever can't read it has the command.
        let _ = show_story(&mut io::stderr().lock(), &shrunken, &told?);
    }
    let numbers: Vec<String> = kept.iter().map(ToString::to_string).collect();
    let only =
        if kept.len() == plan.incidents.len() { String::new() } else { format!(" --only {}", numbers.join(",")) };
    Ok(format!("pipehook simulate --seed {seed}{only}"))
}
