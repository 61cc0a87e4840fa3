/** What changesets say, in the order of how much changes for users. */
const HEADINGS = { major: 'Breaks', minor: 'New', patch: 'Mended' };

/**
 * Puts a release on top of a change log, below what the log begins with.
 * @param {string} changelog Markdown, a release a heading of second order, the newest first.
 * @param {string} version
 * @param {readonly { summary: string, releases: readonly { type: string }[] }[]} changesets
 */
export function withRelease(changelog, version, changesets) {
  const parts = Object.entries(HEADINGS).flatMap(([type, heading]) => {
    const items = changesets.filter((changeset) => weightOf(changeset) === type);
    return items.length === 0
      ? []
      : [`### ${heading}`, items.map(({ summary }) => itemOf(summary)).join('\n')];
  });
  const release = `${[`## ${version}`, ...parts].join('\n\n')}\n`;
  const newest = changelog.search(/^## /m);
  if (newest < 0) return `${changelog.trimEnd()}\n\n${release}`;
  return `${changelog.slice(0, newest)}${release}\n${changelog.slice(newest)}`;
}

/** The most that it asks for of any package. */
function weightOf({ releases }) {
  return Object.keys(HEADINGS).find((type) => releases.some((release) => release.type === type));
}

function itemOf(summary) {
  return `- ${summary.trim().replace(/\n(?=.)/g, '\n  ')}`;
}
