//! Lines that wait to be written, in one text: each in memory of its own would be taken by one thread and given back by
//! another, and that costs more than the line.

use std::mem;

/// Lines in their order, none of which has the end of a line in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    /// Each with its end.
    text: String,
    count: usize,
}

impl Lines {
    /// Puts one behind the others.
    pub(super) fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.count += 1;
    }

    /// Takes so many of the first ones out, into `taken`, which has none.
    pub(super) fn take(&mut self, most: usize, taken: &mut Self) {
        if self.count <= most {
            return mem::swap(self, taken);
        }
        let ends = self.text.match_indices('\n').nth(most.saturating_sub(1));
        let end = ends.map_or(0, |(at, _)| at + 1);
        taken.text.extend(self.text.drain(..end));
        taken.count = most;
        self.count -= most;
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.count = 0;
    }

    /// Each without its end.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.split_terminator('\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(said: &[&str]) -> Lines {
        let mut lines = Lines::default();
        for line in said {
            lines.push(line);
        }
        lines
    }

    #[test]
    fn the_first_ones_are_taken_and_the_others_stay() {
        let said = ["{1}", "{2}", "{3}", "{4}"];
        for most in 1..6 {
            let mut waiting = lines(&said);
            let mut seen = Vec::new();
            while !waiting.is_empty() {
                let mut taken = Lines::default();
                waiting.take(most, &mut taken);
                assert!((1..=most).contains(&taken.len()), "{most}: {taken:?}");
                assert_eq!(taken.iter().count(), taken.len());
                assert_eq!(waiting.iter().count(), waiting.len());
                seen.extend(taken.iter().map(str::to_owned));
            }
            assert_eq!(seen, said, "{most}");
        }
    }
}
