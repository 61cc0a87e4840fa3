import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import readingOrder from './reading-order.json' with { type: 'json' };

const DOCS = fileURLToPath(new URL('..', import.meta.url));

/** Where what is not a page can be read. */
const { repository, description } = JSON.parse(readFileSync(join(DOCS, '../package.json'), 'utf8'));
const SOURCES = `${repository.url.replace(/^git\+|\.git$/g, '')}/blob/main`;

/** As GitHub makes the anchor of a heading: links are the same in both. */
function anchorOf(title: string): string {
  return title
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-');
}

export default defineConfig({
  title: 'FarJIT',
  description,
  lang: 'en',
  outDir: process.env.FARJIT_DOCS_OUT ?? '../dist/site',
  themeConfig: {
    sidebar: readingOrder.map(({ text, pages }) => ({
      text,
      items: Object.entries(pages).map(([page, title]) => ({ text: title, link: `/${page}` })),
    })),
    nav: [{ text: 'API', link: '/api/index.html', target: '_self' }],
    outline: [2, 3],
    search: { provider: 'local' },
    docFooter: { prev: 'Before', next: 'Next' },
  },
  markdown: {
    anchor: { slugify: anchorOf },
    config(md) {
      // What lies outside of this folder is no page of the site.
      const open =
        md.renderer.rules.link_open ??
        ((tokens, at, options, _, self) => self.renderToken(tokens, at, options));
      md.renderer.rules.link_open = (tokens, at, options, env, self) => {
        const token = tokens[at];
        const target = token?.attrGet('href') ?? '';
        const isOutside = target.startsWith('../');
        if (isOutside) token?.attrSet('href', `${SOURCES}/${posix.normalize(`docs/${target}`)}`);
        return open(tokens, at, options, env, self);
      };
    },
  },
});
