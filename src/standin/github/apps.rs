//! GitHub Apps: how they show who they are, where they are installed, and the tokens that they get there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rsa::KeyPair;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Map, Value, json};

use super::access::Meter;
use super::input::{Fields, Read, body, invalid_request};
use super::operations::refuse;
use super::{GitHub, Permission, view};
use crate::domain::time::Timestamp;
use crate::standin::ids::Ids;
use crate::standin::moment;
use crate::standin::wire::Reply;

/// What pipehook asks of those who install it.
pub const APP_PERMISSIONS: [(&str, Permission); 5] = [
    ("checks", Permission::Write),
    // The commit behind an annotated tag.
    ("contents", Permission::Read),
    ("deployments", Permission::Write),
    ("metadata", Permission::Read),
    ("statuses", Permission::Write),
];

/// An installation's token is good for an hour.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// A JWT expires at most ten minutes from now.
const LONGEST_JWT: u64 = 600;

const UNDECODABLE: &str = "A JSON web token could not be decoded";

/// By area, `checks` or `statuses`, what is allowed there.
pub(super) type Permissions = BTreeMap<String, Permission>;

#[derive(Debug)]
pub(super) struct App {
    pub(super) id: u64,
    pub(super) slug: String,
    pub(super) owner: String,
    pub(super) created: Timestamp,
    /// The public half of its key (PKCS#1, DER).
    public_key: Vec<u8>,
    pub(super) meter: Meter,
}

/// An App on the repositories of one account, on those that were chosen.
#[derive(Debug)]
pub(super) struct Installation {
    pub(super) id: u64,
    pub(super) app: u64,
    account: String,
    pub(super) repositories: BTreeSet<u64>,
    permissions: Permissions,
    created: Timestamp,
    pub(super) meter: Meter,
}

pub(super) struct InstallationToken {
    pub(super) installation: u64,
    /// `None` for all of the installation's.
    pub(super) repositories: Option<BTreeSet<u64>>,
    pub(super) permissions: Permissions,
    expires: Timestamp,
}

#[derive(Default)]
pub(super) struct Apps {
    apps: BTreeMap<u64, App>,
    installations: BTreeMap<u64, Installation>,
    tokens: BTreeMap<String, InstallationToken>,
}

/// Tokens are left out: nothing that prints a world prints a credential.
impl fmt::Debug for Apps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Apps").field("apps", &self.apps).field("installations", &self.installations).finish()
    }
}

impl App {
    /// Its client id, which may stand for its id as the issuer of a JWT.
    pub(super) fn client_id(&self) -> String {
        format!("Iv23li{:014}", self.id)
    }

    pub(super) fn login(&self) -> String {
        format!("{}[bot]", self.slug)
    }
}

impl Apps {
    pub(super) fn app(&self, id: u64) -> Option<&App> {
        self.apps.get(&id)
    }

    pub(super) fn app_mut(&mut self, id: u64) -> Option<&mut App> {
        self.apps.get_mut(&id)
    }

    pub(super) fn installation(&self, id: u64) -> Option<&Installation> {
        self.installations.get(&id)
    }

    pub(super) fn installation_mut(&mut self, id: u64) -> Option<&mut Installation> {
        self.installations.get_mut(&id)
    }

    /// The installation of an App that a repository belongs to.
    pub(super) fn of(&self, app: u64, repository: u64) -> Option<&Installation> {
        let belongs = |found: &&Installation| found.app == app && found.repositories.contains(&repository);
        self.installations.values().find(belongs)
    }

    /// A token that is good now, where its App is still installed.
    pub(super) fn token(&self, now: Timestamp, token: &str) -> Option<&InstallationToken> {
        let found = self.tokens.get(token).filter(|token| now < token.expires)?;
        self.installations.contains_key(&found.installation).then_some(found)
    }

    /// The App that a JWT is of, or the refusal's status and message.
    pub(super) fn verify(&self, now: Timestamp, jwt: &str) -> Result<u64, (u16, &'static str)> {
        let undecodable = (401, UNDECODABLE);
        let (signed, signature) = jwt.rsplit_once('.').ok_or(undecodable)?;
        let (header, claims) = signed.split_once('.').ok_or(undecodable)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| undecodable);
        let object = |part: &str| serde_json::from_slice::<Value>(&decode(part)?).map_err(|_| undecodable);
        let (header, claims) = (object(header)?, object(claims)?);
        if header["alg"] != "RS256" {
            return Err(undecodable);
        }
        let issuer = match &claims["iss"] {
            Value::Number(id) => id.to_string(),
            Value::String(id) => id.clone(),
            _ => return Err(undecodable),
        };
        let is_issuer = |app: &&App| app.id.to_string() == issuer || app.client_id() == issuer;
        let app = self.apps.values().find(is_issuer).ok_or((404, "Integration not found"))?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &app.public_key);
        key.verify(signed.as_bytes(), &decode(signature)?).map_err(|_| undecodable)?;
        let now = now.as_secs();
        match claims["exp"].as_u64() {
            Some(expires) if expires > now + LONGEST_JWT => {
                return Err((401, "'Expiration time' claim ('exp') is too far in the future"));
            }
            Some(expires) if expires > now => {}
            _ => {
                let message = "'Expiration time' claim ('exp') must be a numeric value representing the future time at \
                               which the assertion expires";
                return Err((401, message));
            }
        }
        if claims["iat"].as_u64().is_none_or(|issued| issued > now) {
            let message =
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
            return Err((401, message));
        }
        Ok(app.id)
    }
}

impl GitHub {
    /// Adds an App, with its private key (RSA, PEM) to know its JWTs by. [`EXAMPLE_APP_KEY`](super::EXAMPLE_APP_KEY) is
    /// one.
    ///
    /// # Errors
    /// Where the key is none.
    pub fn add_app(&mut self, now: Timestamp, id: u64, slug: &str, private_key: &str) -> Result<(), &'static str> {
        let key = match PrivateKeyDer::from_pem_slice(private_key.as_bytes()) {
            Ok(PrivateKeyDer::Pkcs1(der)) => KeyPair::from_der(der.secret_pkcs1_der()),
            Ok(PrivateKeyDer::Pkcs8(der)) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err("an RSA private key in PEM form is expected"),
        };
        let public_key = key.map_err(|_| "the RSA private key can't be used")?.public().as_ref().to_vec();
        let (slug, owner) = (slug.to_owned(), "octo-org".to_owned());
        self.apps.apps.insert(id, App { id, slug, owner, created: now, public_key, meter: Meter::default() });
        Ok(())
    }

    /// Installs an App on a repository with these permissions, and gives the id of the installation: one for all
    /// repositories of an owner, whose permissions from now on are these.
    pub fn install_app(
        &mut self,
        now: Timestamp,
        app: u64,
        repository: &str,
        permissions: &[(&str, Permission)],
    ) -> Option<u64> {
        let id = self.named(repository)?.id;
        let account = repository.split('/').next().unwrap_or_default().to_ascii_lowercase();
        let installations = &mut self.apps.installations;
        let known = installations.values().find(|known| known.app == app && known.account == account);
        let installation = known.map_or_else(|| 40_001 + installations.len() as u64, |known| known.id);
        let entry = installations.entry(installation).or_insert_with(|| Installation {
            id: installation,
            app,
            account,
            repositories: BTreeSet::new(),
            permissions: BTreeMap::new(),
            created: now,
            meter: Meter::default(),
        });
        entry.repositories.insert(id);
        entry.permissions = permissions.iter().map(|(area, level)| ((*area).to_owned(), *level)).collect();
        Some(installation)
    }

    /// Takes an App from a repository.
    pub fn uninstall_app(&mut self, app: u64, repository: &str) {
        let Some(id) = self.named(repository).map(|repository| repository.id) else { return };
        for installation in self.apps.installations.values_mut().filter(|installation| installation.app == app) {
            installation.repositories.remove(&id);
        }
    }

    /// From now on the tokens that an App has are bad; it may get new ones.
    pub fn revoke_app_tokens(&mut self, app: u64) {
        let Apps { installations, tokens, .. } = &mut self.apps;
        tokens.retain(|_, token| installations.get(&token.installation).is_none_or(|found| found.app != app));
    }

    /// `GET /repos/{owner}/{repo}/installation`.
    pub(super) fn installation_of(&self, app: u64, at: usize, base: &str) -> Reply {
        match self.apps.of(app, self.repositories[at].id) {
            Some(installation) => Reply::json(200, self.show_installation(installation, base)),
            None => refuse(404, "Not Found"),
        }
    }

    /// `POST /app/installations/{installation_id}/access_tokens`.
    pub(super) fn create_installation_token(
        &mut self,
        now: Timestamp,
        app: u64,
        id: u64,
        bytes: &[u8],
        base: &str,
    ) -> Reply {
        let Some(installation) = self.apps.installations.get(&id).filter(|found| found.app == app) else {
            return refuse(404, "Not Found");
        };
        let (repositories, permissions) = match self.narrowed(installation, bytes) {
            Ok(narrowed) => narrowed,
            Err(refusal) => return *refusal,
        };
        let expires = now + TOKEN_LIFE;
        let mut answer = json!({
            "expires_at": moment::seconds(expires),
            "permissions": show_permissions(&permissions),
            "repository_selection": "selected",
        });
        if let Some(ids) = &repositories {
            let named = self.repositories.iter().filter(|repository| ids.contains(&repository.id));
            answer["repositories"] = named.map(|repository| view::repository(base, repository)).collect();
        }
        let token = token(app, &mut self.ids);
        answer["token"] = json!(token);
        self.apps.tokens.retain(|_, token| now < token.expires);
        self.apps.tokens.insert(token, InstallationToken { installation: id, repositories, permissions, expires });
        Reply::json(201, answer)
    }

    /// What a token is asked for, which can't be more than the installation has.
    fn narrowed(&self, installation: &Installation, bytes: &[u8]) -> Read<(Option<BTreeSet<u64>>, Permissions)> {
        let body = body(bytes)?;
        let fields = Fields::new(&body, &["repositories", "repository_ids", "permissions"])?;
        let unknown = || {
            let message = "There is at least one repository that does not exist or is not accessible to the parent \
                           installation.";
            Box::new(refuse(422, message))
        };
        let mut ids = BTreeSet::new();
        let names = fields.texts("repositories")?;
        for name in names.iter().flatten() {
            let full_name = format!("{}/{name}", installation.account);
            ids.insert(self.position(&full_name).map(|at| self.repositories[at].id).ok_or_else(unknown)?);
        }
        let by_id = fields.list("repository_ids", 500)?;
        for id in by_id.unwrap_or_default() {
            ids.insert(id.as_u64().ok_or_else(|| invalid_request(&format!("{id} is not an integer.")))?);
        }
        if !ids.is_subset(&installation.repositories) {
            return Err(unknown());
        }
        let permissions = match fields.get("permissions") {
            None => installation.permissions.clone(),
            Some(wanted) => {
                let wanted = wanted.as_object().ok_or_else(|| invalid_request("permissions is not an object."))?;
                let read = |(area, level): (&String, &Value)| {
                    let level = match level.as_str() {
                        Some("read") => Permission::Read,
                        Some("write") => Permission::Write,
                        _ => {
                            return Err(invalid_request(&format!("{level} is not a member of [\"read\", \"write\"].")));
                        }
                    };
                    if installation.permissions.get(area).is_none_or(|granted| *granted < level) {
                        let message = "The permissions requested are not granted to this installation.";
                        return Err(Box::new(refuse(422, message)));
                    }
                    Ok((area.clone(), level))
                };
                wanted.iter().map(read).collect::<Read<_>>()?
            }
        };
        let is_narrowed = names.is_some() || by_id.is_some();
        Ok((is_narrowed.then_some(ids), permissions))
    }

    fn show_installation(&self, installation: &Installation, base: &str) -> Value {
        let Installation { id, app, account, permissions, created, .. } = installation;
        let known = self.apps.apps.get(app);
        json!({
            "id": id,
            "client_id": known.map(App::client_id),
            "account": view::user(base, account),
            "repository_selection": "selected",
            "access_tokens_url": format!("{base}/app/installations/{id}/access_tokens"),
            "repositories_url": format!("{base}/installation/repositories"),
            "html_url": format!("https://github.com/organizations/{account}/settings/installations/{id}"),
            "app_id": app,
            "app_slug": known.map(|known| known.slug.as_str()),
            "target_id": 1,
            "target_type": "Organization",
            "permissions": show_permissions(permissions),
            "events": [],
            "created_at": moment::seconds(*created),
            "updated_at": moment::seconds(*created),
            "single_file_name": null,
            "suspended_by": null,
            "suspended_at": null,
        })
    }

    /// An App as check runs and deployments show it.
    pub(super) fn show_app(&self, id: u64, base: &str) -> Value {
        let Some(app) = self.apps.app(id) else { return Value::Null };
        json!({
            "id": app.id,
            "client_id": app.client_id(),
            "slug": app.slug,
            "node_id": format!("A_{:016x}", app.id),
            "owner": view::user(base, &app.owner),
            "name": app.slug,
            "description": null,
            "external_url": homepage(app),
            "html_url": format!("https://github.com/apps/{}", app.slug),
            "created_at": moment::seconds(app.created),
            "updated_at": moment::seconds(app.created),
            "permissions": APP_PERMISSIONS.iter().map(|(area, level)| ((*area).to_owned(), show(*level))).collect::<Map<_, _>>(),
            "events": [],
        })
    }
}

/// Where an App's check runs link to that name no page of their own.
pub(super) fn homepage(app: &App) -> String {
    format!("https://{}.example.com", app.slug)
}

fn show(level: Permission) -> Value {
    match level {
        Permission::None => Value::Null,
        Permission::Read => json!("read"),
        Permission::Write => json!("write"),
    }
}

fn show_permissions(permissions: &Permissions) -> Value {
    let given = permissions.iter().filter(|(_, level)| **level > Permission::None);
    Value::Object(given.map(|(area, level)| (area.clone(), show(*level))).collect())
}

/// A token in the longer of the forms that GitHub gives out, of which nothing may be expected but its beginning.
fn token(app: u64, ids: &mut Ids) -> String {
    let part = |ids: &mut Ids| URL_SAFE_NO_PAD.encode(ids.hex(64));
    let (header, claims, signature) = (part(ids), part(ids), part(ids));
    format!("ghs_{app}_{header}.{claims}.{signature}")
}
