//! Text of others, as it may stand where people read it.

/// Text of others without what a terminal or a log would take for more than text: line ends, escape sequences.
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}

/// Whether a key sounds like that of a secret: what stands there is never shown, published or not.
pub fn sounds_secret(key: &str) -> bool {
    let key = key.to_lowercase().replace(['-', '_', '.'], "");
    let sounds = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "credential",
        "privatekey",
        "apikey",
        "accesskey",
    ];
    sounds.iter().any(|sound| key.contains(sound))
}
