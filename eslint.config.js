import tseslint from 'typescript-eslint';

/** What Node gives every module. */
const globals = Object.fromEntries(Object.getOwnPropertyNames(globalThis).map((name) => [name, 'readonly']));

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'node_modules/',
      'lib/generated/',
      'lib/cpu/wasm/assembly/',
      'my/',
      'runs/',
      '.assay/',
      '.venv/',
    ],
  },
  {
    // Plain modules are not type-checked, so names that do not exist are found here.
    files: ['**/*.mjs', '**/*.js'],
    extends: [...tseslint.configs.recommended],
    languageOptions: { globals },
    rules: { eqeqeq: 'error', 'no-undef': 'error' },
  },
  {
    files: ['**/*.ts', '**/*.mts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Async functions without await are a deliberate part of some interfaces (a verb returns a promise).
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': ['error', { ignoreStatic: true }],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
);
