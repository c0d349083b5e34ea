//! The tool as people and scripts run it: the real executable, its output, and its exit codes.

#![allow(clippy::unwrap_used)] // A helper that can't go on fails its test.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

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
        let shown = format!("{}: {}", text("state"), without_durations(&text("description")));
        last.insert((text("sha")[..7].to_owned(), text("context")), shown);
    }
    let last: Vec<_> = last.iter().map(|((sha, context), shown)| format!("{sha} {context} {shown}")).collect();
    insta::assert_snapshot!(last.join("\n"), @r"
    0d0f5f5 codepipeline/node-server failure: Build failed: exit status 1 (make test)
    0d0f5f5 codepipeline/node-server/Build failure: Build failed: exit status 1 (make test)
    0d0f5f5 codepipeline/node-server/Source success: Source succeeded in …
    397c7da codepipeline/node-server success: Deployed 397c7da to staging in …
    397c7da codepipeline/node-server/Build success: Build succeeded in …
    397c7da codepipeline/node-server/Source success: Source succeeded in …
    397c7da codepipeline/node-server/Staging success: Staging succeeded in …
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

    let journal_text = std::fs::read_to_string(&journal).unwrap();
    std::fs::remove_file(&journal).unwrap();
    let calls: Vec<Value> = journal_text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let starts = calls.iter().filter(|call| call["operation"] == "StartPipelineExecution");
    assert_eq!(starts.count(), 5);
}

#[test]
fn the_demo_is_readable_where_it_is_piped() {
    let (output, stdout, stderr) = run(&["demo", "--speed", "20"]);
    assert!(output.status.success(), "{stderr}");
    assert!(!stdout.contains('\u{1b}') && !stdout.contains('\r'), "{stdout:?}");
    // Which progress is seen, and in which order the statuses of several commits come, is a matter of timing.
    let is_status = |line: &&str| line.contains("  codepipeline/node-server");
    let stable = stdout.lines().filter(|line| !is_status(line));
    let stable: Vec<_> = stable.map(|line| line.split_once(", after").map_or(line, |(start, _)| start)).collect();
    insta::assert_snapshot!(stable.join("\n").trim(), @r"
    1. A push that goes through
            397c7da  octocat pushes to main: Answer health checks

    2. A push whose build fails
            0d0f5f5  octocat pushes to main: Rewrite the router

    3. Two quick pushes while a build is under way: the second supersedes the first
            4632b32  octocat pushes to main: Mend the router
            6f749a9  octocat pushes to main: Log requests
            b2c7e20  octocat pushes to main: Log requests, without their cookies

    commit   push                                 GitHub holds                                     CodePipeline  true
    397c7da  Answer health checks                 success  Source ✓  Build ✓  Staging ✓            Succeeded     yes
    0d0f5f5  Rewrite the router                   failure  Source ✓  Build ✗                       Failed        yes
    4632b32  Mend the router                      success  Source ✓  Build ✓  Staging ✓            Succeeded     yes
    6f749a9  Log requests                         error    Source ✓                                Superseded    yes
    b2c7e20  Log requests, without their cookies  success  Source ✓  Build ✓  Staging ✓            Succeeded     yes

    GitHub holds the truth about all 5 commits
    ");
    let first_commits = |line: &&str| line.contains("397c7da  success");
    let mut ends: Vec<_> = stdout.lines().filter(is_status).filter(first_commits).collect();
    ends.iter_mut().for_each(|line| *line = line.split_once("  397c7da").map_or("", |(_, rest)| rest).trim_start());
    let mut ends: Vec<_> = ends.into_iter().map(without_durations).collect();
    ends.sort();
    ends.dedup();
    insta::assert_snapshot!(ends.join("\n"), @r"
    success  codepipeline/node-server          Deployed 397c7da to staging in …
    success  codepipeline/node-server/Build    Build succeeded in …
    success  codepipeline/node-server/Source   Source succeeded in …
    success  codepipeline/node-server/Staging  Staging succeeded in …
    ");
}

/// `succeeded in 1 m 30 s` without how long it was.
fn without_durations(text: &str) -> String {
    match text.rsplit_once(" in ") {
        Some((what, rest)) if rest.ends_with(" s") || rest.ends_with(" m") => format!("{what} in …"),
        _ => text.to_owned(),
    }
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
        dev.introduction = dev.read_until("Statuses, as GitHub takes them");
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
    let body = std::fs::read(file).unwrap();
    let authority = url.strip_prefix("http://").unwrap().strip_suffix('/').unwrap();
    let mut request =
        format!("POST / HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
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
    dev.read_until("Build failed: exit status 1 (make test)");

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
