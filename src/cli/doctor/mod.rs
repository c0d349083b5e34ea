//! `pipehook doctor`: looks at each link of the chain from a push to what GitHub shows, and says what mends it.

mod deployment;
mod events;
mod finding;
mod hooks;
mod pipelines;
mod queue;
mod token;
mod webhook;
mod worker;

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use console::Term;
use futures_util::future::join_all;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::deployment::Deployment;
use self::finding::{Group, Report, Section};
use super::Error;
use super::account::{Account, AccountArguments};
use crate::aws::setup::caller::caller;

/// What `doctor` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pipehook doctor\n  pipehook doctor --stack pipehook-staging --region eu-central-1\n  \
                  pipehook doctor --only pipelines --only token\n  pipehook doctor --json | jq '.findings[] | \
                  select(.verdict == \"wrong\")'\n\n\
                  Nothing is changed: the webhook is sent two pings, and GitHub is asked for a commit status on a commit \
                  that can't exist. GH_TOKEN or GITHUB_TOKEN is needed only to look at the webhooks at GitHub.\n\n\
                  Exits with 0 where nothing is wrong (there may be something to look at), and with 1 where something is, \
                  or could not be read."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    account: AccountArguments,
    /// Look at these links only; may be given several times
    #[arg(long, value_name = "GROUP")]
    only: Vec<Group>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Looks at everything, and shows it.
    ///
    /// # Errors
    /// Where the account can't be asked at all, or where something is wrong.
    pub(super) async fn run(&self) -> Result<(), Error> {
        let account = self.account.open().await?;
        let caller = caller(account.sdk_config()).await;
        let caller = caller.map_err(|unread| Error::aws("ask AWS whose credentials these are", unread))?;
        let about = format!("The stack {} in account {}, {}", account.stack_name(), caller.account, account.region());
        let spinner = spinner();
        spinner.set_message("the stack and the configuration");
        let (deployment, findings) = deployment::check(&account, &caller).await;
        let mut sections = vec![Section { group: Group::Deployment, findings }];
        sections.retain(|section| self.wants(section.group));
        sections.extend(self.look(&account, &deployment, &spinner).await);
        spinner.finish_and_clear();
        show(&Report { about, sections }, self.json)
    }

    fn wants(&self, group: Group) -> bool {
        self.only.is_empty() || self.only.contains(&group)
    }

    /// Looks at all that is wanted at once.
    async fn look(&self, account: &Account, deployment: &Deployment, spinner: &ProgressBar) -> Vec<Section> {
        const GROUPS: [Group; 7] =
            [Group::Webhook, Group::Queue, Group::Worker, Group::Events, Group::Pipelines, Group::Token, Group::Hooks];
        let wanted: Vec<Group> = GROUPS.into_iter().filter(|group| self.wants(*group)).collect();
        let waits = std::cell::RefCell::new(wanted.clone());
        let say = || {
            let titles: Vec<&str> = waits.borrow().iter().map(|group| group.title()).collect();
            spinner.set_message(titles.join(", "));
        };
        say();
        let look = async |group: Group| {
            let findings = match group {
                Group::Webhook => Box::pin(webhook::check(account, deployment)).await,
                Group::Queue => Box::pin(queue::check(account, deployment)).await,
                Group::Worker => Box::pin(worker::check(account, deployment)).await,
                Group::Events => Box::pin(events::check(account, deployment)).await,
                Group::Pipelines => Box::pin(pipelines::check(account, deployment)).await,
                Group::Token => Box::pin(token::check(account, deployment)).await,
                Group::Hooks => Box::pin(hooks::check(account, deployment)).await,
                // It was looked at before all others.
                Group::Deployment => Vec::new(),
            };
            waits.borrow_mut().retain(|waiting| *waiting != group);
            say();
            Section { group, findings }
        };
        join_all(wanted.into_iter().map(|group| Box::pin(look(group)))).await
    }
}

/// What is being looked at; only a terminal shows it.
fn spinner() -> ProgressBar {
    let target = if Term::stderr().is_term() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let spinner = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{spinner} looking at {wide_msg}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

fn show(report: &Report, json: bool) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let written = if json {
        report.to_json().map_err(io::Error::from).and_then(|json| writeln!(out, "{json}"))
    } else {
        write!(out, "{report}").and_then(|()| {
            if report.is_healthy() { writeln!(out, "\nNothing is wrong: {}.", report.summary()) } else { writeln!(out) }
        })
    };
    written.and_then(|()| out.flush()).map_err(Error::Output)?;
    if report.is_healthy() { Ok(()) } else { Err(Error::Unwell(report.summary())) }
}
