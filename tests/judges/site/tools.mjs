// The programs of other people that judge the site, from target/judges/node, and small things that all judges use.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

if (Number(process.versions.node.split(".")[0]) < 20) throw new Error(`missing: Node 20 or newer; this is ${process.version}`);

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const require = createRequire(`${ROOT}target/judges/node/package.json`);

export const { chromium } = require("playwright-core");
export const AXE = require("axe-core").source;
export const { HtmlValidate } = require("html-validate");
export const VNU = require("vnu-jar");
export const lighthouse = async (...given) => {
  const module = await import(pathToFileURL(require.resolve("lighthouse")));
  return module.default(...given);
};

/** The path of a program of the system. */
export function program(...names) {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? "").split(":")) {
      if (existsSync(`${folder}/${name}`)) return `${folder}/${name}`;
    }
  }
  throw new Error(`missing: ${names.join(" or ")}`);
}

export function run(command, given, options = {}) {
  return execFileSync(command, given, { encoding: "utf8", stdio: ["pipe", "pipe", "pipe"], maxBuffer: 64 << 20, ...options });
}

/** What is wrong. A judge goes on after a fault, so that one run shows all of them. */
export class Faults {
  constructor() {
    this.found = [];
  }

  add(where, what) {
    const text = `${where}: ${what}`;
    if (this.found.includes(text)) return;
    this.found.push(text);
    console.error(`FAULT ${text}`);
    if (this.wanted?.test(text)) {
      console.log("the planted fault was found");
      process.exit(0);
    }
  }

  check(is, where, what) {
    if (!is) this.add(where, what);
    return is;
  }
}
