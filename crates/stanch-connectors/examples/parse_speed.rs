//! How long one alert takes to parse, for an array of 512: `cargo run --release --example parse_speed`.

use std::time::Instant;

use stanch_connectors::format::by_name;
use stanch_model::Timestamp;
use stanch_model::port::Delivery;

const ALERT: &str = r#"{"timestamp":"2026-03-03T22:10:00.198583+0000","flow_id":1039376568223671,"in_iface":"eth0","event_type":"alert","src_ip":"192.0.2.30","src_port":61038,"dest_ip":"198.51.100.7","dest_port":3306,"proto":"TCP","alert":{"action":"allowed","gid":1,"signature_id":1000001,"rev":2,"signature":"EXAMPLE inbound to database port","category":"Potentially Bad Traffic","severity":2},"host":"sensor-1"}"#;

#[allow(clippy::print_stdout)] // Printing is all it does.
fn main() {
    let body = format!("[{}]", [ALERT; 512].join(","));
    let Some(suricata) = by_name("suricata") else { return };
    let delivery = Delivery { body: body.as_bytes(), received: Timestamp(0) };
    let rounds: u32 = if cfg!(debug_assertions) { 10 } else { 400 };
    let started = Instant::now();
    let mut records = 0;
    for _ in 0..rounds {
        records += suricata.parse(delivery).len();
    }
    let micros = started.elapsed().as_secs_f64() * 1e6 / records.max(1) as f64;
    println!("{micros:.2} µs per alert of {} bytes ({records} alerts)", ALERT.len());
}
