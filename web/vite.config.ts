import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: 'dist/app', // dist itself holds the placeholder that Go embeds
    emptyOutDir: true,
    chunkSizeWarningLimit: 700, // kB before compression, which takes two thirds: one file is fetched once and kept
    assetsInlineLimit: 0, // the content security policy allows no data: addresses
    modulePreload: { polyfill: false }, // it would be an inline script
  },
});
