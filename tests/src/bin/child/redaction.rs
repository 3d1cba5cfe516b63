//! A program that logs a secret wherever a field can come from, in every way that a field can be given.

use std::fmt;

use miu_log::context::{self, Context, Key};
use miu_log::{FieldValue, NotSecret, diagnose, fields};
use miu_log_tests::logs;

use crate::crashes::kill_self;
use crate::secrets::search;
use crate::{FLUSH, config};

static SESSION_TOKEN: Key<str> = Key::new("session_token", "none");

/// Has no raw encoding, and shows the secret.
#[derive(Clone, Copy)]
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[diagnose(user, new_password, address = ?address)]
fn reset_password(repo: &logs::Repository, user: &str, new_password: &str, address: Shown<'_>) {
    repo.db.error("not reset");
    log::error!("nor here");
}

/// Prints how many values have been replaced, as a number behind this name.
fn count(repo: &logs::Repository, name: &str) {
    println!("{name}={}", repo.stats().redacted);
}

/// Logs all of it, looks whether anything below `folder` or in shared memory has it, and ends; or is killed before it looks.
pub(crate) fn run(folder: &str, more: &[String]) {
    let [secret, end] = more else { panic!("the secret, and how to end?") };
    let address = &*format!("postgres://ann:{secret}@example.org/orders");
    miu_log::early_init().unwrap();
    log::info!(token = secret.as_str(), rows = 1; "early");
    let defaults = fields!(region = "eu", client_secret = secret);
    let repo = logs::Repository::open(config(folder).diagnose(true).default_fields(defaults)).unwrap();
    count(&repo, "opened");

    miu_log::info!(
        repo.app,
        rows = 3,
        user = "ann",
        token_count = 5,
        url = "https://example.org/",
        "ordinary"
    );
    count(&repo, "ordinary");

    let password = Some(secret);
    let (shown, shown_address) = (Shown(secret), Shown(address));
    miu_log::info!(repo.app, password, api_key = secret.as_bytes(), cookie = %shown, token = ?shown, "by name");
    miu_log::info!(repo.app, url = address, from = %address, to = %shown_address, last = ?address, "by shape");
    miu_log::log!(repo.app, miu_log::Level::Info, authorization = format!("Bearer {secret}"));
    miu_log::info!(repo.app, password_hint = NotSecret("usual"), page_token = %NotSecret(17), token = None::<&str>, "shown");
    count(&repo, "macros");

    repo.app.bind(fields!(user = "ann", refresh_token = %shown)).info("bound");
    {
        let _scope = context::scope(
            Context::new().with(&SESSION_TOKEN, secret.as_str()).with_fields(fields!(url = address)),
        );
        assert_eq!(SESSION_TOKEN.get(), "***");
        repo.app.info("in a scope");
        log::warn!("from elsewhere in a scope");
    }
    reset_password(&repo, "ann", secret, Shown(address));
    count(&repo, "context");

    log::info!(password = secret.as_str(), accessToken:% = shown, secret:? = shown, url = address, rows = 2; "log");
    tracing::info!(password = secret.as_str(), api_key = %shown, secret = ?shown, url = %address, rows = 3, "tracing");
    let cause = std::io::Error::other(secret.as_str());
    tracing::error!(credentials = &cause as &dyn std::error::Error, "an error");
    let span = tracing::info_span!(
        "request",
        id = 7,
        auth_token = secret.as_str(),
        db.password = tracing::field::Empty
    );
    span.record("db.password", secret.as_str());
    span.in_scope(|| tracing::info!("in a span"));
    count(&repo, "facades");
    if end == "killed" {
        kill_self();
    }
    repo.flush(FLUSH).unwrap();
    search(&miu_log::inspect(folder).unwrap().runtime_directory.unwrap(), secret);
    assert!(matches!(fields!(password).get("password"), Some(FieldValue::Text("***"))));
    repo.shutdown();
}
