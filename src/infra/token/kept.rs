//! The secret that development makes for itself and keeps beside the database.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};

use crate::kernel::config::DatabaseConfig;

const SECRET_FILE: &str = "souk.secret";
const MIN_KEPT_BYTES: usize = 32;

/// Made when it is first needed.
///
/// # Errors
/// The secret's file cannot be read or written.
pub(super) fn secret(database: &DatabaseConfig) -> anyhow::Result<SecretString> {
    kept_secret(&secret_file(database))
}

/// Beside the SQLite file, or in the working directory.
fn secret_file(database: &DatabaseConfig) -> PathBuf {
    let url = database.url.expose_secret();
    let file = url
        .strip_prefix("sqlite://")
        .or_else(|| url.strip_prefix("sqlite:"));
    let file = file.map(|file| file.split_once('?').map_or(file, |(file, _)| file));
    match file.and_then(|file| Path::new(file).parent()) {
        Some(folder) => folder.join(SECRET_FILE),
        None => PathBuf::from(SECRET_FILE),
    }
}

fn kept_secret(file: &Path) -> anyhow::Result<SecretString> {
    use anyhow::Context as _;

    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(mut new) => {
            let secret = random_secret();
            new.write_all(secret.as_bytes())
                .with_context(|| format!("cannot write {}", file.display()))?;
            Ok(SecretString::from(secret))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // Another process may have made the file and be about to write to it.
            for _ in 0..20 {
                let secret = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read {}", file.display()))?;
                if secret.trim().len() >= MIN_KEPT_BYTES {
                    return Ok(SecretString::from(secret.trim()));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            anyhow::bail!("{} is damaged: delete it, and start again", file.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot create {}", file.display())),
    }
}

/// 244 random bits of the operating system, as text.
fn random_secret() -> String {
    let (a, b) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    URL_SAFE_NO_PAD.encode([a.into_bytes(), b.into_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = DatabaseConfig {
            url: format!("sqlite://{}/souk.db?mode=rwc", folder.path().display()).into(),
            replica_url: None,
            replica_max_lag: std::time::Duration::from_secs(10),
            connections: 1,
            auto_migrate: true,
            statement_timeout: None,
        };
        let file = secret_file(&database);
        assert_eq!(file, folder.path().join("souk.secret"));
        let first = kept_secret(&file).unwrap();
        assert!(first.expose_secret().len() >= 42);
        assert_eq!(kept_secret(&file).unwrap().expose_secret(), first.expose_secret());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        std::fs::write(&file, "short").unwrap();
        assert!(kept_secret(&file).unwrap_err().to_string().contains("damaged"));
    }
}
