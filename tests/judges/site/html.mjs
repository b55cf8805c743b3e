// The validators on every page that a front has seen, and Lighthouse on the main ones.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";

import { HtmlValidate, lighthouse, program, run, VNU } from "./tools.mjs";

const RULES = {
  extends: ["html-validate:recommended"],
  rules: {
    // Check boxes and hidden fields of one question share a name.
    "form-dup-name": ["error", { allowCheckboxDefault: true, shared: ["radio", "checkbox", "submit", "button"] }],
    // Long lines of generated pages are nobody's to read.
    "no-trailing-whitespace": "off",
  },
};

// What a rule says about a line where it does not fit.
const EXCEPTIONS = [
  // A list of values that a form carries along is a list of hidden fields.
  ["form-dup-name", /^<input type="hidden"|<input type="hidden" name="id"/],
  // The key of somebody's token is no password of the person who looks for its owner.
  ["autocomplete-password", /<input id="f-key" name="key" type="password"/],
];
const isException = ({ ruleId }, line) => EXCEPTIONS.some(([rule, shape]) => rule === ruleId && shape.test(line));

/** Writes all pages into a folder, and lets both validators read them. */
export async function validate(record, folder, faults) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const validator = new HtmlValidate({ root: true, ...RULES });
  const names = new Map();
  for (const [kind, pages] of record.pages) {
    for (const [at, html] of pages.entries()) {
      const file = `${folder}/${kind.replace(/[^\w]+/g, "-").replace(/^-/, "")}-${at}.html`;
      names.set(file, kind);
      writeFileSync(file, html);
      const report = await validator.validateString(html, file);
      for (const one of report.results.flatMap(({ messages }) => messages)) {
        const line = html.split("\n")[one.line - 1]?.trim() ?? "";
        if (!isException(one, line)) faults.add(`html-validate ${kind}`, `${one.ruleId}: ${one.message} (line ${one.line}: ${line.slice(0, 160)})`);
      }
    }
  }
  faults.check(names.size > 50, "validators", `only ${names.size} pages were seen`);
  nu(folder, names, faults);
  return names.size;
}

function nu(folder, names, faults) {
  let said;
  try {
    run(program("java"), ["-Xss4m", "-jar", VNU, "--format", "json", "--stdout", folder]);
    return;
  } catch (error) {
    if (error.status === null || !error.stdout) throw error;
    said = JSON.parse(error.stdout);
  }
  for (const one of said.messages) {
    const kind = names.get(decodeURI(new URL(one.url).pathname)) ?? one.url;
    faults.add(`vnu ${kind}`, `${one.type}: ${one.message} (${(one.extract ?? "").replaceAll("\n", " ").slice(0, 160)})`);
  }
}

/** Accessibility and best practices have to be perfect. */
export async function lighthouseOf(origin, cookie, port, pages, faults) {
  const flags = { port, output: "json", logLevel: "error", onlyCategories: ["accessibility", "best-practices"], extraHeaders: { Cookie: cookie }, disableStorageReset: true, throttlingMethod: "provided" };
  for (const path of pages) {
    const { lhr } = await lighthouse(origin + path, flags);
    faults.check(!lhr.runtimeError, `lighthouse ${path}`, lhr.runtimeError?.message);
    faults.check(new URL(lhr.finalDisplayedUrl).pathname === path, `lighthouse ${path}`, `it was led to ${lhr.finalDisplayedUrl}`);
    for (const { id, score, auditRefs } of Object.values(lhr.categories)) {
      const failed = auditRefs.filter((one) => one.weight > 0 && lhr.audits[one.id].score !== null && lhr.audits[one.id].score < 1).map((one) => `${one.id}: ${JSON.stringify(lhr.audits[one.id].details?.items?.slice(0, 2))?.slice(0, 300)}`);
      faults.check(score === 1, `lighthouse ${path}`, `${id} is ${score && Math.round(score * 100)}: ${failed.join("; ")}`);
    }
  }
}
