//! What the functions are told from outside: by their own variables, and where those are not set, by the stack.

use std::collections::HashMap;

use crate::cli::Error;
use crate::cli::account::Account;
use crate::settings::Function;

/// The functions' variables, as the template sets them on Lambda.
pub(super) struct Environment {
    found: HashMap<String, String>,
    pub(super) queue_url: String,
}

impl Environment {
    /// Asks the stack for what the environment does not set. Where it sets everything, no stack is needed.
    ///
    /// # Errors
    /// Where there is no such stack, or it names nothing of the kind.
    pub(super) async fn read(account: &Account, functions: &[Function]) -> Result<Self, Error> {
        let mut found = HashMap::new();
        if !is_set("PIPEHOOK_CONFIG") {
            found.insert("PIPEHOOK_CONFIG_PARAMETER".to_owned(), account.config_parameter().await?);
        }
        for function in functions {
            let (variable, parameter) = match function {
                Function::Webhook => ("PIPEHOOK_WEBHOOK_SECRET", account.webhook_secret_parameter()),
                Function::Worker => ("PIPEHOOK_GITHUB_TOKEN", account.github_token_parameter()),
            };
            if !is_set(variable) {
                found.insert(format!("{variable}_PARAMETER"), parameter);
            }
        }
        let queue_url = account.queue_url().await?;
        Ok(Self { found, queue_url })
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.found.get(name).cloned().or_else(|| std::env::var(name).ok())
    }
}

fn is_set(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| !value.trim().is_empty())
}
