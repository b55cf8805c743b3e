//! Argon2: the encoding of our own hashes, and of those from Django or another library.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use subtle::ConstantTimeEq;

use super::limits::{self, HashCost};
use crate::directory::error::Error;

/// 64 MiB and two passes. The memory is the second recommendation of RFC 9106 (section 4), the passes are one fewer, and
/// there is one lane, because one thread computes a hash. A hash takes 60 to 80 ms on a core of a 2020s server (AMD EPYC,
/// release build, a reused buffer): twice as long as one pass, and two thirds of PBKDF2 with Django 5.2's million
/// iterations, which is far cheaper to attack with graphics cards. Sign-ins can use 64 MiB times the number of cores.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;

/// A stored Argon2 hash. Its cost is within [`limits`].
pub(super) struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Argon2Hash {
    /// Hashes a new password.
    pub(super) fn make(
        password: &[u8],
        salt: [u8; SALT_BYTES],
        memory: &mut HashMemory,
    ) -> Result<Self, Error> {
        let mut hash = Self::ours(salt)?;
        hash.output = hash.derive(password, memory)?;
        Ok(hash)
    }

    /// Creates a hash with our parameters that matches no password.
    pub(super) fn decoy() -> Result<Self, Error> {
        Self::ours([0; SALT_BYTES])
    }

    /// Replaces the salt and the output with zeros, so that nothing of the password is left.
    pub(super) fn blank(self) -> Self {
        Self { salt: vec![0; SALT_BYTES], output: vec![0; self.output.len()], ..self }
    }

    /// Returns everything that the time of a comparison depends on, as it is written at the beginning of a hash.
    pub(super) fn parameters(&self) -> String {
        let (m, t, p) = (self.params.m_cost(), self.params.t_cost(), self.params.p_cost());
        format!("{}$v={}$m={m},t={t},p={p}", self.algorithm, u32::from(self.version))
    }

    fn ours(salt: [u8; SALT_BYTES]) -> Result<Self, Error> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT_BYTES)).map_err(broken)?;
        let output = vec![0; OUTPUT_BYTES];
        Ok(Self {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            params,
            salt: salt.into(),
            output,
        })
    }

    /// Parses what follows `argon2$`: `argon2id$v=19$m=65536,t=2,p=1$<salt>$<hash>`. Hashes from before version 19 may
    /// omit the version.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts: Vec<&str> = text.split('$').collect();
        if parts.len() == 4 {
            parts.insert(1, "v=16");
        }
        let [algorithm, version, costs, salt, output] = parts.try_into().ok()?;
        let version: u32 = version.strip_prefix("v=")?.parse().ok()?;
        let output = BASE64.decode(output).ok()?;
        let hash = Self {
            algorithm: algorithm.parse().ok()?,
            version: version.try_into().ok()?,
            params: params(costs, output.len())?,
            salt: BASE64.decode(salt).ok()?,
            output,
        };
        hash.is_affordable().then_some(hash)
    }

    /// Reports whether a new hash of the password would have the same parameters.
    pub(super) fn is_current(&self) -> bool {
        let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        self.algorithm == Algorithm::Argon2id
            && self.version == Version::V0x13
            && costs(&self.params) == (MEMORY_KIB, PASSES, LANES)
            && self.salt.len() >= SALT_BYTES
            && self.output.len() == OUTPUT_BYTES
    }

    fn is_affordable(&self) -> bool {
        limits::is_affordable(self.costs())
            && limits::OUTPUT_BYTES.contains(&self.output.len())
            && limits::ARGON2_SALT_BYTES.contains(&self.salt.len())
    }

    pub(super) fn costs(&self) -> HashCost {
        let memory = u64::from(self.params.m_cost()) * 1024;
        HashCost { memory, work: memory.saturating_mul(self.params.t_cost().into()) }
    }

    pub(super) fn matches(&self, password: &[u8], memory: &mut HashMemory) -> Result<bool, Error> {
        Ok(self.derive(password, memory)?.ct_eq(&self.output).into())
    }

    fn derive(&self, password: &[u8], memory: &mut HashMemory) -> Result<Vec<u8>, Error> {
        let argon2 = Argon2::new(self.algorithm, self.version, self.params.clone());
        let mut output = vec![0; self.output.len()];
        match memory.blocks(self.params.block_count())? {
            Some(blocks) => argon2.hash_password_into_with_memory(password, &self.salt, &mut output, blocks),
            None => argon2.hash_password_into(password, &self.salt, &mut output),
        }
        .map_err(broken)?;
        Ok(output)
    }
}

impl std::fmt::Display for Argon2Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (salt, output) = (BASE64.encode(&self.salt), BASE64.encode(&self.output));
        write!(f, "argon2${}${salt}${output}", self.parameters())
    }
}

/// Parses `m=65536,t=2,p=1`, in this order and with nothing else, as all libraries that Django uses write it.
fn params(costs: &str, output_bytes: usize) -> Option<Params> {
    let (memory, rest) = costs.strip_prefix("m=")?.split_once(",t=")?;
    let (passes, lanes) = rest.split_once(",p=")?;
    let (memory, passes, lanes) = (memory.parse().ok()?, passes.parse().ok()?, lanes.parse().ok()?);
    // The crate multiplies by the number of lanes before it checks that number.
    limits::LANES.contains(&lanes).then(|| Params::new(memory, passes, lanes, Some(output_bytes)).ok())?
}

fn broken(error: argon2::Error) -> Error {
    Error::broken("hashing a password failed", error.to_string())
}

/// The memory in which one thread computes hashes. Reusing it saves a third of the time, which fresh pages would cost. Each
/// hash writes every block before it reads it.
#[derive(Default)]
pub(super) struct HashMemory(Vec<Block>);

impl HashMemory {
    /// Returns the buffer, if our own hashes need at least this many blocks: a larger buffer is not worth keeping.
    fn blocks(&mut self, count: usize) -> Result<Option<&mut [Block]>, Error> {
        let kept = usize::try_from(MEMORY_KIB).unwrap_or(usize::MAX);
        if count > kept {
            return Ok(None);
        }
        if self.0.is_empty() {
            let reserved = self.0.try_reserve_exact(kept);
            reserved.map_err(|error| Error::broken("no memory for hashing a password", error))?;
            self.0.resize(kept, Block::default());
        }
        Ok(self.0.get_mut(..count))
    }
}
