import { signal } from "@preact/signals";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { follow } from "./followed";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

test("a burst of changes is read once, and the old value stays until then", async () => {
  const changes = signal(0);
  let reads = 0;
  const followed = follow(() => Promise.resolve(++reads), changes);
  await settle();
  expect(followed.value.value).toBe(1);
  for (let change = 0; change < 50; change += 1) changes.value += 1;
  await settle();
  expect(followed.value.value).toBe(1);
  await vi.advanceTimersByTimeAsync(2000);
  expect(followed.value.value).toBe(2);
  followed.stop();
});

test("a change while it is being read is not lost", async () => {
  const changes = signal(0);
  let reads = 0;
  const read = (): Promise<number> => new Promise((resolve) => setTimeout(() => { resolve(++reads); }, 100));
  const followed = follow(read, changes);
  await vi.advanceTimersByTimeAsync(50);
  changes.value += 1;
  await vi.advanceTimersByTimeAsync(3000);
  expect(followed.value.value).toBe(2);
  followed.stop();
});

test("a failure is said in words and leaves what was known", async () => {
  const changes = signal(0);
  const answers = [() => Promise.resolve(7), () => Promise.reject(new Error("The box cannot be reached.")), () => Promise.resolve(8)];
  const followed = follow(() => answers.shift()?.() ?? Promise.resolve(0), changes);
  await settle();
  followed.reload();
  await settle();
  expect(followed.value.value).toBe(7);
  expect(followed.problem.value).toBe("The box cannot be reached.");
  followed.reload();
  await settle();
  expect([followed.value.value, followed.problem.value]).toEqual([8, null]);
  followed.stop();
});

test("a page that was left reads nothing more", async () => {
  const changes = signal(0);
  let reads = 0;
  const followed = follow(() => Promise.resolve(++reads), changes);
  await settle();
  followed.stop();
  changes.value += 1;
  await vi.advanceTimersByTimeAsync(5000);
  expect(reads).toBe(1);
});
