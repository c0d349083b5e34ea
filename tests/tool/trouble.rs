//! What every command that asks AWS says where it can't: in one sentence, with what to do, and never with a panic.

use pipehook::local::sample;
use pipehook::standin::{Fault, When};

use crate::scene::{Desk, Ran};

/// Each command that asks AWS before anything else. `doctor`, which goes on where something is broken, has its own stories.
const COMMANDS: [&str; 15] = [
    "config pull",
    "config push --yes",
    "webhook install --repo octo-org/node-server --yes",
    "webhook status --repo octo-org/node-server",
    "webhook redeliver --repo octo-org/node-server",
    "replay push.json",
    "runs node-server",
    "watch node-server",
    "approve node-server --yes",
    "reject node-server --yes",
    "retry node-server --yes",
    "stop node-server --yes",
    "dlq list",
    "dlq redrive --all --yes",
    "serve --listen 127.0.0.1:0",
];

async fn desk() -> Desk {
    let desk = Desk::new().await;
    desk.write("pipehook.toml", "[[route]]\nrepository = \"octo-org/node-server\"\npipeline = \"node-server\"\n");
    desk.write("push.json", &sample::push("main", "Say hello", &["src/server.js"]).to_string());
    desk
}

/// Runs each command, with something changed in its environment, and gives what they say, a line for each command.
async fn told(desk: &Desk, change: impl Fn(&mut tokio::process::Command)) -> String {
    let mut told = Vec::new();
    for line in COMMANDS {
        let mut command = desk.command(&line.split(' ').collect::<Vec<_>>());
        change(&mut command);
        let Ran { code, out, err } = desk.finish(command).await;
        assert_eq!((code, out.as_str()), (1, ""), "{line}: {err}");
        let says = err.strip_prefix("pipehook: ").and_then(|says| says.strip_suffix('\n'));
        let says = says.filter(|says| !says.contains('\n')).unwrap_or_else(|| panic!("{line}: {err}"));
        told.push(format!("{line}: {says}"));
    }
    told.join("\n")
}

#[tokio::test]
async fn a_session_that_has_expired_asks_to_sign_in_again() {
    let desk = desk().await;
    desk.scene.local.world().faults().add("*", "*", When::Always, Fault::Expired);
    let told = told(&desk, |_| ()).await;
    insta::assert_snapshot!(told, @"
    config pull: can't read the stack pipehook: ExpiredToken: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    config push --yes: can't read the stack pipehook: ExpiredToken: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    webhook install --repo octo-org/node-server --yes: can't read the stack pipehook: ExpiredToken: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    webhook status --repo octo-org/node-server: can't read the stack pipehook: ExpiredToken: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    webhook redeliver --repo octo-org/node-server: can't read the stack pipehook: ExpiredToken: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    replay push.json: can't read the stack pipehook: ExpiredToken: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    runs node-server: can't list the runs of node-server: ExpiredTokenException: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    watch node-server: can't list the runs of node-server: ExpiredTokenException: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    approve node-server --yes: can't list the runs of node-server: ExpiredTokenException: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    reject node-server --yes: can't list the runs of node-server: ExpiredTokenException: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    retry node-server --yes: can't list the runs of node-server: ExpiredTokenException: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    stop node-server --yes: can't list the runs of node-server: ExpiredTokenException: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    dlq list: can't read the stack pipehook: ExpiredToken: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    dlq redrive --all --yes: can't read the stack pipehook: ExpiredToken: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    serve --listen 127.0.0.1:0: can't read the stack pipehook: ExpiredToken: The security token included in the request is expired; the session has expired: sign in again, as with `aws sso login`
    ");
}

#[tokio::test]
async fn without_credentials_nothing_is_asked() {
    let desk = desk().await;
    let told = told(&desk, |command| {
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    });
    let told = told.await;
    for line in told.lines() {
        assert!(line.contains(": no AWS credentials: "), "{line}");
    }
    assert!(desk.scene.local.world().journal().is_empty());
}

#[tokio::test]
async fn without_a_network_aws_is_out_of_reach() {
    let desk = desk().await;
    // A port that was free a moment ago.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port");
    let told = told(&desk, |command| {
        command.env("AWS_ENDPOINT_URL", format!("http://{nobody}"));
    });
    let told = told.await.replace(&nobody.port().to_string(), "PORT");
    for line in told.lines() {
        assert!(line.contains("; AWS is out of reach: check the network, the region and AWS_ENDPOINT_URL"), "{line}");
    }
}

#[tokio::test]
async fn what_can_not_be_meant_is_refused_with_2_and_how_it_is_meant() {
    let desk = desk().await;
    for line in
        ["runs", "watch", "explain", "dlq show", "webhook remove --since 3 weeks", "config check --jsn", "nonsense"]
    {
        let ran = desk.run(&line.split(' ').collect::<Vec<_>>()).await;
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}: {}", ran.err);
        assert!(ran.err.starts_with("error: ") && ran.err.contains("--help"), "{line}: {}", ran.err);
    }
}
