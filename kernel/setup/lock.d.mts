// Types of lock.mjs, for tests.
export function takeLock(
  file: string,
  say: (text: string) => void,
  waitSeconds?: number,
): Promise<() => void>;
