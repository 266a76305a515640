//! Names to addresses: every name server of every link is asked at once, and each answer is a
//! candidate. The pin decides in the end who is right, so a server that lies or is silent can only
//! waste a little time.

use futures_util::future::{Either, select};
use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::pin,
    str::FromStr,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, UdpSocket},
    time::timeout,
};

const PORT: u16 = 53;

/// Waits for an answer, each after one more question; then the server counts as silent.
const WAITS: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// Largest answer by UDP that we ask for, and that we read.
const MAX_UDP: usize = 4096;

/// Most addresses that are taken from one answer.
const MAX_ADDRESSES: usize = 8;

/// How long one family's addresses wait for the other's.
const MOMENT: Duration = Duration::from_millis(50);

/// Longest chain of aliases that is followed within an answer.
const MAX_ALIASES: usize = 8;

/// Why a server gave no address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("name server {0} did not answer")]
    Silent(IpAddr),
    #[error("name server {0} says that there is no such name")]
    NoSuchName(IpAddr),
    #[error("name server {0} knows no address for it")]
    NoAddress(IpAddr),
    #[error("name server {0} answered: {1}")]
    Failed(IpAddr, String),
    #[error("name server {0} cannot be asked")]
    Io(IpAddr, #[source] io::Error),
    #[error("not a name that can be asked for")]
    BadName,
}

/// Asks one server over one link for all addresses of a name. Once there are some of one family, the
/// other's get a moment more and no longer (RFC 8305, section 3): some firewalls drop all questions for
/// IPv6 addresses.
pub(crate) async fn ask(server: IpAddr, link: &str, name: &str) -> Result<Vec<IpAddr>, Error> {
    // With its last dot: no search list applies.
    let name = Name::from_str(&format!("{}.", name.trim_end_matches('.')));
    let name = name.map_err(|_| Error::BadName)?;
    let v6 = one(server, link, &name, RecordType::AAAA);
    let v4 = one(server, link, &name, RecordType::A);
    match select(pin!(v6), pin!(v4)).await {
        Either::Left((first, other)) => both(server, first, other).await,
        Either::Right((first, other)) => both(server, first, other).await,
    }
}

/// The addresses of one family with those of the other.
async fn both(server: IpAddr, first: Answer, other: impl Future<Output = Answer>) -> Answer {
    let mut all = match first {
        Ok(all) if !all.is_empty() => {
            let other = timeout(MOMENT, other).await;
            all.into_iter().chain(other.ok().and_then(Result::ok).unwrap_or_default()).collect()
        }
        Ok(_) => other.await?,
        Err(error) => match other.await {
            Ok(all) if !all.is_empty() => all,
            _ => return Err(error),
        },
    };
    // IPv6 first, whichever came first.
    all.sort_by_key(IpAddr::is_ipv4);
    if all.is_empty() { Err(Error::NoAddress(server)) } else { Ok(all) }
}

type Answer = Result<Vec<IpAddr>, Error>;

async fn one(
    server: IpAddr,
    link: &str,
    name: &Name,
    kind: RecordType,
) -> Result<Vec<IpAddr>, Error> {
    let question = Query::query(name.clone(), kind);
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(question.clone());
    let id = message.metadata.id;
    let bytes = message.to_vec().map_err(|_| Error::BadName)?;
    let io = |error| Error::Io(server, error);
    let mut answer = by_udp(server, link, &bytes, id, &question).await?;
    if answer.metadata.truncation {
        let whole = timeout(Duration::from_secs(5), by_tcp(server, link, &bytes)).await;
        let whole = whole.map_err(|_| Error::Silent(server))?.map_err(io)?;
        answer =
            read(&whole, id, &question).ok_or_else(|| Error::Failed(server, "nonsense".into()))?;
    }
    match answer.metadata.response_code {
        ResponseCode::NoError => Ok(addresses(&answer, name, kind)),
        ResponseCode::NXDomain => Err(Error::NoSuchName(server)),
        other => Err(Error::Failed(server, other.to_string())),
    }
}

async fn by_udp(
    server: IpAddr,
    link: &str,
    bytes: &[u8],
    id: u16,
    question: &Query,
) -> Result<Message, Error> {
    let io = |error| Error::Io(server, error);
    let any: IpAddr = match server {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // A port of its own, chosen at random by the kernel, and only packets from this server (RFC 5452).
    let socket = UdpSocket::bind((any, 0)).await.map_err(io)?;
    socket.bind_device(Some(link.as_bytes())).map_err(io)?;
    socket.connect((server, PORT)).await.map_err(io)?;
    let mut buffer = vec![0; MAX_UDP];
    for wait in WAITS {
        socket.send(bytes).await.map_err(io)?;
        let answer = timeout(wait, async {
            loop {
                let got = socket.recv(&mut buffer).await?;
                if let Some(answer) = buffer.get(..got).and_then(|b| read(b, id, question)) {
                    return io::Result::Ok(answer);
                }
            }
        });
        match answer.await {
            Ok(answer) => return answer.map_err(io),
            Err(_) => continue,
        }
    }
    Err(Error::Silent(server))
}

async fn by_tcp(server: IpAddr, link: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let socket = if server.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind_device(Some(link.as_bytes()))?;
    let mut stream = socket.connect(SocketAddr::new(server, PORT)).await?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], bytes].concat()).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// Reads an answer to this very question.
fn read(bytes: &[u8], id: u16, question: &Query) -> Option<Message> {
    let message = Message::from_vec(bytes).ok()?;
    let head = &message.metadata;
    let answers = head.id == id
        && head.message_type == MessageType::Response
        && head.op_code == OpCode::Query
        && message.queries.len() == 1
        && message.queries.first().is_some_and(|echoed| {
            echoed.query_type() == question.query_type() && echoed.name() == question.name()
        });
    answers.then_some(message)
}

/// The addresses of the name, through its aliases.
fn addresses(answer: &Message, name: &Name, kind: RecordType) -> Vec<IpAddr> {
    let mut wanted = name.clone();
    for _ in 0..MAX_ALIASES {
        let alias = answer.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == wanted => Some(target.0.clone()),
            _ => None,
        });
        match alias {
            Some(target) => wanted = target,
            None => break,
        }
    }
    let ours = answer.answers.iter().filter(|record| record.name == wanted);
    let found = ours.filter_map(|record| match (&record.data, kind) {
        (RData::A(address), RecordType::A) => Some(IpAddr::V4(address.0)),
        (RData::AAAA(address), RecordType::AAAA) => Some(IpAddr::V6(address.0)),
        _ => None,
    });
    found.take(MAX_ADDRESSES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::{
        Record,
        rdata::{A, CNAME},
    };

    fn answer() -> (Message, Query) {
        let name = Name::from_str("boot.example.").unwrap();
        let question = Query::query(name.clone(), RecordType::A);
        let mut message = Message::response(7, OpCode::Query);
        message.add_query(question.clone());
        let real = Name::from_str("real.example.").unwrap();
        message.add_answer(Record::from_rdata(name, 60, RData::CNAME(CNAME(real.clone()))));
        message.add_answer(Record::from_rdata(real, 60, RData::A(A::new(192, 0, 2, 7))));
        let other = Name::from_str("other.example.").unwrap();
        message.add_answer(Record::from_rdata(other, 60, RData::A(A::new(192, 0, 2, 66))));
        (message, question)
    }

    #[test]
    fn follows_aliases_and_takes_nothing_else() {
        let (message, question) = answer();
        let read = read(&message.to_vec().unwrap(), 7, &question).unwrap();
        let found = addresses(&read, question.name(), RecordType::A);
        assert_eq!(found, [IpAddr::from([192, 0, 2, 7])]);
    }

    #[test]
    fn an_alias_of_itself_ends() {
        let (mut message, question) = answer();
        let name = question.name().clone();
        message.answers =
            vec![Record::from_rdata(name.clone(), 60, RData::CNAME(CNAME(name.clone())))];
        assert!(addresses(&message, &name, RecordType::A).is_empty());
    }

    #[test]
    fn answers_to_other_questions_do_not_count() {
        let (message, question) = answer();
        let bytes = message.to_vec().unwrap();
        assert!(read(&bytes, 8, &question).is_none());
        let other = Query::query(question.name().clone(), RecordType::AAAA);
        assert!(read(&bytes, 7, &other).is_none());
        let mut query = message;
        query.metadata.message_type = MessageType::Query;
        assert!(read(&query.to_vec().unwrap(), 7, &question).is_none());
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            let (_, question) = answer();
            let _ = read(&bytes, 7, &question);
        }

        #[test]
        fn damaged_answers_do_no_harm(at: usize, value: u8) {
            let (message, question) = answer();
            let mut bytes = message.to_vec().unwrap();
            let at = at % bytes.len();
            bytes[at] = value;
            if let Some(read) = read(&bytes, 7, &question) {
                let _ = addresses(&read, question.name(), RecordType::A);
            }
        }
    }
}
