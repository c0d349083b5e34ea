//! Commit statuses.

use serde_json::Value;

use super::access::Access;
use super::operations::{Ask, Query, refuse, validation_failed};
use super::view::Place;
use super::{GitHub, PostedStatus, STATUS_LIMIT, State, Status, latest};
use crate::standin::wire::Reply;

const DESCRIPTION_LIMIT: usize = 140;
const CONTEXT_LIMIT: usize = 255;

/// A 422 about one field of a status.
fn invalid(field: &str, code: &str, message: &str) -> Reply {
    validation_failed("Status", field, code, message)
}

impl GitHub {
    /// `POST /repos/{owner}/{repo}/statuses/{sha}`.
    pub(super) fn create_status(&mut self, ask: &Ask<'_>, at: usize, sha: &str, access: &Access) -> Reply {
        let Ask { now, body, base, .. } = *ask;
        let Ok(request) = serde_json::from_slice::<Value>(body) else {
            return refuse(400, "Problems parsing JSON");
        };
        if !request.is_object() {
            return refuse(400, "Body should be a JSON object");
        }
        let draft = match read(&request) {
            Ok(draft) => draft,
            Err(refusal) => return *refusal,
        };
        let repository = &mut self.repositories[at];
        if !repository.has_commit(sha) {
            return refuse(422, &format!("No commit found for SHA: {sha}"));
        }
        let statuses = repository.statuses.entry(sha.to_owned()).or_default();
        let same = |status: &&Status| status.context.to_lowercase() == draft.context.to_lowercase();
        let in_context = statuses.iter().filter(same).count();
        if in_context >= STATUS_LIMIT {
            let message = "This SHA and context has reached the maximum number of statuses.";
            return invalid("context", "custom", message);
        }
        let status = Status {
            id: self.next_status,
            state: draft.state,
            // Contexts are compared without case, and the first spelling stays.
            context: statuses.iter().find(same).map_or(draft.context, |status| status.context.clone()),
            description: draft.description,
            target_url: draft.target_url,
            created: now,
            creator: access.login.clone(),
        };
        self.next_status += 1;
        statuses.push(status.clone());
        let shown = Place { base, repository, sha }.status(&status);
        let location = shown["url"].as_str().unwrap_or_default().to_owned();
        let repository = repository.full_name.clone();
        self.posted.push(PostedStatus { at: now, repository, sha: sha.to_owned(), status });
        Reply::json(201, shown).with("location", location)
    }

    /// The statuses of a commit newest first, or the combined status.
    pub(super) fn list_statuses(&self, at: usize, reference: &str, query: &Query, base: &str, combined: bool) -> Reply {
        let repository = &self.repositories[at];
        let sha = match repository.resolve(reference) {
            Some(sha) => sha,
            None if repository.has_commit(reference) => reference,
            None => return refuse(422, &format!("No commit found for SHA: {reference}")),
        };
        let posted = repository.statuses.get(sha).map_or(&[][..], Vec::as_slice);
        let mut all: Vec<Status> = if combined { latest(posted).into_values().collect() } else { posted.to_vec() };
        all.sort_by_key(|status| std::cmp::Reverse(status.id));
        let rest = if combined { "status" } else { "statuses" };
        let (shown, links) = query.page(&all, base, &format!("repositories/{}/commits/{sha}/{rest}", repository.id));
        let place = Place { base, repository, sha };
        links.on(Reply::json(
            200,
            match combined {
                true => place.combined(&all, shown),
                false => shown.iter().map(|status| place.status(status)).collect(),
            },
        ))
    }
}

/// A status as a request describes it.
struct Draft {
    state: State,
    context: String,
    description: Option<String>,
    target_url: Option<String>,
}

/// Reads the fields that GitHub knows; like GitHub it takes no offence at others.
fn read(request: &Value) -> Result<Draft, Box<Reply>> {
    let text = |field: &str| match &request[field] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(Box::new(invalid(field, "invalid", ""))),
    };
    let state = match text("state")? {
        None => return Err(Box::new(invalid("state", "missing_field", ""))),
        Some(state) => State::parse(&state)
            .ok_or_else(|| Box::new(invalid("state", "custom", "state is not included in the list")))?,
    };
    let (description, target_url) = (text("description")?, text("target_url")?);
    let context = text("context")?.filter(|context| !context.is_empty()).unwrap_or_else(|| "default".to_owned());
    let too_long = |field: &str, limit: usize| {
        let message = format!("{field} is too long (maximum is {limit} characters)");
        Box::new(invalid(field, "custom", &message))
    };
    if description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION_LIMIT) {
        return Err(too_long("description", DESCRIPTION_LIMIT));
    }
    if description.as_ref().is_some_and(|text| text.chars().any(|c| c.len_utf8() == 4)) {
        return Err(Box::new(invalid("description", "custom", "description doesn't accept 4-byte Unicode")));
    }
    if context.chars().count() > CONTEXT_LIMIT {
        return Err(too_long("context", CONTEXT_LIMIT));
    }
    let is_web = |url: &String| url.is_empty() || url.starts_with("http://") || url.starts_with("https://");
    if !target_url.as_ref().is_none_or(is_web) {
        return Err(Box::new(invalid("target_url", "custom", "target_url must use http(s) scheme")));
    }
    Ok(Draft { state, context, description, target_url })
}
