//! What one instance revokes, all refuse within seconds; and what was revoked while none ran, none admits.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use souk::kernel::actor::Role;
use souk::kernel::id::SessionId;
use tokio::time::{Instant, sleep};

use super::people;
use crate::support::{Server, Shop, user_of};

const ASK: &str = r#"{"query": "{ __typename }"}"#;
const LIFE: Duration = Duration::from_secs(15 * 60);

/// As the database writes it in a statement.
fn time(time: DateTime<Utc>) -> String {
    format!("'{}'", time.to_rfc3339())
}

fn uuid(shop: &Shop, name: &str) -> String {
    let id = user_of(name).0;
    match shop.kind {
        crate::support::Kind::Sqlite => format!("x'{}'", id.simple()),
        crate::support::Kind::Postgres => format!("'{id}'"),
    }
}

/// Somebody with an account, and the session that `Shop::token_of` gives tokens of.
pub(crate) async fn sign_up(shop: &Shop, name: &str) {
    let (id, now) = (uuid(shop, name), time(shop.now()));
    let account = format!(
        "INSERT INTO user_account (id, email, email_key, name, role, password_hash, created_at, updated_at)
         VALUES ({id}, '{name}@x.example', '{name}@x.example', '{name}', 'CUSTOMER', 'none', {now}, {now})"
    );
    shop.execute(&account).await.unwrap();
    let session = format!(
        "INSERT INTO session (id, user_id, created_at, last_used_at, expires_at) VALUES ({id}, {id}, {now}, {now}, {now})"
    );
    shop.execute(&session).await.unwrap();
}

pub(crate) async fn revoke(shop: &Shop, name: &str, at: DateTime<Utc>) {
    let (id, at) = (uuid(shop, name), time(at));
    let sql = format!("UPDATE session SET revoked_at = {at}, revoke_reason = 'SIGNED_OUT' WHERE id = {id}");
    assert_eq!(shop.execute(&sql).await.unwrap(), 1);
}

async fn set_role(shop: &Shop, name: &str, role: &str, at: DateTime<Utc>) {
    let (id, at) = (uuid(shop, name), time(at));
    let sql = format!("UPDATE user_account SET role = '{role}', role_changed_at = {at} WHERE id = {id}");
    assert_eq!(shop.execute(&sql).await.unwrap(), 1);
}

async fn admits(server: &Server, token: &str) -> bool {
    let bearer = format!("Bearer {token}");
    let answer = server.post(&[("authorization", &bearer)], ASK).await;
    let refused = answer.starts_with("HTTP/1.1 401 ") && answer.contains("no longer counts");
    assert!(refused || answer.starts_with("HTTP/1.1 200 "), "{answer}");
    !refused
}

async fn refuses_soon(server: &Server, token: &str) {
    let begun = Instant::now();
    while admits(server, token).await {
        assert!(begun.elapsed() < Duration::from_secs(6), "not seen");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn here(shop: &Shop, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
    ];
    shop.post(&headers, ASK).await.status.as_u16()
}

both! {
    async fn what_another_instance_revokes_is_refused_within_seconds(shop: &Shop) {
        for name in ["ann", "ben", "cat"] {
            sign_up(shop, name).await;
        }
        let (one, other) = (shop.serve(&[]).await, shop.serve(&[]).await);
        let token = |name: &str| shop.token_of(name, Role::Customer);
        for name in ["ann", "ben", "cat"] {
            assert!(admits(&one, &token(name)).await && admits(&other, &token(name)).await);
        }
        revoke(shop, "ann", shop.now()).await;
        set_role(shop, "ben", "STAFF", shop.now()).await;
        for server in [&one, &other] {
            refuses_soon(server, &token("ann")).await;
            refuses_soon(server, &token("ben")).await;
            assert!(admits(server, &shop.token_of("ben", Role::Staff)).await);
            assert!(admits(server, &token("cat")).await);
        }
        one.stop().await;
        other.stop().await;
    }

    async fn what_was_revoked_before_the_start_counts_from_the_first_request(shop: &Shop) {
        sign_up(shop, "ann").await;
        sign_up(shop, "ben").await;
        revoke(shop, "ann", shop.now() - chrono::Duration::minutes(14)).await;
        set_role(shop, "ben", "ADMIN", shop.now() - chrono::Duration::minutes(14)).await;
        let server = shop.serve(&[]).await;
        assert!(!admits(&server, &shop.token_of("ann", Role::Customer)).await);
        assert!(!admits(&server, &shop.token_of("ben", Role::Customer)).await);
        server.stop().await;
    }

    async fn people_of_the_demo_shop_are_signed_out_where_it_is_not_open(shop: &Shop) {
        let mut tokens = Vec::new();
        for email in ["ann@example.com", "ann@xdemo.souk.example", "admin@demo.souk.example", "eve@staff.demo.souk.example"] {
            let who = people::sign_up(&people::home(shop), email).await;
            tokens.push(who.access.token.expose_secret().to_owned());
        }
        let development = shop.serve(&[]).await;
        for token in &tokens {
            assert!(admits(&development, token).await);
        }
        let production = shop.serve(&[("SOUK_ENV", "production"), ("SOUK_PASSWORD_MEMORY", "19MiB")]).await;
        for (token, admitted) in tokens.iter().zip([true, true, false, false]) {
            assert_eq!(admits(&production, token).await, admitted);
        }
        production.stop().await;
        development.stop().await;
        let sql = "SELECT COALESCE(revoke_reason, 'none') FROM session ORDER BY created_at, id";
        assert_eq!(shop.rows(sql).await.concat(), ["none", "none", "NO_DEMO", "NO_DEMO"]);
        let actors = shop.rows("SELECT actor FROM audit_record WHERE action = 'sessionRevokeAll'").await;
        assert_eq!(actors, [["system"], ["system"]]);
    }

    /// A commit is seen later than its time says, and another server's clock may be late.
    async fn a_late_commit_is_not_missed(shop: &Shop) {
        sign_up(shop, "ann").await;
        let revocations = &shop.platform.revocations;
        revocations.read(shop.db(), shop.now(), LIFE).await.unwrap();
        revoke(shop, "ann", shop.now() - chrono::Duration::seconds(50)).await;
        shop.clock.advance(chrono::Duration::seconds(2));
        revocations.read(shop.db(), shop.now(), LIFE).await.unwrap();
        assert_eq!(here(shop, &shop.token_of("ann", Role::Customer)).await, 401);
    }

    /// Of two role changes by two instances, the one in the table counts, whatever their clocks say.
    async fn the_last_role_counts_though_its_clock_was_late(shop: &Shop) {
        sign_up(shop, "ann").await;
        let revocations = &shop.platform.revocations;
        let (staff, customer) = (shop.token_of("ann", Role::Staff), shop.token_of("ann", Role::Customer));
        set_role(shop, "ann", "STAFF", shop.now()).await;
        revocations.role_changed(user_of("ann"), Role::Staff, shop.now());
        assert_eq!((here(shop, &staff).await, here(shop, &customer).await), (200, 401));
        set_role(shop, "ann", "CUSTOMER", shop.now() - chrono::Duration::seconds(20)).await;
        revocations.read(shop.db(), shop.now(), LIFE).await.unwrap();
        assert_eq!((here(shop, &staff).await, here(shop, &customer).await), (401, 200));
    }

    async fn what_is_older_than_any_token_is_forgotten(shop: &Shop) {
        sign_up(shop, "ann").await;
        let revocations = &shop.platform.revocations;
        let ended = SessionId(user_of("ben").0);
        revoke(shop, "ann", shop.now()).await;
        revocations.end(&[ended], shop.now());
        revocations.role_changed(user_of("cat"), Role::Staff, shop.now());
        revocations.read(shop.db(), shop.now(), LIFE).await.unwrap();
        for name in ["ann", "ben", "cat"] {
            assert_eq!(here(shop, &shop.token_of(name, Role::Customer)).await, 401, "{name}");
        }
        shop.clock.advance(chrono::Duration::minutes(15) + chrono::Duration::seconds(60));
        revocations.read(shop.db(), shop.now(), LIFE).await.unwrap();
        assert_eq!(here(shop, &shop.token_of("ann", Role::Customer)).await, 401, "not yet");
        shop.clock.advance(chrono::Duration::seconds(1));
        revocations.read(shop.db(), shop.now(), LIFE).await.unwrap();
        // These tokens are new. Honest ones would be too old by now.
        for name in ["ann", "ben", "cat"] {
            assert_eq!(here(shop, &shop.token_of(name, Role::Customer)).await, 200, "{name}");
        }
    }

    async fn a_reading_that_fails_forgets_nothing(shop: &Shop) {
        let beside = shop.beside(&[]).await;
        let revocations = &beside.platform.revocations;
        let gone = beside.db().clone();
        gone.close().await.unwrap();
        revocations.end(&[SessionId(user_of("ann").0)], beside.now());
        let later = beside.now() + chrono::Duration::hours(1);
        assert!(revocations.read(beside.db(), later, LIFE).await.is_err());
        assert_eq!(here(&beside, &beside.token_of("ann", Role::Customer)).await, 401);
    }
}
