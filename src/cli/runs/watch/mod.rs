//! `pipehook watch`: follows an execution in the terminal, in the words in which GitHub shows it.

mod screen;
mod told;

use std::pin::pin;
use std::time::{Duration, Instant};

use clap::Args;

use self::screen::Screen;
use self::told::Told;
use super::{ANY_SOURCE, Pipelines};
use crate::aws::codepipeline::PipelineError;
use crate::cli::Error;
use crate::cli::account::{AccountArguments, may_pass};
use crate::domain::execution::ExecutionSnapshot;
use crate::domain::listed::{Listed, short_id};
use crate::domain::report::RunOptions;
use crate::domain::text;
use crate::domain::wake::{Wake, next_wake};
use crate::queue::memory::KnownRollout;
use crate::reader::Extras;

/// A person waits: whatever the schedule of the follower says, it is looked at this often.
const AT_LEAST_EVERY: &str = "5s";

/// What the exit code is once the time is over, as of `timeout`.
const TIMED_OUT: u8 = 124;

/// What the exit code is after Ctrl-C, as of a shell's.
const INTERRUPTED: u8 = 130;

/// What `watch` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pipehook watch node-server\n  pipehook watch node-server 8f3c1a2b --timeout 30m\n  \
                  pipehook watch node-server --json | jq -r .description\n\n\
                  It says what GitHub shows on the commit, and means the same by it: a deploy is done when ECS says so, \
                  and a rollback is no success. Times are AWS's, in UTC. Without a terminal there is a line for each \
                  change, with --json a document for each. Ctrl-C leaves the run alone.\n\n\
                  Exits with\n  0    it has succeeded\n  1    it has failed, or was stopped, cancelled, superseded or rolled \
                  back; or it can't be read\n  124  the time of --timeout is over\n  130  Ctrl-C"
)]
pub(in crate::cli) struct Arguments {
    /// The pipeline's name
    pipeline: String,
    /// The execution, by its id or the first characters of it; without it, the newest
    execution: Option<String>,
    /// Stop watching after this long
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// Look again after this long at the latest
    #[arg(long, value_name = "DURATION", default_value = AT_LEAST_EVERY, value_parser = duration)]
    every: Duration,
    /// Give up after this long without any answer
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration)]
    patience: Duration,
    /// Print JSON, a line for each change
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArguments,
}

/// `100ms`, `30s`, `30m`, `2h`; a number alone is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    let total = number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis)).filter(|total| *total > 0);
    // More than a year is a slip of the finger, and more than some clocks hold.
    let total = total.filter(|total| *total <= 365 * 24 * 3_600_000);
    total.map(Duration::from_millis).ok_or_else(|| "it must be a time, such as 30s, 15m or 2h".to_owned())
}

/// How it ended.
enum End {
    /// The run is over, or what it comes to can't change any more.
    Over {
        is_success: bool,
    },
    TimedOut,
    Interrupted,
}

impl Arguments {
    pub(in crate::cli) async fn run(&self) -> Result<(), Error> {
        let began = Instant::now();
        let mut interrupted = pin!(tokio::signal::ctrl_c());
        let mut screen = Screen::new(self.json);
        let followed = async {
            let pipelines = Pipelines::open(&self.account).await?;
            let listed = pipelines.find(&self.pipeline, self.execution.as_deref()).await?;
            self.follow(&pipelines, &listed, began, &mut screen).await
        };
        let time_over = async {
            match self.timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        let end = tokio::select! {
            end = followed => end?,
            _ = &mut interrupted => End::Interrupted,
            () = time_over => End::TimedOut,
        };
        match end {
            End::Over { is_success: true } => Ok(()),
            End::Over { is_success: false } => Err(Error::Said { code: 1 }),
            End::TimedOut => {
                screen.leave("the time is over; the run goes on").map_err(Error::Output)?;
                Err(Error::Said { code: TIMED_OUT })
            }
            End::Interrupted => {
                screen.leave("not watched any more; the run goes on").map_err(Error::Output)?;
                Err(Error::Said { code: INTERRUPTED })
            }
        }
    }

    /// Looks again and again until there is nothing more to see.
    async fn follow(
        &self,
        pipelines: &Pipelines,
        listed: &Listed,
        began: Instant,
        screen: &mut Screen,
    ) -> Result<End, Error> {
        let mut known: Vec<KnownRollout> = Vec::new();
        let mut options: Option<RunOptions> = None;
        let mut last_answer = Instant::now();
        let extras = Extras { address: false, log: true };
        loop {
            let read = pipelines.reader.read(&self.pipeline, &listed.id, None, &known, extras).await;
            let snapshot = match read {
                Ok(reading) => reading.snapshot(ANY_SOURCE),
                Err(PipelineError::Unavailable(why)) if may_pass(&why) && last_answer.elapsed() < self.patience => {
                    screen.no_answer(pipelines.clock.now(), &why).map_err(Error::Output)?;
                    tokio::time::sleep(self.every).await;
                    continue;
                }
                Err(error) => {
                    screen.settle();
                    let what = format!("read {} of {}", short_id(&listed.id), self.pipeline);
                    let is_silence = matches!(&error, PipelineError::Unavailable(why) if may_pass(why));
                    let waited = text::duration(self.patience);
                    let doing = if is_silence { format!("{what}, after {waited} without an answer") } else { what };
                    return Err(Error::pipeline(doing, error));
                }
            };
            last_answer = Instant::now();
            known = snapshot.stages.iter().flat_map(|stage| &stage.actions).filter_map(KnownRollout::of).collect();
            let options = match &mut options {
                Some(options) => options,
                none => none.insert(pipelines.options(&self.pipeline, snapshot.repository.as_ref()).await),
            };
            let told = Told::of(&snapshot, listed, options);
            let is_over = is_over(&snapshot);
            screen.show(pipelines.clock.now(), listed, &snapshot, &told, is_over).map_err(Error::Output)?;
            if is_over {
                return Ok(End::Over { is_success: told.is_success(&snapshot) });
            }
            let wait = match next_wake(&snapshot, began.elapsed()) {
                Wake::After(wait) => wait.min(self.every),
                Wake::Done => self.every,
            };
            tokio::time::sleep(wait).await;
        }
    }
}

/// Whether nothing can change any more what it comes to. A deploy that ECS has rolled back has failed, however long
/// CodePipeline goes on to wait for it.
fn is_over(snapshot: &ExecutionSnapshot) -> bool {
    let rolled_back = |stage: &crate::domain::execution::Stage| {
        stage.failed_rollout().is_some_and(crate::domain::rollout::Rollout::is_decided)
    };
    snapshot.is_settled() || snapshot.stages.iter().any(rolled_back)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        let millis = |text| duration(text).map(|duration| duration.as_millis()).ok();
        let read = ["100ms", "5s", "30", "30m", "2h"].map(millis);
        assert_eq!(read, [100, 5_000, 30_000, 1_800_000, 7_200_000].map(Some));
        for wrong in ["", "0s", "s", "-1s", "1.5h", "5 s", "9000h", "99999999999999999999h", "1d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
