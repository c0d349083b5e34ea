//! Webhooks of repositories and of Apps: where GitHub tells of what happens, and what came of telling.
//!
//! Nothing is sent from here. What is to be sent is taken by whoever drives the world ([`GitHub::take_outgoing`]), who says
//! afterwards what came of it ([`GitHub::settle_outgoing`]).

mod deliveries;
mod operations;
mod send;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::GitHub;
use crate::domain::time::Timestamp;

pub use send::OutgoingDelivery;

/// For so long GitHub keeps deliveries, and takes them for another attempt (docs.github.com, "Redelivering webhooks").
const RETENTION: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Whose webhook it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HookOwner {
    /// A repository, by its id.
    Repository(u64),
    App(u64),
}

/// Where a webhook's deliveries go, and how.
#[derive(Clone, PartialEq, Eq)]
struct Config {
    url: String,
    /// `form` or `json`.
    content_type: &'static str,
    secret: Option<String>,
    /// `0` or `1`.
    insecure_ssl: String,
}

/// The secret is left out: nothing that prints a world prints one.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("url", &self.url).field("content_type", &self.content_type).finish()
    }
}

#[derive(Debug, Clone)]
struct Hook {
    id: u64,
    owner: HookOwner,
    active: bool,
    events: Vec<String>,
    config: Config,
    created: Timestamp,
    updated: Timestamp,
    last_response: Option<Answered>,
}

impl Hook {
    fn view(&self) -> HookView {
        HookView {
            id: self.id,
            active: self.active,
            events: self.events.clone(),
            url: self.config.url.clone(),
            content_type: self.config.content_type,
            insecure_ssl: self.config.insecure_ssl.clone(),
            secret: self.config.secret.clone(),
        }
    }

    fn hears(&self, event: &str) -> bool {
        self.active && self.events.iter().any(|own| own == event || own == "*")
    }
}

/// What came of sending a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// An answer, whatever it says.
    Answered { status: u16, headers: Vec<(String, String)>, body: String },
    /// Nobody listens there, or the connection broke.
    NoConnection,
    /// No answer within 10 s, after which GitHub hangs up.
    TimedOut,
}

#[derive(Debug, Clone)]
struct Answered {
    at: Timestamp,
    took: Duration,
    outcome: DeliveryOutcome,
}

impl Answered {
    /// The code that GitHub shows: the answer's, or a gateway's where there is none.
    fn code(&self) -> u16 {
        match &self.outcome {
            DeliveryOutcome::Answered { status, .. } => *status,
            DeliveryOutcome::NoConnection => 502,
            DeliveryOutcome::TimedOut => 504,
        }
    }

    fn text(&self) -> String {
        match &self.outcome {
            DeliveryOutcome::Answered { status: 200..=399, .. } => "OK".to_owned(),
            DeliveryOutcome::Answered { status, .. } => format!("Invalid HTTP Response: {status}"),
            DeliveryOutcome::NoConnection => "failed to connect to host".to_owned(),
            DeliveryOutcome::TimedOut => "timed out".to_owned(),
        }
    }
}

/// One attempt to tell a webhook of an event.
#[derive(Debug, Clone)]
struct Delivery {
    id: u64,
    hook: u64,
    /// The event's, which all webhooks and all attempts share.
    guid: String,
    event: String,
    repository: Option<u64>,
    installation: Option<u64>,
    is_redelivery: bool,
    payload: Value,
    /// What was sent, once it is on its way.
    request_headers: Vec<(&'static str, String)>,
    /// `None` while it is on its way. GitHub lists it afterwards.
    answered: Option<Answered>,
}

/// The webhooks and their deliveries.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    hooks: BTreeMap<u64, Hook>,
    /// In the order in which they were made; their ids grow.
    deliveries: Vec<Delivery>,
    /// Ids of deliveries that nobody has taken to send yet.
    outgoing: Vec<u64>,
    made: u64,
}

/// A webhook, for those who watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookView {
    pub id: u64,
    pub active: bool,
    pub events: Vec<String>,
    pub url: String,
    pub content_type: &'static str,
    pub insecure_ssl: String,
    pub secret: Option<String>,
}

/// An attempt of a delivery, for those who watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryView {
    pub id: u64,
    pub hook: u64,
    pub guid: String,
    pub event: String,
    pub is_redelivery: bool,
    /// The code that GitHub shows; `None` while it is on its way.
    pub status_code: Option<u16>,
}

impl Hooks {
    fn next_id(&mut self) -> u64 {
        self.made += 1;
        // GitHub's have eleven digits and more.
        20_000_000_000 + self.made
    }

    fn of(&self, owner: HookOwner) -> impl Iterator<Item = &Hook> {
        self.hooks.values().filter(move |hook| hook.owner == owner)
    }

    /// A webhook by its id, where it is the owner's.
    fn get(&self, owner: HookOwner, id: u64) -> Option<&Hook> {
        self.hooks.get(&id).filter(|hook| hook.owner == owner)
    }
}

impl GitHub {
    /// The webhooks of a repository.
    pub fn hooks(&self, repository: &str) -> Vec<HookView> {
        let Some(at) = self.position(repository) else { return Vec::new() };
        self.hooks.of(self.owner(at)).map(Hook::view).collect()
    }

    /// Somebody changes a webhook on GitHub's pages. Its id stays as it is.
    pub fn change_hook(&mut self, id: u64, change: impl FnOnce(&mut HookView)) {
        let Some(hook) = self.hooks.hooks.get_mut(&id) else { return };
        let mut view = hook.view();
        change(&mut view);
        let HookView { active, events, url, content_type, insecure_ssl, secret, .. } = view;
        (hook.active, hook.events) = (active, events);
        hook.config = Config { url, content_type, secret, insecure_ssl };
    }

    /// Every attempt of every delivery that GitHub still knows, oldest first.
    pub fn deliveries(&self) -> Vec<DeliveryView> {
        let view = |delivery: &Delivery| DeliveryView {
            id: delivery.id,
            hook: delivery.hook,
            guid: delivery.guid.clone(),
            event: delivery.event.clone(),
            is_redelivery: delivery.is_redelivery,
            status_code: delivery.answered.as_ref().map(Answered::code),
        };
        self.hooks.deliveries.iter().map(view).collect()
    }

    /// Adds a repository's webhook for pushes, as somebody does on GitHub's pages, and gives its id. `None` where there is
    /// no such repository. No ping is sent.
    pub fn add_hook(&mut self, now: Timestamp, repository: &str, url: &str, secret: Option<&str>) -> Option<u64> {
        let owner = self.position(repository).map(|at| self.owner(at))?;
        Some(self.insert_hook(now, owner, url, secret, &["push"]))
    }

    /// Gives an App its webhook, which hears of these events wherever the App is installed. No ping is sent.
    pub fn set_app_hook(&mut self, now: Timestamp, app: u64, url: &str, secret: Option<&str>, events: &[&str]) -> u64 {
        self.hooks.hooks.retain(|_, hook| hook.owner != HookOwner::App(app));
        self.insert_hook(now, HookOwner::App(app), url, secret, events)
    }

    fn insert_hook(
        &mut self,
        now: Timestamp,
        owner: HookOwner,
        url: &str,
        secret: Option<&str>,
        events: &[&str],
    ) -> u64 {
        let config = Config {
            url: url.to_owned(),
            content_type: "json",
            secret: secret.map(str::to_owned),
            insecure_ssl: "0".to_owned(),
        };
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        self.put_hook(now, owner, true, events, config)
    }

    fn put_hook(&mut self, now: Timestamp, owner: HookOwner, active: bool, events: Vec<String>, config: Config) -> u64 {
        let id = 500_001 + self.hooks.next_id() % 100_000;
        let hook = Hook { id, owner, active, events, config, created: now, updated: now, last_response: None };
        self.hooks.hooks.insert(id, hook);
        id
    }

    /// The owner of the webhooks of a repository.
    pub(super) fn owner(&self, at: usize) -> HookOwner {
        HookOwner::Repository(self.repositories[at].id)
    }
}
