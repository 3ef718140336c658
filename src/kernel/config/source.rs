//! Where settings come from, and which source wins.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::list::{SECRETS, SETTINGS};
use super::orchestrator;
use super::parse::ConfigError;

/// The settings as text, by name, from all sources.
#[derive(Clone, Debug, Default)]
pub struct Source {
    values: BTreeMap<String, String>,
    /// Names that begin like a gateway's setting and are none.
    strangers: BTreeSet<String>,
}

/// What settings of gateways begin with. Other programs have such names too, such as the Stripe CLI its `STRIPE_API_KEY`.
const SHARED: [&str; 3] = ["STRIPE_", "PAYPAL_", "MPESA_"];

/// What the name of a secret's file is called more than the secret.
const IN_FILE: &str = "_FILE";

impl Source {
    /// The environment of this process over `.env` over `souk.toml`, both in the working directory.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn of_process() -> Result<Self, ConfigError> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::read(environment, Path::new("."))
    }

    /// The same for a given environment and folder.
    pub fn read(
        environment: impl IntoIterator<Item = (String, String)>,
        folder: &Path,
    ) -> Result<Self, ConfigError> {
        let mut source = Self::default();
        source.add_toml(&folder.join("souk.toml"))?;
        let environment: Vec<_> = environment
            .into_iter()
            .filter(|(name, value)| !orchestrator::says(name, value) && source.takes(name))
            .collect();
        let production = environment
            .iter()
            .any(|(name, value)| name == "SOUK_ENV" && value == "production");
        if !production {
            source.add_dotenv(&folder.join(".env"))?;
        }
        source.values.extend(environment);
        source.read_secrets(folder)?;
        source.check_names()?;
        Ok(source)
    }

    /// A set value that is not blank.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// Variables that look like a gateway's setting, and are left alone: for a warning at the start.
    pub fn strangers(&self) -> impl Iterator<Item = &str> {
        self.strangers.iter().map(String::as_str)
    }

    /// Whether a variable of the environment or of `.env` is for us.
    fn takes(&mut self, name: &str) -> bool {
        let ours = ours(name);
        if !ours && SHARED.iter().any(|start| name.starts_with(start)) {
            self.strangers.insert(name.to_owned());
        }
        ours
    }

    fn add_toml(&mut self, file: &Path) -> Result<(), ConfigError> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(ConfigError::bad("souk.toml", format!("cannot be read: {error}"))),
        };
        let table: toml::Table = text.parse().map_err(|e| ConfigError::bad("souk.toml", e))?;
        for (name, value) in table {
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(switch) => switch.to_string(),
                _ => {
                    return Err(ConfigError::bad(
                        &name,
                        "in souk.toml must be a text, a whole number, true or false",
                    ));
                }
            };
            self.values.insert(name, text);
        }
        Ok(())
    }

    fn add_dotenv(&mut self, file: &Path) -> Result<(), ConfigError> {
        let Ok(entries) = dotenvy::from_path_iter(file) else {
            return Ok(());
        };
        for entry in entries {
            // The error would repeat the line, which may hold a secret.
            let (name, value) = entry.map_err(|_| {
                ConfigError::bad(
                    ".env",
                    "has a line that is not NAME=value; a value with blanks needs quotes",
                )
            })?;
            if self.takes(&name) {
                self.values.insert(name, value);
            }
        }
        Ok(())
    }

    /// Puts what is in a file in the place of the file's name.
    fn read_secrets(&mut self, folder: &Path) -> Result<(), ConfigError> {
        for name in SECRETS {
            let setting = format!("{name}{IN_FILE}");
            let Some(file) = self
                .values
                .remove(&setting)
                .filter(|file| !file.trim().is_empty())
            else {
                continue;
            };
            if self.get(name).is_some() {
                let reason = format!("is set, and so is {name}: one of them must go");
                return Err(ConfigError::bad(&setting, reason));
            }
            let text = std::fs::read_to_string(folder.join(file.trim()))
                .map_err(|error| ConfigError::bad(&setting, format!("{file} cannot be read: {error}")))?;
            if text.trim().is_empty() {
                return Err(ConfigError::bad(&setting, format!("{file} is empty")));
            }
            // What editors and `echo` add belongs to no secret.
            self.values
                .insert((*name).to_owned(), text.trim_end_matches(['\r', '\n']).to_owned());
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), ConfigError> {
        let known = |name: &str| SETTINGS.iter().any(|setting| setting.name == name);
        match self
            .values
            .keys()
            .find(|name| !known(name) && !name.starts_with("SOUK_TEST_"))
        {
            None => Ok(()),
            Some(name) => Err(ConfigError::Unknown {
                name: name.clone(),
                meant: nearest(name),
            }),
        }
    }
}

/// Whether a variable of the environment is a setting of ours, or is meant as one.
fn ours(name: &str) -> bool {
    let known = SETTINGS.iter().any(|setting| setting.name == name)
        || name
            .strip_suffix(IN_FILE)
            .is_some_and(|name| SECRETS.contains(&name));
    let misspelt = || SHARED.iter().any(|start| name.starts_with(start)) && nearest(name).is_some();
    known || name.starts_with("SOUK_") || misspelt()
}

fn nearest(name: &str) -> Option<String> {
    SETTINGS
        .iter()
        .map(|setting| (distance(name, setting.name), setting.name))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, name)| name.to_owned())
}

/// Letters to change, add or drop to make one name of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (cb, above) in b.iter().zip(row.iter().skip(1)) {
            let cost = usize::from(ca != *cb);
            left = (diagonal + cost).min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(names: &[&str], folder: &Path) -> Result<Source, ConfigError> {
        let environment = names.iter().map(|name| ((*name).to_owned(), "x".to_owned()));
        Source::read(environment, folder)
    }

    #[test]
    fn a_misspelt_setting_of_a_gateway_is_named_with_what_was_meant() {
        for (name, meant) in [
            ("STRIPE_WEBHOK_SECRET", "STRIPE_WEBHOOK_SECRET"),
            ("PAYPAL_CLIENTID", "PAYPAL_CLIENT_ID"),
            ("MPESA_SHORT_CODE", "MPESA_SHORTCODE"),
        ] {
            let error = with(&[name], Path::new("/nonexistent")).unwrap_err();
            let expected = format!("{name} is not a setting, did you mean {meant}?");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }

    fn read(folder: &Path, settings: &[(&str, &str)]) -> Result<Source, ConfigError> {
        let environment = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Source::read(environment, folder)
    }

    #[test]
    fn a_secret_may_be_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "open sesame \r\n").unwrap();
        let file = folder.path().join("secret").display().to_string();
        for name in SECRETS {
            assert!(SETTINGS.iter().any(|setting| setting.name == *name), "{name}");
            let setting = format!("{name}_FILE");
            for file in [file.as_str(), "secret"] {
                let source = read(folder.path(), &[(&setting, file)]).unwrap();
                assert_eq!(source.values.get(*name).map(String::as_str), Some("open sesame "));
            }
        }
        let source = read(folder.path(), &[("SOUK_JWT_SECRET_FILE", "")]).unwrap();
        assert_eq!(source.get("SOUK_JWT_SECRET"), None);
    }

    #[test]
    fn a_secret_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        for (settings, expected) in [
            (
                vec![("REDIS_URL_FILE", "nowhere")],
                "REDIS_URL_FILE: nowhere cannot be read: ",
            ),
            (
                vec![("DATABASE_URL_FILE", "empty")],
                "DATABASE_URL_FILE: empty is empty",
            ),
            (
                vec![("STRIPE_SECRET_KEY_FILE", "secret"), ("STRIPE_SECRET_KEY", "x")],
                "STRIPE_SECRET_KEY_FILE: is set, and so is STRIPE_SECRET_KEY",
            ),
            (
                vec![("SOUK_LISTEN_FILE", "secret")],
                "SOUK_LISTEN_FILE is not a setting",
            ),
        ] {
            let error = read(folder.path(), &settings).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn what_other_programs_call_like_a_gateway_is_left_alone_and_listed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), "PAYPAL_MODE=live\n").unwrap();
        let names = [
            "STRIPE_API_KEY",
            "MPESA_SIM_SERVICE_HOST",
            "PATH",
            "STRIPE_SECRET_KEY",
        ];
        let source = with(&names, folder.path()).unwrap();
        let strangers: Vec<&str> = source.strangers().collect();
        assert_eq!(
            strangers,
            ["MPESA_SIM_SERVICE_HOST", "PAYPAL_MODE", "STRIPE_API_KEY"]
        );
        assert_eq!(source.get("STRIPE_API_KEY"), None);
    }
}
