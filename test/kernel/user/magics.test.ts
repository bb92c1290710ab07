import { describe, expect, it } from 'vitest';
import { checkComment, readMagics } from '../../../kernel/user/magics.js';

describe('magic lines', () => {
  it('are blanked, so that lines and columns of the code stay', () => {
    const { code, nocheck, time } = readMagics('%%time\n  %%nocheck\nconst a = 1;\nthrow a;');
    expect(code).toBe('      \n           \nconst a = 1;\nthrow a;');
    expect({ nocheck, time }).toEqual({ nocheck: true, time: true });
  });

  it('name packages to install, with versions and options', () => {
    const { installs, code } = readMagics(
      '// for tables\n%install arquero @scope/x@2 -D\nimport * as aq from "arquero"',
    );
    expect(installs).toEqual([['arquero', '@scope/x@2', '-D']]);
    expect(code.split('\n')[2]).toBe('import * as aq from "arquero"');
  });

  it('make the whole cell a program of a shell', () => {
    const { shell, code } = readMagics('%%bash\nls | wc -l\n%x');
    expect(shell).toEqual({ name: 'bash', script: '\nls | wc -l\n%x' });
    expect(code).toBe('');
  });

  it('are told when they are not known', () => {
    expect(readMagics('\n%matplotlib inline\n1').unknown).toEqual({ line: 2, text: '%matplotlib' });
  });

  it('stand only before the code: a remainder is no magic', () => {
    const code = 'const a = 7\n%install\n3';
    expect(readMagics(code)).toEqual({ code, nocheck: false, time: false, installs: [] });
    expect(readMagics('5 % 3').code).toBe('5 % 3');
  });
});

describe('comments about types', () => {
  it('switch checking off for the cell only as its first line', () => {
    expect(checkComment('\n// @ts-nocheck\n1')).toEqual({ cell: false });
    expect(checkComment('1\n// @ts-nocheck')).toEqual({});
  });

  it('switch checking for the session wherever they stand', () => {
    expect(checkComment('1\n// assay: types off')).toEqual({ session: false });
    expect(checkComment('  //assay: types on')).toEqual({ session: true });
    expect(checkComment('"// assay: types off"')).toEqual({});
  });
});
