"use strict";

// The key is kept for this tab only: it survives a reload, and is gone when the tab is closed.
const KEPT = "wardroom.authorization";

const kept = {
  read() {
    try {
      return sessionStorage.getItem(KEPT);
    } catch {
      return null;
    }
  },
  write(value) {
    try {
      if (value) sessionStorage.setItem(KEPT, value);
      else sessionStorage.removeItem(KEPT);
    } catch {
      // A browser that stores nothing still works until the reload.
    }
  },
};

// Accepts what people paste: the bare key, `Token <key>`, or the whole header.
function asHeader(typed) {
  const value = typed.trim().replace(/^authorization\s*:\s*/i, "").replace(/^(["'])(.*)\1$/, "$2").trim();
  return value === "" || /\s/.test(value) ? value : `Token ${value}`;
}

const rememberKey = () => ({
  statePlugins: {
    auth: {
      wrapActions: {
        authorize: (authorize) => (entries) => {
          const read = Object.entries(entries).map(([name, entry]) => [
            name,
            typeof entry.value === "string" ? { ...entry, value: asHeader(entry.value) } : entry,
          ]);
          kept.write(read.map(([, entry]) => entry.value).find((value) => value));
          return authorize(Object.fromEntries(read));
        },
        logout: (logout) => (names) => {
          kept.write(null);
          return logout(names);
        },
      },
    },
  },
});

// The page asks for one key. Other schemes for the same key are for the programs of other people.
const isToken = (schemes) => Object.keys(schemes).every((name) => name === "token");
const onlyToken = () => ({
  statePlugins: {
    spec: {
      wrapActions: {
        updateJsonSpec: (update) => (given) => {
          const shown = structuredClone(given);
          const all = shown.components?.securitySchemes;
          if (all) shown.components.securitySchemes = { token: all.token };
          for (const path of Object.values(shown.paths ?? {})) {
            for (const operation of Object.values(path)) {
              if (operation.security) operation.security = operation.security.filter(isToken);
            }
          }
          return update(shown);
        },
      },
    },
  },
});

const dark = matchMedia("(prefers-color-scheme: dark)");
const followSystem = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followSystem);
followSystem();

const ui = SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  plugins: [rememberKey, onlyToken],
  onComplete() {
    const value = kept.read();
    if (value) ui.preauthorizeApiKey("token", value);
  },
});
