//! What GitHub tells, and the requests by which it does.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use ring::hmac;
use serde_json::{Value, json};

use super::{Answered, Config, Delivery, DeliveryOutcome, Hook, HookOwner, RETENTION};
use crate::domain::time::Timestamp;
use crate::standin::github::{GitHub, view};

/// Events name GitHub's own addresses, wherever its API is reached.
const API: &str = "https://api.github.com";

/// A request that GitHub makes, for whoever drives the world to send.
#[derive(Debug)]
pub struct OutgoingDelivery {
    /// Of this attempt.
    pub id: u64,
    /// To the webhook's URL, signed with its secret where it has one.
    pub request: Request<Bytes>,
}

impl GitHub {
    /// Somebody pushes: the ref moves, and every webhook that hears of pushes is told. The payload is the event's; its
    /// repository has to be there. Gives the id of the delivery, which all webhooks share.
    pub fn push(&mut self, now: Timestamp, payload: &Value) -> Option<String> {
        let repository = payload["repository"]["full_name"].as_str()?;
        let after = payload["after"].as_str()?;
        let short = payload["ref"].as_str()?.strip_prefix("refs/heads/");
        match short {
            Some(branch) => self.set_ref(repository, branch, after),
            None => self.add_commit(repository, after),
        }
        self.tell(now, repository, "push", payload)
    }

    /// Something happens in a repository: every webhook that hears of it is told, the repository's own and those of the
    /// Apps that are installed there. Gives the id that the deliveries share; `None` without the repository.
    pub fn tell(&mut self, now: Timestamp, repository: &str, event: &str, payload: &Value) -> Option<String> {
        let at = self.position(repository)?;
        let (id, owner) = (self.repositories[at].id, self.owner(at));
        let guid = self.ids.uuid();
        let hears = |hook: &&Hook| hook.hears(event);
        let installation = |hook: &Hook| match hook.owner {
            HookOwner::App(app) => self.apps.of(app, id).map(|installation| Some(installation.id)),
            own => (own == owner).then_some(None),
        };
        let told = self.hooks.hooks.values().filter(hears);
        let told: Vec<(u64, Option<u64>)> = told.filter_map(|hook| Some((hook.id, installation(hook)?))).collect();
        for (hook, installation) in told {
            let mut payload = payload.clone();
            if let Some(installation) = installation {
                payload["installation"] = json!({"id": installation, "node_id": format!("I_{installation:016x}")});
            }
            self.begin_delivery(now, hook, &guid, event, Some(id), installation, payload);
        }
        Some(guid)
    }

    /// Tells a repository's webhook that it is one.
    pub(super) fn ping(&mut self, now: Timestamp, at: usize, hook: u64, sender: &str) {
        let guid = self.ids.uuid();
        let Some(found) = self.hooks.hooks.get(&hook) else { return };
        let payload = json!({
            "zen": "Keep it logically awesome.",
            "hook_id": hook,
            "hook": self.show_hook(found, at, API),
            "repository": view::repository(API, &self.repositories[at]),
            "sender": view::user(API, sender),
        });
        let repository = self.repositories[at].id;
        self.begin_delivery(now, hook, &guid, "ping", Some(repository), None, payload);
    }

    /// Sends once more what was sent before. False where there is no such delivery any more.
    pub(super) fn send_again(&mut self, now: Timestamp, id: u64) -> bool {
        let Some(before) = self.hooks.deliveries.iter().find(|delivery| delivery.id == id).cloned() else {
            return false;
        };
        let Delivery { hook, guid, event, repository, installation, payload, .. } = before;
        let again = self.begin_delivery(now, hook, &guid, &event, repository, installation, payload);
        if let Some(delivery) = self.hooks.deliveries.iter_mut().find(|delivery| delivery.id == again) {
            delivery.is_redelivery = true;
        }
        true
    }

    #[allow(clippy::too_many_arguments)] // They are what a delivery is made of.
    fn begin_delivery(
        &mut self,
        now: Timestamp,
        hook: u64,
        guid: &str,
        event: &str,
        repository: Option<u64>,
        installation: Option<u64>,
        payload: Value,
    ) -> u64 {
        let oldest = now.before(RETENTION);
        let is_kept = |delivery: &Delivery| delivery.answered.as_ref().is_none_or(|answered| answered.at >= oldest);
        self.hooks.deliveries.retain(is_kept);
        let id = self.hooks.next_id();
        self.hooks.deliveries.push(Delivery {
            id,
            hook,
            guid: guid.to_owned(),
            event: event.to_owned(),
            repository,
            installation,
            is_redelivery: false,
            payload,
            request_headers: Vec::new(),
            answered: None,
        });
        self.hooks.outgoing.push(id);
        id
    }

    /// The deliveries that are to be sent now. What came of each is to be told to [`Self::settle_outgoing`].
    pub fn take_outgoing(&mut self) -> Vec<OutgoingDelivery> {
        let ids = std::mem::take(&mut self.hooks.outgoing);
        let super::Hooks { hooks, deliveries, .. } = &mut self.hooks;
        let made = ids.into_iter().filter_map(|id| {
            let delivery = deliveries.iter_mut().find(|delivery| delivery.id == id)?;
            let hook = hooks.get(&delivery.hook)?;
            let (headers, body) = written(hook, delivery);
            delivery.request_headers.clone_from(&headers);
            let builder = Request::post(&hook.config.url);
            let builder = headers.into_iter().fold(builder, |builder, (name, value)| builder.header(name, value));
            Some(OutgoingDelivery { id, request: builder.body(body).ok()? })
        });
        made.collect()
    }

    /// What came of a delivery that was taken, and how long it took.
    pub fn settle_outgoing(&mut self, now: Timestamp, id: u64, took: Duration, outcome: DeliveryOutcome) {
        let super::Hooks { hooks, deliveries, .. } = &mut self.hooks;
        let Some(delivery) = deliveries.iter_mut().find(|delivery| delivery.id == id) else { return };
        let answered = Answered { at: now, took, outcome };
        if let Some(hook) = hooks.get_mut(&delivery.hook) {
            hook.last_response = Some(answered.clone());
        }
        delivery.answered = Some(answered);
    }
}

/// A delivery's headers and body.
fn written(hook: &Hook, delivery: &Delivery) -> (Vec<(&'static str, String)>, Bytes) {
    let Config { content_type, secret, .. } = &hook.config;
    let json = delivery.payload.to_string();
    let (media_type, body) = match *content_type {
        "json" => ("application/json", json),
        _ => {
            let form = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &json).finish();
            ("application/x-www-form-urlencoded", form)
        }
    };
    let (kind, target) = match hook.owner {
        HookOwner::Repository(id) => ("repository", id),
        HookOwner::App(id) => ("integration", id),
    };
    let mut headers = vec![
        ("accept", "*/*".to_owned()),
        ("content-type", media_type.to_owned()),
        ("user-agent", "GitHub-Hookshot/1a2b3c4".to_owned()),
        ("x-github-delivery", delivery.guid.clone()),
        ("x-github-event", delivery.event.clone()),
        ("x-github-hook-id", hook.id.to_string()),
        ("x-github-hook-installation-target-id", target.to_string()),
        ("x-github-hook-installation-target-type", kind.to_owned()),
    ];
    if let Some(secret) = secret {
        let sign = |algorithm, name: &str| {
            let key = hmac::Key::new(algorithm, secret.as_bytes());
            format!("{name}={}", hex::encode(hmac::sign(&key, body.as_bytes())))
        };
        headers.push(("x-hub-signature", sign(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, "sha1")));
        headers.push(("x-hub-signature-256", sign(hmac::HMAC_SHA256, "sha256")));
    }
    (headers, Bytes::from(body))
}
