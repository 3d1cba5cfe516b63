//! Destinations that are far away, in documents: what they become, all that can be wrong with them, and that no secret is told on the way.
// P-30 to P-37, P-44 to P-48, P-70, P-72, P-74, M-32, M-33, F61

use super::*;
#[cfg(feature = "webhook")]
use crate::config::{Added, AnySink, Remote};

/// Stands wherever a secret can stand.
const CANARY: &str = "canary-7f3a";

#[cfg(feature = "webhook")]
fn remote(sink: &AnySink) -> &Remote {
    match &sink.0 {
        Added::Remote(remote) => remote,
        other => panic!("{other:?}"),
    }
}

const APPLICATION: &str = "
app: {name: orders}
logging:
  database: {enabled: true, level: warning, retention_days: 365, batch_size: 200, flush_interval: 2 s, pool_size: 4, connect_timeout: 3 s, request_timeout: 7 s}
database:
  host: localhost
  port: 6432
  username: orders
  password: canary-7f3a
  database: orders
  table_prefix: myopenaiapi
  echo: false
";

#[test]
fn a_database_that_is_turned_off_is_none_and_makes_no_mistake() {
    for text in [
        APPLICATION.replace("enabled: true", "enabled: false"),
        APPLICATION.replace("enabled: true", "enabled: false").replace("  host: localhost\n", ""),
    ] {
        let config = yaml(&text);
        assert!(config.sinks.is_empty() && config.remarks.is_empty(), "{config:?}");
        // Who has written that is reminded of it.
        assert_eq!(config.notes, ["no records go into the database: database.enabled is false"], "{text}");
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn a_database_is_written_to_where_the_logs_say_anything_of_it_and_not_that_it_is_off() {
    for (text, sinks, notes) in [
        ("level: info\ndatabase: {url: \"sqlite:x.db\"}", 1, 0),
        ("level: info\ndatabase: {url: \"sqlite:x.db\", enabled: true}", 1, 0),
        ("level: info\ndatabase: {url: \"sqlite:x.db\", enabled: false}", 0, 1),
        ("level: info\ndatabase:", 0, 0),
        ("logging: {database: {level: warning}}\ndatabase: {url: \"sqlite:x.db\"}", 1, 0),
        ("logging: {database: {url: \"sqlite:x.db\"}}\ndatabase: {echo: true}", 1, 0),
        ("logging: {database: {enabled: false, retention_days: 9}}\ndatabase: {url: \"sqlite:x.db\"}", 0, 1),
        ("logging: {database: }\ndatabase: {url: \"sqlite:x.db\"}", 0, 0),
        ("logging: {level: info}\ndatabase: {url: \"sqlite:x.db\"}", 0, 0),
    ] {
        let config = yaml(text);
        assert_eq!((config.sinks.len(), config.notes.len()), (sinks, notes), "{text}");
    }
    let missing = wrong("level: info\ndatabase: {level: info}", Notation::Yaml);
    assert_eq!(missing, ["config.yml:2:1: database: url is missing; a database's address is expected"]);
    let missing = wrong("logging: {database: {level: info}}", Notation::Yaml);
    assert!(missing.len() == 1 && missing[0].contains("the section \"database\" is missing"), "{missing:?}");
}

// P-70, P-46: what the application says of its database is looked at again only by a start.
#[test]
fn what_a_document_says_of_its_database_is_compared_but_for_what_is_the_application_s_own() {
    let text = APPLICATION.replace("enabled: true", "enabled: false");
    let values = |text: &str| read(text, Notation::Yaml, None, false).unwrap().values;
    assert_ne!(values(&text), values(&text.replace("6432", "6433")));
    assert_ne!(values(&text), values(&text.replace(CANARY, "other")));
    assert_eq!(values(&text), values(&text.replace("echo: false", "echo: true")));
}

#[cfg(not(any(feature = "postgres", feature = "sqlite")))]
#[test]
fn a_database_without_its_feature_is_a_mistake_or_a_remark() {
    let text = wrong(APPLICATION, Notation::Yaml);
    assert_eq!(text.len(), 1, "{text:?}");
    assert!(
        text[0].starts_with("config.yml:5:1: database: this program's miu-log is built without")
            && text[0].contains("\"postgres\" or \"sqlite\"")
    );
    let config = read(APPLICATION, Notation::Yaml, None, true).unwrap().config;
    assert!(
        config.sinks.is_empty() && config.remarks[0].ends_with("; it is left out"),
        "{:?}",
        config.remarks
    );
    assert!(yaml(&APPLICATION.replace("enabled: true", "enabled: false")).remarks.is_empty());
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
#[test]
fn everything_wrong_with_a_database_is_told_with_its_place() {
    let text = "
logging:
  database:
    enabled: true
    retention_days: 0
    batch_size: 9000
    flush_interval: soon
    pool_size: 17
    connect_timeout: 0 s
    retention: 3
database:
  host: postgres://ann:canary-7f3a@db/orders
  port: 0
  sslmode: maybe
  table_prefix: Orders
";
    let told = wrong(text, Notation::Yaml);
    let expected = [
        "config.yml:5:21: logging.database.retention_days: \"0\": a whole number from 1 to 36500 is expected",
        "config.yml:6:17: logging.database.batch_size: \"9000\": a whole number from 1 to 8192 is expected",
        "config.yml:7:21: logging.database.flush_interval: ",
        "config.yml:8:16: logging.database.pool_size: \"17\": a whole number from 1 to 16 is expected",
        "config.yml:9:22: logging.database.connect_timeout: ",
        "config.yml:10:5: logging.database.retention: the unknown key \"retention\"; accepted are enabled, url, ",
        "config.yml:12:9: database.host: here is more than a host's name",
        "config.yml:13:9: database.port: \"0\": a whole number from 1 to 65535 is expected",
        "config.yml:14:12: database.sslmode: here is \"maybe\"; accepted are disable, ",
        "config.yml:15:17: database.table_prefix: \"Orders\": 1 to 44 of a-z",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (line, expected) in told.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\n{expected}");
    }
    for (section, problem) in [
        ("{}", "host is missing; host, username and database are expected, or url"),
        ("{host: db, database: orders}", "username is missing"),
        ("{host: db, username: ann}", "database is missing"),
        ("{url: \"sqlite:x.db\", host: db}", "here are both url and host; one of them is expected"),
        ("{url: \"mysql://ann:canary-7f3a@db/x\"}", "the address is none of a database"),
        ("{url: \"canary-7f3a\"}", "the address is none of a database"),
        ("canary-7f3a", "here is a single value; a table is expected"),
    ] {
        let text = format!("logging: {{database: {{enabled: true}}}}\ndatabase: {section}\n");
        let told = wrong(&text, Notation::Yaml);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("config.yml:2:") && told[0].contains(problem), "{told:?}");
        assert!(!told[0].contains(CANARY), "{told:?}");
        // Whoever is lenient does without it.
        let config = read(&text, Notation::Yaml, None, true).unwrap().config;
        assert!(config.sinks.is_empty() && config.remarks.len() == 1, "{:?}", config.remarks);
    }
    let told = wrong("level: info\ndatabase: {enabled: true}", Notation::Yaml);
    assert_eq!(told, ["config.yml:2:1: database: url is missing; a database's address is expected"]);
}

const HOOKS: &str = "
discord: {webhook_url: \"https://discord.com/api/webhooks/1/canary-7f3a\", level: critical}
telegram: {bot_token: \"1:canary-7f3a\", chat_id: -100123}
webhook: {url: \"https://hooks.example.org/canary-7f3a\", level: warning}
";

#[cfg(feature = "webhook")]
#[test]
fn messengers_become_sinks_under_their_names() {
    let config = yaml(HOOKS);
    let names: Vec<&str> = config.sinks.iter().map(|sink| &*remote(sink).name).collect();
    assert_eq!(names, ["discord", "telegram", "webhook"]);
    let levels: Vec<_> = config.sinks.iter().map(|sink| remote(sink).choice.levels.unwrap()).collect();
    let of = |level: Level| crate::filter::LevelSet::from(level);
    assert_eq!(levels, [of(Level::Critical), of(Level::Error), of(Level::Warning)]);
    assert!(!format!("{config:?}").contains(CANARY));
    let toml =
        "[logging.discord]\nwebhook_url = 'https://discord.com/x'\n[logging.telegram]\nenabled = false\n";
    assert_eq!(read(toml, Notation::Toml, None, false).unwrap().config.sinks.len(), 1);
}

#[cfg(not(feature = "webhook"))]
#[test]
fn messengers_without_their_feature_are_mistakes_or_remarks() {
    let told = wrong(HOOKS, Notation::Yaml);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told[0].starts_with("config.yml:2:10: discord: ") && told[0].contains("cargo feature \"webhook\"")
    );
    let config = read(HOOKS, Notation::Yaml, None, true).unwrap().config;
    assert!(config.sinks.is_empty() && config.remarks.len() == 3, "{:?}", config.remarks);
}

#[cfg(feature = "webhook")]
#[test]
fn everything_wrong_with_a_messenger_is_told_without_its_secret() {
    let text = "
discord: {webhook_url: [canary-7f3a], levle: error}
telegram: {bot_token: \"canary 7f3a\", chat_id: [1], server: \"\"}
webhook: {url: \"http://canary-7f3a@example.org/canary-7f3a\", level: loud}
";
    let told = wrong(text, Notation::Yaml);
    let expected = [
        "config.yml:2:24: discord.webhook_url: here is a list; an address is expected",
        "config.yml:2:39: discord.levle: the unknown key \"levle\"; did you mean \"level\"?",
        "config.yml:3:23: telegram.bot_token: the token has a space or the end of a line in it; digits, a colon, letters",
        "config.yml:3:47: telegram.chat_id: here is a list; the number of a chat is expected",
        "config.yml:3:60: telegram.server: the text is empty",
        "config.yml:4:16: webhook.url: the webhook at http://example.org would be sent secrets in plain text",
        "config.yml:4:69: webhook.level: ",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (line, expected) in told.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\n{expected}");
        assert!(!line.contains("canary"), "{line}");
    }
    for (section, expected) in [
        (
            "discord: {}",
            &["1:10: discord: webhook_url is missing; the address that Discord gives a webhook is expected"]
                [..],
        ),
        (
            "telegram: {}",
            &[
                "1:11: telegram: bot_token is missing; the token",
                "1:11: telegram: chat_id is missing; the number of a chat",
            ],
        ),
        (
            "telegram: {bot_token: '', chat_id: 'canary-7f3a x', server: 'htp://canary@example.org/canary'}",
            &[
                "1:23: telegram.bot_token: the token is empty; digits",
                "1:36: telegram.chat_id: the chat is none of Telegram's; a whole number such as -1001234567890, or a name",
                "1:61: telegram.server: the webhook at htp://example.org has a scheme that is not accepted",
            ],
        ),
        (
            "telegram: {bot_token: '1:canary/7f3a', chat_id: ''}",
            &[
                "1:23: telegram.bot_token: the token is none of Telegram's",
                "1:49: telegram.chat_id: the chat is empty",
            ],
        ),
        (
            "webhook: {url: 'htp://example.org/canary'}",
            &[
                "1:16: webhook.url: the webhook at htp://example.org has a scheme that is not accepted; https:// is",
            ],
        ),
    ] {
        let told = wrong(section, Notation::Yaml);
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (line, expected) in told.iter().zip(expected) {
            assert!(line.starts_with(&format!("config.yml:{expected}")), "{line}\n{expected}");
            assert!(!line.contains("canary"), "{line}");
        }
        // Whoever is lenient does without it; whoever has it off has said nothing wrong.
        let config = read(section, Notation::Yaml, None, true).unwrap().config;
        assert!(config.sinks.is_empty() && config.remarks.len() == expected.len(), "{:?}", config.remarks);
        let off = section.replace('{', "{enabled: false, ").replace(", }", "}");
        assert!(yaml(&off).sinks.is_empty(), "{off}");
    }
}

#[cfg(feature = "webhook")]
#[test]
fn a_messenger_with_a_mistake_sends_its_messages_nowhere_else() {
    let text = "telegram: {bot_token: '1:x', chat_id: '@alerts', server: ''}";
    assert!(read(text, Notation::Yaml, None, true).unwrap().config.sinks.is_empty());
    assert_eq!(yaml(&text.replace(", server: ''", "")).sinks.len(), 1);
}

// F61
#[test]
fn no_mistake_beside_a_secret_tells_it() {
    let yaml = [
        "logging:\ndatabase: postgres://ann:{}@db/orders",
        "logging: {database: \"postgres://ann:{}@db/orders\"}",
        "database: \"sqlite:{}\"",
        "database: [{}]",
        "discord: \"https://discord.com/api/webhooks/1/{}\"",
        "discord: {https://discord.com/api/webhooks/1/{}}",
        "discord: {https://discord.com/1/{}, https://discord.com/1/{}}",
        "telegram: 1:{}",
        "telegram: {bot_token: {a: {}}, chat_id: [{}]}",
        "webhook: {url: &a {}}",
        "webhook: {url: !{} x}",
        "webhook: {url: *{}}",
        "webhook: {url: \"\\q{}\"}",
        "webhook: {url: 'https://x/{}}",
        "webhook: {url: @{}}",
        "webhook: {url: https://x/{}: y}",
        "logging:\ndatabase:\n  password: @{}\n",
        "logging:\ndatabase:\n  password: `{}\n",
        "logging:\ndatabase:\n  password: %{}\n",
        "logging:\ndatabase:\n  password: [{}\n",
        "logging:\ndatabase:\n  password: \"{}\n",
        "logging:\ndatabase:\n  password: {}: x\n",
        "logging:\ndatabase:\n  password: {}\n   x: y\n",
        "logging:\ndatabase:\n\tpassword: {}\n",
        "logging:\ndatabase:\n  host: ann:{}@db\n",
        "level: \"https://ann:{}@example.org/{}\"",
        "zone: \"postgres://ann:p@{}/x@db\"",
    ];
    let toml = [
        "[logging]\n[database]\npassword = {}",
        "[logging]\n[database]\npassword = {}.x",
        "[logging]\n[database]\npassword = '{}",
        "[logging]\n[database]\npassword = \"{}\\q\"",
        "[logging]\n[database]\npassword = \"\"\"{}",
        "[logging]\n[database]\npassword {}",
        "[logging]\n[database]\npassword: {}",
        "[logging]\n[database]\npassword = [{}]",
        "[logging]\n[database]\npassword = 0{}",
        "[logging]\n[database]\npassword = {{}}",
        "[logging]\ndatabase = \"postgres://ann:{}@db/x\"",
        "[discord]\nwebhook_url = https://discord.com/{}",
        "[discord]\n\"https://discord.com/{}\" = 1\n\"https://discord.com/{}\" = 2",
        "[telegram]\nbot_token = 1:{}",
        "discord = {}",
        "telegram.bot_token.{} = 1",
    ];
    for (texts, notation) in [(&yaml[..], Notation::Yaml), (&toml[..], Notation::Toml)] {
        for text in texts {
            let text = text.replace("{}", "canary7f3a");
            let told = wrong(&text, notation);
            assert!(!told.concat().to_lowercase().contains("canary"), "{text}: {told:#?}");
            let config = read(&text, notation, None, true).unwrap().config;
            assert!(
                !config.remarks.concat().to_lowercase().contains("canary"),
                "{text}: {:#?}",
                config.remarks
            );
        }
    }
}

#[test]
fn the_schema_has_destinations_that_are_far_away() {
    let schema: serde_json::Value = serde_json::from_str(&ConfigFile::schema()).unwrap();
    let keys = &schema["definitions"]["logging"]["properties"];
    for (section, names) in [
        ("database", &["enabled", "url", "retention_days", "batch_size", "flush_interval", "pool_size"][..]),
        ("discord", &["webhook_url", "level", "enabled"]),
        ("telegram", &["bot_token", "chat_id", "level", "server"]),
        ("webhook", &["url", "level"]),
    ] {
        assert_eq!(keys[section]["additionalProperties"], false, "{section}");
        for name in names {
            assert!(keys[section]["properties"][name]["description"].is_string(), "{section}.{name}");
        }
    }
    let address = &schema["anyOf"][0]["properties"]["database"]["properties"];
    for name in
        ["host", "port", "username", "password", "database", "table_prefix", "url", "sslmode", "sslrootcert"]
    {
        assert!(address[name]["description"].is_string(), "{name}");
    }
}
