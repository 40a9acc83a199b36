import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const SERVER = process.env.LEPTON ?? "http://127.0.0.1:8000";
const ROUTES = ["/v1", "/metrics", "/healthz", "/readyz", "/openapi.json"];

// The page runs under a policy that allows no inline script or style, so nothing is inlined.
export default defineConfig({
  base: "/console/",
  plugins: [react()],
  build: {
    outDir: "../src/lepton/serve/console",
    emptyOutDir: true,
    assetsDir: "",
    assetsInlineLimit: 0,
    sourcemap: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    license: { fileName: "licenses.md" },
  },
  server: { proxy: Object.fromEntries(ROUTES.map((route) => [route, SERVER])) },
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
  },
});
