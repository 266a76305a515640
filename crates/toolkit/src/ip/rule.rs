//! `ip rule`.

use super::{INET, Show, Words, address, ask, bits, family, names::Of, octets, parse_prefix};
use crate::{
    applet::usage_error,
    json::Json,
    netlink::{self, Attributes, Message, Socket, array, push, push_text, push_u32, u32_at},
};
use anyhow::bail;
use std::fmt::Write as _;

const RTM_NEWRULE: u16 = 32;
const RTM_DELRULE: u16 = 33;
const RTM_GETRULE: u16 = 34;
const DST: u16 = 1;
const SRC: u16 = 2;
const IIF: u16 = 3;
const GOTO: u16 = 4;
const PRIORITY: u16 = 6;
const MARK: u16 = 10;
const SUPPRESS: u16 = 14;
const TABLE: u16 = 15;
const MASK: u16 = 16;
const OIF: u16 = 17;
const L3MDEV: u16 = 19;
const INVERT: u32 = 2;
const IIF_DETACHED: u32 = 8;
const OIF_DETACHED: u32 = 0x10;
const LOOKUP: u8 = 1;

const ACTIONS: &[(u8, &str)] =
    &[(2, "goto"), (3, "nop"), (6, "blackhole"), (7, "unreachable"), (8, "prohibit")];

/// `ip rule show`.
pub(crate) fn show(show: Show, words: &mut Words<'_>, socket: &mut Socket) -> anyhow::Result<u8> {
    let mut table = None;
    while let Some(word) = words.next() {
        match word {
            "table" | "lookup" => table = Of::Table.number(words.value(word)?),
            other => return usage_error(format!("unknown argument \"{other}\" of rule show")),
        }
    }
    let mut request = vec![0; 12];
    if let Some(first) = request.first_mut() {
        *first = if show.family == 0 { INET } else { show.family };
    }
    let messages = ask(socket, RTM_GETRULE, netlink::DUMP, &request)?;
    let items = messages.iter().map(describe).filter(|(of, _)| table.is_none_or(|t| t == *of));
    super::print(show, items.map(|(_, item)| item).collect());
    Ok(0)
}

/// The table, and the rule as text and JSON.
fn describe(message: &Message) -> (u32, (String, Json)) {
    let body = &message.body;
    let [_, to_bits, from_bits, tos] = array(body, 0);
    let [table, _, _, action] = array(body, 4);
    let flags = u32_at(body, 8);
    let attributes = Attributes::parse(body, 12);
    let table = attributes.number(TABLE).unwrap_or(table.into());
    let mut json = Json::object();
    let priority = attributes.number(PRIORITY).unwrap_or(0);
    json.put("priority", Json::Number(priority.into()));
    let mut text = format!("{priority}:\t");
    if flags & INVERT != 0 {
        text.push_str("not ");
        json.put("not", Json::Null);
    }
    let mut prefix = |word: &str, keys: [&str; 2], kind: u16, length: u8| {
        let Some(address) = attributes.get(kind).and_then(address) else { return false };
        let whole = length == bits(address);
        let slash = if whole { String::new() } else { format!("/{length}") };
        let _ = write!(text, "{word} {address}{slash} ");
        json.put(keys[0], Json::text(address.to_string()));
        if !whole {
            json.put(keys[1], Json::Number(length.into()));
        }
        true
    };
    if !prefix("from", ["src", "srclen"], SRC, from_bits) {
        text.push_str("from all ");
        json.put("src", Json::text("all"));
    }
    let mut prefix = |word: &str, keys: [&str; 2], kind: u16, length: u8| {
        if let Some(address) = attributes.get(kind).and_then(address) {
            let whole = length == bits(address);
            let slash = if whole { String::new() } else { format!("/{length}") };
            let _ = write!(text, "{word} {address}{slash} ");
            json.put(keys[0], Json::text(address.to_string()));
            if !whole {
                json.put(keys[1], Json::Number(length.into()));
            }
        }
    };
    prefix("to", ["dst", "dstlen"], DST, to_bits);
    if tos != 0 {
        let _ = write!(text, "tos {tos:#x} ");
        json.put("tos", Json::text(format!("{tos:#x}")));
    }
    let (mark, mask) = (attributes.number(MARK).unwrap_or(0), attributes.number(MASK).unwrap_or(0));
    if mark != 0 || mask != 0 {
        let whole = mask == u32::MAX;
        let slash = if whole { String::new() } else { format!("/{mask:#x}") };
        let _ = write!(text, "fwmark {mark:#x}{slash} ");
        json.put("fwmark", Json::text(format!("{mark:#x}")));
        if !whole {
            json.put("fwmask", Json::text(format!("{mask:#x}")));
        }
    }
    for (kind, name, detached) in [(IIF, "iif", IIF_DETACHED), (OIF, "oif", OIF_DETACHED)] {
        if let Some(device) = attributes.text(kind) {
            let _ = write!(text, "{name} {device} ");
            json.put(name, Json::text(device));
            if flags & detached != 0 {
                text.push_str("[detached] ");
                json.put(&format!("{name}_detached"), Json::Null);
            }
        }
    }
    if attributes.number(L3MDEV).is_some_and(|on| on != 0) {
        text.push_str("lookup [l3mdev-table] ");
        json.put("l3mdev", Json::Null);
    } else if action == LOOKUP {
        let name = Of::Table.name(table);
        let _ = write!(text, "lookup {name} ");
        json.put("table", Json::text(name));
        if let Some(length) = attributes.number(SUPPRESS).filter(|length| *length != u32::MAX) {
            let _ = write!(text, "suppress_prefixlength {length} ");
            json.put("suppress_prefixlen", Json::Number(length.into()));
        }
    } else {
        let known = ACTIONS.iter().find(|(number, _)| *number == action);
        let name = known.map_or_else(|| action.to_string(), |(_, name)| (*name).to_owned());
        json.put("action", Json::text(&name));
        match (name.as_str(), attributes.number(GOTO)) {
            ("goto", Some(to)) => {
                let _ = write!(text, "goto {to} ");
                json.put("goto", Json::Number(to.into()));
            }
            _ => {
                let _ = write!(text, "{name} ");
            }
        }
    }
    (table, (text.trim_end_matches(' ').to_owned() + "\n", json))
}

/// `ip rule add`, `ip rule delete`.
pub(crate) fn change(
    show: Show,
    adds: bool,
    words: &mut Words<'_>,
    socket: &mut Socket,
) -> anyhow::Result<u8> {
    let (mut of, mut flags, mut tos) = (show.family, 0, 0);
    let (mut to_bits, mut from_bits) = (0, 0);
    let (mut table, mut action) = (None, if adds { LOOKUP } else { 0 });
    let mut rest = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "not" => flags |= INVERT,
            "from" | "to" => {
                let text = words.value(word)?;
                if matches!(text, "all" | "any" | "default") {
                    continue;
                }
                let (address, length) = parse_prefix(text)?;
                of = if of == 0 { family(address) } else { of };
                *(if word == "to" { &mut to_bits } else { &mut from_bits }) = length;
                push(&mut rest, if word == "to" { DST } else { SRC }, &octets(address));
            }
            "priority" | "pref" | "preference" | "prio" | "order" => {
                push_u32(&mut rest, PRIORITY, words.number(word)?);
            }
            "fwmark" => {
                let text = words.value(word)?;
                let number = |text: &str| match text.strip_prefix("0x") {
                    Some(hex) => u32::from_str_radix(hex, 16).ok(),
                    None => text.parse().ok(),
                };
                let (mark, mask) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
                let (Some(mark), Some(mask)) = (number(mark), mask.map_or(Some(u32::MAX), number))
                else {
                    bail!("Error: argument \"{text}\" is wrong: fwmark value is invalid");
                };
                push_u32(&mut rest, MARK, mark);
                if mask != u32::MAX {
                    push_u32(&mut rest, MASK, mask);
                }
            }
            "tos" | "dsfield" => tos = words.number(word)?,
            "iif" | "dev" => push_text(&mut rest, IIF, words.value(word)?),
            "oif" => push_text(&mut rest, OIF, words.value(word)?),
            "table" | "lookup" => {
                let name = words.value(word)?;
                table = Of::Table.number(name);
                if table.is_none() {
                    bail!("Error: argument \"{name}\" is wrong: invalid table ID");
                }
                action = LOOKUP;
            }
            "suppress_prefixlength" => push_u32(&mut rest, SUPPRESS, words.number(word)?),
            "goto" => {
                action = 2;
                push_u32(&mut rest, GOTO, words.number(word)?);
            }
            other => match ACTIONS.iter().find(|(_, name)| *name == other) {
                Some((number, _)) => action = *number,
                None => return usage_error(format!("unknown argument \"{other}\" of rule")),
            },
        }
    }
    let default = if adds && action == LOOKUP { 254 } else { 0 };
    let table = table.unwrap_or(default);
    let short = u8::try_from(table).unwrap_or(0);
    let of = if of == 0 { INET } else { of };
    let mut body = vec![of, to_bits, from_bits, tos, short, 0, 0, action];
    body.extend(flags.to_ne_bytes());
    if short == 0 && table != 0 {
        push_u32(&mut body, TABLE, table);
    }
    body.extend(rest);
    let (kind, flags) =
        if adds { (RTM_NEWRULE, netlink::CREATE | netlink::EXCLUSIVE) } else { (RTM_DELRULE, 0) };
    ask(socket, kind, flags, &body)?;
    Ok(0)
}
