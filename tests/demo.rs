//! The tool as people and scripts run it: the real executable, its output, and its exit codes.

#![allow(clippy::unwrap_used)] // A helper that can't go on fails its test.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use pipehook::local::{sample, sign};
use serde_json::{Value, json};

/// After this long without a line, a test does not wait for one any more.
const HANGS: Duration = Duration::from_secs(120);

fn pipehook(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pipehook"));
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> (Output, String, String) {
    let output = pipehook(arguments).output().unwrap();
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    (output, stdout, stderr)
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

#[test]
fn the_demo_ends_with_the_truth_and_tells_a_program_every_status() {
    let journal = scratch("demo.jsonl");
    let (output, stdout, stderr) = run(&["demo", "--speed", "20", "--json", "--record", journal.to_str().unwrap()]);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "");

    let mut last: BTreeMap<(String, String), String> = BTreeMap::new();
    for line in stdout.lines() {
        let status: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
        let keys: Vec<_> = status.keys().map(String::as_str).collect();
        assert_eq!(keys, ["context", "description", "sha", "state", "target_url"]);
        let text = |key: &str| status[key].as_str().unwrap().to_owned();
        assert_eq!(text("sha").len(), 40);
        last.insert((text("sha")[..7].to_owned(), text("context")), text("state"));
    }
    let last: Vec<_> = last.iter().map(|((sha, context), state)| format!("{sha} {context} {state}")).collect();
    insta::assert_snapshot!(last.join("\n"), @r"
    0091cc0 codepipeline/node-server failure
    0091cc0 codepipeline/node-server/Build success
    0091cc0 codepipeline/node-server/Source success
    0091cc0 codepipeline/node-server/Staging failure
    0d0f5f5 codepipeline/node-server failure
    0d0f5f5 codepipeline/node-server/Build failure
    0d0f5f5 codepipeline/node-server/Source success
    397c7da codepipeline/node-server success
    397c7da codepipeline/node-server/Build success
    397c7da codepipeline/node-server/Source success
    397c7da codepipeline/node-server/Staging success
    4632b32 codepipeline/node-server success
    4632b32 codepipeline/node-server/Build success
    4632b32 codepipeline/node-server/Source success
    4632b32 codepipeline/node-server/Staging success
    6f749a9 codepipeline/node-server error
    6f749a9 codepipeline/node-server/Source success
    b2c7e20 codepipeline/node-server success
    b2c7e20 codepipeline/node-server/Build success
    b2c7e20 codepipeline/node-server/Source success
    b2c7e20 codepipeline/node-server/Staging success
    ");

    let journal_text = std::fs::read_to_string(&journal).unwrap();
    std::fs::remove_file(&journal).unwrap();
    let calls: Vec<Value> = journal_text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let starts = calls.iter().filter(|call| call["operation"] == "StartPipelineExecution");
    assert_eq!(starts.count(), 6);
}

/// What a reader of a story is shown where it is piped: the story itself, and behind the line `in the end:` the last
/// status of each context. Which progress is seen, and in which order the statuses of several commits come, is a matter
/// of timing.
fn told(story: &str) -> String {
    let (output, stdout, stderr) = run(&["demo", "--speed", "10", "--story", story]);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert_eq!(stderr, "");
    assert!(!stdout.contains('\u{1b}') && !stdout.contains('\r'), "{stdout:?}");
    let status = |line: &str| {
        let (start, description) = line.split_at_checked(60)?;
        let [_, sha, state, context] = start.split_whitespace().collect::<Vec<_>>().try_into().ok()?;
        context
            .starts_with("codepipeline/")
            .then(|| ((sha.to_owned(), context.to_owned()), (state.to_owned(), description.to_owned())))
    };
    let itself = stdout.lines().filter(|line| status(line).is_none());
    let itself: Vec<_> =
        itself.map(|line| blank(line.split_once(", after").map_or(line, |(start, _)| start))).collect();
    let last: BTreeMap<_, _> = stdout.lines().filter_map(status).collect();
    let last = last.iter().map(|((sha, context), (state, text))| format!("{sha} {context} {state}: {}", blank(text)));
    format!("{}\n\nin the end:\n{}", itself.join("\n").trim(), last.collect::<Vec<_>>().join("\n"))
}

/// A text without its durations and its times of day: `Deployed abc1234 in …; app:42 runs since … UTC`.
fn blank(text: &str) -> String {
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let is_time = |word: &str| word.split_once(':').is_some_and(|(hour, minute)| is_number(hour) && is_number(minute));
    let mut blanked: Vec<String> = Vec::new();
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        let unit = words.next_if(|next| is_number(word) && matches!(next.trim_end_matches(';'), "s" | "m" | "h"));
        match unit {
            Some(unit) => {
                blanked.pop_if(|before| before == "…");
                blanked.push(format!("…{}", &unit[1..]));
            }
            None if is_time(word) => blanked.push("…".to_owned()),
            None => blanked.push(word.to_owned()),
        }
    }
    blanked.join(" ")
}

#[test]
fn the_story_of_a_push_that_goes_through() {
    insta::assert_snapshot!(told("success"), @r"
    1. A push that goes through
            397c7da  octocat pushes to main: Answer health checks

    commit   push                                 GitHub holds                                CodePipeline  ECS           true
    397c7da  Answer health checks                 success  Source ✓  Build ✓  Staging ✓       Succeeded     deployed :42  yes

    GitHub holds the truth about the commit

    in the end:
    397c7da codepipeline/node-server success: Deployed 397c7da to staging in …; node-server:42 runs since … UTC
    397c7da codepipeline/node-server/Build success: Build succeeded in …
    397c7da codepipeline/node-server/Source success: Source succeeded in …
    397c7da codepipeline/node-server/Staging success: Staging succeeded in …; node-server:42 runs since … UTC
    ");
}

#[test]
fn the_story_of_a_build_that_fails() {
    insta::assert_snapshot!(told("failure"), @r"
    1. A push whose build fails
            0d0f5f5  octocat pushes to main: Rewrite the router
            0d0f5f5  the build's log ends:
              not ok 7 - GET /health answers 200
                expected: 200
                actual: 404
              1 of 12 tests failed

    commit   push                                 GitHub holds                                CodePipeline  ECS           true
    0d0f5f5  Rewrite the router                   failure  Source ✓  Build ✗                  Failed        -             yes

    GitHub holds the truth about the commit

    in the end:
    0d0f5f5 codepipeline/node-server failure: Build failed in BUILD: exit status 1 (make test)
    0d0f5f5 codepipeline/node-server/Build failure: Build failed in BUILD: exit status 1 (make test)
    0d0f5f5 codepipeline/node-server/Source success: Source succeeded in …
    ");
}

#[test]
fn the_story_of_a_deploy_that_is_rolled_back() {
    let told = told("rollback");
    // A stage has a place for one failure at least; whether it has one for the rollback too depends on what came before.
    let (stable, of_stage) = told.rsplit_once(" failure: ").unwrap();
    assert!(of_stage.ends_with("; node-server exited with 1"), "{told}");
    insta::assert_snapshot!(stable, @r"
    1. A deploy that ECS rolls back, while CodePipeline calls it a success
            0091cc0  octocat pushes to main: Require a database
            (CodePipeline's deploy action has noticed nothing and goes on; so does the demo, but faster)
            0091cc0  GitHub showed the failure … before CodePipeline came to an end, and that is: Succeeded

    commit   push                                 GitHub holds                                CodePipeline  ECS           true
    0091cc0  Require a database                   failure  Source ✓  Build ✓  Staging ✗       Succeeded     rolled back   yes

    GitHub holds the truth about the commit

    in the end:
    0091cc0 codepipeline/node-server failure: Rolled back to :41; node-server exited with 1
    0091cc0 codepipeline/node-server/Build success: Build succeeded in …
    0091cc0 codepipeline/node-server/Source success: Source succeeded in …
    0091cc0 codepipeline/node-server/Staging
    ");
}

#[test]
fn the_story_of_a_run_that_is_superseded() {
    insta::assert_snapshot!(without_revisions(&told("superseded")), @r"
    1. Two quick pushes while a build is under way: the second supersedes the first
            4632b32  octocat pushes to main: Mend the router
            6f749a9  octocat pushes to main: Log requests
            b2c7e20  octocat pushes to main: Log requests, without their cookies

    commit   push                                 GitHub holds                                CodePipeline  ECS           true
    4632b32  Mend the router                      success  Source ✓  Build ✓  Staging ✓       Succeeded     deployed :42  yes
    6f749a9  Log requests                         error    Source ✓                           Superseded    -             yes
    b2c7e20  Log requests, without their cookies  success  Source ✓  Build ✓  Staging ✓       Succeeded     deployed :43  yes

    GitHub holds the truth about all 3 commits

    in the end:
    4632b32 codepipeline/node-server success: Deployed 4632b32 to staging in …
    4632b32 codepipeline/node-server/Build success: Build succeeded in …
    4632b32 codepipeline/node-server/Source success: Source succeeded in …
    4632b32 codepipeline/node-server/Staging success: Staging succeeded in …
    6f749a9 codepipeline/node-server error: Superseded by b2c7e20
    6f749a9 codepipeline/node-server/Source success: Source succeeded in …
    b2c7e20 codepipeline/node-server success: Deployed b2c7e20 to staging in …
    b2c7e20 codepipeline/node-server/Build success: Build succeeded in …
    b2c7e20 codepipeline/node-server/Source success: Source succeeded in …
    b2c7e20 codepipeline/node-server/Staging success: Staging succeeded in …
    ");
}

#[test]
fn the_story_of_an_approval() {
    insta::assert_snapshot!(without_revisions(&told("approval")), @r"
    1. A deploy that waits for an approval, and a newer commit that waits behind it
            5a94c39  octocat pushes to release: Release 1.4.0
            a6f63b9  octocat pushes to release: Release 1.4.1
            (Nobody decides for ten minutes; the demo hurries through them)
            5a94c39  octocat approves it
            a6f63b9  octocat approves it

    commit   push                                 GitHub holds                                CodePipeline  ECS           true
    5a94c39  Release 1.4.0                        success  Source ✓  Build ✓  Production ✓    Succeeded     deployed :42  yes
    a6f63b9  Release 1.4.1                        success  Source ✓  Build ✓  Production ✓    Succeeded     deployed :43  yes

    GitHub holds the truth about all 2 commits

    in the end:
    5a94c39 codepipeline/release success: Deployed 5a94c39 to production in …
    5a94c39 codepipeline/release/Build success: Build succeeded in …
    5a94c39 codepipeline/release/Production success: Production succeeded in …
    5a94c39 codepipeline/release/Source success: Source succeeded in …
    a6f63b9 codepipeline/release success: Deployed a6f63b9 to production in …
    a6f63b9 codepipeline/release/Build success: Build succeeded in …
    a6f63b9 codepipeline/release/Production success: Production succeeded in …
    a6f63b9 codepipeline/release/Source success: Source succeeded in …
    ");
}

/// Whether a deploy still shows its revision once another one has taken its place depends on who looks last.
fn without_revisions(told: &str) -> String {
    let lines = told.lines().map(|line| line.split_once("; node-server:").map_or(line, |(start, _)| start));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn several_stories_are_told_in_one_go_and_an_unknown_one_is_refused() {
    let (output, stdout, stderr) = run(&["demo", "--speed", "20", "--story", "failure,success", "--story", "failure"]);
    assert!(output.status.success(), "{stderr}");
    let is_heading = |line: &&str| line.starts_with(|start: char| start.is_ascii_digit()) && line.contains(". ");
    let headings: Vec<_> = stdout.lines().filter(is_heading).collect();
    assert_eq!(headings, ["1. A push that goes through", "2. A push whose build fails"]);

    let (output, _, stderr) = run(&["demo", "--story", "rolback"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr, @r"
    error: invalid value 'rolback' for '--story <NAME>'
      [possible values: success, failure, rollback, superseded, approval, all]

      tip: a similar value exists: 'rollback'

    For more information, try '--help'.
    ");
}

#[test]
fn help_shows_examples_and_a_wrong_speed_is_refused() {
    for arguments in [&["--help"][..], &["demo", "--help"], &["dev", "--help"]] {
        let (output, stdout, _) = run(arguments);
        assert!(output.status.success());
        assert!(stdout.contains("Examples:\n  pipehook d"), "{stdout}");
    }
    let (output, _, stderr) = run(&["demo", "--speed", "0"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("a number above 0"), "{stderr}");
}

#[test]
fn a_record_that_cannot_be_written_is_told() {
    let nowhere = scratch("no-such-folder").join("journal.jsonl");
    let (output, _, stderr) = run(&["demo", "--speed", "20", "--json", "--record", nowhere.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.starts_with("pipehook: can't write "), "{stderr}");
}

/// `pipehook dev`, which is killed at the end of its test whatever becomes of that.
struct Dev {
    child: Child,
    lines: Receiver<String>,
    introduction: String,
}

impl Dev {
    fn start(arguments: &[&str]) -> Self {
        Self::start_until(arguments, "Statuses, as GitHub takes them")
    }

    fn start_until(arguments: &[&str], introduced: &str) -> Self {
        let mut child = pipehook(&[&["dev", "--port", "0", "--speed", "100"], arguments].concat())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut dev = Self { child, lines, introduction: String::new() };
        dev.introduction = dev.read_until(introduced);
        dev
    }

    fn read_until(&self, what: &str) -> String {
        let mut text = String::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(HANGS) else {
                panic!("no line with {what:?} came after:\n{text}");
            };
            text.push_str(&line);
            text.push('\n');
            if line.contains(what) {
                return text;
            }
        }
    }

    /// The printed commands, each with the lines that it goes on over.
    fn commands(&self) -> Vec<String> {
        let mut commands: Vec<String> = Vec::new();
        let mut goes_on = false;
        for line in self.introduction.lines() {
            if line.starts_with("curl ") {
                commands.push(format!("{line}\n"));
            } else if goes_on {
                let last = commands.last_mut().unwrap();
                last.push_str(line);
                last.push('\n');
            }
            goes_on = line.ends_with('\\');
        }
        commands
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Does what a printed command does, without curl: answers with the status line and the body.
fn send(command: &str) -> String {
    let words: Vec<&str> = command.split('\'').collect();
    let headers: Vec<_> = words.iter().skip(1).step_by(2).filter(|word| word.contains(": ")).collect();
    let rest = words.last().unwrap();
    let (file, url) = rest.split_once('@').unwrap().1.trim().split_once(' ').unwrap();
    let authority = url.strip_prefix("http://").unwrap().strip_suffix('/').unwrap();
    let headers: String = headers.into_iter().map(|header| format!("{header}\r\n")).collect();
    post(authority, &headers, &std::fs::read(file).unwrap())
}

/// Sends a request with one header line or more, and gives the answer.
fn post(authority: &str, headers: &str, body: &[u8]) -> String {
    let head = format!("POST / HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {}\r\n", body.len());
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.write_all(format!("{head}connection: close\r\n{headers}\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn has_curl() -> bool {
    let version = Command::new("curl").arg("--version").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

#[test]
fn dev_takes_the_deliveries_that_it_prints() {
    let mut dev = Dev::start(&[]);
    let commands = dev.commands();
    assert_eq!(commands.len(), 3, "{}", dev.introduction);
    let answer = send(&commands[0]);
    assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n"), "{answer}");
    assert!(answer.contains(r#""decision":"queued","pipeline":"node-server""#), "{answer}");
    dev.read_until("Deployed 397c7da to staging in");

    // A copy of the second command in a shell does the same, where there is curl.
    let answer = if has_curl() {
        let output = Command::new("sh").args(["-c", &commands[1]]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    } else {
        send(&commands[1])
    };
    assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n"), "{answer}");
    dev.read_until("Build failed in BUILD: exit status 1 (make test)");

    end_like_ctrl_c(&mut dev, &commands[0]);
}

/// Ends it as a shell does, and sees that nothing is left.
#[cfg(unix)]
fn end_like_ctrl_c(dev: &mut Dev, command: &str) {
    let id = dev.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    dev.read_until("Ended.");
    assert!(dev.child.wait().unwrap().success());
    let file = command.split_once('@').unwrap().1.split_once(' ').unwrap().0;
    assert!(!Path::new(file).exists(), "{file}");
}

#[cfg(not(unix))]
fn end_like_ctrl_c(_: &mut Dev, _: &str) {}

#[test]
fn dev_takes_the_routes_of_a_configuration() {
    let file = scratch("dev.toml");
    let config = r#"
[github]
api_url = "https://github.example/api/v3"

[[route]]
repository = "octo-org/api"
branches = ["release/*"]
paths = ["src/**"]
pipeline = "api"
source_action = "Checkout"
environment = "production"
[route.variables]
GIT_BRANCH = "{branch}"
GIT_TAG = "{tag}"
"#;
    std::fs::write(&file, config).unwrap();
    let mut dev = Dev::start(&["--config", file.to_str().unwrap()]);
    assert!(dev.introduction.contains("octo-org/api -> api"), "{}", dev.introduction);
    let command = &dev.commands()[0];
    let answer = send(command);
    assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n"), "{answer}");
    dev.read_until("Deployed 397c7da to production in");
    std::fs::remove_file(&file).unwrap();
    end_like_ctrl_c(&mut dev, command);
}

#[test]
fn dev_tells_a_script_where_everything_is_and_what_github_takes() {
    let dev = Dev::start_until(&["--json", "--with", "approval"], "{");
    let place: Value = serde_json::from_str(&dev.introduction).unwrap();
    assert_eq!(place["operations"]["ssm"], json!(["GetParameter", "GetParameters", "PutParameter"]));
    let authority = |name: &str| {
        let url = place[name].as_str().unwrap().strip_prefix("http://").unwrap();
        url.split('/').next().unwrap().to_owned()
    };
    let push = sample::push("main", "Say hello", &["src/server.js"]).to_string();
    let signature = sign(place["webhook_secret"].as_str().unwrap(), push.as_bytes());
    let headers = format!("x-github-event: push\r\nx-hub-signature-256: {signature}\r\n");
    let answer = post(&authority("webhook"), &headers, push.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n"), "{answer}");
    for line in dev.read_until("Staging waits for approval").lines() {
        let status: Value = serde_json::from_str(line).unwrap();
        assert_eq!(status["sha"], sample::sha("Say hello"));
    }

    // What is not listed is refused, and what is listed is known.
    let ask = |operation: &str| {
        let headers = format!(
            "x-amz-target: AmazonSSM.{operation}\r\ncontent-type: application/x-amz-json-1.1\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=test/\r\n"
        );
        post(&authority("aws"), &headers, br#"{"Name": "/none"}"#)
    };
    assert!(ask("GetParameter").contains("ParameterNotFound"));
    assert!(ask("DeleteParameter").contains("UnknownOperationException"));
}

#[test]
fn dev_says_what_keeps_it_from_starting() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (output, _, stderr) = run(&["dev", "--port", &port]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains(&format!("can't listen on 127.0.0.1:{port}")), "{stderr}");

    let missing = scratch("missing.toml");
    let (output, _, stderr) = run(&["dev", "--config", missing.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.starts_with("pipehook: can't read "), "{stderr}");

    let wrong = scratch("wrong.toml");
    std::fs::write(&wrong, "[[route]]\nrepository = \"octo-org/api\"\npipelin = \"api\"\n").unwrap();
    let (output, _, stderr) = run(&["dev", "--config", wrong.to_str().unwrap()]);
    std::fs::remove_file(&wrong).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("line 3") && stderr.contains("pipelin"), "{stderr}");
}
