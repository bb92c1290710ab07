// Prints "PASSED FAILED" of a vitest result file. A missing file, or a run that failed although no test did,
// counts as one failure; so does a run without any test.
import { existsSync, readFileSync } from 'node:fs';

const [file, code] = process.argv.slice(2);
let passed = 0;
let failed = 0;
if (existsSync(file)) {
  const results = JSON.parse(readFileSync(file, 'utf8'));
  passed = results.numPassedTests;
  failed = results.numFailedTests;
}
if (failed === 0 && (code !== '0' || passed === 0)) failed = 1;
console.log(`${passed} ${failed}`);
