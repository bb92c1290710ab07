// Types of system-plan.mjs, for tests.
export const BACKPORTS_FILE: string;
export interface SystemFacts {
  platform: string;
  release: Record<string, string>;
  root: boolean;
  terminal: boolean;
  env: Record<string, string | undefined>;
  option: boolean | undefined;
  pythonProblem: string | undefined;
  adapter: { found: boolean; software?: boolean; loadable?: boolean };
  mesaInstalled?: string;
  mesaCandidate?: string;
  mirror?: { uri: string; signedBy?: string };
}
export interface SystemPlan {
  packages: string[];
  backports: string[];
  source: { file: string; text: string; suite: string } | undefined;
  reasons: string[];
  gaps: string[];
  permission: 'install' | 'ask' | 'print' | 'forbidden' | 'nothing';
  command: string | undefined;
}
export function parseOsRelease(text: string): Record<string, string>;
export function isDebianLike(release: Record<string, string>): boolean;
export function mirrorFromSources(
  texts: string[],
  suite: string,
): { uri: string; signedBy?: string } | undefined;
export function systemPlan(facts: SystemFacts): SystemPlan;
export function systemUndo(record: { packages: string[]; source?: string }): string[];
export function aptCandidate(policy: string): string | undefined;
