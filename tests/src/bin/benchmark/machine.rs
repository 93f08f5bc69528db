//! What the processes under test use, as Linux counts it in `/proc`.

use std::fs;

/// The kernel counts processor time in hundredths of a second.
const MILLISECONDS_PER_TICK: u64 = 10;

/// The server, and the database where it has processes of its own.
pub struct Processes {
    /// The server's id.
    pub server: u32,
    /// The id of PostgreSQL's first process, the parent of the others.
    pub postmaster: Option<u32>,
}

impl Processes {
    /// The processor time that all of them have used since they started, in milliseconds.
    pub fn cpu_ms(&self) -> u64 {
        let of_database = self.postmaster.map_or(0, |postmaster| {
            let ended = times(postmaster).map_or(0, |times| times.own + times.of_ended_children);
            ended + children(postmaster).map(|times| times.own).sum::<u64>()
        });
        (times(self.server).map_or(0, |times| times.own) + of_database) * MILLISECONDS_PER_TICK
    }

    /// The most memory that the server has held at once, in MB (10^6 bytes).
    pub fn peak_memory_mb(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kibibytes * 1_024.0 / 1e6
    }
}

/// Processor time in ticks.
struct Times {
    parent: u32,
    own: u64,
    of_ended_children: u64,
}

/// Reads `/proc/PID/stat` (proc(5)); nothing if the process has ended.
fn times(pid: u32) -> Option<Times> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets and may contain anything; the third follows it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Times {
        parent: u32::try_from(field(4)?).ok()?,
        own: field(14)? + field(15)?,
        of_ended_children: field(16)? + field(17)?,
    })
}

fn children(parent: u32) -> impl Iterator<Item = Times> {
    let ids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter_map(times).filter(move |times| times.parent == parent)
}
