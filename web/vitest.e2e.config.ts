import { defineConfig } from "vitest/config";

// Started by tests/web/test_console.py, which makes the apps and serves them.
export default defineConfig({
  test: {
    include: ["e2e/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
    expect: { poll: { timeout: 15_000 } },
  },
});
