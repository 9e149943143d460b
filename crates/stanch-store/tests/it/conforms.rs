//! Both journals keep the contract, and a random history is the same in both.

use proptest::prelude::*;
use stanch_model::Timestamp;
use stanch_model::port::{Journal as _, NewEntry};
use stanch_store::contract::{Factory, replayed, run};
use stanch_store::{MemoryJournal, Options, SqliteJournal};

#[derive(Default)]
struct OnDisk {
    dirs: Vec<tempfile::TempDir>,
}

impl Factory for OnDisk {
    type Journal = SqliteJournal;

    fn fresh(&mut self) -> SqliteJournal {
        self.dirs.push(tempfile::tempdir().unwrap());
        SqliteJournal::open(self.dirs.last().unwrap().path(), Options::default()).unwrap()
    }

    fn reopen(&mut self, journal: SqliteJournal) -> SqliteJournal {
        let dir = journal.file().parent().unwrap().to_owned();
        drop(journal);
        SqliteJournal::open(&dir, Options::default()).unwrap()
    }
}

struct InMemory;

impl Factory for InMemory {
    type Journal = MemoryJournal;

    fn fresh(&mut self) -> MemoryJournal {
        MemoryJournal::new()
    }

    fn reopen(&mut self, journal: MemoryJournal) -> MemoryJournal {
        journal.reopen()
    }
}

#[test]
fn the_journal_on_disk_keeps_the_contract() {
    run(&mut OnDisk::default());
}

#[test]
fn the_journal_in_memory_keeps_the_contract() {
    run(&mut InMemory);
}

#[derive(Clone, Debug)]
enum Step {
    Append(i64, Vec<NewEntry>),
    Reopen,
    Replay(u64),
    Entries(u64, usize),
    Detail(u64),
    Verify,
    Checkpoint(usize),
    Backup,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = || prop::collection::vec(prop_oneof![3 => Just(b'a'), 1 => any::<u8>()], 0..3_000);
    let entry = (".{0,6}", "[a-z_]{0,9}", bytes(), prop::option::of(bytes()))
        .prop_map(|(stream, kind, body, detail)| NewEntry { stream, kind, body, detail });
    let step = prop_oneof![
        6 => (any::<i64>(), prop::collection::vec(entry, 0..5)).prop_map(|(at, e)| Step::Append(at, e)),
        1 => Just(Step::Reopen),
        1 => (0..40_u64).prop_map(Step::Replay),
        1 => (0..40_u64, 0..9_usize).prop_map(|(a, l)| Step::Entries(a, l)),
        2 => (0..40_u64).prop_map(Step::Detail),
        1 => Just(Step::Verify),
        1 => any::<usize>().prop_map(Step::Checkpoint),
        1 => Just(Step::Backup),
    ];
    prop::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_history_is_the_same_on_disk_and_in_memory(steps in steps()) {
        let mut kind = OnDisk::default();
        let (mut disk, mut memory) = (kind.fresh(), MemoryJournal::new());
        let mut heads = vec![disk.head()];
        for (n, step) in steps.into_iter().enumerate() {
            let (mut from_disk, mut from_memory) = (disk.reader().unwrap(), memory.reader().unwrap());
            match step {
                Step::Append(at, entries) => {
                    let head = disk.append(Timestamp(at), &entries).unwrap();
                    prop_assert_eq!(&head, &memory.append(Timestamp(at), &entries).unwrap());
                    heads.push(head);
                }
                Step::Reopen => disk = kind.reopen(disk),
                Step::Replay(after) => prop_assert_eq!(replayed(&disk, after), replayed(&memory, after)),
                Step::Entries(after, limit) => prop_assert_eq!(
                    from_disk.entries(after, limit).unwrap(),
                    from_memory.entries(after, limit).unwrap()
                ),
                Step::Detail(seq) => {
                    prop_assert_eq!(from_disk.detail(seq).unwrap(), from_memory.detail(seq).unwrap());
                }
                Step::Verify => {
                    prop_assert_eq!(from_disk.verify(&mut |_| ()).unwrap(), from_memory.verify(&mut |_| ()).unwrap());
                }
                Step::Checkpoint(which) => {
                    let kept = &heads[which % heads.len()];
                    let mut reader = SqliteJournal::open_read_only(disk.file().parent().unwrap()).unwrap();
                    prop_assert_eq!(reader.verify_against(kept, &mut |_| ()).unwrap(), memory.head());
                    prop_assert!(memory.memory_reader().verify_against(kept, &mut |_| ()).is_ok());
                }
                Step::Backup => {
                    let to = disk.file().with_file_name(format!("copy{n}.db"));
                    prop_assert_eq!(disk.backup_to(&to).unwrap(), memory.head());
                }
            }
            prop_assert_eq!(disk.head(), memory.head());
        }
    }
}
