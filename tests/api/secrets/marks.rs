//! Secrets that can be found again, however they were written down.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

/// A secret in a place of its own, so that a find says where it came from.
#[derive(Clone, Debug)]
pub struct Mark {
    pub place: String,
    /// The part that no way of writing changes, base64 aside: letters and digits.
    pub core: String,
}

impl Mark {
    pub fn new(place: &str) -> Self {
        let hash = Sha256::digest(place.as_bytes());
        let hex = hash
            .iter()
            .take(11)
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        Self {
            place: place.to_owned(),
            core: format!("Q{hex}z"),
        }
    }

    /// One that the broker drew itself.
    pub fn drawn(place: &str, text: &str) -> Self {
        Self {
            place: place.to_owned(),
            core: text.to_owned(),
        }
    }

    /// The secret: with signs in it that JSON, YAML and URLs each write in their own way.
    pub fn text(&self) -> String {
        format!("{}\"/+é&\\", self.core)
    }

    pub fn is_in(&self, text: &str) -> bool {
        text.contains(&self.core) || (0..3).any(|offset| text.contains(&self.in_base64(offset)))
    }

    /// What is left of it in the base64 of a longer text, where it begins `offset` bytes behind a multiple of three.
    fn in_base64(&self, offset: usize) -> String {
        let padded = [&[0; 2][..offset], self.core.as_bytes()].concat();
        let encoded = STANDARD_NO_PAD.encode(&padded);
        // The signs at both ends hold bits of what is beside it.
        let begin = [0, 2, 3][offset];
        let end = encoded.len() - usize::from(padded.len() % 3 != 0);
        encoded[begin..end].to_owned()
    }
}

/// The places of those that are in `text`.
pub fn found<'m>(marks: &'m [Mark], text: &str) -> Vec<&'m str> {
    let there = marks.iter().filter(|mark| mark.is_in(text));
    there.map(|mark| mark.place.as_str()).collect()
}

#[test]
fn a_mark_is_found_however_it_is_written() {
    let mark = Mark::new("anywhere");
    let text = mark.text();
    let json = serde_json::Value::from(text.clone()).to_string();
    let percent = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC)
        .to_string();
    let mut ways = vec![
        text.clone(),
        format!("{text:?}"),
        serde_json::Value::from(json.clone()).to_string(),
        json,
        percent,
    ];
    for user in ["u", "us", "use", "user"] {
        let pair = format!("{user}:{text}");
        ways.push(STANDARD_NO_PAD.encode(&pair));
        ways.push(base64::engine::general_purpose::URL_SAFE.encode(&pair));
    }
    for way in ways {
        assert!(mark.is_in(&format!("before {way} after")), "{way}");
    }
    assert!(!mark.is_in(&Mark::new("elsewhere").text()));
    assert!(!mark.is_in(&mark.core[1..]), "half of it is not it");
}
