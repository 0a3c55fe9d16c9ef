import { describe, expect, it } from "vitest";
import { actionOf, BINDING_GROUPS, keyCaps, type KeyPress } from "./keys";

const bindings = BINDING_GROUPS.flatMap((group) => group.bindings);
const press = (key: string, changes: Partial<KeyPress> = {}): KeyPress => ({
  key, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...changes,
});

describe("keys", () => {
  it("are bound once each", () => {
    const keys = bindings.map((binding) => binding.key);
    expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
  });

  it("reach their action through a real key press, every one of them", () => {
    for (const { key, action } of bindings) {
      const parts = key.length > 1 ? key.split("+") : [key];
      const changes = { shiftKey: parts[0] === "Shift", ctrlKey: parts[0] === "Control" };
      expect(actionOf(press(parts.at(-1) ?? "", changes)), key).toBe(action);
    }
  });

  it("do not depend on Caps Lock, and find ? and + behind Shift", () => {
    expect(actionOf(press("N", { shiftKey: true }))).toBe("next_lesion");
    expect(actionOf(press("?", { shiftKey: true }))).toBe("show_keys");
    expect(actionOf(press("+", { shiftKey: true }))).toBe("zoom_in");
  });

  it("leave the browser's own shortcuts alone", () => {
    expect(actionOf(press("r", { ctrlKey: true }))).toBeNull();
    expect(actionOf(press("c", { metaKey: true }))).toBeNull();
    expect(actionOf(press("ArrowLeft", { altKey: true }))).toBeNull();
    expect(actionOf(press("q"))).toBeNull();
  });

  it("bind the presets readers know from OHIF", () => {
    expect(bindings.filter((binding) => binding.action.startsWith("preset_")).map(({ key, does }) => `${key} ${does}`)).toEqual([
      "1 Soft tissue, 400 / 40",
      "2 Lung, 1500 / -600",
      "3 Liver, 150 / 90",
      "4 Bone, 2500 / 480",
      "5 Brain, 80 / 40",
      "6 Calcium, 520 / 190",
    ]);
  });

  it("are written as they stand on the keyboard", () => {
    expect([" ", "Shift+ArrowUp", "+", "n"].map((key) => keyCaps(key).join(" "))).toEqual(["Space", "Shift ↑", "+", "N"]);
  });
});
