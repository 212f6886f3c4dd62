//! How a redirection is read.

use std::net::{IpAddr, SocketAddr};

use super::{
    LossPolicy, PathPattern, REDIRECTION_BYTES_MAX, Redirection, RedirectionError, SinkOption,
    Target, What,
};

/// Of a queue: what a sink may keep in memory.
const QUEUE_BYTES_MAX: u64 = 1 << 30;
const LINES_MAX: u64 = 10_000_000;
const MILLISECONDS_MAX: u64 = 86_400_000;
/// Times of a script.
const SCRIPT_MAX: usize = 256;

const OPTIONS: &[(&str, SinkOption, u64)] = &[
    ("queue_lines", SinkOption::QueueLines, LINES_MAX),
    ("queue_bytes", SinkOption::QueueBytes, QUEUE_BYTES_MAX),
    ("batch_lines", SinkOption::BatchLines, LINES_MAX),
    ("batch_bytes", SinkOption::BatchBytes, QUEUE_BYTES_MAX),
    ("batch_ms", SinkOption::BatchMilliseconds, MILLISECONDS_MAX),
    ("retry_ms", SinkOption::RetryMilliseconds, MILLISECONDS_MAX),
    ("retry_max_ms", SinkOption::RetryMaxMilliseconds, MILLISECONDS_MAX),
];

/// Of a name: addresses that it is given.
const ADDRESSES_MAX: usize = 64;

pub(super) fn to_process(left: &str) -> Result<Redirection, RedirectionError> {
    let what = read_what(left)?;
    let (target, loss) = (Target::Process, LossPolicy::default());
    match target.unfit(&what) {
        Some(why) => Err(RedirectionError::Unfit(left.to_owned(), "a process".to_owned(), why)),
        None => Ok(Redirection { what, target, options: Vec::new(), loss }),
    }
}

fn read_what(left: &str) -> Result<What, RedirectionError> {
    if left.len() > REDIRECTION_BYTES_MAX {
        return Err(RedirectionError::TooLong);
    }
    what(left).ok_or_else(|| match left.split_once(':') {
        Some(("bind", _)) => RedirectionError::Never(
            left.to_owned(),
            "where a program listens is for its rights to say (bind:RULE); a listener that another \
             process has can be sent to it in a message",
        ),
        Some(("unix", _)) => RedirectionError::Never(
            left.to_owned(),
            "unix sockets lie in the directories that a program is given: give it another one, or \
             none of the right `unix`",
        ),
        _ => RedirectionError::What(left.to_owned()),
    })
}

pub(super) fn parse(left: &str, right: &str) -> Result<Redirection, RedirectionError> {
    if left.len().saturating_add(right.len()) >= REDIRECTION_BYTES_MAX {
        return Err(RedirectionError::TooLong);
    }
    let what = read_what(left)?;
    let mut right = right;
    let mut loss = LossPolicy::default();
    let mut options = Vec::new();
    // From the end, so that a text may hold commas that begin no option.
    while let Some((rest, last)) = right.rsplit_once(',') {
        let Some((name, value)) = last.split_once('=') else { break };
        if name == "loss" {
            loss = policy(value).ok_or_else(|| {
                let known = "it is block, drop-newest or drop-oldest";
                RedirectionError::Value(last.to_owned(), known)
            })?;
        } else if let Some((_, option, max)) = OPTIONS.iter().find(|(known, ..)| *known == name) {
            let number = value.parse().ok().filter(|number| (1..=*max).contains(number));
            let number = number.ok_or_else(|| {
                let known = "it is a number from 1 to the largest that docs/redirection.md tells";
                RedirectionError::Value(last.to_owned(), known)
            })?;
            options.push((*option, number));
        } else {
            break;
        }
        right = rest;
    }
    let target =
        target(right).map_err(|known| RedirectionError::Target(right.to_owned(), known))?;
    let unfit = if !target.is_sink() && (!options.is_empty() || loss != LossPolicy::Block) {
        Some("only tcp:, tls:, syslog:, elasticsearch: and http: have options")
    } else {
        target.unfit(&what)
    };
    match unfit {
        Some(why) => Err(RedirectionError::Unfit(left.to_owned(), right.to_owned(), why)),
        None => Ok(Redirection { what, target, options, loss }),
    }
}

fn what(text: &str) -> Option<What> {
    Some(match text {
        "stdin" => What::Stdin,
        "stdout" => What::Stdout,
        "stderr" => What::Stderr,
        "clock" => What::Clock,
        "random" => What::Random,
        text => match text.split_once(':')? {
            ("env", name) if !name.is_empty() && !name.contains('\0') => {
                What::Variable(name.to_owned())
            }
            ("file", pattern) => What::Files(PathPattern::new(pattern)?),
            ("dir", name) if !name.is_empty() && !name.contains('\0') => {
                What::Directory(name.to_owned())
            }
            ("connect", rule) => What::Connect(rule.parse().ok()?),
            ("host", "*") => What::Host(None),
            ("host", name) if is_host(name) => What::Host(Some(name.to_ascii_lowercase())),
            _ => return None,
        },
    })
}

fn policy(text: &str) -> Option<LossPolicy> {
    Some(match text {
        "block" => LossPolicy::Block,
        "drop-newest" => LossPolicy::DropNewest,
        "drop-oldest" => LossPolicy::DropOldest,
        _ => return None,
    })
}

fn target(text: &str) -> Result<Target, &'static str> {
    const KNOWN: &str = "there are null, file:, text:, fixed:, step:, script:, seed:, tcp:, \
                         tls:, syslog:tcp:, syslog:tls:, syslog:udp:, elasticsearch:, http://, \
                         https://, address:, addresses: and own";
    const TIME: &str = "a time is a number of nanoseconds since 1970, or like 2026-01-31T12:00:00Z";
    if text == "null" {
        return Ok(Target::Null);
    }
    if text == "own" {
        return Ok(Target::Own);
    }
    let (kind, rest) = text.split_once(':').ok_or(KNOWN)?;
    match kind {
        "file" if rest.is_empty() || rest.contains('\0') => Err("it needs the path of a file"),
        "file" => Ok(Target::File(rest.to_owned())),
        "text" if rest.contains('\0') => Err("a text holds no NUL"),
        "text" => Ok(Target::Text(rest.to_owned())),
        "fixed" => Ok(Target::FixedTime(time(rest).ok_or(TIME)?)),
        "step" => {
            let (start, step) = rest.rsplit_once('/').ok_or("write step:TIME/NANOSECONDS")?;
            let step = step.parse().map_err(|_| "write step:TIME/NANOSECONDS")?;
            Ok(Target::SteppedTime(time(start).ok_or(TIME)?, step))
        }
        "script" => {
            let times: Option<Vec<u64>> = rest.split('/').map(time).collect();
            let times = times.ok_or(TIME)?;
            if times.len() > SCRIPT_MAX {
                return Err("a script has at most 256 times");
            }
            Ok(Target::ScriptedTime(times))
        }
        "seed" => rest.parse().map(Target::Seed).map_err(|_| "a seed is a number below 2^64"),
        "tcp" => Ok(Target::Tcp(address(rest)?)),
        "tls" => Ok(Target::Tls(address(rest)?)),
        "syslog" => match rest.split_once(':') {
            Some(("tcp", rest)) => Ok(Target::SyslogTcp(address(rest)?)),
            Some(("tls", rest)) => Ok(Target::SyslogTls(address(rest)?)),
            Some(("udp", rest)) => Ok(Target::SyslogUdp(address(rest)?)),
            _ => Err("write syslog:tcp:HOST:PORT, syslog:tls:HOST:PORT or syslog:udp:HOST:PORT"),
        },
        "elasticsearch" => elasticsearch(rest),
        "http" => http(rest, false),
        "https" => http(rest, true),
        "address" => other_address(rest),
        "addresses" => addresses(rest),
        _ => Err(KNOWN),
    }
}

fn address(text: &str) -> Result<String, &'static str> {
    has_port(text).then(|| text.to_owned()).ok_or("it needs HOST:PORT, such as 127.0.0.1:514")
}

fn elasticsearch(text: &str) -> Result<Target, &'static str> {
    const FORM: &str =
        "write elasticsearch:HOST:PORT/INDEX, or elasticsearch:https://HOST:PORT/INDEX";
    let (tls, rest) = match text.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (host, index) = rest.split_once('/').ok_or(FORM)?;
    if !is_index(index) {
        return Err("an index is of lower-case letters, digits, `.`, `-` and `_`, and begins \
                    with a letter or digit");
    }
    Ok(Target::Elasticsearch { address: address(host)?, index: index.to_owned(), tls })
}

fn http(text: &str, tls: bool) -> Result<Target, &'static str> {
    let rest = text.strip_prefix("//").ok_or("write http://HOST:PORT/PATH")?;
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let known = |byte: u8| byte.is_ascii_graphic() && !br#""<>\^`{|}#"#.contains(&byte);
    if !path.bytes().all(known) {
        return Err("a path is of the characters that URLs have, without a fragment");
    }
    let port = if tls { "443" } else { "80" };
    let host = if has_port(host) { host.to_owned() } else { format!("{host}:{port}") };
    Ok(Target::Http { address: address(&host)?, path: path.to_owned(), tls })
}

fn other_address(text: &str) -> Result<Target, &'static str> {
    let known = text.parse().map(|ip| Target::Address(ip, None));
    let with_port = |known: SocketAddr| Target::Address(known.ip(), Some(known.port()));
    known
        .or_else(|_| text.parse().map(with_port))
        .map_err(|_| "write address:IP or address:IP:PORT, such as 127.0.0.1:8080")
}

fn addresses(text: &str) -> Result<Target, &'static str> {
    let addresses: Result<Vec<IpAddr>, _> = text.split('/').map(str::parse).collect();
    match addresses {
        Ok(addresses) if addresses.len() <= ADDRESSES_MAX => Ok(Target::Addresses(addresses)),
        Ok(_) | Err(_) => Err("write addresses:IP/IP/…, at most 64 of them"),
    }
}

fn is_host(text: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !text.is_empty() && text.len() <= 253 && text.chars().all(known)
}

fn has_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let known = |c: char| c.is_ascii_alphanumeric() || "._-[]:".contains(c);
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let plain = !host.contains([':', '[', ']']);
    !host.is_empty()
        && host.chars().all(known)
        && (plain || bracketed)
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_index(text: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    text.len() <= 255
        && text.chars().all(known)
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// Nanoseconds since 1970: a number, or a date and time in UTC.
fn time(text: &str) -> Option<u64> {
    if let Ok(nanoseconds) = text.parse() {
        return Some(nanoseconds);
    }
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let parts = |text: &str, mark| -> Option<[u64; 3]> {
        let parts: Vec<u64> = text
            .split(mark)
            .map(|part| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?)
            .collect::<Option<_>>()?;
        parts.try_into().ok()
    };
    let ([year, month, day], [hour, minute, second]) = (parts(date, '-')?, parts(clock, ':')?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u64::from(leap),
        _ => 31,
    };
    let in_range = (1970..2554).contains(&year)
        && (1..=12).contains(&month)
        && (1..=length).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range {
        return None;
    }
    // Counted in years that begin in March, so that a leap day is the last of its year.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    ((days * 24 + hour) * 60 + minute)
        .checked_mul(60)?
        .checked_add(second)?
        .checked_mul(1_000_000_000)
}
