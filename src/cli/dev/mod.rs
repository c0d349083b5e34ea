//! `pipehook dev`: the system kept running, for deliveries of one's own.

mod deliveries;
mod routes;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use console::style;
use serde_json::{Value, json};

use super::functions::Functions;
use super::pace::Pace;
use super::signals::Signals;
use super::{Error, show, speed};
use crate::local::{Local, Setup};
use crate::standin::{ACCOUNT, PostedStatus, REGION, aws_operations};
use deliveries::Deliveries;
use routes::{Extra, Routes};

const SECRET: &str = "development-secret";
const TOKEN: &str = "development-token";

/// How often it is looked whether GitHub took a status.
const TICK: Duration = Duration::from_millis(50);

/// What `dev` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook dev\n  pipehook dev --port 5000 --speed 10\n  \
                  pipehook dev --config pipehook.example.toml\n  pipehook dev --json | jq .\n\n\
                  It prints where everything is, and deliveries to send with curl. Ctrl-C ends it; nothing is kept.")]
pub(super) struct Arguments {
    /// Port of the stand-ins for AWS and GitHub; the webhook is on the next one. 0 takes two free ones
    #[arg(long, value_name = "PORT", default_value_t = 4010, value_parser = clap::value_parser!(u16).range(..65535))]
    port: u16,
    /// Take the routes from a configuration; each pipeline that it names is there, with stages Source, Build, Staging
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How many times faster than real time the pipelines run
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    speed: f64,
    /// What the pipelines have besides, several with commas
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    with: Vec<Extra>,
    /// Print JSON: a line with where everything is, then a line for each status that GitHub takes
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Error> {
    let routes = Routes::read(arguments.config.as_deref(), arguments.with)?;
    let pace = Pace::new(arguments.speed);
    let began = pace.now();
    let setup = Setup { routes: "", webhook_secret: SECRET, github_token: TOKEN };
    let port = arguments.port;
    let local = Local::start(port, pace.clock(), &setup).await.map_err(|cause| Error::Port { port, cause })?;
    let local = Arc::new(local);
    let port = if port == 0 { 0 } else { port + 1 };
    let functions = Functions::start(port, local.clone(), pace).await.map_err(|cause| Error::Port { port, cause })?;
    local.put_webhook_url(&functions.webhook_url());
    local.put_config(&routes.with_api_url(&local.server().github_api_url()));
    routes.set_up(&mut local.world());
    add_hooks(&local, &functions, &routes);
    // The files lie there as long as this lives.
    let deliveries = Deliveries::write(&routes, &mut local.world())?;
    if arguments.json {
        writeln!(io::stdout(), "{}", introduction(&local, &functions)).map_err(Error::Output)?;
    } else {
        introduce(&local, &functions, &routes, &deliveries).map_err(Error::Output)?;
    }
    let show = |posted: &PostedStatus| {
        if arguments.json { show::json(posted).map_err(io::Error::from) } else { Ok(show::line(posted, began)) }
    };
    let mut signals = Signals::listen();
    let ended = signals.next();
    tokio::select! {
        error = show_statuses(&local, show) => Err(Error::Output(error)),
        () = send_deliveries(&local) => Ok(()),
        () = ended => match arguments.json {
            true => Ok(()),
            false => writeln!(io::stdout(), "\nEnded.").map_err(Error::Output),
        },
    }
}

/// Where everything is, for a script, and what the stand-ins for AWS can be asked.
fn introduction(local: &Local, functions: &Functions) -> Value {
    let server = local.server();
    json!({
        "webhook": functions.webhook_url(),
        "webhook_secret": SECRET,
        "aws": server.aws_endpoint(),
        "region": REGION,
        "account": ACCOUNT,
        "operations": aws_operations(),
        "github": server.github_api_url(),
        "github_token": TOKEN,
    })
}

fn introduce(local: &Local, functions: &Functions, routes: &Routes, deliveries: &Deliveries) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let server = local.server();
    let heading = |text: &str| style(text.to_owned()).bold();
    writeln!(out, "{}\n", heading("The whole system, on this machine"))?;
    writeln!(out, "  webhook  {:<30}  secret: {SECRET}", functions.webhook_url())?;
    writeln!(out, "  AWS      {:<30}  as AWS_ENDPOINT_URL", server.aws_endpoint())?;
    writeln!(out, "  GitHub   {:<30}  token: {TOKEN}", server.github_api_url())?;
    writeln!(out, "\n{}\n", heading("Routes"))?;
    for line in routes.lines() {
        writeln!(out, "  {line}")?;
    }
    for (title, command) in deliveries.commands(&functions.webhook_url(), SECRET) {
        writeln!(out, "\n{}\n\n{command}", heading(title))?;
    }
    match deliveries.first_commit() {
        Some((repository, sha)) => {
            let url = format!("{}/repos/{repository}/commits/{sha}/status", server.github_api_url());
            writeln!(out, "\n{}\n", heading("What GitHub shows of the first one"))?;
            writeln!(out, "curl -sS -H 'authorization: Bearer {TOKEN}' '{url}'")?;
            writeln!(out, "\nA push starts its pipeline once: the same one again starts nothing.")?;
        }
        None => writeln!(out, "\nNo route takes a push that could be made up here; send your own.")?,
    }
    writeln!(out, "Ctrl-C ends everything.\n\n{}\n", heading("Statuses, as GitHub takes them"))?;
    out.flush()
}

/// Each repository has its webhook, as at GitHub after the set-up.
fn add_hooks(local: &Local, functions: &Functions, routes: &Routes) {
    let now = local.clock().now();
    let mut world = local.world();
    for repository in routes.repositories() {
        world.github().add_hook(now, repository, &functions.webhook_url(), Some(SECRET));
    }
}

/// Delivers what GitHub has to deliver: pings, and what is to be delivered again.
async fn send_deliveries(local: &Local) {
    loop {
        if local.send_deliveries().await == 0 {
            tokio::time::sleep(TICK).await;
        }
    }
}

/// Prints each status that GitHub takes, until that fails.
async fn show_statuses(local: &Local, show: impl Fn(&PostedStatus) -> io::Result<String>) -> io::Error {
    let mut shown = 0;
    loop {
        let posted = {
            let mut world = local.world();
            // Nobody reads the journal here, and this may run for days.
            world.clear_journal();
            let (posted, cursor) = world.github().posted_since(shown);
            let posted = posted.to_vec();
            shown = cursor;
            posted
        };
        for posted in &posted {
            if let Err(error) = show(posted).and_then(|line| writeln!(io::stdout(), "{line}")) {
                return error;
            }
        }
        tokio::time::sleep(TICK).await;
    }
}
