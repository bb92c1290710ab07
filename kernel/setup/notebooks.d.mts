// Types of notebooks.mjs, for tests.
export function sourcesHash(text: string): string;
export function copyNotebooks(
  paths: { notebooks: string; my: string; notebooksRecord: string },
  say: (text: string) => void,
): { name: string; action: 'create' | 'keep' | 'update' | 'same' }[];
export function masterNotebooks(folder: string): string[];
