import { describe, expect, it } from "vitest";
import { VOLUME_BINDINGS, volumeActOf } from "./keys";

describe("keys of the 3-D view", () => {
  it("are bound once each", () => {
    const keys = VOLUME_BINDINGS.map((binding) => binding.key);
    expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
  });

  it("reach their act through a real key press, every one of them", () => {
    for (const { key, act } of VOLUME_BINDINGS) {
      const parts = key.length > 1 ? key.split("+") : [key];
      const press = { key: parts.at(-1) ?? "", shiftKey: parts[0] === "Shift", ctrlKey: parts[0] === "Control", altKey: false, metaKey: false };
      expect(volumeActOf(press), key).toBe(act);
    }
  });

  it("leave the browser's and the viewer's own keys alone", () => {
    const press = { shiftKey: false, ctrlKey: false, altKey: false, metaKey: false };
    expect(volumeActOf({ ...press, key: "r", ctrlKey: true })).toBeNull();
    expect(volumeActOf({ ...press, key: "?" })).toBeNull();
    expect(volumeActOf({ ...press, key: "Escape" })).toBeNull();
    expect(volumeActOf({ ...press, key: "j" })).toBeNull();
  });
});
