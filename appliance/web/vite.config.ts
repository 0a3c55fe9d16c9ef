// One page, hashed assets, nothing inline: the box serves it under a strict Content-Security-Policy.
// `npm run dev` proxies the API to any live box: PROXY_TARGET=http://127.0.0.1:PORT npm run dev
import { defineConfig } from "vitest/config";

const box = process.env.PROXY_TARGET;

export default defineConfig({
  build: {
    target: "es2022",
    sourcemap: false,
    // A data: URI would need its own exception in the policy.
    assetsInlineLimit: 0,
    // Every browser the application supports (import.meta, ES2022) preloads modules by itself.
    modulePreload: { polyfill: false },
  },
  server: { proxy: box === undefined ? {} : { "/api": { target: box } } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
