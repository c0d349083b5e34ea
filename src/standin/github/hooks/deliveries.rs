//! What came of telling: the lists of deliveries, and sending again.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Answered, Delivery, DeliveryOutcome, HookOwner, RETENTION};
use crate::domain::time::Timestamp;
use crate::standin::github::GitHub;
use crate::standin::github::operations::{Ask, Query, refuse, validation_failed};
use crate::standin::moment;
use crate::standin::wire::Reply;

/// Where a page of deliveries begins, as GitHub writes it.
const CURSOR: &str = "v1_";

impl GitHub {
    /// The webhook whose deliveries are asked for: the one that is named, or the App's.
    fn asked_hook(&self, owner: HookOwner, hook: Option<u64>) -> Option<u64> {
        match hook {
            Some(id) => self.hooks.get(owner, id).map(|hook| hook.id),
            None => self.hooks.of(owner).next().map(|hook| hook.id),
        }
    }

    /// The deliveries of a webhook that GitHub shows now, newest first.
    fn shown(&self, now: Timestamp, hook: u64) -> impl Iterator<Item = (&Delivery, &Answered)> {
        let oldest = now.before(RETENTION);
        let shown = self.hooks.deliveries.iter().rev().filter(move |delivery| delivery.hook == hook);
        let answered = shown.filter_map(|delivery| Some((delivery, delivery.answered.as_ref()?)));
        answered.filter(move |(_, answered)| answered.at >= oldest)
    }

    /// `GET …/deliveries`.
    pub(in crate::standin::github) fn list_deliveries(
        &self,
        ask: &Ask<'_>,
        query: &Query,
        owner: &HookOwner,
        hook: Option<u64>,
    ) -> Reply {
        let Some(hook) = self.asked_hook(*owner, hook) else { return refuse(404, "Not Found") };
        let wanted = match query.get("status") {
            None => 0..=u16::MAX,
            Some("success") => 200..=399,
            Some("failure") => 400..=599,
            Some(_) => return validation_failed("Delivery", "status", "invalid", ""),
        };
        let from = match query.get("cursor") {
            None => u64::MAX,
            Some(cursor) => match cursor.strip_prefix(CURSOR).and_then(|id| id.parse().ok()) {
                Some(id) => id,
                None => return refuse(400, "Invalid cursor"),
            },
        };
        // Like the service, a number out of range is brought into it.
        let per_page = query.get("per_page").and_then(|value| value.parse::<usize>().ok());
        let per_page = per_page.unwrap_or(30).clamp(1, 100);
        let mut listed = self.shown(ask.now, hook).filter(|(_, answered)| wanted.contains(&answered.code()));
        let mut listed = listed.by_ref().skip_while(|(delivery, _)| delivery.id > from);
        let page: Vec<Value> =
            listed.by_ref().take(per_page).map(|(one, answered)| Value::Object(item(one, answered))).collect();
        let reply = Reply::json(200, Value::Array(page));
        let Some((next, _)) = listed.next() else { return reply };
        let path = match owner {
            HookOwner::Repository(id) => format!("repositories/{id}/hooks/{hook}/deliveries"),
            HookOwner::App(_) => "app/hook/deliveries".to_owned(),
        };
        let status = query.get("status").map_or(String::new(), |status| format!("&status={status}"));
        let base = ask.base;
        let link = format!("<{base}/{path}?per_page={per_page}&cursor={CURSOR}{}{status}>; rel=\"next\"", next.id);
        reply.with("link", link)
    }

    /// `GET …/deliveries/{delivery_id}`.
    pub(in crate::standin::github) fn get_delivery(
        &self,
        now: Timestamp,
        owner: &HookOwner,
        hook: Option<u64>,
        id: u64,
    ) -> Reply {
        let hook = self.asked_hook(*owner, hook);
        let found = hook.and_then(|hook| self.shown(now, hook).find(|(delivery, _)| delivery.id == id));
        let Some((delivery, answered)) = found else { return refuse(404, "Not Found") };
        let mut shown = item(delivery, answered);
        let url = self.hooks.hooks.get(&delivery.hook).map(|hook| hook.config.url.as_str());
        let headers: Map<String, Value> =
            delivery.request_headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let (answer_headers, answer) = match &answered.outcome {
            DeliveryOutcome::Answered { headers, body, .. } => {
                let headers = headers.iter().map(|(name, value)| (name.clone(), json!(value)));
                (Value::Object(headers.collect()), json!(body))
            }
            DeliveryOutcome::NoConnection | DeliveryOutcome::TimedOut => (json!({}), json!("")),
        };
        shown.insert("url".to_owned(), json!(url));
        shown.insert("request".to_owned(), json!({"headers": headers, "payload": delivery.payload}));
        shown.insert("response".to_owned(), json!({"headers": answer_headers, "payload": answer}));
        Reply::json(200, Value::Object(shown))
    }

    /// `POST …/deliveries/{delivery_id}/attempts`.
    pub(in crate::standin::github) fn redeliver(
        &mut self,
        now: Timestamp,
        owner: &HookOwner,
        hook: Option<u64>,
        id: u64,
    ) -> Reply {
        let hook = self.asked_hook(*owner, hook);
        let is_there = hook.is_some_and(|hook| self.shown(now, hook).any(|(delivery, _)| delivery.id == id));
        if is_there && self.send_again(now, id) { Reply::json(202, json!({})) } else { refuse(404, "Not Found") }
    }
}

/// A delivery as lists show it.
fn item(delivery: &Delivery, answered: &Answered) -> Map<String, Value> {
    let Delivery { id, guid, event, repository, installation, is_redelivery, payload, .. } = delivery;
    let seconds = |time: Duration| (time.as_secs_f64() * 100.0).round() / 100.0;
    let fields = [
        ("id", json!(id)),
        ("guid", json!(guid)),
        ("delivered_at", json!(moment::seconds(answered.at))),
        ("redelivery", json!(is_redelivery)),
        ("duration", json!(seconds(answered.took))),
        ("status", json!(answered.text())),
        ("status_code", json!(answered.code())),
        ("event", json!(event)),
        ("action", payload["action"].clone()),
        ("installation_id", json!(installation)),
        ("repository_id", json!(repository)),
        ("throttled_at", Value::Null),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
