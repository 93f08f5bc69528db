//! The server as a program of its own.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStderr, Command},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

use crate::{Agency, TestDatabase};

const PATIENCE: Duration = Duration::from_secs(60);

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

/// Runs a command of the program to its end, with these variables and nobody else's.
pub async fn run<S: AsRef<OsStr>>(program: &Path, args: &[S], variables: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(program);
    command.args(args).env_clear().envs(variables.iter().copied()).kill_on_drop(true).stdin(Stdio::null());
    let output = timeout(PATIENCE, command.output()).await.expect("the command ends").unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// `tallyback serve` on a database; killed when it is dropped.
pub struct Process {
    /// Where it serves plain HTTP.
    pub base_url: String,
    /// Where it serves HTTPS.
    pub https_url: Option<String>,
    program: PathBuf,
    child: Child,
    /// What was logged so far.
    seen: String,
    /// The lines of its log that nobody has asked for. They are read as they come: a full pipe would stop the server.
    log: UnboundedReceiver<String>,
}

impl Process {
    /// Starts the program and waits until it listens.
    pub async fn serve(program: &Path, database: &TestDatabase, args: &[&str]) -> Self {
        Self::serve_with(program, database, args, &[]).await
    }

    /// The same with variables.
    pub async fn serve_with(
        program: &Path,
        database: &TestDatabase,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(variables.iter().copied())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(args)
            .args(arguments(database));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let log = follow(child.stderr.take().unwrap());
        let (base_url, program) = (String::new(), program.to_owned());
        let mut process = Self { base_url, https_url: None, program, child, seen: String::new(), log };
        process.base_url = process.address("listening on http://").await;
        if args.contains(&"--tls-listen") {
            process.https_url = Some(process.address("listening on https://").await);
        }
        process
    }

    async fn address(&mut self, words: &str) -> String {
        let line = self.logged(words).await;
        let (_, url) = line.split_once("listening on ").unwrap();
        url.trim().to_owned()
    }

    /// The next line of the log that has these words.
    pub async fn logged(&mut self, words: &str) -> String {
        let search = async {
            while let Some(line) = self.log.recv().await {
                self.seen.push_str(&line);
                self.seen.push('\n');
                if line.contains(words) {
                    return line;
                }
            }
            panic!("the server ended without saying {words}, but:\n{}", self.seen);
        };
        timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("the server does not say {words}"))
    }

    /// A line of the log, of those that were read so far, that has these words.
    pub fn told(&self, words: &str) -> Option<String> {
        self.seen.lines().find(|line| line.contains(words)).map(str::to_owned)
    }

    /// Makes a partner from the command line, as the operator does.
    pub async fn agency(&self, database: &TestDatabase) -> Agency {
        let mut args =
            vec!["partner".into(), "create".into(), "--json".into(), "--name".into(), "Agency".into()];
        args.extend(arguments(database));
        let ended = run(&self.program, &args, &[]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let made: Value = serde_json::from_str(&ended.stdout).unwrap();
        Agency::new(&self.base_url, made["partner_id"].as_str().unwrap(), made["api_key"].as_str().unwrap())
    }

    /// The process id.
    pub fn id(&self) -> String {
        self.child.id().unwrap().to_string()
    }

    /// Sends a signal, such as `HUP`.
    pub async fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.id()]).status().await.unwrap();
        assert!(status.success());
    }

    /// Kills it at once (SIGKILL).
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for its end, and returns all of its log.
    pub async fn end(mut self) -> (ExitStatus, String) {
        let status = timeout(PATIENCE, self.child.wait()).await.expect("the server ends").unwrap();
        while let Some(line) = self.log.recv().await {
            self.seen += &line;
            self.seen.push('\n');
        }
        (status, self.seen)
    }
}

fn follow(stderr: ChildStderr) -> UnboundedReceiver<String> {
    let (sender, log) = unbounded_channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            drop(sender.send(line));
        }
    });
    log
}

fn arguments(database: &TestDatabase) -> Vec<String> {
    let folder = database.folder.path().join("data").display().to_string();
    vec!["--database-url".into(), database.url.clone(), "--data-dir".into(), folder]
}
