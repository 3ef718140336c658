//! Hashing and checking passwords (argon2id), a few at a time: each takes a core and megabytes for as long as it takes.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization as _;
use zxcvbn::{Score, zxcvbn};

use crate::infra::metric::RATE_LIMIT_REFUSALS;
use crate::kernel::config::PasswordConfig;
use crate::kernel::error::{Error, Result};

/// By when some of those who wait have had their turn.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How much of a password is looked at for its strength, in characters; the time grows with the third power of the
/// length, where a stranger chooses it.
const LOOKED_AT: usize = 32;

/// The salt of what is hashed for the time alone.
const NOBODY: &[u8] = b"nobody's account";

/// What came of checking a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, but hashed in another way than passwords are now: hash it again.
    RightButOld,
}

/// Hashes passwords.
#[derive(Clone, Debug)]
pub struct Passwords {
    hasher: Argon2<'static>,
    /// One for each that is being worked on.
    threads: Arc<Semaphore>,
    /// One for each that is being worked on or waits.
    places: Arc<Semaphore>,
    /// Apart from the others: strength is asked for by strangers too, who must not keep anybody from signing in.
    strength: Arc<Semaphore>,
    /// Of those who wait until it is known whether others' passwords are right.
    waiting: Arc<Semaphore>,
}

impl Passwords {
    /// # Errors
    /// Argon2 does not take these parameters.
    pub fn new(config: &PasswordConfig) -> anyhow::Result<Self> {
        let params = Params::new(config.memory_kib, config.iterations, config.lanes, None);
        let params =
            params.map_err(|error| anyhow::anyhow!("SOUK_PASSWORD_MEMORY, _ITERATIONS, _LANES: {error}"))?;
        Ok(Self {
            hasher: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            threads: Arc::new(Semaphore::new(config.threads)),
            places: Arc::new(Semaphore::new(config.threads.saturating_add(config.queue))),
            strength: Arc::new(Semaphore::new(1)),
            waiting: Arc::new(Semaphore::new(config.queue)),
        })
    }

    /// A place for somebody whose password is not to be looked at before others' have been, for as long as it is held.
    /// As many as may wait for a thread, and apart from them: who waits here must not keep anybody from being checked.
    ///
    /// # Errors
    /// Throttled when too many wait.
    pub fn place_to_wait(&self) -> Result<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.waiting).try_acquire_owned();
        place.map_err(|_| too_many())
    }

    /// The hash to store, in PHC form.
    ///
    /// # Errors
    /// Throttled when too many wait.
    pub async fn hash(&self, password: SecretString) -> Result<String> {
        let hasher = self.hasher.clone();
        let hash = self.work(move || hasher.hash_password(normalised(&password).as_bytes()));
        let hash = hash.await?.map_err(fault)?;
        Ok(hash.to_string())
    }

    /// Checks a password. Without a hash, because there is no such account, it takes as long and is wrong; so it
    /// does with one that was cheaper to make than hashes are now.
    ///
    /// # Errors
    /// Throttled when too many wait; the stored hash is none.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<Verdict> {
        let hasher = self.hasher.clone();
        self.work(move || verify(&hasher, &password, hash.as_deref()))
            .await?
    }

    /// Why a password is too easy to guess; None when it is not. `known` is what others know of whoever takes it.
    ///
    /// # Errors
    /// The thread that looks at it fails.
    pub async fn weakness(&self, password: SecretString, known: Vec<String>) -> Result<Option<String>> {
        let turn = Arc::clone(&self.strength).acquire_owned().await;
        let turn = turn.map_err(Error::internal)?;
        let job = tokio::task::spawn_blocking(move || {
            let _held = turn;
            weakness(&password, &known)
        });
        job.await.map_err(Error::internal)
    }

    /// Does the work when it is its turn, on a thread where it keeps nobody else from theirs.
    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| too_many())?;
        let turn = Arc::clone(&self.threads).acquire_owned().await;
        let turn = turn.map_err(Error::internal)?;
        let job = tokio::task::spawn_blocking(move || {
            // Held by the work and not by who waits for it: that one may go, and the work goes on.
            let _held = (place, turn);
            work()
        });
        job.await.map_err(Error::internal)
    }
}

/// The same password typed on another keyboard may come in other code points (NIST SP 800-63B: NFKC).
fn normalised(password: &SecretString) -> SecretText {
    SecretText(password.expose_secret().nfkc().collect::<String>().into())
}

/// Wiped when it is dropped.
struct SecretText(SecretString);

impl SecretText {
    fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

fn verify(hasher: &Argon2<'_>, password: &SecretString, hash: Option<&str>) -> Result<Verdict> {
    let password = normalised(password);
    let Some(hash) = hash else {
        // Salt and output of nobody: only the time that it takes matters.
        hasher
            .hash_password_with_salt(password.as_bytes(), NOBODY)
            .map_err(fault)?;
        return Ok(Verdict::Wrong);
    };
    let hash = PasswordHash::new(hash).map_err(fault)?;
    match hasher.verify_password(password.as_bytes(), &hash) {
        Ok(()) if is_current(hasher.params(), &hash) => Ok(Verdict::Right),
        Ok(()) => Ok(Verdict::RightButOld),
        Err(argon2::password_hash::Error::PasswordInvalid) => {
            // One that is right is hashed anew, and takes longer in any case.
            let of_hash = Params::try_from(&hash).map_err(fault)?;
            for params in missing(hasher.params(), &of_hash)? {
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_with_salt(password.as_bytes(), NOBODY)
                    .map_err(fault)?;
            }
            Ok(Verdict::Wrong)
        }
        Err(error) => Err(fault(error)),
    }
}

/// What must be hashed besides, so that a hash of these parameters takes as long to check as one of today's: else the
/// account of whoever has not been here since the settings were raised could be told from none. Argon2's time is
/// memory times iterations, whatever the lanes are, which are done one after the other.
fn missing(today: &Params, of_hash: &Params) -> Result<Vec<Params>> {
    let work = |params: &Params| params.m_cost().saturating_mul(params.t_cost());
    let missing = work(today).saturating_sub(work(of_hash));
    let (passes, rest) = (missing / today.m_cost(), missing % today.m_cost());
    let mut all = Vec::new();
    if passes > 0 {
        all.push(Params::new(today.m_cost(), passes, today.p_cost(), None).map_err(fault)?);
    }
    if rest >= Params::MIN_M_COST {
        all.push(Params::new(rest, 1, 1, None).map_err(fault)?);
    }
    Ok(all)
}

fn is_current(params: &Params, hash: &PasswordHash) -> bool {
    let same = Params::try_from(hash).is_ok_and(|of_hash| {
        let figures = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        figures(&of_hash) == figures(params)
    });
    same && hash.algorithm.as_str() == Algorithm::Argon2id.as_str()
        && hash.version == Some(Version::V0x13.into())
}

fn weakness(password: &SecretString, known: &[String]) -> Option<String> {
    let looked_at: String = password.expose_secret().nfkc().take(LOOKED_AT).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let found = zxcvbn(&looked_at, &known);
    if found.score() >= Score::Two {
        return None;
    }
    let warning = found.feedback().and_then(zxcvbn::feedback::Feedback::warning);
    Some(warning.map_or_else(
        || "Add another word or two.".to_owned(),
        |warning| warning.to_string(),
    ))
}

fn fault(error: impl std::fmt::Display) -> Error {
    Error::internal(anyhow::anyhow!("hashing a password: {error}"))
}

fn too_many() -> Error {
    RATE_LIMIT_REFUSALS.counter(["passwords"]).increment(1);
    Error::Throttled {
        retry_after: RETRY_AFTER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(memory_kib: u32, threads: usize, queue: usize) -> Passwords {
        Passwords::new(&PasswordConfig {
            memory_kib,
            iterations: 1,
            lanes: 1,
            threads,
            queue,
        })
        .unwrap()
    }

    #[tokio::test]
    async fn a_password_is_right_however_its_accents_were_typed() {
        let passwords = passwords(64, 1, 10);
        let hash = passwords.hash("Crème brûlée".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        let verdict = |password: &'static str| {
            let hash = hash.clone();
            let passwords = passwords.clone();
            async move { passwords.verify(password.into(), Some(hash)).await.unwrap() }
        };
        assert_eq!(verdict("Cre\u{300}me bru\u{302}le\u{301}e").await, Verdict::Right);
        assert_eq!(verdict("Creme brulee").await, Verdict::Wrong);
        assert_eq!(verdict("Crème brûlée ").await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        let verdict = passwords(64, 1, 10).verify("anything".into(), None).await;
        assert_eq!(verdict.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_other_parameters_is_old() {
        let hash = passwords(64, 1, 10).hash("a password".into()).await.unwrap();
        let verdict = passwords(128, 1, 10)
            .verify("a password".into(), Some(hash))
            .await;
        assert_eq!(verdict.unwrap(), Verdict::RightButOld);
    }

    #[test]
    fn what_an_older_hash_lacks_is_made_up_for() {
        let params = |(memory, iterations, lanes)| Params::new(memory, iterations, lanes, None).unwrap();
        let figures = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        for (today, older, expected) in [
            ((19_456, 2, 1), (19_456, 2, 1), vec![]),
            ((19_456, 3, 1), (19_456, 2, 1), vec![(19_456, 1, 1)]),
            (
                (19_456, 2, 2),
                (12_288, 1, 1),
                vec![(19_456, 1, 2), (7_168, 1, 1)],
            ),
            ((47_104, 1, 1), (19_456, 2, 1), vec![(8_192, 1, 1)]),
            // Less than there is to hash, and nothing for one that takes longer anyway.
            ((64, 1, 1), (60, 1, 1), vec![]),
            ((19_456, 2, 1), (65_536, 3, 4), vec![]),
        ] {
            let missing = missing(&params(today), &params(older)).unwrap();
            assert_eq!(
                missing.iter().map(figures).collect::<Vec<_>>(),
                expected,
                "{today:?} {older:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_wrong_password_takes_as_long_for_an_older_hash_as_for_nobody() {
        let hash = passwords(64, 1, 10).hash("a password".into()).await.unwrap();
        let stricter = passwords(16 * 1024, 1, 10);
        // The best of a few: any one of them may have waited for others.
        let best = async |hash: Option<String>| {
            let mut best = Duration::MAX;
            for _ in 0..5 {
                let started = std::time::Instant::now();
                let verdict = stricter.verify("another".into(), hash.clone()).await;
                best = best.min(started.elapsed());
                assert_eq!(verdict.unwrap(), Verdict::Wrong);
            }
            best
        };
        let (older, nobody) = (best(Some(hash)).await, best(None).await);
        assert!(older * 2 > nobody && nobody * 2 > older, "{older:?} {nobody:?}");
    }

    #[tokio::test]
    async fn a_hash_that_is_none_is_a_fault() {
        let verdict = passwords(64, 1, 10)
            .verify("x".into(), Some("plain".to_owned()))
            .await;
        assert!(matches!(verdict, Err(Error::Internal(_))));
    }

    #[tokio::test]
    async fn who_finds_the_queue_full_is_told_so() {
        let passwords = passwords(64, 1, 1);
        let held = Arc::clone(&passwords.threads).acquire_owned().await.unwrap();
        let waits = tokio::spawn({
            let passwords = passwords.clone();
            async move { passwords.hash("first".into()).await }
        });
        let waits_too = tokio::spawn({
            let passwords = passwords.clone();
            async move { passwords.hash("second".into()).await }
        });
        while passwords.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(
            passwords.hash("third".into()).await,
            Err(Error::Throttled { .. })
        ));
        drop(held);
        assert!(waits.await.unwrap().is_ok() && waits_too.await.unwrap().is_ok());
        assert_eq!(passwords.places.available_permits(), 2);
    }

    #[test]
    fn what_is_easy_to_guess_is_told_why() {
        let known = [
            "ann@example.com".to_owned(),
            "Annabelle Mayer".to_owned(),
            "Mayer".to_owned(),
        ];
        let weak = |password: &str| weakness(&password.into(), &known);
        for password in [
            "password",
            "12345678",
            "qwertyuiop",
            "aaaaaaaaaaaa",
            "ann@example.com",
            "Annabelle Mayer",
            "Passw0rd",
        ] {
            assert!(weak(password).is_some(), "{password}");
        }
        for password in [
            "correct horse battery staple",
            "лошадь батарея скоба",
            "tunnel-7-marmalade",
            "吾輩は猫である名前はまだ",
        ] {
            assert_eq!(weak(password), None, "{password}");
        }
        let long: String = (0..256)
            .filter_map(|i| char::from_u32(0x1F300 + (i * i * 31 + i * 7) % 700))
            .collect();
        assert_eq!(weak(&long), None);
    }
}
