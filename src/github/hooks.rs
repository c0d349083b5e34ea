//! Webhooks of repositories, and what GitHub could and could not deliver to them or to an App's webhook.

use std::time::Duration;

use aws_smithy_types::date_time::{DateTime, Format};
use http::header::{DATE, LINK};
use http::{HeaderMap, Method, Uri};
use serde::{Deserialize, Serialize};

use super::error::{GitHubError, decode};
use super::wire::Answer;
use super::{Access, GitHub, PAGE, moment};
use crate::domain::event::RepositoryName;
use crate::domain::time::Timestamp;
use crate::settings::Secret;

/// Pages of deliveries that are read at most: 50,000 attempts.
const MOST_PAGES: usize = 500;

/// What a token needs beyond what the worker's has.
const MENDING: &str = "the token must be of somebody who administers the repository, with *Webhooks: Read and write* \
                       (a classic one with the scope admin:repo_hook)";
const APP_MENDING: &str = "the credentials must be the App's own, and the App must have a webhook that is active";

/// A repository's webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    pub id: u64,
    pub active: bool,
    pub events: Vec<String>,
    pub url: String,
    /// `json` or `form`.
    pub content_type: String,
    /// Whether the certificate of the URL's host is not looked at.
    pub insecure_ssl: bool,
    pub has_secret: bool,
    /// The status of the last answer, and what GitHub says of it; `None` before the first.
    pub last_response: Option<(u16, String)>,
}

/// What a webhook is to be.
#[derive(Clone, Debug)]
pub struct HookSettings<'a> {
    pub url: &'a str,
    pub secret: &'a Secret,
    pub events: &'a [String],
}

/// Whose deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveriesOf {
    Hook(RepositoryName, u64),
    /// Of the App that the client acts as.
    App,
}

/// An attempt to deliver something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub id: u64,
    /// The id of the delivery, which all its attempts share.
    pub delivery: String,
    pub at: Timestamp,
    pub is_redelivery: bool,
    /// What GitHub says of the answer: `OK`, `Invalid HTTP Response: 500`, `failed to connect to host`.
    pub status: String,
    /// The answer's, or one of GitHub's own where there was none.
    pub status_code: u16,
    pub event: String,
    pub action: Option<String>,
}

/// Attempts of a while, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// When GitHub was asked, by its own clock.
    pub asked: Timestamp,
    pub attempts: Vec<Attempt>,
    /// Whether all of the while is there. GitHub was asked for no more than 50,000.
    pub is_whole: bool,
}

impl Attempt {
    /// Whether the webhook has accepted it. GitHub takes redirects for a success too, and follows none.
    pub fn is_accepted(&self) -> bool {
        (200..300).contains(&self.status_code)
    }

    /// When it was made, as GitHub writes it: `2026-01-24T22:03:44Z`.
    pub fn written_at(&self) -> String {
        moment::format(self.at)
    }
}

#[derive(Deserialize)]
struct ListedHook {
    id: u64,
    active: bool,
    events: Vec<String>,
    config: ListedConfig,
    #[serde(default)]
    last_response: Option<LastResponse>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListedConfig {
    url: Option<String>,
    content_type: Option<String>,
    secret: Option<String>,
    insecure_ssl: serde_json::Value,
}

#[derive(Deserialize)]
struct LastResponse {
    code: Option<u16>,
    message: Option<String>,
}

#[derive(Serialize)]
struct WrittenHook<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    active: bool,
    events: &'a [String],
    /// Whole each time: what it leaves out, GitHub takes away, the secret too.
    config: WrittenConfig<'a>,
}

#[derive(Serialize)]
struct WrittenConfig<'a> {
    url: &'a str,
    content_type: &'static str,
    secret: &'a str,
    insecure_ssl: &'static str,
}

#[derive(Deserialize)]
struct ListedAttempt {
    id: u64,
    guid: String,
    delivered_at: String,
    redelivery: bool,
    status: String,
    status_code: u16,
    event: String,
    #[serde(default)]
    action: Option<String>,
}

#[derive(Deserialize)]
struct WholeAttempt {
    response: AttemptResponse,
}

#[derive(Deserialize)]
struct AttemptResponse {
    payload: Option<String>,
}

impl From<ListedHook> for Hook {
    fn from(listed: ListedHook) -> Self {
        let ListedConfig { url, content_type, secret, insecure_ssl } = listed.config;
        let last = listed.last_response.and_then(|last| Some((last.code?, last.message.unwrap_or_default())));
        Self {
            id: listed.id,
            active: listed.active,
            events: listed.events,
            url: url.unwrap_or_default(),
            content_type: content_type.unwrap_or_else(|| "form".to_owned()),
            // A text or a number, as it was set.
            insecure_ssl: insecure_ssl == "1" || insecure_ssl == 1,
            has_secret: secret.is_some_and(|secret| !secret.is_empty()),
            last_response: last,
        }
    }
}

impl From<ListedAttempt> for Attempt {
    fn from(listed: ListedAttempt) -> Self {
        Self {
            id: listed.id,
            delivery: listed.guid,
            // What is no moment is taken for old, for nothing is to be done to it.
            at: moment::parse(&listed.delivered_at).unwrap_or_default(),
            is_redelivery: listed.redelivery,
            status: listed.status,
            status_code: listed.status_code,
            event: listed.event,
            action: listed.action,
        }
    }
}

impl HookSettings<'_> {
    fn written(&self, name: Option<&'static str>) -> WrittenHook<'_> {
        let (url, secret) = (self.url, self.secret.expose());
        let config = WrittenConfig { url, content_type: "json", secret, insecure_ssl: "0" };
        WrittenHook { name, active: true, events: self.events, config }
    }
}

impl GitHub {
    /// The webhooks of a repository.
    pub async fn hooks(&self, repository: &RepositoryName) -> Result<Vec<Hook>, GitHubError> {
        let path = format!("/repos/{repository}/hooks?per_page={PAGE}");
        let listed = self.list(repository, &path, |page: Vec<ListedHook>| page).await;
        Ok(listed.map_err(mending)?.into_iter().map(Hook::from).collect())
    }

    /// Creates a webhook, which is active. GitHub pings it.
    pub async fn create_hook(
        &self,
        repository: &RepositoryName,
        settings: &HookSettings<'_>,
    ) -> Result<Hook, GitHubError> {
        let path = format!("/repos/{repository}/hooks");
        let answer = self.write(repository, Method::POST, &path, &settings.written(Some("web"))).await;
        decode::<ListedHook>(&answer.map_err(mending)?.body).map(Hook::from)
    }

    /// Makes a webhook what it is to be, the secret included, and active.
    pub async fn update_hook(
        &self,
        repository: &RepositoryName,
        id: u64,
        settings: &HookSettings<'_>,
    ) -> Result<Hook, GitHubError> {
        let path = format!("/repos/{repository}/hooks/{id}");
        let answer = self.write(repository, Method::PATCH, &path, &settings.written(None)).await;
        decode::<ListedHook>(&answer.map_err(mending)?.body).map(Hook::from)
    }

    /// Has GitHub send a ping.
    pub async fn ping_hook(&self, repository: &RepositoryName, id: u64) -> Result<(), GitHubError> {
        let path = format!("/repos/{repository}/hooks/{id}/pings");
        self.call(repository, Method::POST, &path, None::<&()>).await.map(drop).map_err(mending)
    }

    /// Removes a webhook, and with it what GitHub knows of its deliveries.
    pub async fn delete_hook(&self, repository: &RepositoryName, id: u64) -> Result<(), GitHubError> {
        let path = format!("/repos/{repository}/hooks/{id}");
        self.call(repository, Method::DELETE, &path, None::<&()>).await.map(drop).map_err(mending)
    }

    /// Every attempt that is not older than `age`, by GitHub's clock.
    pub async fn attempts(&self, of: &DeliveriesOf, age: Duration) -> Result<Attempts, GitHubError> {
        self.attempts_from(of, |asked| asked.before(age)).await
    }

    /// Every attempt from a moment of GitHub's clock on.
    pub async fn attempts_since(&self, of: &DeliveriesOf, since: Timestamp) -> Result<Attempts, GitHubError> {
        self.attempts_from(of, |_| since).await
    }

    async fn attempts_from(
        &self,
        of: &DeliveriesOf,
        oldest: impl Fn(Timestamp) -> Timestamp,
    ) -> Result<Attempts, GitHubError> {
        let path = format!("{}/deliveries?per_page={PAGE}", of.path());
        let (mut attempts, mut asked, mut cursor) = (Vec::new(), None, None);
        for _ in 0..MOST_PAGES {
            // GitHub's filter by status leaves out what got no answer at all, so everything is asked for.
            let page = match &cursor {
                None => path.clone(),
                Some(cursor) => format!("{path}&cursor={cursor}"),
            };
            let answer = self.about_deliveries(of, Method::GET, &page).await?;
            let now = *asked.get_or_insert_with(|| date(&answer.headers).unwrap_or_else(|| self.wire.clock.now()));
            let oldest = oldest(now);
            let listed = decode::<Vec<ListedAttempt>>(&answer.body)?.into_iter().map(Attempt::from);
            let before = attempts.len();
            let mut is_past = false;
            attempts.extend(listed.take_while(|attempt| {
                is_past = attempt.at < oldest;
                !is_past
            }));
            cursor = next_cursor(&answer.headers).filter(|_| !is_past && attempts.len() > before);
            if cursor.is_none() {
                return Ok(Attempts { asked: now, attempts, is_whole: true });
            }
        }
        let asked = asked.unwrap_or_else(|| self.wire.clock.now());
        Ok(Attempts { asked, attempts, is_whole: false })
    }

    /// What the webhook answered to an attempt.
    pub async fn answer_to(&self, of: &DeliveriesOf, attempt: u64) -> Result<String, GitHubError> {
        let answer = self.about_deliveries(of, Method::GET, &format!("{}/deliveries/{attempt}", of.path())).await?;
        Ok(decode::<WholeAttempt>(&answer.body)?.response.payload.unwrap_or_default())
    }

    /// Has GitHub deliver again what an attempt was to deliver. It does so a little later.
    pub async fn redeliver(&self, of: &DeliveriesOf, attempt: u64) -> Result<(), GitHubError> {
        let path = format!("{}/deliveries/{attempt}/attempts", of.path());
        self.about_deliveries(of, Method::POST, &path).await.map(drop)
    }

    async fn about_deliveries(&self, of: &DeliveriesOf, method: Method, path: &str) -> Result<Answer, GitHubError> {
        match (of, &self.access) {
            (DeliveriesOf::Hook(repository, _), _) => {
                self.call(repository, method, path, None::<&()>).await.map_err(mending)
            }
            (DeliveriesOf::App, Access::App(app)) => {
                let jwt = app.authorization(self.wire.clock.now())?;
                let answered = self.wire.call(&jwt, &method, path, None::<&()>).await;
                let answered = if method == Method::GET { answered } else { answered.map_err(GitHubError::of_write) };
                answered.map_err(mending_of_app)
            }
            (DeliveriesOf::App, Access::Token(_)) => {
                Err(GitHubError::BadToken("an App's deliveries need the App's id and private key".to_owned()))
            }
        }
    }
}

impl DeliveriesOf {
    fn path(&self) -> String {
        match self {
            Self::Hook(repository, hook) => format!("/repos/{repository}/hooks/{hook}"),
            Self::App => "/app/hook".to_owned(),
        }
    }
}

/// The same refusal, with what is needed for webhooks.
fn mending(error: GitHubError) -> GitHubError {
    with_mending(error, MENDING)
}

fn mending_of_app(error: GitHubError) -> GitHubError {
    with_mending(error, APP_MENDING)
}

fn with_mending(error: GitHubError, mend: &'static str) -> GitHubError {
    match error {
        GitHubError::NoAccess { status, path, why, .. } => GitHubError::NoAccess { status, path, why, mend },
        other => other,
    }
}

/// The moment that an answer was given at.
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = DateTime::from_str(headers.get(DATE)?.to_str().ok()?, Format::HttpDate).ok()?;
    Some(Timestamp::from_secs(u64::try_from(date.secs()).ok()?))
}

/// Where the next page begins. Of the link only that is taken, so that no answer leads elsewhere.
fn next_cursor(headers: &HeaderMap) -> Option<String> {
    let links = headers.get(LINK)?.to_str().ok()?;
    let is_next = |link: &&str| link.split(';').skip(1).any(|part| part.trim() == "rel=\"next\"");
    let next = links.split(',').find(is_next)?;
    let place: Uri = next.split(';').next()?.trim().trim_start_matches('<').trim_end_matches('>').parse().ok()?;
    let mut query = form_urlencoded::parse(place.query()?.as_bytes());
    let (_, cursor) = query.find(|(name, _)| name == "cursor")?;
    Some(super::encode(&cursor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(link: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(LINK, link.parse().unwrap());
        next_cursor(&headers)
    }

    #[test]
    fn the_next_page_is_where_the_link_says_and_nowhere_else() {
        let next =
            "<https://api.github.com/repositories/1/hooks/2/deliveries?per_page=100&cursor=v1_17%2B>; rel=\"next\"";
        assert_eq!(cursor(next).as_deref(), Some("v1_17%2B"));
        assert_eq!(
            cursor(&format!("<https://x.example/?cursor=a>; rel=\"prev\", {next}")).as_deref(),
            Some("v1_17%2B")
        );
        for none in ["<https://x.example/?cursor=a>; rel=\"prev\"", "<https://x.example/?page=2>; rel=\"next\"", ""] {
            assert_eq!(cursor(none), None, "{none}");
        }
    }
}
