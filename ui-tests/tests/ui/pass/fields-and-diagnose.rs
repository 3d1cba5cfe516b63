//! `fields!` and `#[diagnose]` in every place they may stand in.
#![deny(warnings, unused_qualifications, clippy::all)]

use std::fmt::Display;

use miu_log::{Fields, diagnose, fields};

#[allow(dead_code)]
type Result<T> = std::result::Result<T, String>;
#[allow(dead_code)]
struct Option;
#[allow(dead_code)]
struct FieldsBuilder;

struct Service {
    id: u32,
    name: String,
}

impl Service {
    #[diagnose(self.id, name = %self.name, items = ?items, count = items.len())]
    fn fill(&self, items: &[&str]) -> Result<usize> {
        let first = items.first().ok_or("none")?;
        if first.is_empty() {
            return Err(String::from("empty"));
        }
        Ok(items.len())
    }

    #[diagnose(self.id, order)]
    async fn serve(&self, order: u32, items: Vec<String>) -> Result<u32> {
        let items = later(items).await;
        let first: &String = items.first().ok_or("none")?;
        if first.is_empty() {
            return Ok(0);
        }
        Ok(order)
    }
}

async fn later<T>(value: T) -> T {
    value
}

#[diagnose(value = %value)]
fn generic<T: Display + Clone>(value: T) -> T {
    value.clone()
}

#[diagnose(text)]
fn borrowed<'a>(text: &'a str, _other: &str) -> &'a str {
    text.trim()
}

#[diagnose(text)]
async fn opaque(text: &str) -> impl Display + use<'_> {
    text
}

#[diagnose(mutable)]
fn changed(mut mutable: u32) -> u32 {
    mutable += 1;
    mutable
}

#[diagnose(number)]
async fn nothing(number: u32) {
    if number > 1 {
        return;
    }
    later(()).await;
}

fn empty() -> Fields {
    fields!()
}

fn main() {
    let (rows, user, tags) = (1, "ann", ["a", "b"]);
    let set = fields!(rows, %user, tags = ?tags, http.status = 200,);
    assert_eq!((set.iter().count(), empty().is_empty()), (4, true));
    assert_eq!(set.get("http.status").unwrap().to_string(), "200");
    let service = Service { id: 1, name: String::from("shop") };
    assert_eq!(service.fill(&["a"]), Ok(1));
    assert!(service.fill(&[]).is_err() && service.fill(&[""]).is_err());
    assert_eq!((generic(7), borrowed(" a ", ""), changed(1)), (7, "a", 2));
    drop((service.serve(1, vec![]), opaque("a"), nothing(1)));
}
