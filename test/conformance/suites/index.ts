import type { Suite } from '../run-suite.js';
import { applicationsSuite } from './applications.js';
import { csmithSuite } from './csmith.js';
import { ownSuite } from './own.js';
import { tortureSuite } from './torture.js';

/** What suites are made with. */
export interface SuiteOptions {
  /** Folder of what has been fetched. */
  readonly sources: string;
  /** A handful of programs, where there are thousands. */
  readonly isShort: boolean;
  readonly firstSeed: number;
  /** For what a suite makes itself. */
  readonly directory: string;
}

/** A way to a suite. */
export interface SuiteFactory {
  readonly name: string;
  /** @returns words where it cannot be had. */
  make(options: SuiteOptions): Promise<Suite | string> | Suite | string;
}

export const SUITES: readonly SuiteFactory[] = [
  { name: 'own', make: ownSuite },
  { name: 'torture', make: tortureSuite },
  { name: 'csmith', make: csmithSuite },
  { name: 'applications', make: applicationsSuite },
];
