//! A PostgreSQL of one test's own. A process of PostgreSQL that is stopped while it holds a lock of the whole cluster
//! keeps every database of it waiting: no test may do that to others.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// A running PostgreSQL, which goes with this.
pub struct Cluster {
    /// Its address, as `TEST_DATABASE_URL` has it.
    pub url: String,
    script: Child,
    stopped: Vec<i64>,
}

impl Cluster {
    /// Starts one.
    pub fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres");
        // It goes on until its input ends.
        let mut script = Command::new(script)
            .args(["sh", "-c", "echo \"$TEST_DATABASE_URL\" && exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        assert!(!url.is_empty(), "PostgreSQL could not be started");
        Self { url, script, stopped: Vec::new() }
    }

    /// Stops processes of it. The first one has to be there; others may have ended meanwhile.
    pub fn stop(&mut self, processes: Vec<i64>) {
        let first = processes.first().expect("a process");
        assert!(signal("STOP", *first), "process {first} cannot be stopped");
        for process in &processes[1..] {
            signal("STOP", *process);
        }
        self.stopped = processes;
    }

    /// Lets them go on.
    pub fn go_on(&mut self) {
        for process in self.stopped.drain(..) {
            signal("CONT", process);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.go_on();
        drop(self.script.stdin.take());
        drop(self.script.wait());
    }
}

/// Sends a signal; false if the process is not there.
fn signal(name: &str, process: i64) -> bool {
    Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status()
        .is_ok_and(|status| status.success())
}
