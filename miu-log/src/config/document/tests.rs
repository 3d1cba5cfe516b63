//! Documents in both notations, and every kind of mistake in one.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::domain::DomainSpec;
use crate::layout::{AnyLayout, ColourChoice, Json as JsonLayout, JsonKey, OtelJson, TimePrecision};
use crate::level::Level;
use crate::queue::OverflowPolicy;
use crate::rotate::{Compression, Retention, Rotation};
use crate::router::Durability;
use crate::zone::Zone;

mod remotes;

fn read(text: &str, notation: Notation, overrides: Option<&str>, lenient: bool) -> Result<Document, Error> {
    let name = if notation == Notation::Yaml { "config.yml" } else { "config.toml" };
    let mut problems = Problems::of(name);
    let root = parse(text, notation, &mut problems);
    let document = interpret(root.as_ref(), overrides.map(OsStr::new), &mut problems);
    finish(document, problems, lenient)
}

#[track_caller]
fn yaml(text: &str) -> LogConfig {
    read(text, Notation::Yaml, None, false).unwrap().config
}

/// What is wrong with a document, line by line.
#[track_caller]
fn wrong(text: &str, notation: Notation) -> Vec<String> {
    let error = read(text, notation, None, false).unwrap_err().to_string();
    error.lines().map(str::to_owned).collect()
}

const ALL_OF_IT: &str = r#"
folder: /var/log/orders
level: INFO
debug_enabled: false
domains: {db: debug, "task": warn}
console:
  stream: stderr
  level: warning
  colour: never
  format: "%(asctime)s - %(message)s"
domain_files: true
level_files: false
domain_file_name: "{domain}_{time:YYYY-MM-DD}.log"
level_file_name: "all-{level}.log"
file_prefix: api
app: Orders
isolated: true
file_mode: 0640
layout: {json: {precision: micros, zone: UTC, flatten: true, rename: {timestamp: "@timestamp"}, without: [file, line]}}
zone: Europe/Berlin
rotation: [10 MB, "00:00"]
retention: [20, 90 days]
compression: none
sinks:
  - file: errors.log
    level: error
    domains: db
    targets: [shop::db]
    layout: otel
    rotation: never
    retention: forever
    compression: gz
    mode: "0600"
  - console: stderr
    level: critical
durability: sync every 1 s
overflow: shed after 50 ms
ring_limit: 1 MiB
sink_timeout: 5 s
heartbeat: 1 min
handle_signals: true
take_over: true
reload: false
diagnose: true
panic_hook: false
intercept: true
routes: {sqlx: db, "hyper::client": http}
target_levels: {"sqlx::query": warning}
default_route: app
span_events: true
"#;

const ALL_OF_IT_IN_TOML: &str = r#"
folder = "/var/log/orders"
level = "INFO"
debug_enabled = false
domain_files = true
level_files = false
domain_file_name = "{domain}_{time:YYYY-MM-DD}.log"
level_file_name = "all-{level}.log"
file_prefix = "api"
app = "Orders"
isolated = true
file_mode = 0o640
zone = "Europe/Berlin"
rotation = ["10 MB", "00:00"]
retention = [20, "90 days"]
compression = "none"
durability = "sync every 1 s"
overflow = "shed after 50 ms"
ring_limit = 1_048_576
sink_timeout = "5 s"
heartbeat = "1 min"
handle_signals = true
take_over = true
reload = false
diagnose = true
panic_hook = false
intercept = true
routes = { sqlx = "db", "hyper::client" = "http" }
target_levels = { "sqlx::query" = "warning" }
default_route = "app"
span_events = true

[domains]
db = "debug"
task = "warn"

[console]
stream = "stderr"
level = "warning"
colour = "never"
format = "%(asctime)s - %(message)s"

[layout.json]
precision = "micros"
zone = "UTC"
flatten = true
rename.timestamp = "@timestamp"
without = ["file", "line"]

[[sinks]]
file = "errors.log"
level = "error"
domains = "db"
targets = ["shop::db"]
layout = "otel"
rotation = "never"
retention = "forever"
compression = "gz"
mode = "0600"

[[sinks]]
console = "stderr"
level = "critical"
"#;

#[test]
fn every_key_does_what_its_method_does_in_both_notations() {
    for (text, notation) in [(ALL_OF_IT, Notation::Yaml), (ALL_OF_IT_IN_TOML, Notation::Toml)] {
        // TOML has no digits in its numbers but its own.
        let text = text.replace("1_048_576", "1048576");
        let Document { config, values, reload } = read(&text, notation, None, false).unwrap();
        assert_eq!(config.folder, Path::new("/var/log/orders"));
        assert_eq!((config.level, config.debug_enabled, reload), (Level::Info, false, false));
        let levels: Vec<_> = config.domain_levels.iter().map(|it| (&*it.domain, it.level)).collect();
        assert_eq!(levels, [("db", Level::Debug), ("task", Level::Warning)]);
        let console = config.console.as_ref().unwrap();
        assert!(console.stderr && console.min_level == Level::Warning);
        assert!(matches!(console.colour, ColourChoice::Never));
        let pattern = Pattern::parse_percent("%(asctime)s - %(message)s").unwrap();
        assert!(console.layout.as_ref().unwrap().is_same(&pattern.into()));
        assert_eq!((config.domain_files, config.level_files, config.isolated), (true, false, true));
        assert_eq!(config.domain_file, "{domain}_{time:YYYY-MM-DD}.log");
        assert_eq!(config.level_file, "all-{level}.log");
        assert_eq!((config.file_prefix.as_deref(), config.app.as_deref()), (Some("api"), Some("Orders")));
        assert_eq!(config.file_mode, Some(0o640));
        let json = JsonLayout::new()
            .precision(TimePrecision::Micros)
            .zone(Zone::Utc)
            .flatten(true)
            .rename(JsonKey::Timestamp, "@timestamp")
            .without(JsonKey::File)
            .without(JsonKey::Line);
        assert!(config.layout.is_same(&json.into()), "{:?}", config.layout);
        assert_eq!(config.zone.to_string(), "Europe/Berlin");
        let rotation = Rotation::AnyOf([Rotation::Size("10 MB"), Rotation::DailyAt("00:00")]);
        assert_eq!(config.rotation.schedule(), rotation.schedule());
        assert_eq!(
            config.retention.check(),
            Retention::AnyOf([Retention::Count(20), Retention::Age("90 days")]).check()
        );
        assert_eq!(config.compression, Compression::None.into());
        assert_eq!(config.sinks.len(), 2);
        let file = config.sinks[0].as_file().unwrap();
        assert_eq!((file.template(), file.own_mode()), ("errors.log", Some(0o600)));
        assert!(file.own_layout().unwrap().is_same(&AnyLayout::from(OtelJson::default())));
        assert_eq!(file.choice().domains.as_deref(), Some(&["db".to_owned()][..]));
        assert_eq!(file.choice().targets, ["shop::db"]);
        assert_eq!(config.durability, Durability::SyncEvery(Duration::from_secs(1)));
        assert_eq!(config.overflow, OverflowPolicy::BlockThenShed(Duration::from_millis(50)));
        assert_eq!((config.ring_limit, config.sink_timeout), (1 << 20, Duration::from_secs(5)));
        assert_eq!(
            (config.heartbeat, config.handle_signals, config.take_over),
            (Duration::from_secs(60), true, true)
        );
        assert_eq!((config.diagnose, config.panic_hook), (true, Some(false)));
        let other = &config.other_crates;
        assert_eq!(
            (other.intercept, other.default.as_deref(), other.span_events),
            (Some(true), Some("app"), true)
        );
        let routes: Vec<_> =
            other.routes.iter().map(|it| (&*it.prefix, it.domain.as_deref(), it.level)).collect();
        assert!(
            routes.contains(&("sqlx", Some("db"), None))
                && routes.contains(&("sqlx::query", None, Some(Level::Warning)))
        );
        assert_eq!(routes.len(), 3);
        assert!(values.iter().any(|(path, text)| path == "sinks[0].file" && text == "errors.log"));
    }
}

#[test]
fn what_is_not_said_is_as_by_default() {
    for text in ["", "{}", "# nothing\n", "---\n", "domains:\nconsole: {}", "console:\nsinks:\nlayout:\n"] {
        let config = yaml(text);
        assert_eq!(config.folder, Path::new("logs"), "{text:?}");
        assert!(config.level == Level::Debug && config.console.is_some() && config.level_files);
    }
    assert!(read("", Notation::Toml, None, false).is_ok());
}

#[test]
fn a_console_is_a_table_or_a_word() {
    assert!(yaml("console: false").console.is_none());
    assert!(yaml("console: {enabled: false}").console.is_none());
    assert!(yaml("console: stderr").console.unwrap().stderr);
    assert!(!yaml("console: true").console.unwrap().stderr);
    let text = &wrong("console: yes", Notation::Yaml)[0];
    assert_eq!(text, "config.yml:1:10: console: here is \"yes\"; accepted are true, false, stdout, stderr");
    assert!(wrong("console: \"true\"", Notation::Yaml)[0].contains("the text \"true\""));
}

// P-30 to P-36
#[test]
fn an_applications_file_has_sections_for_logs_and_database() {
    let text = "
app: {name: orders, whatever: [1, 2]}
logging:
  level: INFO
  database: {enabled: false, retention_days: 365}
  console: {enabled: true}
  components: {db: WARNING, openai: DEBUG}
database:
  host: localhost
  port: 5432
  username: orders
  password: hunter2
  database: orders
  table_prefix: myopenaiapi
  pool_size: 5
";
    let config = yaml(text);
    assert_eq!((config.level, config.domain_levels.len()), (Level::Info, 2));
    assert_eq!(config.domain_levels[0].origin, "config.yml:7:16: logging.components.db");
    // P-34
    assert!(config.console.as_ref().unwrap().layout.as_ref().unwrap().is_same(&Pattern::classic().into()));
    assert!(config.remarks.is_empty() && !format!("{config:?}").contains("hunter2"));
    let own =
        yaml("logging: {console: {format: \"%(levelname)s %(message)s\"}}").console.unwrap().layout.unwrap();
    assert!(own.is_same(&Pattern::parse_percent("%(levelname)s %(message)s").unwrap().into()));
    assert!(yaml("logging: {console: {enabled: false}}").console.is_none());
    // P-31
    let text = wrong("logging: {database: {enabled: true}}", Notation::Yaml);
    assert_eq!(
        text,
        [
            "config.yml:1:1: logging: records are to go into a database, and the section \"database\" is missing; that, database.url or database.enabled: false is expected"
        ]
    );
}

// P-36, P-73, F61, F66
#[test]
fn a_database_section_is_checked_and_its_password_never_shown() {
    let text = "
logging:
database:
  host: [a]
  port: 70000
  password: [hunter2]
  table_prefix: \"x; DROP TABLE t; --\"
databse: {}
";
    let wrong = wrong(text, Notation::Yaml);
    assert_eq!(
        wrong,
        [
            "config.yml:4:9: database.host: here is a list; a host's name is expected",
            "config.yml:5:9: database.port: \"70000\": a whole number from 1 to 65535 is expected",
            "config.yml:6:13: database.password: here is a list; a text is expected",
            "config.yml:7:17: database.table_prefix: \"x; DROP TABLE t; --\": 1 to 44 of a-z, 0-9 and _ are expected, beginning with a letter or _",
            "config.yml:8:1: databse: the unknown section \"databse\"; did you mean \"database\"?",
        ]
    );
    assert!(!wrong.concat().contains("hunter2"));
}

// P-73, C7
#[test]
fn everything_that_is_wrong_is_told_with_line_column_key_and_what_is_accepted() {
    let text = "\
lvel: info
level: inof
domains: {db: lout}
console: {colour: sometimes, levle: info}
ring_limit: 100000
rotation: often
retention: 0
file_mode: 0888
sinks:
  - level: error
  - {file: ../x.log, console: stdout}
  - {console: stdout, mode: 0600}
zone: Middle/Earth
layout: \"{mesage}\"
sink_timeout: 2 days
";
    let expected = [
        (
            1,
            1,
            "lvel",
            "the unknown key \"lvel\"; did you mean \"level\"?; accepted are level, debug_enabled, domains",
        ),
        (2, 8, "level", "the unknown level \"inof\"; did you mean \"info\"?; accepted are trace, debug"),
        (3, 15, "domains.db", "the unknown level \"lout\"; accepted are"),
        (4, 19, "console.colour", "here is \"sometimes\"; accepted are auto, always, never"),
        (4, 30, "console.levle", "the unknown key \"levle\"; did you mean \"level\"?"),
        (5, 13, "ring_limit", "a power of two from 64 KiB to 1 GiB is expected"),
        (6, 11, "rotation", "\"often\": it is none of the rules; a size such as"),
        (7, 12, "retention", "at least one rotated file is expected"),
        (8, 12, "file_mode", "octal digits are expected"),
        (10, 5, "sinks[0]", "file or console is missing"),
        (11, 12, "sinks[1].file", "the file name \"../x.log\" has a / in it"),
        (12, 5, "sinks[2]", "mode is for files only"),
        (13, 7, "zone", "\"Middle/Earth\": "),
        (14, 9, "layout", "mesage"),
        (15, 15, "sink_timeout", "86400s is accepted"),
    ];
    let wrong = wrong(text, Notation::Yaml);
    for (line, (row, column, key, says)) in wrong.iter().zip(expected) {
        assert!(line.starts_with(&format!("config.yml:{row}:{column}: {key}: ")), "{line}");
        assert!(line.contains(says), "{line}\n{says}");
    }
    assert_eq!(wrong.len(), expected.len(), "{wrong:#?}");
}

#[test]
fn mistakes_in_toml_have_their_places_too() {
    let text = "level = \"inof\"\nlvel = 1\n\n[console]\ncolour = 7\n\n[[sinks]]\nfile = 1.5\n";
    let wrong = wrong(text, Notation::Toml);
    assert!(wrong[0].starts_with("config.toml:1:9: level: the unknown level \"inof\""), "{wrong:#?}");
    assert!(wrong[1].starts_with("config.toml:2:1: lvel: the unknown key"), "{wrong:#?}");
    assert!(
        wrong[2].starts_with("config.toml:5:10: console.colour: here is \"7\"; accepted are auto"),
        "{wrong:#?}"
    );
    assert_eq!(wrong.len(), 3, "a number is a name, too: {wrong:#?}");
    let wrong = self::wrong("level = \nfolder = \"a\"\nfolder = \"b\"\n", Notation::Toml);
    assert!(wrong.len() >= 2 && wrong[0].starts_with("config.toml:1:"), "{wrong:#?}");
    assert!(
        wrong.iter().any(|line| line.starts_with("config.toml:3:1: no TOML: duplicate key")),
        "{wrong:#?}"
    );
}

#[test]
fn a_missing_section_is_named() {
    let wrong = wrong("database: {host: localhost}", Notation::Yaml);
    assert!(wrong.iter().any(|line| line == "config.yml: the section \"logging\" is missing"), "{wrong:?}");
    assert!(self::wrong("- level", Notation::Yaml)[0].contains("here is a list; a table is expected"));
    assert!(
        self::wrong("logging: 7", Notation::Yaml)[0].contains("logging: here is \"7\"; a table is expected")
    );
    let wrong = self::wrong("domains: {db: info}\ncomponents: {db: debug}", Notation::Yaml);
    assert_eq!(
        wrong,
        ["config.yml:2:1: components: \"domains\" is given at 1:1 already, where it may have its other name"]
    );
}

// F71
#[test]
fn hostile_yaml_is_refused_with_its_place_at_once() {
    let wide = format!("a: &a {}\nb: [{}]", "x".repeat(1000), "*a, ".repeat(20_000));
    let deep = "[".repeat(100_000);
    let deep_blocks: String = (0..1000).fold(String::new(), |mut out, depth| {
        writeln!(out, "{}- a:", "  ".repeat(depth)).unwrap();
        out
    });
    let many: String = (0..5000).fold(String::new(), |mut out, number| {
        writeln!(out, "key_{number}: x").unwrap();
        out
    });
    for (text, place, says) in [
        ("a: &a [x]\nb: *a", "1:", "an anchor (&) is not accepted"),
        (&*wide, "1:", "an anchor (&)"),
        (&*deep, "1:", "no YAML: recursion limit exceeded"),
        (&*deep_blocks, "", "more than 16 tables and lists"),
        ("level: info\nlevel: debug", "2:1", "the key \"level\" stands here again; it is at 1:1 already"),
        ("levels: info", "1:1", "the unknown key \"levels\"; did you mean \"level\"?"),
        ("level: no", "1:8", "the unknown level \"no\"; accepted are trace"),
        ("console:\n\tlevel: info", "2:2", "no YAML: tabs disallowed"),
        ("level: !!python/object info", "1:", "a tag (!) is not accepted"),
        ("level: info\n---\nlevel: debug", "2:1", "a second document"),
        ("? [a, b]\n: c", "1:3", "a key is expected, and not a list"),
        ("level: \"unfinished", "", "no YAML"),
        ("level: [", "", "no YAML"),
        (&*many, "1:1", "the unknown key"),
    ] {
        let start = Instant::now();
        let wrong = wrong(text, Notation::Yaml);
        assert!(
            wrong[0].starts_with(&format!("config.yml:{place}")) && wrong[0].contains(says),
            "{}",
            wrong[0]
        );
        assert!(wrong.len() <= 21, "{} lines", wrong.len());
        // Not a measurement: without bounds it takes minutes.
        assert!(start.elapsed() < Duration::from_secs(20), "{says}");
    }
    for (text, says) in
        [(format!("a = {}", "[".repeat(100_000)), "no TOML"), ("a = 1\na = 2".to_owned(), "duplicate key")]
    {
        assert!(wrong(&text, Notation::Toml)[0].contains(says), "{:?}", wrong(&text, Notation::Toml)[0]);
    }
}

// P-34
#[test]
fn the_layouts_that_hold_without_one_are_those_that_the_schema_names() {
    let console = |text: &str| format!("{:?}", yaml(text).console.unwrap().layout);
    let classic = format!("{:?}", Some(AnyLayout::from(Pattern::classic())));
    assert_eq!(console("logging: {level: info}"), classic);
    assert_eq!(console("logging: {layout: json}"), "None");
    assert_eq!(console("level: info"), "None");
    let files = format!("{:?}", yaml("logging: {level: info}").layout);
    assert_eq!(files, format!("{:?}", AnyLayout::from(Pattern::parse(Pattern::DEFAULT).unwrap())));
    let schema: serde_json::Value = serde_json::from_str(&ConfigFile::schema()).unwrap();
    let keys = &schema["definitions"]["logging"]["properties"];
    let about = keys["layout"]["description"].as_str().unwrap();
    assert!(
        about.contains("the console has the preset classic") && about.contains(Pattern::DEFAULT),
        "{about}"
    );
    assert!(
        keys.to_string()
            .contains("that of the files; in a section `logging` without any, the preset classic")
    );
}

#[test]
fn who_writes_a_method_is_told_the_key() {
    for (method, key) in [
        ("domain_level", "domains"),
        ("route", "routes"),
        ("target_level", "target_levels"),
        ("sink", "sinks"),
    ] {
        let text = &wrong(&format!("{method}: {{}}"), Notation::Yaml)[0];
        let says = format!("the unknown key {method:?}; did you mean {key:?}?; accepted are level, ");
        assert!(text.contains(&says), "{text}");
    }
}

#[test]
fn quotes_too_many_and_too_few_are_told_as_such() {
    assert_eq!(
        wrong("debug_enabled: 'true'", Notation::Yaml),
        [
            "config.yml:1:16: debug_enabled: here is the text \"true\"; write it without quotes; accepted are true, false"
        ]
    );
    for (text, says) in [
        ("level = info", "config.toml:1:9: no TOML: here is info without quotes; a text is written \"info\""),
        (
            "a = 1\nlevel = debug # x",
            "config.toml:2:9: no TOML: here is debug without quotes; a text is written \"debug\"",
        ),
        (
            "console = {level=error}",
            "config.toml:1:18: no TOML: here is error without quotes; a text is written \"error\"",
        ),
    ] {
        assert_eq!(wrong(text, Notation::Toml)[0], says);
    }
    assert!(!wrong("level = ", Notation::Toml)[0].contains("quotes"));
}

#[test]
fn who_asks_for_it_gets_defaults_and_is_told_of_each() {
    let text = "level: inof\nretention: 0\nconsole: {level: lout}\nwhat: is this\nring_limit: 1 MiB\n";
    let config = read(text, Notation::Yaml, Some("db=lout"), true).unwrap().config;
    assert!(config.is_lenient && config.ring_limit == 1 << 20 && config.level == Level::Debug);
    assert!(config.remarks[0].ends_with("; the default is taken: debug"), "{:#?}", config.remarks);
    assert!(config.remarks[1].ends_with("; the default is taken: 5 files"), "{:#?}", config.remarks);
    assert!(
        config.remarks[2].contains(": console.level: ") && config.remarks[2].ends_with("taken: every level")
    );
    assert!(
        config.remarks[3].contains("the unknown key \"what\"")
            && config.remarks[3].ends_with("; it is left out")
    );
    assert!(config.remarks[4].starts_with("the environment variable MIU_LOG, column 1: "));
    assert_eq!(config.remarks.len(), 5);
    assert!(read("level: [", Notation::Yaml, None, true).is_ok());
}

#[test]
fn who_asks_for_it_gets_defaults_also_where_only_domains_are_wrong() {
    const SPECS: &[DomainSpec] = &[DomainSpec { name: "app", file: "app", level: None }];
    let config = read("level: info", Notation::Yaml, Some("bd=error"), true).unwrap().config;
    assert!(config.is_lenient && config.remarks.is_empty());
    let (levels, problems) = config.levels().with_problems(SPECS);
    assert_eq!(levels, [Level::Info]);
    assert!(problems[0].contains("MIU_LOG, column 1: the unknown domain \"bd\""), "{problems:?}");
    let text = "routes: {a: app, b: bd, c: nope}\ndefault_route: bd";
    let config = read(text, Notation::Yaml, None, true).unwrap().config;
    assert_eq!(config.other_crates.check(SPECS).unwrap().rules.len(), 1);
    assert_eq!(config.levels().with_problems(SPECS).1.len(), 3);
    let strict = read(text, Notation::Yaml, None, false).unwrap().config;
    assert!(strict.other_crates.check(SPECS).is_err() && strict.levels().with_problems(SPECS).1.is_empty());
}

#[test]
fn the_variable_overrides_the_document() {
    const SPECS: &[DomainSpec] = &[
        DomainSpec { name: "app", file: "app", level: None },
        DomainSpec { name: "db", file: "db", level: None },
    ];
    let text = "level: error\ndomains: {db: critical}";
    let levels =
        |overrides| read(text, Notation::Yaml, overrides, false).unwrap().config.levels().of(SPECS).unwrap();
    assert_eq!(levels(None), [Level::Error, Level::Critical]);
    assert_eq!(levels(Some("")), [Level::Error, Level::Critical]);
    assert_eq!(levels(Some("info,db=debug")), [Level::Info, Level::Debug]);
    assert_eq!(levels(Some("app=trace")), [Level::Trace, Level::Critical]);
    let error = read(text, Notation::Yaml, Some("loud"), false).unwrap_err().to_string();
    assert!(
        error.starts_with("the environment variable MIU_LOG, column 1: the unknown level \"loud\""),
        "{error}"
    );
    let config = read("domains:\n  bd: info", Notation::Yaml, None, false).unwrap().config;
    let error = config.levels().of(SPECS).unwrap_err().to_string();
    assert_eq!(error, "config.yml:2:3: domains.bd: the unknown domain \"bd\"; the domains are app, db");
}

// F72
#[test]
fn a_file_that_is_none_of_ours_is_refused_with_the_reason() {
    use std::os::unix::fs::PermissionsExt;
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name);
    let text = |name: &str| LogConfig::from_file(path(name)).unwrap_err().to_string();
    assert!(text("missing.yml").contains("missing.yml: cannot be read: No such file"));
    std::fs::create_dir(path("folder.yml")).unwrap();
    assert!(text("folder.yml").contains("it is no regular file"));
    std::fs::write(path("config.ini"), "level=info").unwrap();
    assert!(text("config.ini").contains("accepted are .yml, .yaml, .json and .toml"));
    std::fs::write(path("bom.yml"), "\u{feff}level: info").unwrap();
    assert!(text("bom.yml").contains("bom.yml:1:1: here is a byte order mark"));
    std::fs::write(path("bytes.yml"), b"level: info\napp: \xff").unwrap();
    assert!(text("bytes.yml").contains("bytes.yml:2:6: here is a byte that is no UTF-8"));
    std::fs::write(path("large.yml"), "#".repeat(10_000_000)).unwrap();
    assert!(text("large.yml").contains("longer than 1048576 bytes"));
    std::fs::write(path("open.yml"), "level: info").unwrap();
    std::fs::set_permissions(path("open.yml"), PermissionsExt::from_mode(0o666)).unwrap();
    assert!(text("open.yml").contains("anybody may write to it (mode 0666)"));
    assert!(ConfigFile::new(path("open.yml")).any_owner(true).load().is_ok());
    let pipe = path("pipe.yml");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    assert!(text("pipe.yml").contains("it is no regular file"));
    if rustix::process::geteuid().is_root() {
        std::fs::write(path("other.yml"), "level: info").unwrap();
        std::os::unix::fs::chown(path("other.yml"), Some(65_534), None).unwrap();
        assert!(text("other.yml").contains("it belongs to user 65534"));
    }
    std::fs::write(path("good.json"), "{\"level\": \"info\"}").unwrap();
    assert_eq!(LogConfig::from_file(path("good.json")).unwrap().level, Level::Info);
}

#[test]
fn the_schema_has_every_key_of_the_documents_above() {
    let schema: serde_json::Value = serde_json::from_str(&ConfigFile::schema()).unwrap();
    let keys = &schema["definitions"]["logging"];
    assert_eq!(keys["additionalProperties"], false);
    let Document { values, .. } = read(ALL_OF_IT, Notation::Yaml, None, false).unwrap();
    for (path, _) in values {
        let key = path.split(['.', '[']).next().unwrap();
        assert!(keys["properties"][key]["description"].is_string(), "{key}");
    }
    let levels = schema["definitions"]["level"]["enum"].as_array().unwrap();
    assert!(levels.len() > 7 && levels.iter().all(|level| level.as_str().unwrap().parse::<Level>().is_ok()));
    assert!(keys["properties"]["sinks"]["items"]["properties"]["file"].is_object());
    assert!(schema["anyOf"][0]["properties"]["database"]["properties"]["password"].is_object());
    assert_eq!(schema["anyOf"][1]["allOf"][0]["$ref"], "#/definitions/logging");
    assert!(schema["definitions"]["layout"]["anyOf"].is_array());
}

#[test]
fn what_can_be_changed_while_the_program_runs_is_described_so() {
    let schema: serde_json::Value = serde_json::from_str(&ConfigFile::schema()).unwrap();
    let keys = schema["definitions"]["logging"]["properties"].as_object().unwrap();
    let console = &keys["console"]["anyOf"][1]["properties"];
    let mut live = Vec::new();
    for (prefix, keys) in [("", keys), ("console.", console.as_object().unwrap())] {
        for (name, key) in keys {
            if key["description"].as_str().unwrap().contains("Can be changed while the program runs") {
                live.push(format!("{prefix}{name}"));
            }
        }
    }
    live.sort();
    let mut expected = LIVE.map(str::to_owned);
    expected.sort();
    assert_eq!(live, expected);
}

#[test]
fn a_route_to_an_unknown_domain_has_its_place() {
    const SPECS: &[DomainSpec] = &[DomainSpec { name: "app", file: "app", level: None }];
    let config = yaml("routes:\n  sqlx: bd\n");
    let error = config.other_crates.check(SPECS).map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        error,
        "config.yml:2:3: routes.sqlx: the route \"sqlx\" leads to the unknown domain \"bd\"; the domains are app"
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(\\PC|\n|\t){0,200}", notation in prop_oneof![Just(Notation::Yaml), Just(Notation::Toml)]) {
        let _ = read(&text, notation, Some(&text), false);
    }

    #[test]
    fn no_document_of_known_words_makes_the_reader_panic(words in prop::collection::vec(
        prop_oneof![
            Just("level"), Just("console"), Just("sinks"), Just("layout"), Just("json"), Just("rename"), Just("file"), Just("logging"), Just("database"),
            Just("rotation"), Just("retention"), Just("file_mode"), Just(": "), Just("- "), Just("\n"), Just("\n  "), Just("{"), Just("}"), Just("["),
            Just("]"), Just(", "), Just("\""), Just("info"), Just("10 MB"), Just("true"), Just("= "), Just("0640"), Just("{time:"), Just("|"), Just(">"), Just("?"),
        ], 0..60), notation in prop_oneof![Just(Notation::Yaml), Just(Notation::Toml)]) {
        let _ = read(&words.concat(), notation, None, true);
    }
}
