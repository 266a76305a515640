//! The name server (RFC 1035): knows the names it is told, and that all others do not exist.

use super::{Behaviour, Shared};
use hickory_proto::{
    op::{Message, MessageType, OpCode, ResponseCode},
    rr::{RData, Record, RecordType},
};
use smoltcp::socket::udp;
use std::{net::IpAddr, sync::atomic::Ordering::Relaxed};

/// Answers what has come.
pub(super) fn serve(socket: &mut udp::Socket<'_>, behaviour: &Behaviour, shared: &Shared) {
    while let Ok((bytes, from)) = socket.recv() {
        shared.counters.dns.fetch_add(1, Relaxed);
        if let Some(answer) = answer(bytes, behaviour) {
            let _ = socket.send_slice(&answer, from.endpoint);
        }
    }
}

fn answer(bytes: &[u8], behaviour: &Behaviour) -> Option<Vec<u8>> {
    let asked = Message::from_vec(bytes).ok()?;
    let query = asked.queries.first()?.clone();
    let mut answer = Message::new(asked.metadata.id, MessageType::Response, OpCode::Query);
    answer.metadata.recursion_desired = asked.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    let name = query.name().to_utf8().trim_end_matches('.').to_lowercase();
    match behaviour.names.get(&name) {
        Some(addresses) => {
            let data = addresses.iter().filter_map(|address| match (address, query.query_type()) {
                (IpAddr::V4(address), RecordType::A) => Some(RData::A((*address).into())),
                (IpAddr::V6(address), RecordType::AAAA) => Some(RData::AAAA((*address).into())),
                _ => None,
            });
            for data in data {
                answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
            }
        }
        None => answer.metadata.response_code = ResponseCode::NXDomain,
    }
    answer.add_query(query);
    answer.to_vec().ok()
}
