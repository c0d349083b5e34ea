//! Whether work should be sent here: asked anew each time, but AWS not more often than every few seconds.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::health::{Health, Part};
use super::inbox::Inbox;
use crate::settings::SettingsStore;
use crate::webhook::Webhook;
use crate::worker::Worker;

/// How long an answer is good for: anybody may ask, and AWS is not to be asked by anybody.
const KEEP: Duration = Duration::from_secs(5);

/// What is looked at.
pub(super) struct Readiness {
    pub(super) health: Rc<Health>,
    pub(super) webhook: Option<Rc<Webhook>>,
    pub(super) worker: Option<Rc<Worker>>,
    /// Where nobody polls the queue, so that nobody knows of it, it is asked here.
    pub(super) inbox: Option<Rc<Inbox>>,
    pub(super) looked: Mutex<Option<Instant>>,
}

impl Readiness {
    /// Why no work should be sent here; `None` where it should.
    pub(super) async fn problem(&self) -> Option<&'static str> {
        let mut looked = self.looked.lock().await;
        if looked.is_none_or(|looked| looked.elapsed() >= KEEP) {
            self.look().await;
            *looked = Some(Instant::now());
        }
        self.health.problem()
    }

    async fn look(&self) {
        if let Some(webhook) = &self.webhook {
            self.health.note(Part::WebhookSettings, usable(&webhook.settings).await);
        }
        if let Some(worker) = &self.worker {
            self.health.note(Part::WorkerSettings, usable(&worker.settings).await);
        }
        if let Some(inbox) = &self.inbox {
            let nature = inbox.nature().await;
            self.health.note(Part::Queue, nature.map(drop).map_err(|unread| unread.to_string()));
        }
    }
}

/// Whether a function can do anything with its settings. They are kept for minutes, and those that were good stay in
/// force where SSM does not answer.
pub(super) async fn usable(settings: &SettingsStore) -> Result<(), String> {
    let settings = settings.get().await.map_err(|error| error.to_string())?;
    settings.config.as_ref().map(drop).map_err(ToString::to_string)
}
