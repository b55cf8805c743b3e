"""The TypeScript kit in a real browser: a page of another origin loads the built module and works with a real server."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from functools import partial
from pathlib import Path

from playwright.sync_api import sync_playwright

from server import Server, say

sys.path.append(str(Path(__file__).resolve().parents[1]))
from demo import chromium  # noqa: E402

SCRIPT = """async ([site, key]) => {
    const { Client, NotFound, PreconditionFailed, Unauthorized, info } = await import("/index.js");
    const client = new Client(site, { key });
    const said = {};
    said.me = (await client.call("users_me_retrieve")).username;
    const body = { username: "زهرا", first_name: "Zahra" };
    const made = await client.call("users_create", { body });
    const path = { id: made.id };
    const read = await client.call("users_retrieve", { path });
    said.username = read.username;
    const first = info(read).etag;
    await client.call("users_update", { path, body: { last_name: "Karimi" }, ifMatch: first });
    const refusal = async work => { try { await work(); } catch (error) { return error; } };
    const late = await refusal(() => client.call("users_update", { path, body: { last_name: "x" }, ifMatch: first }));
    said.late = late instanceof PreconditionFailed;
    const none = await refusal(() => client.call("users_retrieve", { path: { id: 4000 } }));
    said.none = none instanceof NotFound && none.requestId !== undefined;
    const wrong = new Client(site, { key: "wrd_wrong" });
    said.wrong = await refusal(() => wrong.call("users_me_retrieve")) instanceof Unauthorized;
    said.names = [];
    for await (const user of client.iterate("users_list", { query: { ordering: "username", limit: 1 } })) said.names.push(user.username);
    said.actions = [];
    for await (const event of client.exportAudit({ query: { action: "user.create" } })) said.actions.push(event.action);
    const canvas = new OffscreenCanvas(64, 64);
    canvas.getContext("2d").fillRect(0, 0, 64, 64);
    const content = await canvas.convertToBlob({ type: "image/png" });
    const shown = await client.call("users_update", { path, body: {}, avatar: { name: "a.png", content } });
    const picture = await createImageBitmap(await (await fetch(shown.avatar)).blob());
    said.picture = [picture.width, picture.height];
    said.shows = [String(client), JSON.stringify(client), String(wrong), String(late)].some(text => text.includes(key));
    return said;
}"""
EXPECTED = {
    "me": "root",
    "username": "زهرا",
    "late": True,
    "none": True,
    "wrong": True,
    "names": ["root", "زهرا"],
    "actions": ["user.create", "user.create"],
    "picture": [64, 64],
    "shows": False,
}


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def judge_the_browser(wardroom: Path, module: Path, place: Path) -> None:
    pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(module)))
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{pages.server_address[1]}"
    with Server(wardroom, place / "browser", settings=["--cors-allowed-origins", origin]) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        page = browser.new_page()
        page.goto(f"{origin}/index.js")
        said = page.evaluate(SCRIPT, [server.url, server.key])
        browser.close()
    pages.shutdown()
    if said != EXPECTED:
        raise SystemExit(f"the kit in a browser: {json.dumps(said, ensure_ascii=False)}")
    say("the TypeScript kit works in Chromium")
