struct Opaque;

#[miu_log::diagnose(opaque)]
fn fill(opaque: &Opaque) {
    let _ = opaque;
}

fn main() {
    fill(&Opaque);
}
