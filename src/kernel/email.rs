//! Email addresses, and what makes two of them the same.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use url::Host;

/// As SMTP has it, in bytes.
const MAX_EMAIL: usize = 254;
const MAX_LOCAL: usize = 64;

/// An email address of a plausible form: whether mail arrives there, only mail can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    shown: String,
    key: String,
}

/// A text that is no email address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an email address such as ann@example.com")]
pub struct NoEmail;

impl Email {
    /// As it was typed, surrounding space aside.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The same for all ways to type this address: capitals, full-width letters, composed and decomposed accents, the
    /// domain in its own script or in ASCII. Mail servers could tell capitals apart; none does, and people do not.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether it is of this domain, or of one below it.
    pub fn is_under(&self, domain: &str) -> bool {
        let own = self.key.rsplit_once('@').map_or("", |(_, own)| own);
        own.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

impl std::str::FromStr for Email {
    type Err = NoEmail;

    fn from_str(text: &str) -> Result<Self, NoEmail> {
        let text = text.trim();
        if text.len() > MAX_EMAIL {
            return Err(NoEmail);
        }
        let shown: String = text.nfc().collect();
        let (local, domain) = shown.rsplit_once('@').ok_or(NoEmail)?;
        let key = format!("{}@{}", local_key(local)?, domain_key(domain)?);
        Ok(Self { shown, key })
    }
}

fn local_key(local: &str) -> Result<String, NoEmail> {
    // Upper case in between: it makes ß two letters and of ς a σ, as comparing without case should.
    let folded = local
        .nfkc()
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase);
    let key: String = folded.nfkc().collect();
    let allowed = |c: char| {
        if c.is_ascii() {
            c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c)
        } else {
            c.is_alphanumeric() || is_combining_mark(c)
        }
    };
    let fits = (1..=MAX_LOCAL).contains(&local.len()) && !key.is_empty();
    if fits && key.chars().all(allowed) && local.chars().all(allowed) {
        Ok(key)
    } else {
        Err(NoEmail)
    }
}

/// In ASCII. A shop that is to reach people has no use for `ann@localhost` or `ann@127.0.0.1`.
fn domain_key(domain: &str) -> Result<String, NoEmail> {
    let Ok(Host::Domain(domain)) = Host::parse(domain) else {
        return Err(NoEmail);
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if domain.contains('.') && domain.split('.').all(label) {
        Ok(domain)
    } else {
        Err(NoEmail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Option<String> {
        text.parse::<Email>().ok().map(|email| email.key().to_owned())
    }

    #[test]
    fn one_address_has_one_key_however_it_is_typed() {
        for (one, other) in [
            ("ann@example.com", " \u{3000}Ann@EXAMPLE.com\t\n"),
            ("jose\u{301}@example.com", "JOSÉ@example.com"),
            ("ann@bücher.example", "ann@xn--bcher-kva.example"),
            ("ann@bu\u{308}cher.example", "ann@BÜCHER.example"),
            ("straße@example.com", "STRASSE@example.com"),
            ("ὀδυσσεύς@example.com", "ὈΔΥΣΣΕΎΣ@example.com"),
            ("ａｎｎ@example.com", "ann@ｅｘａｍｐｌｅ.com"),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
            assert!(key(one).is_some(), "{one}");
        }
        assert_eq!(
            " Ann@Example.com ".parse::<Email>().unwrap().shown(),
            "Ann@Example.com"
        );
        assert_ne!(key("ann+1@example.com"), key("ann@example.com"));
    }

    #[test]
    fn a_key_is_its_own_key() {
        for text in [
            "İSTANBUL@example.com",
            "ǅ@example.com",
            "ﬀ.ẞ@example.com",
            "ı@example.com",
        ] {
            let once = key(text).unwrap();
            assert_eq!(key(&once).as_deref(), Some(once.as_str()), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("ann@{}.com", "a.".repeat(125));
        for text in [
            "",
            "@",
            "ann",
            "ann@",
            "@example.com",
            "ann@localhost",
            "ann@127.0.0.1",
            "ann@[::1]",
            "a b@example.com",
            "ann@exa mple.com",
            "ann@example.com\r\nBcc: x@example.com",
            "a\u{0}@example.com",
            "a\u{200b}@example.com",
            "\"a\"@example.com",
            "a,b@example.com",
            "ann@-a.com",
            "ann@a..com",
            "ann@a_b.com",
            "a@b@example.com",
            "a＠b@example.com",
            "ann@example.com.",
            &long,
            &longer,
        ] {
            assert_eq!(key(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_domain_is_above_those_below_it() {
        let under = |text: &str| text.parse::<Email>().unwrap().is_under("demo.example");
        assert!(under("a@demo.example") && under("a@DEMO.example") && under("a@b.demo.example"));
        assert!(!under("a@xdemo.example") && !under("a@demo.example.com"));
    }
}
