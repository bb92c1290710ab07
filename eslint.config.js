import tseslint from 'typescript-eslint';

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
  { files: ['**/*.mjs', '**/*.js'], extends: [...tseslint.configs.recommended], rules: { eqeqeq: 'error' } },
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
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
);
