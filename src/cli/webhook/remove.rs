//! `pipehook webhook remove`.

use std::io::{self, Write as _};

use clap::Args;
use serde_json::json;

use super::patience::Patience;
use super::target::{TargetArguments, find};
use crate::cli::Error;
use crate::cli::confirm;

/// What `webhook remove` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook webhook remove --repo octo-org/node-server\n  \
                  pipehook webhook remove --repo octo-org/node-server --id 12345678 --yes\n\n\
                  GitHub forgets with it what it could not deliver: redeliver first.\n\
                  Exits with 0 where nothing is left that leads to pipehook, and with 1 where it could not be removed.")]
pub(super) struct Arguments {
    /// Only the webhook of this id, of several that lead there
    #[arg(long, value_name = "ID")]
    id: Option<u64>,
    /// Do not ask before something is removed
    #[arg(long, short)]
    yes: bool,
    /// Print JSON, a line for each webhook that was removed
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Error> {
        if self.target.named().is_empty() {
            return Err(Error::RepositoryNotNamed);
        }
        let target = self.target.target();
        let (github, patience) = (target.github(false).await?, Patience::new());
        let url = target.url().await?;
        for repository in self.target.named() {
            let mut found = find(&github, &patience, repository, &url).await?;
            found.retain(|hook| self.id.is_none_or(|id| id == hook.id));
            if found.is_empty() && !self.json {
                let none = format!("{repository}: no webhook leads to {url}, nothing to do");
                writeln!(io::stdout(), "{none}").map_err(Error::Output)?;
            }
            for hook in found {
                confirm::ask(
                    &format!("Remove the webhook {} of {repository}, which leads to {url}?", hook.id),
                    self.yes,
                )?;
                let doing = format!("remove the webhook {} of {repository}", hook.id);
                patience.ask(doing, async || github.delete_hook(repository, hook.id).await).await?;
                let line = if self.json {
                    json!({"repository": repository.as_str(), "webhook": hook.id, "outcome": "removed"}).to_string()
                } else {
                    format!("{repository}: webhook {} removed", hook.id)
                };
                writeln!(io::stdout(), "{line}").map_err(Error::Output)?;
            }
        }
        Ok(())
    }
}
