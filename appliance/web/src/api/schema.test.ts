import { readFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";
import { expect, it } from "vitest";

it("schema.d.ts is what the box's OpenAPI document says (else: npm run types)", async () => {
  const web = new URL("../../", import.meta.url);
  const generated = astToString(await openapiTS(new URL("openapi.json", web)));
  const committed = await readFile(new URL("src/api/schema.d.ts", web), "utf8");
  // The command line adds a banner above the first declaration.
  expect(committed.slice(committed.indexOf("export interface paths")).trim()).toBe(generated.trim());
});
