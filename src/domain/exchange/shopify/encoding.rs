//! Bytes to text, whatever the file was saved as.
//!
//! UTF-16 is told by its byte order mark and read as a whole. Otherwise each record is judged by itself:
//! UTF-8 where it is valid, else Windows-1252, so that one cell pasted from elsewhere does not garble
//! all others.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};

const BUFFER: usize = 64 * 1024;

/// A file that counts how much of it has been read.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read
            .fetch_add(u64::try_from(read).unwrap_or_default(), Ordering::Relaxed);
        Ok(read)
    }
}

/// Opens the file as bytes of an encoding in which ASCII is ASCII, without a byte order mark. `read` is
/// told how many bytes of the file have been read.
pub(super) fn open(path: &Path, read: Arc<AtomicU64>) -> io::Result<Box<dyn BufRead + Send>> {
    let mut input = BufReader::with_capacity(
        BUFFER,
        Counted {
            file: File::open(path)?,
            read,
        },
    );
    let start = input.fill_buf()?;
    let utf16 = match start {
        [0xff, 0xfe, ..] => Some(UTF_16LE),
        [0xfe, 0xff, ..] => Some(UTF_16BE),
        _ => None,
    };
    if let Some(encoding) = utf16 {
        let decoder = encoding.new_decoder_with_bom_removal();
        let ready = Vec::with_capacity(BUFFER);
        return Ok(Box::new(BufReader::with_capacity(
            BUFFER,
            Utf16 {
                input,
                decoder,
                ready,
                taken: 0,
                done: false,
            },
        )));
    }
    if start.starts_with(&[0xef, 0xbb, 0xbf]) {
        input.consume(3);
    }
    Ok(Box::new(input))
}

/// UTF-16 as UTF-8.
struct Utf16<R> {
    input: R,
    decoder: Decoder,
    ready: Vec<u8>,
    taken: usize,
    done: bool,
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.ready.len() && !self.done {
            self.refill()?;
        }
        let ready = self.ready.get(self.taken..).unwrap_or_default();
        let length = ready.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), ready.get(..length)) {
            to.copy_from_slice(from);
        }
        self.taken += length;
        Ok(length)
    }
}

impl<R: BufRead> Utf16<R> {
    fn refill(&mut self) -> io::Result<()> {
        let input = self.input.fill_buf()?;
        let last = input.is_empty();
        self.ready.resize(BUFFER, 0);
        self.taken = 0;
        let (result, read, written, _) = self.decoder.decode_to_utf8(input, &mut self.ready, last);
        self.ready.truncate(written);
        self.input.consume(read);
        self.done = last && result == CoderResult::InputEmpty;
        Ok(())
    }
}

/// The fields of a record as text, one after the other, and where each ends.
pub(super) struct Decoded {
    pub text: String,
    pub ends: Vec<usize>,
    pub encoding: Encoding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// The same in both.
    Ascii,
    Utf8,
    /// UTF-8, but for the last character, of which only the beginning is there.
    Utf8Cut,
    Windows1252,
}

pub(super) fn decode(bytes: &[u8], ends: &[usize]) -> Decoded {
    let encoding = match std::str::from_utf8(bytes) {
        Ok(text) => {
            let encoding = if text.is_ascii() {
                Encoding::Ascii
            } else {
                Encoding::Utf8
            };
            return Decoded {
                text: text.to_owned(),
                ends: ends.to_vec(),
                encoding,
            };
        }
        Err(error) if error.error_len().is_none() => Encoding::Utf8Cut,
        Err(_) => Encoding::Windows1252,
    };
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 4);
    let mut starts = 0;
    let ends = ends
        .iter()
        .map(|&end| {
            let field = bytes.get(starts..end).unwrap_or_default();
            starts = end;
            text.push_str(&WINDOWS_1252.decode_without_bom_handling(field).0);
            text.len()
        })
        .collect();
    Decoded { text, ends, encoding }
}
