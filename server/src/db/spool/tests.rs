//! The spool as its users see it: order, durability, limit, a full disk.

use std::{collections::VecDeque, os::unix::fs::PermissionsExt, path::PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::{
    Depth, ENTRY_OVERHEAD_BYTES, Entry, Oldest, Recovery, Spool, SpoolError, Stored, payload,
    samples::{NOW, click, entries},
    store::Store,
};

const LIMIT: u64 = 64 * 1024 * 1024;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.db");
    (folder, path)
}

fn open(path: &std::path::Path) -> Store {
    let (store, recovery) = Store::open(path, LIMIT, NOW).unwrap();
    assert!(recovery.is_clean(), "{recovery:?}");
    store
}

fn entries_of(oldest: Oldest) -> Vec<Entry> {
    oldest.entries.into_iter().map(|stored| stored.entry).collect()
}

fn depth_of(entries: &[Entry]) -> Depth {
    let bytes =
        entries.iter().map(|entry| payload::write(entry).unwrap().1.len() as u64 + ENTRY_OVERHEAD_BYTES);
    Depth { entries: entries.len() as u64, bytes: bytes.sum() }
}

#[tokio::test]
async fn what_is_appended_comes_out_in_order_and_is_removed() {
    let (_folder, path) = folder();
    let (spool, recovery) = Spool::open(&path, LIMIT, NOW).unwrap();
    assert_eq!(recovery, Recovery::default());
    assert!(spool.is_empty());

    spool.append(entries(0..700)).await.unwrap();
    spool.append(entries(700..1_300)).await.unwrap();
    assert_eq!(spool.depth(), depth_of(&entries(0..1_300)));

    for start in (0..1_300).step_by(100) {
        let oldest = spool.oldest(100).await.unwrap();
        assert_eq!(spool.oldest(100).await.unwrap(), oldest, "reading removes nothing");
        let last = oldest.entries.last().unwrap().seq;
        assert_eq!(entries_of(oldest), entries(start..start + 100));
        spool.remove(last).await.unwrap();
        spool.remove(last).await.unwrap();
    }
    assert!(spool.is_empty());
    assert_eq!(spool.oldest(100).await.unwrap(), Oldest::default());
    assert_eq!(spool.depth(), Depth::default());
}

#[test]
fn it_is_there_after_a_restart() {
    let (_folder, path) = folder();
    for start in (0..50).step_by(10) {
        let mut store = open(&path);
        assert_eq!(store.depth(), depth_of(&entries(0..start)));
        store.append(&entries(start..start + 10)).unwrap();
    }
    let (mut store, recovery) = Store::open(&path, LIMIT, NOW).unwrap();
    assert_eq!(recovery, Recovery { kept: 50, ..Recovery::default() });
    assert_eq!(entries_of(store.oldest(100).unwrap()), entries(0..50));
}

/// A kill leaves the files as they are; so does a copy that is made while they are open.
#[test]
fn what_append_has_answered_survives_a_kill_without_the_journal() {
    let (folder, path) = folder();
    let mut store = open(&path);
    store.append(&entries(0..300)).unwrap();
    let copy = folder.path().join("killed.db");
    std::fs::copy(&path, &copy).unwrap();
    assert_eq!(entries_of(open(&copy).oldest(300).unwrap()), entries(0..300));
}

#[test]
fn beyond_the_limit_nothing_is_appended() {
    let (_folder, path) = folder();
    let one = depth_of(&entries(1..2)).bytes;
    let (mut store, _) = Store::open(&path, one * 3, NOW).unwrap();
    let some = |count: usize| vec![Entry::Click(Box::new(click(1))); count];
    assert_eq!(store.append(&some(4)), Err(SpoolError::Full));
    assert_eq!(store.depth(), Depth::default());
    store.append(&some(3)).unwrap();
    assert_eq!(store.append(&some(1)), Err(SpoolError::Full));
    let first = store.oldest(1).unwrap().entries[0].seq;
    store.remove(first).unwrap();
    assert_eq!(store.append(&some(2)), Err(SpoolError::Full));
    store.append(&some(1)).unwrap();
    assert_eq!(store.depth(), Depth { entries: 3, bytes: one * 3 });
    drop(store);
    let (mut store, recovery) = Store::open(&path, one, NOW).unwrap();
    assert_eq!(recovery.kept, 3, "a lower limit loses nothing");
    assert_eq!(store.append(&some(1)), Err(SpoolError::Full));
}

#[test]
fn it_belongs_to_its_owner_and_to_one_process() {
    let (folder, path) = folder();
    let mut store = open(&path);
    store.append(&entries(0..3)).unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.path());
    }
    assert_eq!(Store::open(&path, LIMIT, NOW).err(), Some(SpoolError::InUse));
    drop(store);
    open(&path);
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let (folder, _) = folder();
    let error = Store::open(&folder.path().join("none/spool.db"), LIMIT, NOW).err();
    assert!(matches!(error, Some(SpoolError::Storage(_))), "{error:?}");
}

#[test]
fn an_entry_that_is_damaged_while_it_waits_is_quarantined_and_told() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    store.append(&entries(0..10)).unwrap();
    store.execute("UPDATE entries SET bytes = x'7b7d' WHERE seq IN (1, 2, 5, 10)");
    let oldest = store.oldest(2).unwrap();
    assert_eq!(oldest.quarantined, 2);
    assert_eq!(entries_of(oldest), entries(2..4));
    let oldest = store.oldest(20).unwrap();
    assert_eq!(oldest.quarantined, 2);
    let seqs: Vec<_> = oldest.entries.iter().map(|stored| stored.seq).collect();
    assert_eq!(seqs, [3, 4, 6, 7, 8, 9]);
    assert_eq!(store.depth().entries, 6);
    store.remove(9).unwrap();
    assert_eq!(store.depth().entries, 0);
    drop(store);
    assert_eq!(open(&path).oldest(9).unwrap(), Oldest::default(), "told once");
}

#[test]
fn an_entry_that_blocks_the_others_can_be_put_away() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    store.append(&entries(0..10)).unwrap();
    store.remove(2).unwrap();
    store.quarantine(&[1, 4, 5, 99]).unwrap();
    let kept = [entries(2..3), entries(5..10)].concat();
    assert_eq!(store.depth(), depth_of(&kept));
    assert_eq!(entries_of(store.oldest(20).unwrap()), kept);
    drop(store);
    assert_eq!(entries_of(open(&path).oldest(20).unwrap()), kept);
}

#[test]
fn the_file_is_small_again_when_it_is_empty() {
    for quarantined in ["0", "7"] {
        let (_folder, path) = folder();
        let length = || std::fs::metadata(&path).unwrap().len();
        let mut store = open(&path);
        for start in (0..6_000).step_by(500) {
            store.append(&entries(start..start + 500)).unwrap();
        }
        store.execute(&format!("UPDATE entries SET bytes = x'' WHERE seq = {quarantined}"));
        assert!(length() > 4_000_000, "{}", length());
        let last = store.oldest(6_000).unwrap().entries.last().unwrap().seq;
        store.remove(last).unwrap();
        assert!(length() < 50_000, "{}", length());
        store.append(&entries(0..5)).unwrap();
        assert_eq!(store.oldest(1).unwrap().entries[0].seq, last + 1, "numbers go on");
        drop(store);
        assert_eq!(entries_of(open(&path).oldest(9).unwrap()), entries(0..5));
    }
}

/// The number of pages that the file may have stands for the size of the disk.
#[test]
fn a_full_disk_refuses_and_recovers_without_a_restart() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    store.append(&entries(0..100)).unwrap();
    store.execute("PRAGMA max_page_count = 60");
    let error = store.append(&entries(100..1_000)).unwrap_err();
    assert!(matches!(&error, SpoolError::Storage(text) if text.contains("full")), "{error:?}");
    assert_eq!(store.depth(), depth_of(&entries(0..100)));
    assert_eq!(entries_of(store.oldest(2_000).unwrap()), entries(0..100), "nothing is half-written");
    store.execute("PRAGMA max_page_count = 1000000");
    store.append(&entries(100..1_000)).unwrap();
    assert_eq!(entries_of(store.oldest(2_000).unwrap()), entries(0..1_000));
}

/// A disk of its own, where the tests may make one.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn of_bytes(bytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"]).arg(folder.path());
        mount.stderr(std::process::Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_disk_that_is_really_full_can_be_drained_without_more_space() {
    let Some(disk) = SmallDisk::of_bytes(2 * 1024 * 1024) else {
        return println!("skipped: this needs the right to mount");
    };
    let path = disk.0.path().join("spool.db");
    let mut store = open(&path);
    let mut next = 0;
    for count in [100, 10, 1] {
        while store.append(&entries(next..next + count)).is_ok() {
            next += count;
        }
        let error = store.append(&entries(next..next + count)).unwrap_err();
        assert!(matches!(error, SpoolError::Storage(_)), "{error:?}");
    }
    let ballast = disk.0.path().join("ballast");
    let _ = std::fs::write(&ballast, vec![0; 2 * 1024 * 1024]);
    assert!(next > 500, "{next}");
    assert_eq!(store.depth().entries, u64::from(next));
    let mut drained = Vec::new();
    while store.depth().entries > 0 {
        let oldest = store.oldest(50).unwrap();
        let last = oldest.entries.last().unwrap().seq;
        drained.extend(entries_of(oldest));
        let _ = store.remove(last);
    }
    assert_eq!(drained, entries(0..next));
    store.append(&entries(0..100)).unwrap();
    assert_eq!(entries_of(store.oldest(200).unwrap()), entries(0..100));
    drop(store);
    assert_eq!(entries_of(open(&path).oldest(200).unwrap()), entries(0..100));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_is_done_it_is_a_queue(steps in prop::collection::vec((0..4u8, 1..60u32), 1..25)) {
        let (_folder, path) = folder();
        let (mut store, mut model) = (open(&path), VecDeque::<Stored>::new());
        let (mut next, mut seq) = (0, 0);
        for (step, count) in steps {
            match step {
                0 | 1 => {
                    let added = entries(next..next + count);
                    next += count;
                    store.append(&added).unwrap();
                    model.extend(added.into_iter().map(|entry| { seq += 1; Stored { seq, entry } }));
                }
                2 => {
                    let oldest = store.oldest(count as usize).unwrap().entries;
                    let expected: Vec<_> = model.iter().take(count as usize).cloned().collect();
                    prop_assert_eq!(&oldest, &expected);
                    if let Some(last) = oldest.last() {
                        store.remove(last.seq).unwrap();
                        model.drain(..oldest.len());
                    }
                }
                _ => { drop(store); store = open(&path); }
            }
            let entries: Vec<_> = model.iter().map(|stored| stored.entry.clone()).collect();
            prop_assert_eq!(store.depth(), depth_of(&entries));
        }
    }
}
