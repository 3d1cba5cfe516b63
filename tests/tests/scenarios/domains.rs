//! Domains by field, by name and by value.
// U-02, U-09, U-10, U-11, D-03, D-04, D-05

use miu_log_tests::{Place, logs};

#[test]
fn a_domain_is_reached_by_field_by_name_and_by_value() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    repo.db.info("field");
    repo.get("db").unwrap().info("name");
    repo.domain(logs::Domain::Db).info("value");
    assert_eq!(repo.get("task").unwrap().domain(), "task");
    repo.shutdown();
    assert_eq!(place.messages("db.log"), ["field", "name", "value"]);
}

#[test]
fn all_names_the_domains_in_the_order_of_their_declaration() {
    let names: Vec<&str> = logs::Domain::ALL.iter().map(|domain| domain.as_str()).collect();
    assert_eq!(names, ["app", "db", "redis", "task"]);
    for domain in logs::Domain::ALL {
        assert_eq!(domain.to_string().parse::<logs::Domain>().unwrap(), *domain);
    }
    assert_eq!(format!("{:>6}|", logs::Domain::Db), "    db|");
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let place = Place::new();
    let repo = logs::Repository::open(place.config()).unwrap();
    let expected = "unknown domain \"api\": the domains are app, db, redis, task";
    let error = repo.get("api").unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.known(), ["app", "db", "redis", "task"]);
    assert_eq!("api".parse::<logs::Domain>().unwrap_err().to_string(), expected);
    for name in ["", "DB", "db ", "db\n"] {
        assert!(repo.get(name).is_err(), "{name:?}");
    }
}

#[test]
fn two_repositories_with_their_own_folders_live_side_by_side() {
    let (one, two) = (Place::new(), Place::new());
    let (first, second) =
        (logs::Repository::open(one.config()).unwrap(), logs::Repository::open(two.config()).unwrap());
    for number in 0..100 {
        first.app.info(format!("first {number}"));
        second.app.info(format!("second {number}"));
    }
    first.shutdown();
    second.app.info("second goes on");
    second.shutdown();
    assert_eq!(one.messages("app.log").len(), 100);
    assert_eq!(two.messages("app.log").len(), 101);
    assert!(one.messages("app.log").iter().all(|message| message.starts_with("first")));
}
