// Writes src/operations.ts, the table of operations, from openapi.json: node clients/typescript/generate.mjs [FOLDER]
// The types in src/api.ts are written by openapi-typescript; clients/generate runs both.
import { readFileSync, writeFileSync } from "node:fs";

const document = JSON.parse(readFileSync(new URL("../../openapi.json", import.meta.url), "utf8"));
const folder = process.argv[2] ?? new URL("./src", import.meta.url).pathname;
const lines = [];
for (const [path, methods] of Object.entries(document.paths)) {
  for (const [method, described] of Object.entries(methods)) {
    if (!described.operationId) continue;
    const parameters = [...(methods.parameters ?? []), ...(described.parameters ?? [])];
    const pager = ["cursor", "before"].find((name) => parameters.some((one) => one.in === "query" && one.name === name));
    const success = Object.entries(described.responses).find(([code, one]) => code.startsWith("2") && one.content);
    const kind = success ? Object.keys(success[1].content)[0] : "";
    const form = described.requestBody?.content?.["application/x-www-form-urlencoded"] && !described.requestBody.content["application/json"];
    const facts = [JSON.stringify(method.toUpperCase()), JSON.stringify(path), JSON.stringify(kind), JSON.stringify(pager ?? ""), String(Boolean(form))];
    lines.push(`  ${described.operationId}: [${facts.join(", ")}],`);
  }
}
writeFileSync(
  `${folder}/operations.ts`,
  [
    "// Generated from openapi.json by generate.mjs: do not edit.",
    "",
    "/** Method, path, type of the response, parameter of pages, and whether the body is a form. */",
    "export const table = {",
    ...lines,
    "} as const satisfies Record<string, readonly [string, string, string, string, boolean]>;",
    "",
  ].join("\n"),
);
