//! What is wrong with the settings.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use crate::document::Finding;

/// One thing wrong with the settings. Never holds the text of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// What it is about: a setting's path, a variable, a place in the settings file.
    pub subject: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub mend: String,
    /// Where the value came from, where the subject does not say it.
    pub origin: Option<String>,
}

/// All that is wrong with the settings; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsErrors {
    errors: Vec<SettingsError>,
    warnings: Vec<String>,
    files: BTreeSet<PathBuf>,
}

/// Why a text is not the value that it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub mend: String,
}

impl SettingsError {
    pub(super) fn new(
        subject: impl Into<String>,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            subject: subject.into(),
            message: message.into(),
            mend: mend.into(),
            origin: None,
        }
    }

    pub(super) fn given_by(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }
}

impl SettingsErrors {
    pub(super) fn one(error: SettingsError) -> Self {
        Self {
            errors: vec![error],
            warnings: Vec::new(),
            files: BTreeSet::new(),
        }
    }

    /// Of one that only who runs knows of: what the setting is about, what is wrong, what to do about it.
    pub fn found(
        subject: impl Into<String>,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self::one(SettingsError::new(subject, message, mend))
    }

    /// Nothing where there is no error.
    pub(super) fn check(errors: Vec<SettingsError>) -> Result<(), Self> {
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Self {
                errors,
                warnings: Vec::new(),
                files: BTreeSet::new(),
            })
        }
    }

    /// With what is likely a mistake: a name misspelt may be why a setting is missing.
    pub(super) fn with_warnings(mut self, warnings: &[String]) -> Self {
        self.warnings.extend_from_slice(warnings);
        self
    }

    /// With the files that were asked for: a change of one may mend it.
    pub(super) fn of_files(mut self, files: BTreeSet<PathBuf>) -> Self {
        self.files = files;
        self
    }

    /// The files that were asked for, whether they are there or not.
    pub const fn files(&self) -> &BTreeSet<PathBuf> {
        &self.files
    }

    /// What is likely a mistake, one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The errors in order.
    pub fn iter(&self) -> std::slice::Iter<'_, SettingsError> {
        self.errors.iter()
    }
}

impl<'a> IntoIterator for &'a SettingsErrors {
    type Item = &'a SettingsError;
    type IntoIter = std::slice::Iter<'a, SettingsError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Refused {
    pub(super) fn new(message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            mend: mend.into(),
        }
    }

    pub(super) fn of(self, subject: impl Into<String>) -> SettingsError {
        SettingsError::new(subject, self.message, self.mend)
    }
}

impl From<&Finding> for SettingsError {
    fn from(finding: &Finding) -> Self {
        let subject = match &finding.place {
            Some(place) => place.to_string(),
            None => finding.path.to_string(),
        };
        Self::new(subject, &finding.message, &finding.mend)
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}; {}", self.subject, self.message, self.mend)?;
        match &self.origin {
            Some(origin) => write!(out, " (from {origin})"),
            None => Ok(()),
        }
    }
}

/// One line each, warnings last.
impl fmt::Display for SettingsErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.iter().enumerate() {
            if position > 0 {
                out.write_str("\n")?;
            }
            error.fmt(out)?;
        }
        for warning in &self.warnings {
            write!(out, "\nwarning: {warning}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}
impl std::error::Error for SettingsErrors {}
