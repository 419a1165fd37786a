// Built files go where the binary embeds them from, under names that stay: no hashes, so that a diff can be read.
import { defineConfig } from 'vite';

export default defineConfig({
  base: '/admin/performance/',
  publicDir: false,
  build: {
    outDir: process.env.HOWDAH_WEB_OUT ?? '../crates/web/assets',
    emptyOutDir: false,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: false,
    target: 'es2022',
    rollupOptions: {
      output: {
        entryFileNames: 'app.js',
        assetFileNames: 'app[extname]',
        inlineDynamicImports: true,
      },
    },
  },
});
