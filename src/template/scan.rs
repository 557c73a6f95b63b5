//! Reads the words of an expression: the paths it looks up, the functions and filters it calls.
//!
//! The template library looks filters up only when it comes to them, and knows nothing of our rules for absent values.
//! So each path (`instance.parameters.size`, `values['host']`) is replaced by a variable `p0`, `p1`, ... that we look
//! up ourselves, and every other word is held against what exists. Where a path is joined with `~` the variable is `q0`:
//! null is an error there, as in any longer text.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;

use super::draw::Function;
use super::engine::FILTERS;
use super::error::TemplateError;
use super::names::nearest;

/// A path through names: `instance.parameters.size`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub dotted: String,
    pub steps: Vec<String>,
}

/// What was read.
pub(super) struct Scan {
    /// The expression with a variable in place of each path.
    pub rewritten: String,
    pub paths: Vec<Path>,
    pub functions: BTreeSet<Function>,
    /// Whether it has a `*`: then no list may be near, see [`no_lists`].
    pub multiplies: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'s> {
    Word(&'s str),
    /// A quoted text; its content where no escape is in it.
    Text(Option<&'s str>),
    Number,
    Sign(char),
}

/// The first letter of a variable that stands for a path.
pub(super) const ALONE: char = 'p';

/// The same where the path is joined with something into a text.
pub(super) const JOINED: char = 'q';

const KEYWORDS: [&str; 13] = [
    "and", "or", "not", "if", "else", "in", "is", "true", "True", "false", "False", "none", "None",
];

pub(super) fn scan(source: &str) -> Result<Scan, TemplateError> {
    let tokens = tokens(source);
    let at = |index: Option<usize>| {
        index
            .and_then(|index| tokens.get(index))
            .map(|(token, _)| *token)
    };
    let mut scan = Scan {
        rewritten: String::with_capacity(source.len()),
        paths: vec![],
        functions: BTreeSet::new(),
        multiplies: tokens.iter().any(|(token, _)| *token == Token::Sign('*')),
    };
    if scan.multiplies {
        no_lists(&tokens)?;
    }
    let mut copied = 0;
    let mut index = 0;
    while let Some((token, range)) = tokens.get(index) {
        let before = at(index.checked_sub(1));
        let after = at(Some(index + 1));
        index += 1;
        match *token {
            Token::Word(word) if before == Some(Token::Sign('.')) => no_method(word, after)?,
            Token::Word(word) if before == Some(Token::Sign('|')) => filter(word, after)?,
            Token::Word("is") => {
                return Err(TemplateError::new(
                    "there are no tests (`is`) here: compare with `==`, or use `default`",
                ));
            }
            Token::Word(word) if KEYWORDS.contains(&word) => {}
            Token::Word(word) if after == Some(Token::Sign('(')) => {
                scan.functions.insert(function(word)?);
            }
            Token::Word(word) => {
                let (path, next) = path(word, &tokens, index);
                no_method(&path.dotted, at(Some(next)))?;
                if after == Some(Token::Sign('=')) && at(Some(index + 1)) != Some(Token::Sign('='))
                {
                    return Err(TemplateError::new(format!(
                        "there are no named arguments here: `{word}=`"
                    )));
                }
                let known = scan
                    .paths
                    .iter()
                    .position(|known| *known == path)
                    .unwrap_or_else(|| {
                        scan.paths.push(path);
                        scan.paths.len() - 1
                    });
                scan.rewritten.push_str(&source[copied..range.start]);
                let behind = at(Some(next));
                let joined = behind == Some(Token::Sign('~'))
                    || before == Some(Token::Sign('~'))
                        && !matches!(behind, Some(Token::Sign('|' | '[' | '.')));
                let _ = write!(
                    scan.rewritten,
                    " {}{known} ",
                    if joined { JOINED } else { ALONE }
                );
                copied = tokens[next - 1].1.end;
                index = next;
            }
            Token::Sign('(')
                if matches!(
                    before,
                    Some(Token::Text(_) | Token::Number | Token::Sign(')' | ']' | '}'))
                ) =>
            {
                return Err(TemplateError::new(
                    "only functions can be called: `random_password(n)`, `random_username()`, `uuid()`, `derive(label, n)`, `now()`",
                ));
            }
            Token::Text(_) | Token::Number | Token::Sign(_) => {}
        }
    }
    scan.rewritten.push_str(&source[copied..]);
    Ok(scan)
}

/// The path that begins with `root`, and the index of the token behind it.
fn path(root: &str, tokens: &[(Token<'_>, Range<usize>)], mut index: usize) -> (Path, usize) {
    let mut steps = vec![root.to_owned()];
    loop {
        let mut ahead = tokens[index..].iter().map(|(token, _)| *token);
        match (ahead.next(), ahead.next(), ahead.next()) {
            (Some(Token::Sign('.')), Some(Token::Word(step)), _) => {
                steps.push(step.to_owned());
                index += 2;
            }
            (Some(Token::Sign('[')), Some(Token::Text(Some(step))), Some(Token::Sign(']'))) => {
                steps.push(step.to_owned());
                index += 3;
            }
            _ => {
                return (
                    Path {
                        dotted: steps.join("."),
                        steps,
                    },
                    index,
                );
            }
        }
    }
}

/// Refuses list literals beside a `*`. A repeated list is made as it is read, nested ones multiply, and no budget sees it.
fn no_lists(tokens: &[(Token<'_>, Range<usize>)]) -> Result<(), TemplateError> {
    let mut before = None;
    let mut open = vec![];
    for (token, _) in tokens {
        let follows = matches!(before, Some(Token::Text(_) | Token::Sign(')' | ']' | '}')))
            || matches!(before, Some(Token::Word(word)) if !KEYWORDS.contains(&word));
        let is_list = match *token {
            Token::Sign('[') => !follows,
            Token::Sign(',') => matches!(open.last(), None | Some(('(', false))),
            _ => false,
        };
        if is_list {
            return Err(TemplateError::new(NO_LISTS));
        }
        match *token {
            Token::Sign(sign @ ('(' | '[' | '{')) => open.push((sign, follows)),
            Token::Sign(')' | ']' | '}') => drop(open.pop()),
            _ => {}
        }
        before = Some(*token);
    }
    Ok(())
}

/// The rule that keeps a rendering from growing without end.
pub(super) const NO_LISTS: &str = "multiplies where there are lists: `*` is for numbers and texts";

fn no_method(name: &str, after: Option<Token<'_>>) -> Result<(), TemplateError> {
    if after == Some(Token::Sign('(')) {
        return Err(TemplateError::new(format!(
            "`{name}` cannot be called: values have no methods here"
        )));
    }
    Ok(())
}

fn filter(name: &str, after: Option<Token<'_>>) -> Result<(), TemplateError> {
    if FILTERS.contains(&name) && after != Some(Token::Sign('.')) {
        return Ok(());
    }
    Err(unknown("filter", name, &FILTERS))
}

fn function(name: &str) -> Result<Function, TemplateError> {
    Function::named(name)
        .ok_or_else(|| unknown("function", name, &Function::ALL.map(Function::name)))
}

fn unknown(what: &str, name: &str, known: &[&'static str]) -> TemplateError {
    TemplateError::new(match nearest(name, known.iter().copied()) {
        Some(near) => format!("unknown {what} `{name}`: did you mean `{near}`?"),
        None => format!("unknown {what} `{name}`: there are {}", known.join(", ")),
    })
}

/// What stands before the last filter of an expression, and its name; nothing where no filter stands last. A filter with
/// arguments is none of those that are meant.
pub(super) fn last_filter(source: &str) -> Option<(&str, &str)> {
    let tokens = tokens(source);
    let [.., (Token::Sign('|'), bar), (Token::Word(name), _)] = tokens.as_slice() else {
        return None;
    };
    Some((&source[..bar.start], name))
}

/// How many words, texts, numbers and signs there are.
pub(super) fn word_count(source: &str) -> usize {
    tokens(source).len()
}

fn tokens(source: &str) -> Vec<(Token<'_>, Range<usize>)> {
    let mut tokens: Vec<(Token<'_>, Range<usize>)> = vec![];
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let start = source.len() - rest.len();
        let (token, length) = match first {
            ' ' | '\t' | '\r' | '\n' => {
                rest = &rest[1..];
                continue;
            }
            '\'' | '"' => text(rest, first),
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = run(rest);
                (Token::Word(&rest[..length]), length)
            }
            '0'..='9' => (
                Token::Number,
                number(rest, matches!(tokens.last(), Some((Token::Sign('.'), _)))),
            ),
            other => (Token::Sign(other), other.len_utf8()),
        };
        tokens.push((token, start..start + length));
        rest = &rest[length..];
    }
    tokens
}

fn run(rest: &str) -> usize {
    rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(rest.len())
}

fn number(rest: &str, is_step: bool) -> usize {
    let whole = run(rest);
    let fraction = rest[whole..]
        .strip_prefix('.')
        .filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()));
    match fraction {
        Some(digits) if !is_step => whole + 1 + run(digits),
        _ => whole,
    }
}

fn text(rest: &str, quote: char) -> (Token<'_>, usize) {
    let mut escaped = false;
    let mut plain = true;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
            plain = false;
        } else if c == quote {
            return (Token::Text(plain.then(|| &rest[1..at])), at + 1);
        }
    }
    (Token::Text(None), rest.len())
}
