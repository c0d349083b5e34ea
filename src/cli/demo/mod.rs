//! `pipehook demo`: stories of pushes, told by the system itself.

mod screen;
pub(super) mod story;
mod teller;
mod truth;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::functions::Functions;
use super::pace::Pace;
use super::{Error, speed};
use crate::local::{Local, Setup, sample};
use crate::standin::World;
use screen::Screen;
use story::{Name, Story};
use teller::Teller;

/// How much faster than real time the world runs at `--speed 1`: the usual stories then take some 20 s.
const RATE: f64 = 50.0;

/// What a slow machine gets on top of the time that the stories take by themselves.
const PATIENCE: Duration = Duration::from_secs(60);

const SECRET: &str = "the-demo's-webhook-secret";
const TOKEN: &str = "the-demo's-github-token";

/// What `demo` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook demo\n  pipehook demo --story rollback --speed 0.5\n  \
                  pipehook demo --story failure,approval\n  \
                  pipehook demo --speed 10 --json | jq 'select(.state != \"pending\")'\n\n\
                  The exit code is 0 only where what GitHub holds in the end is what CodePipeline and ECS did.")]
pub(super) struct Arguments {
    /// What to tell, several with commas [default: success,failure,rollback,superseded]
    #[arg(long, value_name = "NAME", value_enum, value_delimiter = ',')]
    story: Vec<Name>,
    /// How many times faster than usual; at 1 the default stories take some 20 seconds
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    speed: f64,
    /// Print one line of JSON for each status that GitHub takes, and nothing else
    #[arg(long)]
    json: bool,
    /// Write every call to the stand-ins and its answer to a file, as lines of JSON
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Error> {
    let stories = story::chosen(if arguments.story.is_empty() { &story::USUAL } else { &arguments.story });
    let rate = RATE * arguments.speed;
    let pace = Pace::new(rate);
    let setup = Setup { routes: story::ROUTES, webhook_secret: SECRET, github_token: TOKEN };
    let listens = |cause| Error::SetUp(format!("can't listen on loopback: {cause}"));
    let local = Arc::new(Local::start(0, pace.clock(), &setup).await.map_err(listens)?);
    set_the_stage(&mut local.world(), &stories);
    let functions = Functions::start(0, local.clone(), pace.clone()).await.map_err(listens)?;
    let screen = Screen::new(arguments.json);
    let mut teller = Teller::new(local.clone(), pace, rate, screen, stories, functions.webhook_url());
    let limit = PATIENCE + Duration::try_from_secs_f64(story::ALTOGETHER.as_secs_f64() / rate).unwrap_or(Duration::MAX);
    let told = match tokio::time::timeout(limit, teller.tell()).await {
        Ok(told) => told,
        Err(_) => Err(Error::TooLong { missing: teller.missing() }),
    };
    // What was recorded is needed most where something went wrong.
    if let Some(file) = &arguments.record {
        record(file, &local)?;
    }
    told?;
    teller.end()
}

fn set_the_stage(world: &mut World, stories: &[&Story]) {
    world.github().add_repository(sample::REPOSITORY, "main");
    for pipeline in story::PIPELINES {
        world.pipelines().create(pipeline.spec());
        world.pipelines().script(pipeline.name, pipeline.script());
    }
    for push in stories.iter().flat_map(|story| story.pushes()) {
        let sha = push.sha();
        world.github().add_commit(sample::REPOSITORY, &sha);
        if let Some(script) = push.script() {
            world.pipelines().script_commit(push.pipeline.name, &sha, script);
        }
    }
}

fn record(file: &Path, local: &Local) -> Result<(), Error> {
    let journal = local.world().journal_json_lines();
    std::fs::write(file, journal).map_err(|cause| Error::Write { path: file.to_owned(), cause })
}
