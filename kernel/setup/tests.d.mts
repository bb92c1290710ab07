// Types of tests.mjs, for tests.
export interface VitestResults {
  testResults: {
    name: string;
    startTime: number;
    endTime: number;
    assertionResults: { status: string; fullName: string }[];
  }[];
}
export function summary(facts: {
  results: VitestResults | undefined;
  seconds: number;
  adapter: { found: boolean; reason?: string };
  lab: boolean;
}): string[];
