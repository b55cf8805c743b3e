// A private Wardroom on SQLite or PostgreSQL, and the front through which browsers see it.
import { spawn } from "node:child_process";
import { createServer, request } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";

import { PLANTS } from "./plants.mjs";
import { program, run } from "./tools.mjs";

export const PASSWORD = "seven brass seats at a round table";
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("WARDROOM_")));
let databases = 0;
// Nothing outlives a run that ends early.
const running = new Set();
process.on("exit", () => {
  for (const one of running) {
    one.process?.kill("SIGKILL");
    rmSync(one.folder, { recursive: true, force: true });
  }
});

export class Wardroom {
  /** `kind` is `sqlite` or `postgres`. Without an admin it is a new installation. */
  static async start(binary, kind, { admin = "root", settings = [] } = {}) {
    const one = new Wardroom(binary, kind);
    await one.begin({ admin, settings });
    return one;
  }

  async begin({ admin = "root", settings = [] } = {}) {
    this.command(["init"]);
    if (admin) {
      this.command(["user", "add", admin, "--admin", "--first-name", "Ruth", "--last-name", "Okafor", "--password-stdin"], `${PASSWORD}\n`);
      this.key = this.command(["token", "issue", admin, "--name", "Seeds"]).trim().split(/\s+/).at(-1);
    }
    await this.serve(settings, !admin);
  }

  constructor(binary, kind) {
    this.binary = binary;
    this.kind = kind;
    this.folder = mkdtempSync(`${tmpdir()}/wardroom-site-`);
    this.where = ["--data-dir", this.folder];
    running.add(this);
    if (kind === "postgres") {
      const server = process.env.WARDROOM_TEST_POSTGRES;
      if (!server) throw new Error("missing: WARDROOM_TEST_POSTGRES, the URL of a PostgreSQL server");
      this.database = `site_judge_${process.pid}_${(databases += 1)}`;
      this.server = server;
      this.sql(`CREATE DATABASE ${this.database} TEMPLATE template0 ENCODING 'UTF8'`, server);
      const url = new URL(server);
      url.pathname = `/${this.database}`;
      this.url = url.href;
      this.where.push("--database-url", this.url);
    }
  }

  sql(statement, url = this.url) {
    return run(program("psql"), ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]);
  }

  command(given, input = "") {
    for (;;) {
      try {
        return run(this.binary, [...given, ...this.where], { input, env: environment });
      } catch (error) {
        // A busy machine: nothing was done, so the same command is given again.
        if (!/did not answer in time/.test(error.stderr)) throw error;
      }
    }
  }

  serve(settings, isNew = false) {
    const given = ["serve", ...this.where, "--listen", "127.0.0.1:0", "--log-format", "json", ...settings];
    this.process = spawn(this.binary, given, { env: environment, stdio: ["ignore", "ignore", "pipe"] });
    this.said = [];
    return new Promise((resolve, reject) => {
      this.process.on("exit", (code) => reject(new Error(`the server ended with ${code}: ${this.said.join("\n")}`)));
      createInterface({ input: this.process.stderr }).on("line", (line) => {
        this.said.push(line);
        const said = JSON.parse(line);
        if (said.link) this.link = said.link;
        if (said.message === "listening") this.port = Number(said.address.split(":").at(-1));
        if (this.port && (this.link || !isNew)) resolve();
      });
    });
  }

  /** Every proof of who somebody is becomes an hour old. */
  ageProofs() {
    const statement = "UPDATE tokens SET created_at = created_at - 3600000000 WHERE kind = 'browser'";
    if (this.database) return this.sql(statement);
    return run(program("python3"), ["-c", "import sqlite3, sys; base = sqlite3.connect(sys.argv[1], timeout=600); base.execute(sys.argv[2]); base.commit()", `${this.folder}/wardroom.db`, statement]);
  }

  /** A request to the API, as the admin. */
  async api(method, path, body, key = this.key) {
    const headers = { ...(key && { Authorization: `Token ${key}` }), ...(body && { "Content-Type": "application/json" }) };
    const ask = () => fetch(`http://127.0.0.1:${this.port}${path}`, { method, headers, body: body && JSON.stringify(body) });
    let answer = await ask();
    // A busy machine answers 503 or 429 now and then; what is asked is the same, when the server says.
    for (let many = 0; (answer.status === 503 || (answer.status === 429 && key !== null)) && many < 100; many += 1) {
      const seconds = Number(answer.headers.get("retry-after") ?? 0);
      await new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });
      await answer.text();
      answer = await ask();
    }
    const text = await answer.text();
    if (!answer.ok && key !== null) throw new Error(`${method} ${path} ${JSON.stringify(body)}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  async stop() {
    this.process.removeAllListeners("exit");
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGKILL");
    await ended;
    if (this.database) this.sql(`DROP DATABASE ${this.database} WITH (FORCE)`, this.server);
    rmSync(this.folder, { recursive: true, force: true });
    running.delete(this);
  }
}

/** A certificate for the names of the tests, made once a run. */
let certificate;
export function madeCertificate() {
  if (!certificate) {
    const folder = mkdtempSync(`${tmpdir()}/wardroom-cert-`);
    mkdirSync(folder, { recursive: true });
    run(program("openssl"), ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
      "-subj", "/CN=wardroom.test", "-addext", "subjectAltName=DNS:wardroom.test,DNS:foreign.test,DNS:localhost",
      "-keyout", `${folder}/key.pem`, "-out", `${folder}/cert.pem`]);
    certificate = { key: readFileSync(`${folder}/key.pem`), cert: readFileSync(`${folder}/cert.pem`) };
    rmSync(folder, { recursive: true });
  }
  return certificate;
}

/** The fault that is planted, if one is. */
const plant = PLANTS[process.env.SITE_PLANT] ?? {};

function planted(asked, answer, body) {
  const { "content-length": _, ...headers } = answer.headers;
  const type = headers["content-type"] ?? "";
  return {
    status: plant.status?.({ path: asked.url }) ?? answer.statusCode,
    headers: plant.headers ? plant.headers(headers) : headers,
    body: plant.body ? Buffer.from(plant.body(body.toString(), { type })) : body,
  };
}

/** Stands between browsers and a Wardroom, forwards everything as it is, and shows each exchange to `seen`. */
export class Front {
  static async start(wardroom, { host = "localhost", tls = false, seen = () => {} } = {}) {
    const front = new Front();
    const answer = (asked, answering) => front.forward(wardroom, asked, answering, tls, seen);
    front.server = tls ? createSecureServer(madeCertificate(), answer) : createServer(answer);
    await new Promise((resolve) => front.server.listen(0, "127.0.0.1", resolve));
    front.port = front.server.address().port;
    front.origin = `${tls ? "https" : "http"}://${host}:${front.port}`;
    return front;
  }

  forward(wardroom, asked, answering, tls, seen) {
    const { "accept-encoding": _, ...kept } = asked.headers;
    const headers = { ...(asked.method === "POST" && plant.asked ? plant.asked(kept) : kept), ...(tls && { "x-forwarded-proto": "https" }) };
    const sent = [];
    const on = request({ host: "127.0.0.1", port: wardroom.port, method: asked.method, path: asked.url, headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => {
        const shown = planted(asked, answer, Buffer.concat(parts));
        try {
          seen({ method: asked.method, path: asked.url, asked: asked.headers, form: Buffer.concat(sent).toString(), ...shown });
        } finally {
          answering.writeHead(shown.status, shown.headers);
          answering.end(shown.body);
        }
      });
    });
    on.on("error", () => answering.destroy());
    asked.on("data", (part) => sent.push(part));
    asked.pipe(on);
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}
