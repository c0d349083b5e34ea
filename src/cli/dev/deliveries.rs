//! Sample deliveries, as commands to send them with.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::routes::Routes;
use crate::cli::Error;
use crate::cli::demo::story;
use crate::local::{sample, sign};
use crate::standin::World;

/// The payloads lie in files, for the signature is over their very bytes. They are removed when this is dropped.
pub(super) struct Deliveries {
    folder: PathBuf,
    pushes: Vec<Push>,
}

struct Push {
    title: &'static str,
    file: PathBuf,
    payload: String,
    repository: String,
    sha: String,
}

impl Deliveries {
    /// Writes the pushes that a route takes, and scripts the one that is to fail.
    pub(super) fn write(routes: &Routes, world: &mut World) -> Result<Self, Error> {
        let folder = new_folder().map_err(|cause| Error::Write { path: std::env::temp_dir(), cause })?;
        let mut deliveries = Self { folder, pushes: Vec::new() };
        deliveries.add(routes, "A push that goes through", "Answer health checks", "push.json")?;
        deliveries.add(routes, "A push whose build fails", "Rewrite the router", "push-that-fails.json")?;
        for pipeline in routes.pipelines() {
            let sha = sample::sha("Rewrite the router");
            world.pipelines().script_commit(pipeline, &sha, story::script_of_a_failing_build());
        }
        Ok(deliveries)
    }

    fn add(&mut self, routes: &Routes, title: &'static str, message: &str, name: &str) -> Result<(), Error> {
        let Some((payload, repository, sha)) = routes.push(message) else {
            return Ok(());
        };
        let file = self.folder.join(name);
        fs::write(&file, &payload).map_err(|cause| Error::Write { path: file.clone(), cause })?;
        self.pushes.push(Push { title, file, payload, repository, sha });
        Ok(())
    }

    /// What each push is, and the command that delivers it, signed.
    pub(super) fn commands(&self, webhook_url: &str, secret: &str) -> Vec<(&'static str, String)> {
        let command = |push: &Push| {
            let signature = sign(secret, push.payload.as_bytes());
            let file = quoted(&push.file);
            let delivery = format!("{}-0000-4000-8000-{}", &push.sha[..8], &push.sha[8..20]);
            format!(
                "curl -sS -i -H 'content-type: application/json' -H 'x-github-event: push' \\\n  \
                 -H 'x-github-delivery: {delivery}' \\\n  \
                 -H 'x-hub-signature-256: {signature}' \\\n  \
                 --data-binary @{file} {webhook_url}"
            )
        };
        self.pushes.iter().map(|push| (push.title, command(push))).collect()
    }

    /// Repository and commit of the first push, where there is one.
    pub(super) fn first_commit(&self) -> Option<(&str, &str)> {
        self.pushes.first().map(|push| (push.repository.as_str(), push.sha.as_str()))
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        // What can't be removed is in the folder for temporary files, and of no harm there.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A folder of our own: one that is there already may be somebody else's.
fn new_folder() -> io::Result<PathBuf> {
    let base = std::env::temp_dir();
    let process = std::process::id();
    let mut tries = 0;
    loop {
        let folder = base.join(format!("pipehook-dev-{process}-{tries}"));
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < 100 => tries += 1,
            made => return made.map(|()| folder),
        }
    }
}

/// A path as one word for a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
