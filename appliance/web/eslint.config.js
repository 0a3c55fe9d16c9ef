import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  { ignores: ["dist/", "src/api/schema.d.ts"] },
  js.configs.recommended,
  {
    files: ["src/**/*.ts", "src/**/*.tsx", "vite.config.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      // Numbers in sentences are what a viewer is made of.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // `as number` in the per-pixel loops, where the index is proven and a branch would be paid per pixel.
      "@typescript-eslint/non-nullable-type-assertion-style": "off",
      // Event handlers may be async; what they reject with is shown by the function itself.
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
      "max-lines": ["error", 400],
      "no-console": "error",
    },
  },
);
