//! Bad input of what people do with their accounts.

use serde_json::{Value, json};

use super::case::Expected::{BadArgument, ListTooLong, Refused, RefusedAt, WrongType, WrongTypeAt};
use super::case::{MISSING, Operation, Row, row};
use super::mutations::{inputs, long, optional, required};

pub(super) const PASSWORD: &str = "tunnel-7-marmalade";

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            field: "Mutation.accountRegister",
            answered_at: &["accountRegister"],
            document: "mutation($input: AccountRegisterInput!) { accountRegister(input: $input) { user { id } tokens { accessToken } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"email": "new@example.com", "password": PASSWORD, "name": "New"}}),
            rows: [inputs(), register()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Mutation.sessionCreate",
            answered_at: &["sessionCreate"],
            document: "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { user { id } tokens { accessToken } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"email": "tester@example.com", "password": PASSWORD}}),
            rows: [inputs(), sign_in()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Mutation.sessionRefresh",
            answered_at: &["sessionRefresh"],
            document: "mutation($input: SessionRefreshInput!) { sessionRefresh(input: $input) { user { id } tokens { accessToken } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"refreshToken": "@refreshToken"}}),
            rows: [inputs(), refresh()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Mutation.accountUpdate",
            answered_at: &["accountUpdate"],
            document: "mutation($input: AccountUpdateInput!) { accountUpdate(input: $input) { user { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"name": "Tess", "addresses": [{"name": "Tess", "line1": "1 High Street", "city": "Leeds", "countryCode": "GB"}]}}),
            rows: [inputs(), update()].into_iter().flatten().collect(),
        },
        Operation {
            field: "Mutation.sessionRevoke",
            answered_at: &["sessionRevoke"],
            document: "mutation($sessionId: ID) { sessionRevoke(sessionId: $sessionId) { sessionId userErrors { code path message params retryable } } }",
            variables: json!({"sessionId": "@session"}),
            rows: revoke(),
        },
        Operation {
            field: "Mutation.userRoleUpdate",
            answered_at: &["userRoleUpdate"],
            document: "mutation($input: UserRoleUpdateInput!) { userRoleUpdate(input: $input) { user { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"userId": "@other", "role": "CUSTOMER"}}),
            rows: [inputs(), role()].into_iter().flatten().collect(),
        },
        // Last: it ends the session that the one before signs out of.
        Operation {
            field: "Mutation.passwordChange",
            answered_at: &["passwordChange"],
            document: "mutation($input: PasswordChangeInput!) { passwordChange(input: $input) { user { id } userErrors { code path message params retryable } } }",
            variables: json!({"input": {"currentPassword": PASSWORD, "newPassword": "lamp-9-cucumber"}}),
            rows: [inputs(), password()].into_iter().flatten().collect(),
        },
    ]
}

fn role() -> Vec<Row> {
    let (user, role) = ("input.userId", "input.role");
    vec![
        row(user, MISSING, WrongType),
        row(user, Value::Null, WrongType),
        row(user, true, WrongType),
        row(user, "tester", BadArgument),
        row(user, "", BadArgument),
        row(user, "@mug", BadArgument),
        row(user, "@session", BadArgument),
        row(user, "@noUser", Refused("NOT_FOUND")),
        row(user, "@tester", RefusedAt("INVALID", "input.role")),
        row(role, MISSING, WrongType),
        row(role, Value::Null, WrongType),
        row(role, "admin", WrongType),
        row(role, "OWNER", WrongType),
        row(role, 2, WrongType),
    ]
}

fn typed(path: &'static str) -> Vec<Row> {
    vec![
        row(path, MISSING, WrongType),
        row(path, Value::Null, WrongType),
        row(path, 5, WrongType),
        row(path, json!(["a"]), WrongType),
    ]
}

fn register() -> Vec<Row> {
    let (email, password) = ("input.email", "input.password");
    let mut rows = [typed(email), typed(password), required("input.name")].concat();
    rows.extend(
        [
            "ann",
            "ann@",
            "ann@localhost",
            "a b@example.com",
            "a\u{0}@example.com",
            "a@example.com\r\nBcc: b@example.com",
        ]
        .map(|text| row(email, text, Refused("INVALID"))),
    );
    rows.extend([
        row(email, " \n", Refused("REQUIRED")),
        row(email, format!("{}@example.com", long()), Refused("INVALID")),
        row(email, "a@demo.souk.example.", Refused("INVALID")),
        row(password, "", Refused("TOO_SHORT")),
        row(password, "1234567", Refused("TOO_SHORT")),
        row(password, "ü".repeat(257), Refused("TOO_LONG")),
        row(password, "x".repeat(100_000), Refused("TOO_LONG")),
        row(password, "password", Refused("WEAK_PASSWORD")),
        row(password, "new@example.com", Refused("WEAK_PASSWORD")),
        row(password, "\u{0}".repeat(8), Refused("WEAK_PASSWORD")),
    ]);
    rows
}

fn sign_in() -> Vec<Row> {
    let (email, password) = ("input.email", "input.password");
    let mut rows = [typed(email), typed(password)].concat();
    let mismatch = RefusedAt("INVALID_CREDENTIALS", "input");
    rows.extend(
        ["", "ann", "a\u{0}@example.com", "nobody@example.com"].map(|text| row(email, text, mismatch)),
    );
    rows.extend(["", "wrong-password"].map(|text| row(password, text, mismatch)));
    rows.push(row(password, "x".repeat(100_000), mismatch));
    // Before the password is looked at; a cart that is not there is no reason to refuse.
    rows.push(row("input.cartId", true, WrongType));
    rows.extend(["", "cart", "@mug", "cart_\u{0}"].map(|text| row("input.cartId", text, BadArgument)));
    rows
}

fn refresh() -> Vec<Row> {
    let token = "input.refreshToken";
    let mut rows = typed(token);
    rows.extend(
        [
            "",
            "x",
            "souk_rt_",
            "a\u{0}",
            "souk_rt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ]
        .map(|text| row(token, text, Refused("TOKEN_INVALID"))),
    );
    rows.push(row(token, "x".repeat(100_000), Refused("TOKEN_INVALID")));
    rows
}

fn update() -> Vec<Row> {
    let mut rows = vec![
        row("input.name", 5, WrongType),
        row("input.name", Value::Null, Refused("REQUIRED")),
        row("input.name", "", Refused("REQUIRED")),
        row("input.name", long(), Refused("TOO_LONG")),
        row("input.name", "a\u{0}b", Refused("INVALID")),
        row("input.addresses", 5, WrongType),
        row("input.addresses", json!([null]), WrongTypeAt("input.addresses.0")),
        row(
            "input.addresses",
            json!([{"colour": "red"}]),
            WrongTypeAt("input.addresses.0"),
        ),
    ];
    rows.extend(
        [
            "input.addresses.0.name",
            "input.addresses.0.line1",
            "input.addresses.0.city",
        ]
        .map(required)
        .concat(),
    );
    rows.extend(
        ["input.addresses.0.line2", "input.addresses.0.region"]
            .map(optional)
            .concat(),
    );
    for path in ["input.addresses.0.postalCode", "input.addresses.0.phone"] {
        rows.extend([
            row(path, 5, WrongType),
            row(path, "0".repeat(33), Refused("TOO_LONG")),
            row(path, "0\u{0}", Refused("INVALID")),
        ]);
    }
    let country = "input.addresses.0.countryCode";
    rows.extend([MISSING, "", "gb", "GBR", "UK", "XX", "a\u{0}"].map(|code| row(country, code, WrongType)));
    rows.push(row(country, Value::Null, WrongType));
    let address = json!({"name": "Tess", "line1": "1 High Street", "city": "Leeds", "countryCode": "GB"});
    rows.push(row(
        "input.addresses",
        json!(vec![address.clone(); 51]),
        Refused("TOO_LONG"),
    ));
    rows.push(row("input.addresses", json!(vec![address; 251]), ListTooLong));
    rows
}

fn password() -> Vec<Row> {
    let (current, new) = ("input.currentPassword", "input.newPassword");
    let mut rows = [typed(current), typed(new)].concat();
    rows.extend([
        row(current, "", Refused("INVALID_CREDENTIALS")),
        row(current, "x".repeat(100_000), Refused("INVALID_CREDENTIALS")),
        row(new, "1234567", Refused("TOO_SHORT")),
        row(new, "ü".repeat(257), Refused("TOO_LONG")),
        row(new, "tester@example.com", Refused("WEAK_PASSWORD")),
    ]);
    rows
}

fn revoke() -> Vec<Row> {
    vec![
        row("sessionId", 5, BadArgument),
        row("sessionId", "", BadArgument),
        row("sessionId", "session_zzz", BadArgument),
        row("sessionId", "@mug", BadArgument),
        row("sessionId", json!({}), WrongType),
        row("sessionId", "@noSession", Refused("NOT_FOUND")),
        row("sessionId", "@foreignSession", Refused("NOT_FOUND")),
    ]
}
