//! `pipehook config`.

use std::fs::File;
use std::time::Duration;

use pipehook::standin::{Fault, When};
use serde_json::Value;

use crate::scene::{Desk, Ran};

const RIGHT: &str = r#"[[route]]
repository = "octo-org/node-server"
branches = ["main", "release/*"]
pipeline = "node-server"
environment = "staging"
"#;

const WRONG: &str = r#"[github]
api_url = "http://git.example.com"

[[route]]
repository = "octo-org/node-server"
branch = "main"
tags = "v*"
pipeline = "node-server"

[[route]]
pipeline = "docs"
"#;

const DOUBTFUL: &str = r#"[[route]]
repository = "octo-org/node-server"
branches = ["refs/heads/main"]
pipeline = "node-server"

[[route]]
repository = "octo-org/node-server"
tags = ["v*"]
pipeline = "node-server"

[[route]]
repository = "octo-org/node-server"
branches = ["main"]
pipeline = "node-server"
"#;

const PARAMETER: &str = "/pipehook/config";

/// A desk with a configuration in its folder.
async fn with(config: &str) -> Desk {
    let desk = Desk::new().await;
    desk.write("pipehook.toml", config);
    desk
}

/// The configuration that is in force.
async fn in_force(desk: &Desk) -> String {
    let ran = desk.run(&["config", "pull"]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    ran.out
}

/// The requests that were made of SSM, by the tool.
fn puts(desk: &Desk) -> Vec<Value> {
    let world = desk.scene.local.world();
    world.journal().iter().filter(|call| call.operation == "PutParameter").map(|call| call.request.clone()).collect()
}

// ---- config check

#[tokio::test]
async fn a_configuration_with_nothing_wrong_is_told_so() {
    let desk = with(RIGHT).await;
    insta::assert_snapshot!(desk.run(&["config", "check"]).await, @"pipehook.toml: nothing is wrong");
    assert_eq!(desk.run(&["config", "check", "--json"]).await.to_string(), "[]\n");
}

#[tokio::test]
async fn every_mistake_is_shown_in_its_line() {
    insta::assert_snapshot!(with(WRONG).await.run(&["config", "check"]).await, @r#"
    error: `api_url` must begin with https:// (http:// is for loopback only)
     --> pipehook.toml:2:11
      |
    2 | api_url = "http://git.example.com"
      |           ^^^^^^^^^^^^^^^^^^^^^^^^

    error: unknown key `branch`
     --> pipehook.toml:6:1
      |
    6 | branch = "main"
      | ^^^^^^
      |
      = help: did you mean `branches`?

    error: `tags` must be a list, and is a string
     --> pipehook.toml:7:8
      |
    7 | tags = "v*"
      |        ^^^^
      |
      = help: write ["v*"]

    error: the route has no `repository`
      --> pipehook.toml:10:1
       |
    10 | [[route]]
       | ^^^^^^^^^
       |
       = help: repository = "octo-org/node-server"

    --- standard error
    pipehook: pipehook.toml: 4 mistakes
    --- exit code 1
    "#);
}

#[tokio::test]
async fn what_is_very_probably_not_meant_is_a_warning_and_may_count() {
    let desk = with(DOUBTFUL).await;
    insta::assert_snapshot!(desk.run(&["config", "check"]).await, @r#"
    warning: `branches`: "refs/heads/main" can match nothing: a branch's name goes without refs/heads/
     --> pipehook.toml:3:13
      |
    3 | branches = ["refs/heads/main"]
      |             ^^^^^^^^^^^^^^^^^
      |
      = help: write "main"

    warning: a push to branch main would start node-server by two routes; it is started once
      --> pipehook.toml:14:12
       |
     9 | pipeline = "node-server"
       |            ------------- the first route wins
    ...
    14 | pipeline = "node-server"
       |            ^^^^^^^^^^^^^
       |
       = help: let the routes take different branches, or put what both do into one

    pipehook.toml: 2 warnings
    "#);
    let denied = desk.run(&["config", "check", "--deny-warnings"]).await;
    assert_eq!(denied.code, 1);
    insta::assert_snapshot!(denied.err, @"pipehook: pipehook.toml: 2 warnings");
}

#[tokio::test]
async fn a_script_gets_the_findings_as_json() {
    let desk = with(WRONG).await;
    let ran = desk.run(&["config", "check", "--json"]).await;
    let findings: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let lines: Vec<String> = findings.iter().map(Value::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"column":11,"end_column":35,"end_line":2,"help":null,"line":2,"message":"`api_url` must begin with https:// (http:// is for loopback only)","severity":"error"}
    {"column":1,"end_column":7,"end_line":6,"help":"did you mean `branches`?","line":6,"message":"unknown key `branch`","severity":"error"}
    {"column":8,"end_column":12,"end_line":7,"help":"write [\"v*\"]","line":7,"message":"`tags` must be a list, and is a string","severity":"error"}
    {"column":1,"end_column":10,"end_line":10,"help":"repository = \"octo-org/node-server\"","line":10,"message":"the route has no `repository`","severity":"error"}
    "#);
    assert_eq!((ran.code, ran.err.as_str()), (1, "pipehook: pipehook.toml: 4 mistakes\n"));
}

#[tokio::test]
async fn a_configuration_is_read_from_standard_input() {
    let desk = with(WRONG).await;
    desk.write("right.toml", RIGHT);
    let mut piped = desk.command(&["config", "check", "-"]);
    piped.stdin(File::open(desk.home().join("right.toml")).unwrap());
    insta::assert_snapshot!(desk.finish(piped).await, @"standard input: nothing is wrong");
}

#[tokio::test]
async fn what_can_not_be_read_is_told() {
    let desk = Desk::new().await;
    insta::assert_snapshot!(desk.run(&["config", "check"]).await, @"
    --- standard error
    pipehook: can't read pipehook.toml: No such file or directory
    --- exit code 1
    ");
    std::fs::write(desk.home().join("binary.toml"), [0x5b, 0xff, 0xfe]).unwrap();
    insta::assert_snapshot!(desk.run(&["config", "check", "binary.toml"]).await, @"
    --- standard error
    pipehook: can't read binary.toml: stream did not contain valid UTF-8
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["config", "check", "."]).await, @"
    --- standard error
    pipehook: can't read .: Is a directory
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["config", "check", "--strict"]).await, @"
    --- standard error
    error: unexpected argument '--strict' found

      tip: to pass '--strict' as a value, use '-- --strict'

    Usage: pipehook config check [OPTIONS] [FILE]

    For more information, try '--help'.
    --- exit code 2
    ");
}

#[tokio::test]
async fn a_secret_is_found_without_being_shown() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let desk = with(&format!("{RIGHT}[route.variables]\nTOKEN = \"{token}\"\n")).await;
    let ran = desk.run(&["config", "check"]).await;
    insta::assert_snapshot!(ran, @r#"
    warning: this looks like a personal access token of GitHub's
     --> pipehook.toml:7:10
      |
    7 | TOKEN = "****************************************"
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: secrets belong into Secrets Manager, where the functions read theirs; others may have read this one, so replace it

    pipehook.toml: 1 warning
    "#);
    let pushed = desk.run(&["config", "push", "--yes"]).await;
    assert!(!pushed.to_string().contains("a1B2"), "{pushed}");
}

#[tokio::test]
async fn nothing_in_a_configuration_reaches_the_terminal_as_a_command() {
    let desk =
        with(&format!("{RIGHT}\"a\\u001b[2J\" = 1\n# \u{1b}[2J\nx = \"\u{9b}31m\u{7}\"\nbranches = [\"\u{9b}2J\"]\n"))
            .await;
    for arguments in [&["config", "check"][..], &["config", "check", "--json"], &["config", "push", "--yes"]] {
        let told = desk.run(arguments).await.to_string();
        assert!(told.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t')), "{told:?}");
    }
}

// ---- config push and pull

#[tokio::test]
async fn a_push_shows_what_changes_and_puts_it_in_force() {
    let desk = with(RIGHT).await;
    let now = desk.scene.now();
    let before = RIGHT.replace("branches = [\"main\", \"release/*\"]", "tags = [\"v*\"]");
    desk.scene.local.world().parameters().put(now, PARAMETER, &before);
    insta::assert_snapshot!(desk.run(&["config", "push", "--yes"]).await, @r#"
    --- /pipehook/config
    +++ /pipehook/config
    @@ -1,5 +1,5 @@
     [[route]]
     repository = "octo-org/node-server"
    -tags = ["v*"]
    +branches = ["main", "release/*"]
     pipeline = "node-server"
     environment = "staging"

    ✓ /pipehook/config holds it. The functions take it within five minutes.
    An update of the stack with another Repository, Branch, PipelineName, SourceAction or GitHubApiUrl writes its own first value over it.
    "#);
    assert_eq!(in_force(&desk).await, RIGHT);
    let [put] = &puts(&desk)[..] else { panic!("{:?}", puts(&desk)) };
    assert_eq!(
        (&put["Type"], &put["Tier"], &put["Overwrite"]),
        (&"String".into(), &"Intelligent-Tiering".into(), &true.into())
    );
    insta::assert_snapshot!(desk.run(&["config", "push", "--yes"]).await, @"/pipehook/config holds this already: nothing to do.");
    assert_eq!(puts(&desk).len(), 1);
}

#[tokio::test]
async fn what_was_pushed_decides_about_the_next_push() {
    let desk = with(&RIGHT.replace("\"main\", ", "")).await;
    assert_eq!(desk.run(&["config", "push", "--yes"]).await.code, 0);
    // As long as the functions keep what they have read.
    desk.scene.wait(Duration::from_secs(301));
    desk.scene.push("Answer health checks").await;
    desk.scene.run().await;
    assert_eq!(desk.scene.executions(), []);
}

#[tokio::test]
async fn nothing_is_changed_unasked() {
    let desk = with(RIGHT).await;
    let before = in_force(&desk).await;
    let ran = desk.run(&["config", "push"]).await;
    insta::assert_snapshot!(ran.err, @r#"pipehook: nothing was changed: "Change /pipehook/config?" can only be asked at a terminal; --yes goes on without asking"#);
    assert_eq!((ran.code, in_force(&desk).await), (1, before));
}

#[tokio::test]
async fn a_configuration_with_mistakes_is_not_pushed() {
    let desk = with(WRONG).await;
    let ran = desk.run(&["config", "push", "--yes"]).await;
    insta::assert_snapshot!(ran.err, @"pipehook: pipehook.toml: 4 mistakes; nothing was changed");
    assert_eq!((ran.code, puts(&desk).len()), (1, 0));
    desk.write("pipehook.toml", "\n");
    insta::assert_snapshot!(desk.run(&["config", "push", "--yes"]).await, @"
    warning: there is no [[route]], so that no push starts anything
     --> pipehook.toml:1:1
      |
    1 |
      | ^
      |
      = help: each route is for one repository and one pipeline

    --- standard error
    pipehook: pipehook.toml: it is empty, which SSM does not take; nothing was changed
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_parameter_that_does_not_exist_is_created() {
    let desk = with(RIGHT).await;
    desk.scene.local.world().parameters().remove(PARAMETER);
    insta::assert_snapshot!(desk.run(&["config", "pull"]).await, @"
    --- standard error
    pipehook: the parameter /pipehook/config does not exist; `pipehook config push` creates it
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["config", "push", "--yes"]).await, @r#"
    --- (none yet)
    +++ /pipehook/config
    @@ -0,0 +1,5 @@
    +[[route]]
    +repository = "octo-org/node-server"
    +branches = ["main", "release/*"]
    +pipeline = "node-server"
    +environment = "staging"

    ✓ /pipehook/config holds it. The functions take it within five minutes.
    An update of the stack with another Repository, Branch, PipelineName, SourceAction or GitHubApiUrl writes its own first value over it.
    "#);
    assert_eq!(in_force(&desk).await, RIGHT);
}

#[tokio::test]
async fn a_large_configuration_is_pushed_too() {
    let large = format!("{RIGHT}# {}\n", "x".repeat(5000));
    let desk = with(&large).await;
    assert_eq!(desk.run(&["config", "push", "--yes"]).await.code, 0);
    assert_eq!(in_force(&desk).await, large);
}

#[tokio::test]
async fn what_somebody_else_has_changed_meanwhile_is_not_written_over() {
    let desk = with(RIGHT).await;
    // The answer to the first look takes its time, and somebody else is quicker.
    desk.scene.local.world().faults().add(
        "ssm",
        "GetParameters",
        When::Nth(1),
        Fault::Delay(Duration::from_millis(700)),
    );
    let looks = |desk: &Desk| {
        let world = desk.scene.local.world();
        world.journal().iter().filter(|call| call.operation == "GetParameters").count()
    };
    let before = looks(&desk);
    let somebody = async {
        while looks(&desk) == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let now = desk.scene.now();
        desk.scene.local.world().parameters().put(now, PARAMETER, "# somebody else's");
    };
    let (ran, ()) = tokio::join!(desk.run(&["config", "push", "--yes"]), somebody);
    insta::assert_snapshot!(ran.err, @"pipehook: the parameter /pipehook/config was changed by somebody else in the meantime; nothing was changed. Look at what is there now, with `pipehook config pull`, and push again");
    assert_eq!((ran.code, in_force(&desk).await.as_str()), (1, "# somebody else's"));
}

#[tokio::test]
async fn a_parameter_of_another_kind_is_left_alone() {
    let desk = with(RIGHT).await;
    let now = desk.scene.now();
    desk.scene.local.world().parameters().put_secure(now, PARAMETER, "s3cret");
    let ran = desk.run(&["config", "push", "--yes"]).await;
    insta::assert_snapshot!(ran.err, @"pipehook: the parameter /pipehook/config is a SecureString, where pipehook's is a String; is it another program's?; nothing was changed");
    assert_eq!((ran.code, puts(&desk).len(), ran.out.contains("s3cret")), (1, 0, false));
}

#[tokio::test]
async fn refusals_of_aws_say_what_to_do() {
    let desk = with(RIGHT).await;
    let refused = async |operation: &str, fault: Fault| -> Ran {
        desk.scene.local.world().faults().clear();
        desk.scene.local.world().faults().add("*", operation, When::Always, fault);
        let mut ran = desk.run(&["config", "push", "--yes"]).await;
        // What is shown before is the same each time.
        ran.out.clear();
        ran
    };
    insta::assert_snapshot!(refused("*", Fault::Unauthorized).await, @"
    --- standard error
    pipehook: can't read the stack pipehook: InvalidClientTokenId: The security token is invalid.; the credentials are not valid: check the access key and its secret
    --- exit code 1
    ");
    insta::assert_snapshot!(refused("GetParameters", Fault::AccessDenied).await, @"
    --- standard error
    pipehook: can't read the parameter /pipehook/config: AccessDeniedException: The caller is not authorized to perform: ssm:GetParameters; the credentials are valid, but their policy does not allow this
    --- exit code 1
    ");
    insta::assert_snapshot!(refused("PutParameter", Fault::AccessDenied).await, @"
    --- standard error
    pipehook: can't write the parameter /pipehook/config: AccessDeniedException: The caller is not authorized to perform: ssm:PutParameter; the credentials are valid, but their policy does not allow this
    --- exit code 1
    ");
    insta::assert_snapshot!(refused("PutParameter", Fault::ServerError).await, @"
    --- standard error
    pipehook: can't write the parameter /pipehook/config: InternalServerError: The service could not handle this request
    --- exit code 1
    ");
    // How the connection ended is the SDK's to say.
    let lost = refused("GetParameters", Fault::LostBefore).await;
    assert!(lost.err.starts_with("pipehook: can't read the parameter /pipehook/config: "), "{lost}");
    assert!(lost.err.ends_with("AWS is out of reach: check the network, the region and AWS_ENDPOINT_URL\n"), "{lost}");
    assert_eq!(lost.code, 1);
}

#[tokio::test]
async fn without_region_credentials_stack_or_network_it_says_what_is_missing() {
    let desk = with(RIGHT).await;
    let without = async |variables: &[&str]| -> Ran {
        let mut command = desk.command(&["config", "pull"]);
        for variable in variables {
            command.env_remove(variable);
        }
        desk.finish(command).await
    };
    insta::assert_snapshot!(without(&["AWS_REGION"]).await, @"
    --- standard error
    pipehook: no AWS region: set it with --region, AWS_REGION, or in the profile
    --- exit code 1
    ");
    let nobody = without(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]).await;
    assert!(nobody.err.starts_with("pipehook: no AWS credentials:") && nobody.code == 1, "{nobody}");
    insta::assert_snapshot!(desk.run(&["config", "pull", "--stack", "nowhere"]).await, @"
    --- standard error
    pipehook: can't read the stack nowhere: ValidationError: Stack with id nowhere does not exist
    --- exit code 1
    ");
    let mut offline = desk.command(&["config", "pull"]);
    // Nobody listens there.
    offline.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let offline = desk.finish(offline).await;
    assert!(offline.err.starts_with("pipehook: can't read the stack pipehook: "), "{offline}");
    assert!(offline.err.contains("AWS is out of reach: check the network") && offline.code == 1, "{offline}");
    let mut named = desk.command(&["config", "pull", "--stack", "nowhere"]);
    named.env("PIPEHOOK_CONFIG_PARAMETER", PARAMETER);
    assert_eq!(desk.finish(named).await.code, 0);
}
