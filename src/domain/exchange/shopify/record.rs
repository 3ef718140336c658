//! One record of the file, as text.

/// All fields as they stand in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The line of the file that it begins on, from 1.
    pub line: u64,
    pub text: String,
    /// Where each field ends in the text.
    pub ends: Vec<usize>,
    /// Why it cannot be trusted.
    pub damage: Option<String>,
    /// It is damaged where its handle stands, which is a guess.
    pub astray: bool,
    pub windows_1252: bool,
}

impl Record {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&str> {
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(start..*self.ends.get(index)?)
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Leaves it out with what may be of the same product.
    pub(super) fn doubt(&mut self) {
        const BESIDE: &str = "stands beside lines that are left out and may belong to the same product";
        self.damage.get_or_insert_with(|| BESIDE.to_owned());
    }

    /// Whether nothing stands in any field, as in the rows that a spreadsheet leaves at the end.
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}
