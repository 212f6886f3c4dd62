//! What `mix` of examples/languages must print: on standard output all of it, on standard error
//! the messages that were dropped.

use anyhow::{Context, Result, ensure};

use crate::languages_table::Language;

/// What the clients print, as the page says.
pub struct Blocks {
    pub counter: String,
    pub pool: String,
    pub pubsub: String,
}

/// The servers, and the programs that they belong to.
const SERVERS: [(&str, &str); 3] = [("counter", "counter"), ("pool", "pool"), ("broker", "pubsub")];

/// Tags and lengths of the garbage that each server gets.
const GARBAGE: [(i64, usize); 8] =
    [(-1, 3), (-1, 17), (-1, 17), (-1, 25), (-2, 0), (-2, 1), (-2, 11), (-2, 70_000)];

/// All of standard output.
pub fn expected(languages: &[&Language], blocks: &Blocks) -> Result<String> {
    let names: Vec<&str> = languages.iter().map(|language| language.name).collect();
    let mut text = String::new();
    for round in 1..=2 {
        for (server, _) in SERVERS {
            for name in &names {
                text += &format!("{server}.{name} is up\n");
            }
        }
        for server in &names {
            for (asked, client) in names.iter().enumerate() {
                text += &format!("round {round}: {client} asks counter.{server}\n");
                text += &blocks.counter;
                text += &format!("round {round}: {client} submits to pool.{server}\n");
                text += &pool_block(&blocks.pool, asked as u32 + 1)?;
            }
            for place in 0..names.len() {
                let name = |subscriber: usize| names[(place + subscriber) % names.len()];
                text += &format!("round {round}: {} publishes at broker.{server}:", name(0));
                text += &format!(" a in {} b in {} c in {}\n", name(0), name(1), name(2));
                text += &blocks.pubsub;
            }
        }
    }
    text += &killed(&names);
    text += &garbage(&names);
    Ok(text + "nobody is left\n")
}

/// The numbers of a pool grow with each client that has asked it.
fn pool_block(block: &str, times: u32) -> Result<String> {
    let (results, last) =
        block.trim_end().rsplit_once('\n').context("the block of the pool has one line")?;
    let words: Vec<&str> = last.split([' ', ',']).collect();
    let [done, "done", "", failed, "failed"] = words[..] else {
        anyhow::bail!("the pool's last line is `{last}`, and not `N done, N failed`");
    };
    let (done, failed): (u32, u32) = (done.parse()?, failed.parse()?);
    Ok(format!("{results}\n{} done, {} failed\n", done * times, failed * times))
}

fn killed(names: &[&str]) -> String {
    let mut text = String::new();
    for server in names {
        for worker in names {
            text += &format!("a worker in {worker} of a pool in {server}\n");
            text += "27: 111 steps\n97: crashed\n97: 118 steps\n871: 178 steps\n";
        }
    }
    text
}

fn garbage(names: &[&str]) -> String {
    let mut text = String::new();
    for (server, _) in SERVERS {
        for name in names {
            for (tag, bytes) in GARBAGE {
                text += &format!("{bytes} bytes of garbage for {server}.{name}, tag {tag}\n");
            }
            text += &format!("{server}.{name} goes on\n");
        }
    }
    for name in names {
        text += &format!("a subscriber in {name} goes on\n");
    }
    for name in names {
        for client in ["counter_client", "pool_client", "pubsub_publisher"] {
            text += &format!("{client} in {name} ends with an error\n");
        }
    }
    text
}

/// Holds what was dropped against what was sent: each with its length, its tag and its sender.
pub fn check_dropped(languages: &[&Language], stderr: &str) -> Result<()> {
    let line = |program: &str, tag: i64, bytes: usize| {
        format!(
            "{program}: dropped a message: a message of {bytes} bytes (tag {tag}) from <0.1> is no "
        )
    };
    let mut expected = vec![line("pool", 0, 1); languages.len() * languages.len()];
    for (_, program) in SERVERS {
        for _ in languages {
            expected.extend(GARBAGE.map(|(tag, bytes)| line(program, tag, bytes)));
        }
    }
    expected.extend(languages.iter().map(|_| line("pubsub", 0, 1)));
    let dropped: Vec<&str> =
        stderr.lines().filter(|line| line.contains("dropped a message")).collect();
    let differs = (0..expected.len().max(dropped.len())).find(|&at| {
        let (Some(expected), Some(dropped)) = (expected.get(at), dropped.get(at)) else {
            return true;
        };
        // Something must stand behind it: the type.
        !dropped.starts_with(expected) || dropped.len() == expected.len()
    });
    ensure!(
        differs.is_none(),
        "what was dropped differs from line {} on: expected `{}…`, but found `{}`",
        differs.unwrap_or_default() + 1,
        differs.and_then(|at| expected.get(at)).map_or("nothing", String::as_str),
        differs.and_then(|at| dropped.get(at)).unwrap_or(&"nothing")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::pool_block;

    #[test]
    fn the_numbers_of_a_pool_add_up() {
        let block = pool_block("1: 0 steps\n6 done, 2 failed\n", 3).unwrap();
        assert_eq!(block, "1: 0 steps\n18 done, 6 failed\n");
        assert!(pool_block("1: 0 steps\nmuch done\n", 1).is_err());
    }
}
