//! A file that was cut, changed or partly deleted: never a panic, never silent, and what can be read is kept.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use super::{
    Entry, Recovery,
    file::{File, Row},
    payload,
    recovery::beside,
    samples::{NOW, entries},
    store::Store,
};

const LIMIT: u64 = 64 * 1024 * 1024;
const ENTRIES: u32 = 200;
const PAGE: usize = 4_096;

/// The bytes of a file, and of its journal.
#[derive(Clone, Default)]
struct Files {
    database: Option<Vec<u8>>,
    journal: Option<Vec<u8>>,
}

/// What a start makes of them.
struct Outcome {
    recovery: Recovery,
    kept: Vec<Entry>,
}

fn rows(numbers: std::ops::Range<u32>) -> Vec<Row> {
    let written = entries(numbers.clone());
    let row = |(number, entry): (u32, &Entry)| {
        let (kind, bytes) = payload::write(entry).unwrap();
        Row::new(i64::from(number) + 1, kind, bytes)
    };
    numbers.zip(&written).map(row).collect()
}

/// A sound file with all entries.
fn sound() -> Files {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.db");
    Store::open(&path, LIMIT, NOW).unwrap().0.append(&entries(0..ENTRIES)).unwrap();
    Files { database: fs::read(&path).ok(), journal: fs::read(beside(&path, "-wal")).ok() }
}

/// Half of the entries are in the file, the others in the journal alone, in transactions of 50.
fn with_journal() -> Files {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.db");
    Store::open(&path, LIMIT, NOW).unwrap().0.append(&entries(0..100)).unwrap();
    let mut file = File::open(&path).unwrap();
    file.execute("PRAGMA wal_autocheckpoint = 0").unwrap();
    for start in (100..ENTRIES).step_by(50) {
        file.atomically(|file| file.insert(&rows(start..start + 50))).unwrap();
    }
    Files { database: fs::read(&path).ok(), journal: fs::read(beside(&path, "-wal")).ok() }
}

fn put(path: &Path, files: &Files) {
    for (suffix, bytes) in [("", &files.database), ("-wal", &files.journal)] {
        if let Some(bytes) = bytes {
            fs::write(beside(path, suffix), bytes).unwrap();
        }
    }
}

/// Starts with some files, and checks what holds for all of them.
fn start_with(files: &Files, what: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.db");
    put(&path, files);
    let (mut store, recovery) =
        Store::open(&path, LIMIT, NOW).unwrap_or_else(|error| panic!("{what}: {error}"));
    let oldest = store.oldest(10_000).unwrap();
    let kept: Vec<_> = oldest.entries.into_iter().map(|stored| stored.entry).collect();
    assert_eq!((oldest.quarantined, kept.len() as u64), (0, recovery.kept), "{what}");
    assert_eq!(recovery.kept, store.depth().entries, "{what}");
    is_part_of_what_was_written(&kept, what);
    if let Some(aside) = &recovery.set_aside {
        is_aside(aside, files, what);
    }
    works_again(store, &path, &kept, what);
    Outcome { recovery, kept }
}

fn is_part_of_what_was_written(kept: &[Entry], what: &str) {
    static WRITTEN: LazyLock<Vec<Entry>> = LazyLock::new(|| entries(0..ENTRIES));
    let mut written = WRITTEN.iter();
    let is_part = kept.iter().all(|entry| written.any(|written| written == entry));
    assert!(is_part, "{what}: an entry is not as it was written, or out of order, or there twice");
}

fn is_aside(aside: &Path, files: &Files, what: &str) {
    let name = aside.file_name().unwrap().to_str().unwrap();
    assert_eq!(name, "spool.db.damaged-20261122T100000Z");
    let there: Vec<PathBuf> =
        ["", "-wal"].iter().map(|suffix| beside(aside, suffix)).filter(|path| path.exists()).collect();
    assert!(!there.is_empty(), "{what}: nothing is aside");
    if beside(aside, "").exists() {
        assert!(fs::read(aside).ok() == files.database, "{what}: not the file that was there");
    }
}

fn works_again(mut store: Store, path: &Path, kept: &[Entry], what: &str) {
    store.append(&entries(0..2)).unwrap();
    drop(store);
    let (mut store, recovery) = Store::open(path, LIMIT, NOW).unwrap();
    assert!(recovery.is_clean(), "{what}: {recovery:?}");
    let expected = [kept, &entries(0..2)[..]].concat();
    let entries: Vec<_> =
        store.oldest(10_000).unwrap().entries.into_iter().map(|stored| stored.entry).collect();
    assert!(entries == expected, "{what}: not the same after another start");
}

/// What is not there any more was told.
fn is_told(outcome: &Outcome, what: &str) {
    let Recovery { kept, damaged, lost, .. } = outcome.recovery;
    assert!(kept + damaged + lost >= u64::from(ENTRIES), "{what}: {:?}", outcome.recovery);
    assert_eq!(kept < u64::from(ENTRIES), damaged + lost > 0, "{what}: {:?}", outcome.recovery);
}

#[test]
fn a_sound_file_is_left_alone() {
    for files in [sound(), with_journal()] {
        let outcome = start_with(&files, "sound");
        assert_eq!(outcome.recovery, Recovery { kept: u64::from(ENTRIES), ..Recovery::default() });
    }
}

#[test]
fn a_file_that_was_cut_at_any_length() {
    let files = sound();
    let whole = files.database.clone().unwrap();
    let mut most = 0;
    let lengths = (0..whole.len()).step_by(3_331).chain([1, 99, 100, 101, PAGE - 1, PAGE, PAGE + 1]);
    for length in lengths.chain([whole.len() - 1]) {
        let what = format!("cut to {length} of {}", whole.len());
        let database = Some(whole[..length].to_vec());
        let outcome = start_with(&Files { database, journal: None }, &what);
        if length > 3 * PAGE {
            is_told(&outcome, &what);
        }
        assert!(outcome.recovery.set_aside.is_some(), "{what}");
        most = most.max(outcome.kept.len());
    }
    assert!(most > ENTRIES as usize - 20, "kept at most {most}");
}

#[test]
fn of_a_damaged_file_exactly_what_waited_is_told() {
    const REMOVED: i64 = 120;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.db");
    let mut store = Store::open(&path, LIMIT, NOW).unwrap().0;
    store.append(&entries(0..ENTRIES)).unwrap();
    store.remove(REMOVED).unwrap();
    store.tell_depth();
    let waited = store.depth().entries;
    assert_eq!(waited, 80);
    drop(store);
    let whole = fs::read(&path).unwrap();
    let cut = |length: usize| whole[..length].to_vec();
    let wiped = |from: usize| [&whole[..from], &[0; PAGE], &whole[from + PAGE..]].concat();
    let lengths = (0..whole.len()).step_by(PAGE / 2);
    for bytes in lengths.clone().map(cut).chain(lengths.step_by(2).map(wiped)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool.db");
        fs::write(beside(&path, ".lock"), format!("{waited}\n")).unwrap();
        fs::write(&path, &bytes).unwrap();
        let recovery = Store::open(&path, LIMIT, NOW).unwrap().1;
        if recovery.set_aside.is_some() {
            assert_eq!(recovery.kept + recovery.damaged + recovery.lost, waited, "{recovery:?}");
        } else {
            assert_eq!(recovery.kept, waited, "nothing but free space was wiped");
        }
    }
}

#[test]
fn a_journal_that_was_cut_at_any_length() {
    let files = with_journal();
    let whole = files.journal.clone().unwrap();
    assert!(whole.len() > 80_000, "{}", whole.len());
    let lengths =
        (0..whole.len()).step_by(3_331).chain([1, 31, 32, 33, 32 + 24, 32 + 24 + PAGE, whole.len() - 1]);
    for length in lengths {
        let what = format!("journal cut to {length} of {}", whole.len());
        let files = Files { journal: Some(whole[..length].to_vec()), ..files.clone() };
        let outcome = start_with(&files, &what);
        assert_eq!(outcome.kept.len() % 50, 0, "{what}: part of a transaction");
        assert!(outcome.kept.len() >= 100 && outcome.kept.len() < ENTRIES as usize, "{what}");
        let at_the_end_of_a_frame = length < 1 || length >= 32 && (length - 32) % (24 + PAGE) == 0;
        assert!(outcome.recovery.set_aside.is_some() || at_the_end_of_a_frame, "{what}");
    }
}

#[test]
fn a_byte_that_was_changed_anywhere_in_the_file() {
    let files = sound();
    let whole = files.database.clone().unwrap();
    let heads = (0..whole.len()).step_by(PAGE).flat_map(|page| [0, 3, 8].map(|byte| page + byte));
    let places = (0..100).chain(heads).chain((100..whole.len()).step_by(2_003));
    for place in places.filter(|place| *place < whole.len()) {
        let what = format!("byte {place}");
        let mut database = whole.clone();
        database[place] ^= [0x01, 0x04, 0x20, 0x80][place % 4];
        let outcome = start_with(&Files { database: Some(database), journal: None }, &what);
        is_told(&outcome, &what);
        let least = if (PAGE..3 * PAGE).contains(&place) { 0 } else { ENTRIES as usize - 30 };
        assert!(outcome.kept.len() >= least, "{what}: {:?}", outcome.recovery);
    }
}

#[test]
fn a_byte_that_was_changed_anywhere_in_the_journal() {
    let files = with_journal();
    let whole = files.journal.clone().unwrap();
    for place in (0..56).step_by(5).chain((56..whole.len()).step_by(3_331)) {
        let what = format!("byte {place} of the journal");
        let mut journal = whole.clone();
        journal[place] ^= 0x10;
        let outcome = start_with(&Files { journal: Some(journal), ..files.clone() }, &what);
        assert_eq!(outcome.kept.len() % 50, 0, "{what}: part of a transaction");
        assert!(outcome.kept.len() < ENTRIES as usize && outcome.recovery.set_aside.is_some(), "{what}");
    }
}

#[test]
fn a_page_that_was_wiped() {
    let files = sound();
    let whole = files.database.clone().unwrap();
    for page in 0..whole.len() / PAGE {
        for byte in [0, 0xff] {
            let what = format!("page {} filled with {byte:#x}", page + 1);
            let mut database = whole.clone();
            database[page * PAGE..][..PAGE].fill(byte);
            let outcome = start_with(&Files { database: Some(database), journal: None }, &what);
            is_told(&outcome, &what);
            assert!(outcome.recovery.set_aside.is_some(), "{what}");
            if !(1..3).contains(&page) {
                assert!(outcome.kept.len() > ENTRIES as usize - 30, "{what}: {:?}", outcome.recovery);
            }
        }
    }
}

#[test]
fn files_that_were_deleted() {
    let files = with_journal();
    let outcome = start_with(&Files { journal: None, ..files.clone() }, "no journal");
    assert_eq!(outcome.kept.len(), 100);
    let outcome = start_with(&Files { database: None, ..files }, "no file");
    assert!(outcome.recovery.set_aside.is_some() && outcome.recovery.lost > 0, "{:?}", outcome.recovery);
    let outcome = start_with(&Files { database: None, journal: Some(Vec::new()) }, "an empty journal");
    assert!(outcome.recovery.set_aside.is_some(), "{:?}", outcome.recovery);
    assert!(start_with(&Files::default(), "nothing").recovery.is_clean());
    let outcome =
        start_with(&Files { database: Some(b"no database".repeat(1_000)), journal: None }, "something else");
    assert!(outcome.recovery.set_aside.is_some() && outcome.kept.is_empty());
}

#[test]
fn what_an_interrupted_recovery_left_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.db");
    put(&path, &sound());
    for suffix in [".new", ".new-journal", ".salvage", ".salvage-wal", "-shm"] {
        fs::write(beside(&path, suffix), b"half").unwrap();
    }
    let (store, recovery) = Store::open(&path, LIMIT, NOW).unwrap();
    assert_eq!(recovery, Recovery { kept: u64::from(ENTRIES), ..Recovery::default() });
    drop(store);
    assert!(
        ![".new", ".new-journal", ".salvage", ".salvage-wal"]
            .iter()
            .any(|suffix| beside(&path, suffix).exists())
    );
}

#[test]
fn damage_is_set_aside_under_a_name_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.db");
    let names: Vec<_> = (0..3)
        .map(|round| {
            fs::write(&path, format!("damage {round}")).unwrap();
            Store::open(&path, LIMIT, NOW).unwrap().1.set_aside.unwrap()
        })
        .collect();
    for (round, name) in names.iter().enumerate() {
        assert_eq!(fs::read_to_string(name).unwrap(), format!("damage {round}"));
    }
}

#[test]
fn a_file_that_is_damaged_while_it_is_open_is_recovered_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.db");
    let (mut store, _) = Store::open(&path, LIMIT, NOW).unwrap();
    store.append(&entries(0..ENTRIES)).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / PAGE / 2 * PAGE;
    bytes[middle..middle + PAGE].fill(0);
    fs::write(&path, bytes).unwrap();
    let recovery = store.recover(NOW).unwrap();
    assert!(recovery.kept > 150 && recovery.lost > 0, "{recovery:?}");
    assert_eq!(store.depth().entries, recovery.kept);
    store.append(&entries(0..3)).unwrap();
}
