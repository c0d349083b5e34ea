//! The tool between the stand-ins: the real executable, whose AWS and GitHub are a story's.

#![allow(dead_code, clippy::unwrap_used)] // A helper that can't go on fails its test, and not each test uses each.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use pipehook::local::sample;

use crate::common::{SECRET, Scene, TOKEN};

/// The largest body that a delivery has in these stories.
const BODY_LIMIT: usize = 6 * 1024 * 1024;

/// A story's system with the webhook behind HTTP, and the tool beside it.
pub(crate) struct Desk {
    pub(crate) scene: Arc<Scene>,
    webhook_url: String,
    home: PathBuf,
    /// Sends what the stand-in for GitHub wants to be sent.
    github: JoinHandle<()>,
}

/// What came of a command.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
    /// The sample repository and its classic pipeline, deployed as the stack `pipehook`.
    pub(crate) async fn new() -> Self {
        Self::of(Scene::new().await).await
    }

    /// Around a scene of one's own.
    pub(crate) async fn of(scene: Scene) -> Self {
        let scene = Arc::new(scene);
        let webhook_url = serve_webhook(scene.clone()).await;
        scene.local.put_webhook_url(&webhook_url);
        let home =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("home-{}", webhook_url.replace(['/', ':'], "-")));
        std::fs::create_dir_all(&home).unwrap();
        let github = tokio::task::spawn(send_deliveries(scene.clone()));
        Self { scene, webhook_url, home, github }
    }

    pub(crate) fn webhook_url(&self) -> &str {
        &self.webhook_url
    }

    /// The repository has pipehook's webhook, as `pipehook webhook install` leaves it. Gives its id.
    pub(crate) fn install_hook(&self) -> u64 {
        let now = self.scene.now();
        let mut world = self.scene.local.world();
        world.github().add_hook(now, sample::REPOSITORY, &self.webhook_url, Some(SECRET)).unwrap()
    }

    /// Somebody pushes to main at GitHub, which delivers it. Gives the commit.
    pub(crate) fn push_at_github(&self, message: &str) -> String {
        let now = self.scene.now();
        let payload = sample::push("main", message, &["src/server.js"]);
        self.scene.local.world().github().push(now, &payload).unwrap();
        sample::sha(message)
    }

    /// Waits until GitHub has an answer to everything that it has sent.
    pub(crate) async fn delivered(&self) {
        let on_its_way = || {
            let deliveries = self.scene.local.world().github().deliveries();
            deliveries.iter().any(|delivery| delivery.status_code.is_none())
        };
        while on_its_way() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// An empty folder in which the tool runs.
    pub(crate) fn home(&self) -> &PathBuf {
        &self.home
    }

    /// Writes a file into the folder in which the tool runs.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.home.join(name), text).unwrap();
    }

    /// The command, with nothing of the surrounding environment but what leads to the stand-ins.
    pub(crate) fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_pipehook"));
        command.args(arguments).env_clear().current_dir(&self.home).stdin(Stdio::null()).kill_on_drop(true);
        let server = self.scene.local.server();
        for (name, value) in [
            ("HOME", self.home.to_str().unwrap()),
            ("AWS_ENDPOINT_URL", &server.aws_endpoint()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "person"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            // The stand-in's answers tell the story's time, which is no error of the machine's clock.
            ("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "true"),
            ("GITHUB_API_URL", &server.github_api_url()),
            ("GITHUB_TOKEN", TOKEN),
        ] {
            command.env(name, value);
        }
        command
    }

    /// Runs the tool to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        self.finish(self.command(arguments)).await
    }

    /// Runs a command to its end.
    pub(crate) async fn finish(&self, mut command: tokio::process::Command) -> Ran {
        let output = command.output().await.unwrap();
        // Ports and folders are others each time.
        let server = self.scene.local.server().url();
        let tidy = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            let text = text.replace(&self.webhook_url, "WEBHOOK/");
            let text = text.replace(self.webhook_url.trim_end_matches('/'), "WEBHOOK").replace(&server, "SERVER");
            without_numbers_of_errors(&text.replace(self.home.to_str().unwrap(), "HOME"))
        };
        Ran { code: output.status.code().unwrap_or(-1), out: tidy(output.stdout), err: tidy(output.stderr) }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.github.abort();
        // What can't be removed is in the target folder, and of no harm there.
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// The same error has another number on another system.
fn without_numbers_of_errors(text: &str) -> String {
    let mut pieces = text.split(" (os error ");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |kept, piece| kept + piece.split_once(')').map_or(piece, |(_, rest)| rest))
}

/// What was printed, what was told on standard error, and the exit code where it is not 0.
impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.out)?;
        if !self.err.is_empty() {
            write!(f, "--- standard error\n{}", self.err)?;
        }
        if self.code == 0 { Ok(()) } else { write!(f, "--- exit code {}", self.code) }
    }
}

/// Delivers for GitHub, as soon as there is something to deliver.
async fn send_deliveries(scene: Arc<Scene>) {
    loop {
        if scene.local.send_deliveries().await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Serves the scene's webhook on loopback, as its Function URL would.
async fn serve_webhook(scene: Arc<Scene>) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let service = Router::new().fallback(receive).with_state(scene);
    tokio::spawn(async move { axum::serve(listener, service).await });
    url
}

async fn receive(State(scene): State<Arc<Scene>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await.unwrap();
    scene.local.webhook.handle(http::Request::from_parts(parts, body)).await.map(Body::from)
}
