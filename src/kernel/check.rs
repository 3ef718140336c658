//! Checking input: every field is looked at and all that is wrong is told at once, each with its path.

use super::change::Change;
use super::error::{Error, ErrorCode, Refusal, Result};

/// What names and other short texts may have, in characters.
pub const MAX_TEXT: usize = 255;

/// Collects refusals. Each check answers with something to go on with, so that the next one can be made.
#[derive(Debug, Default)]
pub struct Checker {
    refusals: Vec<Refusal>,
}

impl Checker {
    pub fn refuse(&mut self, code: ErrorCode, path: &str, message: impl Into<String>) {
        self.refusals.push(Refusal::new(code, path, message));
    }

    pub fn add(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
    }

    /// # Errors
    /// Everything that was refused.
    pub fn finish(self) -> Result<()> {
        if self.refusals.is_empty() {
            Ok(())
        } else {
            Err(Error::Refused(self.refusals))
        }
    }

    /// Tells what another check refused together with the rest.
    pub fn include<T>(&mut self, checked: &Result<T>) {
        if let Err(Error::Refused(refusals)) = checked {
            self.refusals.extend_from_slice(refusals);
        }
    }

    /// A text that must be there, without the space around it.
    pub fn text(&mut self, path: &str, text: &str) -> String {
        self.bounded(path, text, 1, MAX_TEXT)
    }

    /// A text that may be empty, which is as good as none.
    pub fn optional_text(&mut self, path: &str, text: Option<&str>) -> Option<String> {
        text.map(|text| self.bounded(path, text, 0, MAX_TEXT))
            .filter(|text| !text.is_empty())
    }

    pub fn bounded(&mut self, path: &str, text: &str, min: usize, max: usize) -> String {
        let text = text.trim();
        let length = text.chars().count();
        if length < min {
            self.refuse(ErrorCode::Required, path, "must not be empty");
        } else if length > max {
            let message = format!("has {length} characters, {max} at most are allowed");
            self.refusals.push(
                Refusal::new(ErrorCode::TooLong, path, message).with_params(serde_json::json!({"max": max})),
            );
        } else if text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
        {
            self.refuse(ErrorCode::Invalid, path, "has a control character");
        }
        text.to_owned()
    }

    /// How much has been refused so far.
    pub fn count(&self) -> usize {
        self.refusals.len()
    }

    /// The new value of a field that cannot be empty; None when it stays.
    pub fn required<T>(&mut self, path: &str, change: Change<T>) -> Option<T> {
        match change {
            Change::Keep => None,
            Change::Clear => {
                self.refuse(
                    ErrorCode::Required,
                    path,
                    "cannot be null: leave it out to keep it",
                );
                None
            }
            Change::Set(value) => Some(value),
        }
    }
}
