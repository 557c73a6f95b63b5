//! The known name that an unknown one was likely meant to be.

/// The nearest of `names`, unless all are far off.
pub(super) fn nearest<N: AsRef<str>>(word: &str, names: impl IntoIterator<Item = N>) -> Option<N> {
    let word = word.to_lowercase();
    let distance = |name: &N| {
        let name = name.as_ref().to_lowercase();
        strsim::damerau_levenshtein(&word, &name)
    };
    let (best, name) = names
        .into_iter()
        .map(|name| (distance(&name), name))
        .min_by_key(|(distance, _)| *distance)?;
    (best <= (word.chars().count() / 3).max(2)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["port", "address", "base_path"];
        assert_eq!(nearest("Prot", names), Some("port"));
        assert_eq!(nearest("basepath", names), Some("base_path"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(nearest("port", [""; 0]), None);
    }
}
