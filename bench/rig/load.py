"""The load: wrk on a core of its own, and what an answer costs the servers."""

import json
import re
import socket
import subprocess
import urllib.error
import urllib.request

from rig.machine import LOAD, PLACE, fail
from rig.people import key_of

# Requests are prepared in advance, so that the load generator is not what is measured. Each thread uses one
# server. `next` starts at another token in each run, so that all tokens are used, however short the runs are.
SCRIPT = """
local threads = {}
setup = function(thread)
  table.insert(threads, thread)
  thread:set("number", #threads)
end
init = function(args)
  local from, count = tonumber(args[1]), tonumber(args[2])
  local ports = {}
  for index = 3, #args do table.insert(ports, args[index]) end
  wrk.thread.addr = wrk.lookup("127.0.0.1", ports[(number - 1) % #ports + 1])[1]
  requests, at = {}, from
  local index = 0
  for line in io.lines("KEYS") do
    index = index + 1
    if index > count then break end
    requests[index] = wrk.format("GET", nil, { Authorization = "Token " .. line })
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
"""


def prepare(tokens):
    PLACE.mkdir(parents=True, exist_ok=True)
    keys = PLACE / f"keys-{tokens}"
    keys.write_text("".join(f"{key_of(number)}\n" for number in range(1, tokens + 1)))
    script = PLACE / "load.lua"
    script.write_text(SCRIPT.replace("KEYS", str(keys)))
    return script


def get(port, path, key):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Token {key}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def status(port, path, key):
    """The status of a response that is an error."""
    try:
        get(port, path, key)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


def touch(port, numbers, connections=32, pipelined=8):
    """Sends one request for each of these users, over some connections at a time, and checks that all are answered."""
    numbers = list(numbers)
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
    for start in range(0, len(numbers), connections * pipelined):
        asked = []
        for index, connection in enumerate(sockets):
            some = numbers[start + index * pipelined:][:pipelined] if start + index * pipelined < len(numbers) else []
            connection.sendall(b"".join(f"GET /api/users/me HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Token {key_of(number)}\r\n\r\n".encode() for number in some))
            asked.append(len(some))
        for connection, count in zip(sockets, asked):
            said = b""
            while count and (said.count(b"HTTP/1.1 ") < count or not said.endswith(b"}")):
                more = connection.recv(1 << 20)
                said += more
                if not more:
                    fail(f"the server on port {port} closed the connection: {said[-300:]}")
            if bad := re.search(rb"HTTP/1.1 [^2].{0,500}", said, re.S):
                fail(f"not every token is good: {bad.group()}")
    for connection in sockets:
        connection.close()


def run(contestant, script, connections, seconds, tokens, start=0):
    """Runs wrk once; returns the cost of a request, in microseconds of user and system time."""
    threads = len(contestant.ports)
    before = contestant.cpu()
    command = ["taskset", "-c", LOAD, "wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script,
               f"http://127.0.0.1:{contestant.ports[0]}/api/users/me", "--", start, tokens, *contestant.ports]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    after = contestant.cpu()
    if done.returncode:
        fail(f"wrk failed: {done.stdout}{done.stderr}")
    if "Non-2xx" in done.stdout or re.search(r"Socket errors: connect \d+, read [1-9]", done.stdout):
        fail(f"failed requests:\n{done.stdout}")
    requests = int(re.search(r"(\d+) requests in", done.stdout).group(1))
    user, system = (1e6 * (late - early) / requests for early, late in zip(before, after))
    return {"requests": requests, "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1)), "p50": percentile(done.stdout, 50),
            "p99": percentile(done.stdout, 99), "user": user, "system": system, "memory": contestant.memory() / 2**20}


def percentile(text, which):
    value, unit = re.search(rf"{which}%\s+([\d.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]
