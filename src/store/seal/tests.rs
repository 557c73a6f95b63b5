//! What is sealed opens as it was, and in no other way.

use proptest::prelude::*;

use super::*;
use crate::domain::id::OperationId;
use crate::domain::operation::Subject;
use crate::store::tests::engines::keys;
use crate::store::tests::{binding_id, id};

fn sealer(given: &[u8]) -> Sealer {
    Sealer::new(&keys(given))
}

fn operation(byte: u8) -> OperationId {
    OperationId::from_random([byte; 16])
}

fn refusal<T: fmt::Debug>(result: Result<T, Unreadable>) -> String {
    result.expect_err("it does not open").to_string()
}

/// A store that says this of itself, opened with these keys.
fn opened(
    record: &[&str],
    given: &[u8],
    opener: Opener,
) -> (Sealer, Result<Vec<String>, Vec<KeyId>>) {
    let sealer = sealer(given);
    let agreed = sealer.agree(&Record::of(record.iter().copied()), opener, false);
    let agreed = agreed.map(|agreed| {
        sealer.settle(&agreed);
        agreed.names
    });
    (sealer, agreed)
}

fn key_name(byte: u8) -> String {
    let keys = keys(&[byte]);
    name(keys.0[0].id)
}

proptest! {
    #[test]
    fn what_is_sealed_opens_as_it_was(text in prop::collection::vec(any::<u8>(), 0..3000), key in 1_u8..5) {
        let instance = id("i");
        let cell = Cell::Instance(&instance);
        let sealed = sealer(&[key]).write(cell, &text).expect("a cell");
        prop_assert!(text.len() < 4 || !sealed.windows(text.len()).any(|part| part == text));
        let rotated = sealer(&[9, 8, key]);
        prop_assert_eq!(&*rotated.open(cell, &sealed).expect("its text"), &text[..]);
        let again = rotated.reseal(cell, &sealed).expect("a cell");
        prop_assert_eq!(&*sealer(&[9]).open(cell, &again).expect("its text"), &text[..]);
    }

    /// Wherever a bit is turned, or the end is cut off: an error, and no other text.
    #[test]
    fn what_was_changed_does_not_open(text in prop::collection::vec(any::<u8>(), 0..200), at: prop::sample::Index, bit in 0..8) {
        let (instance, binding) = (id("i"), binding_id("b"));
        let cell = Cell::Binding(&instance, &binding);
        let (sealer, _) = opened(&[&key_name(1)], &[1], Opener::Broker);
        let sealed = sealer.write(cell, &text).expect("a cell");
        let at = at.index(sealed.len());
        let mut changed = sealed.clone();
        changed[at] ^= 1_u8 << bit;
        prop_assert!(sealer.open(cell, &changed).is_err());
        prop_assert!(sealer.open(cell, &sealed[..at]).is_err());
    }
}

#[test]
fn two_cells_of_one_text_are_not_alike() {
    let sealer = sealer(&[1]);
    let instance = id("i");
    let cell = || {
        sealer
            .write(Cell::Instance(&instance), b"text")
            .expect("a cell")
    };
    let (one, other) = (cell(), cell());
    assert_eq!(one.len(), other.len());
    assert_ne!(one[MARK..HEAD], other[MARK..HEAD], "the nonce");
    assert_ne!(one[HEAD..], other[HEAD..], "the text");
}

#[test]
fn a_cell_opens_nowhere_else() {
    let sealer = sealer(&[1]);
    let (i, j) = (id("i"), id("j"));
    let (b, c) = (binding_id("b"), binding_id("c"));
    // Whose names, written one behind the other, are the same.
    let (ib, empty) = (id("ib"), binding_id("x"));
    let (one, other) = (operation(1), operation(2));
    let subjects = [
        Subject::Instance(i.clone()),
        Subject::Instance(j.clone()),
        Subject::Binding(i.clone(), b.clone()),
        Subject::Binding(i.clone(), c.clone()),
    ];
    let mut cells = vec![
        Cell::Fingerprints,
        Cell::Instance(&i),
        Cell::Instance(&j),
        Cell::Instance(&ib),
        Cell::Binding(&i, &b),
        Cell::Binding(&i, &c),
        Cell::Binding(&j, &b),
        Cell::Binding(&ib, &empty),
    ];
    for subject in &subjects {
        for operation in [&one, &other] {
            cells.push(Cell::Report(operation, subject));
            cells.push(Cell::Task(operation, subject));
        }
    }
    for from in &cells {
        let bytes = sealer.write(*from, b"{}").expect("a cell");
        for to in &cells {
            let opened = sealer.open(*to, &bytes);
            assert_eq!(opened.is_ok(), from == to, "{from:?} at {to:?}");
            if let Err(why) = opened {
                let said = format!("{to}: changed or moved since it was sealed with key ");
                assert!(why.to_string().starts_with(&said), "{why}");
            }
        }
    }
}

#[test]
fn without_keys_a_cell_is_as_it_was() {
    let sealer = sealer(&[]);
    let instance = id("i");
    let cell = Cell::Instance(&instance);
    assert_eq!(sealer.write(cell, b"{}").expect("a cell"), b"\0{}");
    assert_eq!(&*sealer.open(cell, b"\0{}").expect("its text"), b"{}");
    assert_eq!(sealer.mark(), None);
    assert!(refusal(sealer.open(cell, b"")).contains("written in no way"));
    let bytes = self::sealer(&[1]).write(cell, b"{}").expect("a cell");
    let why = refusal(sealer.open(cell, &bytes));
    assert!(why.contains("which is not given (store.keys)"), "{why}");
}

#[test]
fn a_store_that_is_all_sealed_opens_nothing_else() {
    let instance = id("i");
    let cell = Cell::Instance(&instance);
    let both = key_name(1);
    for (record, opens) in [
        (&[&*both][..], false),
        (&[&both, UNSEALED], true),
        (&[UNSEALED], true),
        // Of a broker that knew no keys.
        (&["fingerprint key", "probe"], true),
    ] {
        let (sealer, agreed) = opened(record, &[1], Opener::Broker);
        assert!(agreed.is_ok());
        assert_eq!(sealer.open(cell, b"\0{}").is_ok(), opens, "{record:?}");
        let bare = sealer.open_key(&[SEALED; BARE_KEY]);
        assert_eq!(bare.is_ok(), opens, "{record:?}");
    }
}

#[test]
fn keys_are_held_against_the_record() {
    let (one, two) = (&*key_name(1), &*key_name(2));
    // What it says of itself, what is given, and what a broker adds to it; or which keys are missing.
    for (record, given, expected) in [
        (&[][..], &[][..], Ok(vec![UNSEALED])),
        (&[], &[1], Ok(vec![one, UNSEALED])),
        (&[UNSEALED], &[1], Ok(vec![one])),
        (&[one], &[1], Ok(vec![])),
        (&[one], &[2, 1], Ok(vec![two])),
        (&[one, two], &[2, 1], Ok(vec![])),
        (&[one, UNSEALED], &[2, 1], Ok(vec![two])),
        (&[one], &[2], Err(vec![one])),
        (&[one], &[], Err(vec![one])),
        (&[one, two], &[3], Err(vec![one, two])),
    ] {
        let (_, agreed) = opened(record, given, Opener::Broker);
        let agreed = agreed.map_err(|missing| missing.into_iter().map(name).collect::<Vec<_>>());
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        let expected: Result<Vec<String>, Vec<String>> = expected.map(owned).map_err(owned);
        assert_eq!(agreed, expected, "{record:?} {given:?}");
    }
}

/// A command seals with what brokers open, whatever it was given first.
#[test]
fn a_command_seals_as_brokers_do() {
    let (one, two) = (&*key_name(1), &*key_name(2));
    let [first, second] = [1, 2].map(|byte| keys(&[byte]).0[0].id);
    for (record, given, seals, told) in [
        (&[one][..], &[1][..], Some(first), Seal::First(first)),
        (&[one], &[2, 1], Some(first), Seal::NotFirst(second)),
        (&[one, two], &[2, 1], Some(second), Seal::First(second)),
        (&[UNSEALED], &[1], None, Seal::NotFirst(first)),
        (&[UNSEALED], &[], None, Seal::Nothing),
    ] {
        let (sealer, agreed) = opened(record, given, Opener::Command);
        assert_eq!(agreed, Ok(Vec::new()), "nothing is recorded");
        assert_eq!(sealer.sealing_key(), seals, "{record:?} {given:?}");
        assert_eq!(sealer.seal(), told, "{record:?} {given:?}");
    }
}

#[test]
fn an_id_tells_nothing_of_its_key() {
    let keys = keys(&[1, 2]);
    let shown = format!("{keys:?}");
    let ids: Vec<KeyId> = keys.0.iter().map(|key| key.id).collect();
    assert_eq!(shown, format!("[{}, {}]", ids[0], ids[1]));
    assert_ne!(ids[0], ids[1]);
    for id in ids {
        assert_eq!(KeyId::parse(&id.to_string()), Some(id));
        assert_ne!(&id.0, &[1; ID]);
    }
    for text in [
        "",
        "0",
        "+123456789abcdef",
        "0123456789abcdeg",
        "0123456789abcdef0",
    ] {
        assert_eq!(KeyId::parse(text), None, "{text}");
    }
}
