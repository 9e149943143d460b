import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The server that `npm run dev` asks for data.
const server = process.env.STANCH_SERVER ?? "http://127.0.0.1:7878";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2023",
    // Inlined data: addresses would need a wider content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: "manifest.json",
  },
  server: { proxy: { "/api": { target: server, changeOrigin: false } } },
  test: { include: ["src/**/*.test.ts"] },
});
