struct Silent;

#[miu_log::main]
fn main() -> Result<(), Silent> {
    Ok(())
}
