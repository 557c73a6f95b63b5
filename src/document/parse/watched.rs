//! The text as the event parser reads it, with an eye on how far it reads ahead.
//!
//! A flow collection (`[...]`, `{...}`) may turn out to be a key, so the parser holds all of its tokens back until its
//! end: some hundred bytes for each byte of `a,a,a,...`. No budget of nodes or depth can stop that, for no event comes
//! in between. So the text ends early when too much of it was read since the last event.

use std::cell::Cell;
use std::rc::Rc;

use saphyr_parser::{Input, StrInput, input::SkipTabs};

/// The characters that may come before the next event and may be a token each.
const AHEAD: usize = 1_500_000;

/// How far the parser has read since the last event.
#[derive(Clone, Default)]
pub(super) struct Watch(Rc<Cell<usize>>);

impl Watch {
    /// An event came: what was read so far is accounted for.
    pub fn event(&self) {
        if !self.exceeded() {
            self.0.set(0);
        }
    }

    /// Whether the text was cut short.
    pub fn exceeded(&self) -> bool {
        self.0.get() > AHEAD
    }
}

/// The text under watch.
pub(super) struct Watched<'a> {
    text: StrInput<'a>,
    watch: Watch,
}

impl<'a> Watched<'a> {
    /// Reads `text` and tells `watch`.
    pub fn new(text: &'a str, watch: Watch) -> Self {
        Self {
            text: StrInput::new(text),
            watch,
        }
    }
}

impl Input for Watched<'_> {
    fn lookahead(&mut self, count: usize) {
        self.text.lookahead(count);
    }

    fn buflen(&self) -> usize {
        self.text.buflen()
    }

    fn bufmaxlen(&self) -> usize {
        self.text.bufmaxlen()
    }

    fn raw_read_ch(&mut self) -> char {
        self.text.raw_read_ch()
    }

    fn raw_read_non_breakz_ch(&mut self) -> Option<char> {
        self.text.raw_read_non_breakz_ch()
    }

    fn skip(&mut self) {
        if may_be_a_token(self.text.peek()) {
            self.watch.0.set(self.watch.0.get() + 1);
            if self.watch.exceeded() {
                self.text = StrInput::new("");
            }
        }
        self.text.skip();
    }

    fn skip_n(&mut self, count: usize) {
        self.text.skip_n(count);
    }

    fn peek(&self) -> char {
        self.text.peek()
    }

    fn peek_nth(&self, n: usize) -> char {
        self.text.peek_nth(n)
    }

    fn peek_opt(&self) -> Option<char> {
        self.text.peek_opt()
    }

    fn skip_ws_to_eol(&mut self, skip_tabs: SkipTabs) -> (usize, Result<SkipTabs, &'static str>) {
        self.text.skip_ws_to_eol(skip_tabs)
    }

    fn skip_while_non_breakz(&mut self) -> usize {
        self.text.skip_while_non_breakz()
    }

    fn skip_while_blank(&mut self) -> usize {
        self.text.skip_while_blank()
    }

    fn fetch_while_is_alpha(&mut self, out: &mut String) -> usize {
        self.text.fetch_while_is_alpha(out)
    }

    fn fetch_while_is_yaml_non_space(&mut self, out: &mut String) -> usize {
        self.text.fetch_while_is_yaml_non_space(out)
    }
}

const fn may_be_a_token(character: char) -> bool {
    matches!(
        character,
        ',' | '[' | ']' | '{' | '}' | ':' | '?' | '&' | '*' | '!' | '\'' | '"'
    )
}
